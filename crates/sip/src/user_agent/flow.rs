//! Where messages come from and go to: flows, destinations, and what is sent.

use crate::message::{Message, Method, StatusCode, Uri};
use crate::transport::Transport;
use std::net::SocketAddr;

/// One path between two addresses.
///
/// Where the transport has connections, the shell opens one to `remote` when it has none; `local` is then only the
/// advertised address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Transport protocol.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

/// Where a request may go, best first.
///
/// The engine moves to the next candidate on 503, on a transport failure and on a time-out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destination {
    /// Candidates in the order of preference.
    pub candidates: Vec<(Transport, SocketAddr)>,
    /// A URI that has to be resolved first (RFC 3263): each request asks by
    /// [`Event::Resolve`](super::Event::Resolve), and the candidates are tried if it has no
    /// address.
    pub name: Option<Uri>,
}

impl Destination {
    /// Returns a destination with these candidates.
    pub const fn among(candidates: Vec<(Transport, SocketAddr)>) -> Self {
        Self { candidates, name: None }
    }

    /// Returns the destination that a URI names, to be resolved for each request.
    pub const fn named(uri: Uri) -> Self {
        Self { candidates: Vec::new(), name: Some(uri) }
    }

    /// Returns a destination with one UDP candidate.
    pub fn udp(remote: SocketAddr) -> Self {
        Self::among(vec![(Transport::Udp, remote)])
    }

    /// Returns a destination with one TCP candidate.
    pub fn tcp(remote: SocketAddr) -> Self {
        Self::among(vec![(Transport::Tcp, remote)])
    }
}

/// What reaches the engine.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A datagram, or one framed message of a stream.
    Received {
        /// The path it came by.
        flow: Flow,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The same, already parsed.
    Message {
        /// The path it came by.
        flow: Flow,
        /// What came.
        message: &'a Message,
    },
    /// A send was refused, or the connection is gone.
    TransportFailed {
        /// The path that failed.
        flow: Flow,
    },
    /// A datagram came back undelivered (RFC 3261 §18.4). It counts if we sent it and its outcome
    /// is still open: [`UserAgent::awaits_delivery`](super::UserAgent::awaits_delivery).
    Returned {
        /// The path it was sent on.
        flow: Flow,
        /// Its beginning, as far as it is known.
        sent: &'a [u8],
    },
    /// A deadline that [`Output::Timeout`](super::Output::Timeout) named has passed; early and late calls are harmless.
    Timeout,
}

/// Bytes to put on the wire.
#[derive(Debug, Clone)]
pub struct Transmit {
    /// The path to send on.
    pub flow: Flow,
    /// What this is.
    pub kind: TransmitKind,
    message: Option<Message>,
}

impl Transmit {
    pub(crate) fn message_on(flow: Flow, message: Message, retransmission: bool) -> Self {
        let kind =
            TransmitKind::Message { method: message.method(), status: message.status(), retransmission };
        Self { flow, kind, message: Some(message) }
    }

    pub(crate) const fn keep_alive(flow: Flow) -> Self {
        Self { flow, kind: TransmitKind::KeepAlive, message: None }
    }

    /// Returns the bytes to send.
    pub fn bytes(&self) -> &[u8] {
        // RFC 5626 §3.5.1: the ping is a double CRLF.
        self.message.as_ref().map_or(b"\r\n\r\n", Message::bytes)
    }

    /// Returns the message; `None` for a keep-alive. Cloning it is cheap.
    pub const fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }
}

impl Transmit {
    /// Tells whether the same bytes went out before.
    pub const fn is_retransmission(&self) -> bool {
        matches!(self.kind, TransmitKind::Message { retransmission: true, .. })
    }
}

/// What a [`Transmit`] carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransmitKind {
    /// A SIP message.
    Message {
        /// Method of the request, or of the request that is answered.
        method: Method,
        /// Status of a response.
        status: Option<StatusCode>,
        /// The same bytes went out before.
        retransmission: bool,
    },
    /// A double CRLF.
    KeepAlive,
}
