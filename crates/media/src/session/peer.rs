//! Whose packets a session takes, and what it reports about others'.
//!
//! The rule is [`TrustedSource`], for RTP and RTCP each. Strangers are reported only now and then,
//! whatever they send: who, and how many packets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::output::Fact;
use crate::negotiate::MediaPlan;
use crate::rtp::{Proof, Trust, TrustedSource};

/// Strangers are reported no more often than this.
const PAUSE: Duration = Duration::from_secs(10);
/// How many times they are reported in the life of a session; its end reports the rest.
const TELLINGS: u32 = 10;

/// Who the peer is, for each of its two streams.
#[derive(Debug, Default)]
pub(super) struct Peer {
    rtp: TrustedSource,
    rtcp: TrustedSource,
    /// The difference that was reported.
    difference: Option<(SocketAddr, SocketAddr)>,
    /// Strangers' packets that were reported, RTP and RTCP.
    told: [u64; 2],
    tellings: u32,
    next_telling: Option<Instant>,
}

impl Peer {
    /// Follows a plan.
    pub(super) fn negotiate(&mut self, plan: &MediaPlan) {
        self.rtp.negotiate(plan.remote);
        self.rtcp.negotiate(plan.remote_rtcp);
    }

    /// Judges a packet from the RTP socket.
    pub(super) fn judge_rtp(&mut self, source: SocketAddr, proof: Option<Proof>) -> Trust {
        self.rtp.judge(source, proof)
    }

    /// Judges RTCP. From the source of the peer's RTP it is the peer's (RFC 5761); a report about a
    /// stream other than `heard` does not make an address known.
    pub(super) fn judge_rtcp(
        &mut self,
        source: SocketAddr,
        proof: Option<Proof>,
        heard: Option<u32>,
    ) -> Trust {
        if self.rtp.knows(source) {
            return Trust::Peer;
        }
        self.rtcp.judge(source, proof.filter(|proof| heard.is_none_or(|heard| heard == proof.ssrc())))
    }

    /// Returns the fact that the peer sends from elsewhere than it said, once for each pair of
    /// addresses.
    pub(super) fn difference(&mut self) -> Option<Fact> {
        let difference = self.rtp.difference();
        let (negotiated, source) = difference.filter(|_| self.difference != difference)?;
        self.difference = difference;
        Some(Fact::SourceDiffers { negotiated, source })
    }

    /// Returns how many packets were not the peer's.
    pub(super) const fn strangers(&self) -> u64 {
        self.rtp.strangers().packets + self.rtcp.strangers().packets
    }

    /// Returns what is to be reported about strangers now.
    pub(super) fn tell_strangers(&mut self, now: Instant) -> Option<Fact> {
        if self.strangers() == self.told.iter().sum::<u64>()
            || self.tellings >= TELLINGS
            || self.next_telling.is_some_and(|next| now < next)
        {
            return None;
        }
        self.tellings += 1;
        self.next_telling = Some(now + PAUSE);
        self.tell()
    }

    /// Returns what is left to report about strangers at the end.
    pub(super) fn tell_last_strangers(&mut self) -> Option<Fact> {
        self.rtp.give_up_candidates();
        self.rtcp.give_up_candidates();
        self.tell()
    }

    fn tell(&mut self) -> Option<Fact> {
        let known = [self.rtp.strangers(), self.rtcp.strangers()];
        let before = std::mem::replace(&mut self.told, known.map(|strangers| strangers.packets));
        let more = known.iter().zip(before).find(|(known, before)| known.packets > *before)?;
        let packets = self.strangers() - before.iter().sum::<u64>();
        more.0.last.map(|source| Fact::ForeignPackets { source, packets })
    }
}
