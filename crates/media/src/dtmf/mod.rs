//! Digits: telephone events in RTP, and tones in the audio.
//!
//! RFC 4733 sections 2 and 3.2, ITU-T Q.23 and Q.24.

mod event;
mod inband;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod tones;

pub use event::{Digit, EventPayload, EventSet};
pub use inband::InbandSender;
pub use receiver::{EventChange, EventReceiver, ReceivedEvent};
pub use sender::{EventPacket, EventSender};
pub use tones::{DigitDetector, HeardDigit};

/// How a digit travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitMethod {
    /// As telephone event (RFC 4733).
    Rfc4733,
    /// As tone pair in the audio.
    InBand,
}
