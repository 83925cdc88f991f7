//! Two user agents joined by a scripted network, for tests here and in the crates above.
//!
//! [`Pair`] owns a virtual clock: `drive` steps to whichever comes first, a delivery, a scripted action or an engine's
//! deadline. Losses, repeats and delays are named by datagram number or drawn from a seed. [`ladder`] draws what was sent.

pub mod ladder;
mod pair;
mod script;

pub use pair::{Fault, Livelock, Network, Pair, Peer, Sent, Side};
pub use script::{Desk, Final, Script, UasScript};

use std::time::Instant;

/// Returns the instant at which a test begins; the only clock reading of this crate.
#[expect(
    clippy::disallowed_methods,
    reason = "engines take time as an argument; a test needs one to start from"
)]
pub fn epoch() -> Instant {
    Instant::now()
}

/// A small session description, for bodies that nobody looks into.
pub const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
