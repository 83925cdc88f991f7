//! The one place between packet and socket: every datagram passes here, both ways.
//!
//! RFC 3711 would encrypt and check here, with the keys of the plan. Plain RTP passes as it is.

use crate::negotiate::{MediaPlan, Security};

/// Makes a datagram of ours ready for the network.
pub(super) fn seal(plan: Option<&MediaPlan>, _datagram: &mut Vec<u8>) {
    match security(plan) {
        None => {}
        Some(security) => match security {},
    }
}

/// Returns the packet inside a datagram of the peer.
pub(super) fn open<'a>(plan: Option<&MediaPlan>, datagram: &'a [u8]) -> &'a [u8] {
    match security(plan) {
        None => datagram,
        Some(security) => match security {},
    }
}

fn security(plan: Option<&MediaPlan>) -> Option<Security> {
    plan.and_then(|plan| plan.security)
}
