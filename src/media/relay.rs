//! A relay: what arrives at one leg is sent on by another at once, without a timer.
//!
//! Packets (RFC 3550) are not changed, so SSRC, sequence numbers and RTCP stay end to end.
//! [`TrustedSource`] decides which packets come from the peer; only those are passed on, and only
//! those change where we send.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use offhook_media::rtp::{Proof, RtpPacket, Trust, TrustedSource};

use super::{
    hub::TICK,
    leg::{Kind, Leg, Role, guard},
};
use crate::net::{Arrived, Batch, Way};

/// Where a peer wants its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) rtp: Option<SocketAddr>,
    pub(crate) rtcp: Option<SocketAddr>,
}

/// Where the packets of a leg go, and whose packets it passes on.
#[derive(Debug, Default)]
pub(super) struct Aim {
    target: Target,
    rtp: TrustedSource,
    rtcp: TrustedSource,
}

impl Aim {
    /// Follows what the peer's description says.
    pub(super) fn follow(&mut self, target: Target) {
        self.target = target;
        self.rtp.negotiate(target.rtp);
        self.rtcp.negotiate(target.rtcp);
    }

    /// Returns whether a packet comes from the peer.
    fn takes(&mut self, kind: Kind, from: SocketAddr, bytes: &[u8]) -> bool {
        let (trust, proof) = match kind {
            Kind::Rtp => (&mut self.rtp, RtpPacket::parse(bytes).ok().as_ref().map(Proof::of_rtp)),
            Kind::Rtcp => (&mut self.rtcp, Proof::of_rtcp(bytes)),
        };
        trust.judge(from, proof) == Trust::Peer
    }

    /// Returns where to reach the peer; `None` while it wants nothing.
    fn place(&self, kind: Kind) -> Option<SocketAddr> {
        let (wanted, trust) = match kind {
            Kind::Rtp => (self.target.rtp, &self.rtp),
            Kind::Rtcp => (self.target.rtcp, &self.rtcp),
        };
        // A phone behind NAT is reached where it sends from.
        wanted.map(|wanted| trust.source().unwrap_or(wanted))
    }
}

impl Leg {
    /// Reads both sockets as packets come, until it is aborted; after a socket has failed it
    /// pauses.
    pub(super) async fn pass_all(self: Arc<Self>) {
        loop {
            poll_fn(|cx| self.common.with_batch(|batch| self.poll_pass(cx, batch))).await;
            tokio::time::sleep(TICK).await;
        }
    }

    /// Passes on what has arrived; ready when a socket has failed.
    fn poll_pass(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<()> {
        for kind in Kind::BOTH {
            loop {
                match self.socket(kind).poll_drain(cx, batch) {
                    Poll::Ready(Ok(())) => {
                        batch.datagrams().for_each(|arrived| self.pass_on(kind, arrived));
                    }
                    Poll::Ready(Err(error)) => {
                        self.failed(kind, &error);
                        return Poll::Ready(());
                    }
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    /// Passes a datagram from the peer of this leg on to the peer of its partner.
    fn pass_on(&self, kind: Kind, Arrived { from, at, bytes }: Arrived<'_>) {
        self.show(Way::Received, kind, from, at, bytes);
        let mut inner = guard(&self.inner);
        let Role::Relay(partner) = &inner.role else { return };
        let partner = partner.upgrade();
        let taken = inner.aim.takes(kind, from, bytes);
        drop(inner);
        let Some(partner) = partner.filter(|_| taken) else { return };
        let Some(to) = partner.target_for(self, kind) else { return };
        if let Err(error) = partner.send(kind, bytes, to) {
            partner.failed(kind, &error);
        }
    }

    /// Returns where packets from `sender` go, unless this leg has another partner by now.
    fn target_for(&self, sender: &Self, kind: Kind) -> Option<SocketAddr> {
        let inner = guard(&self.inner);
        let ours = matches!(&inner.role, Role::Relay(partner) if std::ptr::eq(partner.as_ptr(), sender));
        if ours { inner.aim.place(kind) } else { None }
    }
}
