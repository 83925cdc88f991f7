//! What a session wants done, and what it noticed.

use std::net::SocketAddr;
use std::time::Duration;

use super::statistics::StreamStats;
use crate::audio::Frame;
use crate::codec::Codec;
use crate::dtmf::{Digit, DigitMethod};

/// One thing to do or to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send an RTP packet; give the buffer back with [`super::MediaSession::recycle`].
    Packet {
        /// Destination.
        to: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Send an RTCP compound.
    Rtcp {
        /// Destination.
        to: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Write a frame of each direction to the recording.
    RecordFrame(Box<RecordFrame>),
    /// Something happened.
    Fact(Fact),
}

/// Both directions of one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFrame {
    /// What was heard.
    pub received: Frame,
    /// What was said.
    pub sent: Frame,
}

/// What a session noticed.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The first RTP packet came.
    FirstPacket {
        /// Where it came from.
        source: SocketAddr,
        /// Its codec, `None` for events and unknown payload types.
        codec: Option<Codec>,
        /// Its payload type.
        payload_type: u8,
        /// Its synchronization source.
        ssrc: u32,
    },
    /// Packets come from another address or another synchronization source.
    SourceChanged {
        /// Where they come from now.
        source: SocketAddr,
        /// Their synchronization source now.
        ssrc: u32,
    },
    /// The peer sends from another address than it gave; we go on sending to the one it gave.
    SourceDiffers {
        /// The address of its description.
        negotiated: SocketAddr,
        /// The one that its packets come from.
        source: SocketAddr,
    },
    /// Packets came that were not the peer's; they were counted, and nothing else.
    ForeignPackets {
        /// Where the last of them came from.
        source: SocketAddr,
        /// How many, since this was last reported.
        packets: u64,
    },
    /// There were more facts of a kind than any real peer causes; the rest were withheld.
    Withheld {
        /// How many, since this was last reported.
        facts: u64,
    },
    /// No packet came for the configured time, although the plan receives.
    ReceptionStopped {
        /// How long ago the last packet came.
        silent_for: Duration,
    },
    /// Packets come again.
    ReceptionResumed,
    /// Audio comes with another payload type than before.
    PayloadChanged {
        /// The number in the packets.
        payload_type: u8,
        /// What it stands for.
        codec: Codec,
    },
    /// A digit began to be received.
    DigitStarted {
        /// The digit.
        digit: Digit,
        /// How it comes.
        method: DigitMethod,
    },
    /// A digit was received.
    Digit {
        /// The digit.
        digit: Digit,
        /// How long it lasted.
        duration_ms: u64,
        /// How it came.
        method: DigitMethod,
    },
    /// All digits of a command have been sent.
    DigitsSent {
        /// The digits, in order.
        digits: String,
        /// How they went.
        method: DigitMethod,
    },
    /// Digits of a command were dropped, because the stream stopped sending; some may have gone out.
    DigitsCut {
        /// The digits of the command, in order.
        digits: String,
        /// How they should have gone.
        method: DigitMethod,
    },
    /// A source that does not repeat came to its end.
    PlaybackFinished,
    /// The received audio has been silent for the configured time.
    SilenceStarted,
    /// The received audio is heard again.
    SilenceEnded {
        /// How long it was quiet.
        quiet: Duration,
    },
    /// A steady tone is heard.
    ToneStarted {
        /// Its strongest frequency.
        hz: f64,
        /// Its level in dBFS.
        level: f64,
    },
    /// The tone is over.
    ToneEnded {
        /// The frequency it started with.
        hz: f64,
        /// How long it sounded.
        duration: Duration,
    },
    /// The figures, at regular intervals and at the end.
    Statistics(Box<StreamStats>),
    /// The peer left with an RTCP BYE.
    RemoteBye {
        /// Why, if it said so.
        reason: Option<String>,
    },
}
