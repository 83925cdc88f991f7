//! Media of the lab: ports, relays, and the voices of the test numbers.
//!
//! One task reads the two sockets of a leg; a relayed packet leaves from there at once, without a timer. One clock
//! drives every voice. RFC 3550 packets are not changed in a relay, so SSRC, sequence and RTCP stay end to end.

mod clock;
mod leg;
mod prompt;

pub(super) use leg::{Media, MediaFact, MediaLeg, Target};
pub(super) use prompt::{announcement, beep};
