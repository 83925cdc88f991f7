//! What a link does to datagrams, and the record of what crossed it.

use std::{net::SocketAddr, time::Duration};

use crate::net::Transport;

/// How one direction between two hosts behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Delay of every datagram.
    pub latency: Duration,
    /// Largest random addition to the latency; datagrams may overtake each other.
    pub jitter: Duration,
    /// Share of datagrams that are lost, 0 to 1.
    pub loss: f64,
    /// Share of datagrams that arrive twice, 0 to 1.
    pub duplication: f64,
}

impl Default for Link {
    fn default() -> Self {
        Self { latency: Duration::from_millis(1), jitter: Duration::ZERO, loss: 0.0, duplication: 0.0 }
    }
}

/// A datagram in transit, as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Number of the datagram in the whole network, from 0.
    pub number: u64,
    /// Source.
    pub from: SocketAddr,
    /// Destination.
    pub to: SocketAddr,
    /// Payload.
    pub bytes: &'a [u8],
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// It never arrives.
    Lost,
    /// It arrives twice.
    Twice,
    /// It arrives later than the link's latency by this much.
    Late(Duration),
    /// Nothing was bound to the address; a signaling socket is told.
    Unreachable,
}

/// How much is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// Nothing.
    #[default]
    Off,
    /// Everything that does not look like RTP or RTCP (first two bits not 10, RFC 3550 §5.1).
    Signaling,
    /// Everything.
    Everything,
}

impl Recording {
    pub(super) fn wants(self, bytes: &[u8]) -> bool {
        match self {
            Self::Off => false,
            Self::Signaling => bytes.first().is_none_or(|first| first >> 6 != 2),
            Self::Everything => true,
        }
    }
}

/// A datagram, or one write to a stream, that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// When it was sent, since the network was created.
    pub at: Duration,
    /// The transport.
    pub transport: Transport,
    /// Source.
    pub from: SocketAddr,
    /// Destination.
    pub to: SocketAddr,
    /// Payload.
    pub bytes: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
}
