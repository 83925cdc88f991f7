//! A relay: what arrives at one leg leaves by another at once, without a timer.
//!
//! RFC 3550 packets are not changed, so SSRC, sequence and RTCP stay end to end.

use std::net::SocketAddr;

use super::leg::{Kind, Leg, Role, guard};

/// Where a peer wants its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) rtp: Option<SocketAddr>,
    pub(crate) rtcp: Option<SocketAddr>,
}

impl Leg {
    /// Passes a datagram from the peer of this leg on to the peer of its partner, if it is a relay.
    pub(super) fn pass_on(&self, kind: Kind, from: SocketAddr, bytes: &[u8]) {
        let mut inner = guard(&self.inner);
        let Role::Relay(partner) = &inner.role else { return };
        let partner = partner.upgrade();
        // A phone behind address translation is reached where it sends from.
        let aim = match kind {
            Kind::Rtp => &mut inner.target.rtp,
            Kind::Rtcp => &mut inner.target.rtcp,
        };
        if aim.is_some() {
            *aim = Some(from);
        }
        drop(inner);
        let Some(partner) = partner else { return };
        let Some(target) = partner.target_for(self) else { return };
        let to = match kind {
            Kind::Rtp => target.rtp,
            Kind::Rtcp => target.rtcp,
        };
        if let Some(to) = to {
            partner.send(kind, bytes, to);
        }
    }

    /// Returns where packets from `sender` go, unless this leg has another partner by now.
    fn target_for(&self, sender: &Self) -> Option<Target> {
        let inner = guard(&self.inner);
        let ours = matches!(&inner.role, Role::Relay(partner) if std::ptr::eq(partner.as_ptr(), sender));
        ours.then_some(inner.target)
    }
}
