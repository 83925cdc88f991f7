//! RTP streams: packets, numbering, loss, jitter.
//!
//! RFC 3550 sections 5 and A. Header extensions and contributing sources are skipped when read and
//! never sent.

mod loss;
mod packet;
mod receiver;
mod sender;
mod sequence;
mod trust;

pub use loss::{BurstHistogram, LossTracker};
pub use packet::{RtpPacket, RtpParseError};
pub use receiver::{Arrival, Receiver, ReceiverStats, ReportFigures};
pub use sender::Sender;
pub use sequence::{Jump, Sequence, SequenceTracker};
pub use trust::{Proof, Strangers, Trust, TrustedSource};
