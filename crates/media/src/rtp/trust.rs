//! Whose a packet is, judged by where it comes from.
//!
//! RFC 3264 section 5.1 says where a peer wants its packets, not where it sends from. Nearly all
//! send from there (symmetric RTP, RFC 4961), but a NAT changes the address. So the negotiated
//! address is believed at once; as long as nothing comes from it, one other may be learnt, by
//! packets in a row that agree as those of a new source must (RFC 3550 appendix A.1). All else is a
//! stranger's. Address and port count together. Whoever can forge the peer's address is believed:
//! only RFC 3711 would help.

use std::net::SocketAddr;

use super::packet::RtpPacket;

/// RTP packets in a row that make a source known.
const PACKETS: u16 = 4;
/// RTCP packets that do so: one comes every few seconds, and has no number.
const REPORTS: u16 = 2;
/// The same for the source that was believed before the negotiated address changed: packets still
/// under way from there prove nothing.
const PACKETS_OF_BEFORE: u16 = 50;
/// How far the numbers of that source may step between two packets.
const STEP_OF_BEFORE: u16 = 8;
/// Sources that are learnt at once; beyond that, the one heard longest ago is given up.
const CANDIDATES: usize = 8;
/// The synchronization source behind the header of an RTCP packet (RFC 3550 section 6.4).
const RTCP_SSRC: std::ops::Range<usize> = 4..8;

/// Whose a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The peer's.
    Peer,
    /// Not known yet: more like it would make its source the peer's.
    Unproven,
    /// Somebody else's.
    Stranger,
}

/// What a packet says about its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    ssrc: u32,
    /// `None` in RTCP.
    sequence: Option<u16>,
}

impl Proof {
    /// Reads what an RTP packet says.
    #[must_use]
    pub const fn of_rtp(packet: &RtpPacket<'_>) -> Self {
        Self { ssrc: packet.ssrc, sequence: Some(packet.sequence) }
    }

    /// Reads what an RTCP compound says; `None` when it is too short or of another version.
    #[must_use]
    pub fn of_rtcp(datagram: &[u8]) -> Option<Self> {
        let ssrc = datagram.get(RTCP_SSRC)?.try_into().ok().map(u32::from_be_bytes)?;
        datagram.first().is_some_and(|first| first >> 6 == 2).then_some(Self { ssrc, sequence: None })
    }

    /// Returns the synchronization source.
    #[must_use]
    pub const fn ssrc(self) -> u32 {
        self.ssrc
    }
}

/// Packets that were not the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strangers {
    /// How many.
    pub packets: u64,
    /// Where the last of them came from.
    pub last: Option<SocketAddr>,
}

impl Strangers {
    fn add(&mut self, source: SocketAddr, packets: u64) {
        self.packets += packets;
        self.last = Some(source);
    }
}

/// A source that may become the peer's.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    proof: Proof,
    /// Packets in a row.
    packets: u16,
    /// The same, second copies and late packets included.
    came: u64,
}

impl Candidate {
    const fn new(source: SocketAddr, proof: Proof) -> Self {
        Self { source, proof, packets: 1, came: 1 }
    }

    /// Takes the next packet of this source, up to `widest` numbers after the last; returns how
    /// many earlier packets turn out to prove nothing.
    fn take(&mut self, proof: Proof, widest: u16) -> u64 {
        let step = match (self.proof.sequence, proof.sequence) {
            (Some(last), Some(this)) => this.wrapping_sub(last),
            (None, None) => 1,
            (Some(_), None) | (None, Some(_)) => 0,
        };
        let follows = self.proof.ssrc == proof.ssrc && (1..=widest).contains(&step);
        let is_late = self.proof.ssrc == proof.ssrc && step.wrapping_neg() <= widest;
        if is_late {
            self.came += 1;
            return 0;
        }
        if !follows {
            return std::mem::replace(self, Self::new(self.source, proof)).came;
        }
        self.proof = proof;
        self.packets += u16::from(follows);
        self.came += 1;
        0
    }
}

/// The source of one direction of RTP, or of RTCP.
#[derive(Debug, Clone, Default)]
pub struct TrustedSource {
    negotiated: Option<SocketAddr>,
    /// The address that is believed, once something came from one.
    source: Option<SocketAddr>,
    /// The one that was believed before the negotiated address changed.
    before: Option<SocketAddr>,
    /// A description has confirmed the negotiated address while another one is believed: that one
    /// may have changed meanwhile, until it is heard again.
    may_have_moved: bool,
    candidates: Vec<Candidate>,
    strangers: Strangers,
}

impl TrustedSource {
    /// Follows a description that says where the peer is.
    ///
    /// A new address starts over. No address (an old-style hold, or no description yet) changes
    /// nothing. Nor does the first address change what was learnt before it was known, but it wins
    /// once it is heard.
    pub fn negotiate(&mut self, address: Option<SocketAddr>) {
        let Some(address) = address.map(canonical) else { return };
        if self.negotiated == Some(address) {
            // A NAT forgets a flow that was silent on hold, and gives its next packet another port.
            self.may_have_moved = self.source.is_some_and(|source| source != address);
            return;
        }
        if self.negotiated.replace(address).is_some() {
            self.before = self.source.take();
            self.give_up_candidates();
        }
    }

    /// Judges a packet that came from `source`; without a proof nothing is learnt from it.
    pub fn judge(&mut self, source: SocketAddr, proof: Option<Proof>) -> Trust {
        let source = canonical(source);
        if self.negotiated == Some(source) {
            if self.source != Some(source) {
                self.believe(source);
            }
            return Trust::Peer;
        }
        if self.source == Some(source) {
            self.may_have_moved = false;
            return Trust::Peer;
        }
        match proof {
            Some(proof) if self.source.is_none() || self.may_have_moved => self.learn(source, proof),
            Some(_) | None => {
                self.strangers.add(source, 1);
                Trust::Stranger
            }
        }
    }

    /// Returns whether what comes from `source` is the peer's, as far as we know.
    #[must_use]
    pub fn knows(&self, source: SocketAddr) -> bool {
        let source = Some(canonical(source));
        self.negotiated == source || self.source == source
    }

    /// Returns the address that is believed, once something came from one.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Returns the negotiated address and the one that the peer sends from, if they differ.
    #[must_use]
    pub fn difference(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.negotiated.zip(self.source).filter(|(negotiated, source)| negotiated != source)
    }

    /// Returns the packets that were not the peer's; those that may still prove to be are not among them.
    #[must_use]
    pub const fn strangers(&self) -> Strangers {
        self.strangers
    }

    /// Counts packets that have proved nothing so far as strangers': no more will come.
    pub fn give_up_candidates(&mut self) {
        for candidate in self.candidates.drain(..) {
            self.strangers.add(candidate.source, candidate.came);
        }
    }

    fn believe(&mut self, source: SocketAddr) {
        self.source = Some(source);
        self.may_have_moved = false;
        self.candidates.retain(|candidate| candidate.source != source);
        self.give_up_candidates();
    }

    fn learn(&mut self, source: SocketAddr, proof: Proof) -> Trust {
        let known = self.candidates.iter().position(|candidate| candidate.source == source);
        let candidate = match known.map(|place| self.candidates.remove(place)) {
            Some(mut candidate) => {
                // From a source that was believed before, losses are likelier than forgery.
                let widest = if self.before == Some(source) { STEP_OF_BEFORE } else { 1 };
                let unproven = candidate.take(proof, widest);
                if unproven > 0 {
                    self.strangers.add(source, unproven);
                }
                candidate
            }
            None => Candidate::new(source, proof),
        };
        let needed = match proof.sequence {
            Some(_) if self.before == Some(source) => PACKETS_OF_BEFORE,
            Some(_) => PACKETS,
            None => REPORTS,
        };
        if candidate.packets >= needed {
            self.believe(source);
            return Trust::Peer;
        }
        if self.candidates.len() >= CANDIDATES {
            let given_up = self.candidates.remove(0);
            self.strangers.add(given_up.source, given_up.came);
        }
        // The order is that in which they were last heard.
        self.candidates.push(candidate);
        Trust::Unproven
    }
}

/// Writes an address in one form: a dual-stack socket sees IPv4 inside IPv6, and scopes are not
/// negotiated.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn peer() -> SocketAddr {
        at("192.0.2.1:4000")
    }

    fn translated() -> SocketAddr {
        at("198.51.100.7:31000")
    }

    fn negotiated() -> TrustedSource {
        let mut trust = TrustedSource::default();
        trust.negotiate(Some(peer()));
        trust
    }

    const fn rtp(ssrc: u32, sequence: u16) -> Option<Proof> {
        Some(Proof { ssrc, sequence: Some(sequence) })
    }

    /// Judges packets in a row from one source.
    fn flow(
        trust: &mut TrustedSource,
        source: SocketAddr,
        sequence: impl IntoIterator<Item = u16>,
    ) -> Vec<Trust> {
        sequence.into_iter().map(|sequence| trust.judge(source, rtp(7, sequence))).collect()
    }

    #[test]
    fn the_negotiated_address_is_believed_at_once_and_stays() {
        let mut trust = negotiated();
        assert_eq!(flow(&mut trust, peer(), [1]), [Trust::Peer]);
        assert_eq!(flow(&mut trust, translated(), 0..100), [Trust::Stranger; 100]);
        let port = at("192.0.2.1:4002");
        assert_eq!(flow(&mut trust, port, 0..4), [Trust::Stranger; 4], "its port counts too");
        assert_eq!(trust.strangers(), Strangers { packets: 104, last: Some(port) });
        assert_eq!((trust.source(), trust.difference()), (Some(peer()), None));
    }

    #[test]
    fn another_source_is_learnt_once_by_packets_in_a_row() {
        use Trust::{Peer, Stranger, Unproven};
        let mut trust = negotiated();
        let learnt = flow(&mut trust, translated(), [65_534, 65_535, 0, 1, 2, 900]);
        assert_eq!(learnt, [Unproven, Unproven, Unproven, Peer, Peer, Peer]);
        assert_eq!(trust.difference(), Some((peer(), translated())));
        assert_eq!(trust.judge(translated(), rtp(99, 4)), Peer, "it may change its stream");
        assert_eq!(flow(&mut trust, at("203.0.113.1:9"), 0..8), [Stranger; 8]);
        // The negotiated address wins when it speaks, and the learnt one does not come back.
        assert_eq!(flow(&mut trust, peer(), [5]), [Peer]);
        assert_eq!(flow(&mut trust, translated(), 3..12), [Stranger; 9]);
        assert_eq!(trust.strangers().packets, 17);
    }

    #[test]
    fn packets_that_do_not_agree_prove_nothing_and_are_counted() {
        let mut trust = negotiated();
        assert_eq!(flow(&mut trust, translated(), [1, 2, 3, 5, 6, 7, 9]), [Trust::Unproven; 7]);
        for sequence in 10..20 {
            assert_eq!(trust.judge(translated(), rtp(u32::from(sequence), sequence)), Trust::Unproven);
        }
        assert_eq!(trust.strangers().packets, 16, "but for the last, which may be the first of a row");
        assert_eq!(trust.judge(translated(), None), Trust::Stranger);
        trust.give_up_candidates();
        assert_eq!(trust.strangers(), Strangers { packets: 18, last: Some(translated()) });
    }

    #[test]
    fn a_copy_of_a_packet_neither_proves_nor_spoils() {
        let mut trust = negotiated();
        let judged = flow(&mut trust, translated(), [1, 1, 2, 2, 3, 3, 4]);
        assert_eq!((judged.last(), trust.strangers().packets), (Some(&Trust::Peer), 0));
    }

    #[test]
    fn strangers_in_between_do_not_keep_a_source_from_being_learnt() {
        let mut trust = TrustedSource::default();
        for sequence in 0..4 {
            for stranger in 0..7 {
                let judged = trust.judge(at(&format!("203.0.113.{stranger}:9")), rtp(stranger, 2 * sequence));
                assert_eq!(judged, Trust::Unproven);
            }
            trust.judge(translated(), rtp(7, sequence));
        }
        assert_eq!(trust.source(), Some(translated()));
        assert_eq!(trust.strangers().packets, 28);
    }

    #[test]
    fn a_flood_from_everywhere_is_held_in_bounded_room() {
        let mut trust = TrustedSource::default();
        for port in 1..=20_000 {
            trust.judge(SocketAddr::new(peer().ip(), port), rtp(7, port));
        }
        assert_eq!(trust.candidates.len(), CANDIDATES);
        assert_eq!(trust.strangers().packets, 20_000 - CANDIDATES as u64);
    }

    #[test]
    fn another_negotiated_address_begins_anew_and_the_same_or_none_does_not() {
        let mut trust = negotiated();
        flow(&mut trust, translated(), 0..4);
        trust.negotiate(None);
        trust.negotiate(Some(peer()));
        assert_eq!(flow(&mut trust, translated(), [4]), [Trust::Peer]);
        trust.negotiate(Some(at("192.0.2.9:4000")));
        assert_eq!(trust.source(), None);
        // Packets still under way from before are nobody's yet; a peer that stays there is learnt
        // after a second.
        let judged = flow(&mut trust, translated(), 5..55);
        assert_eq!(judged.iter().filter(|trust| **trust == Trust::Unproven).count(), 49);
        assert_eq!(judged.last(), Some(&Trust::Peer));
    }

    #[test]
    fn a_translator_that_forgot_a_silent_peer_is_followed_once_a_description_comes() {
        let (mut trust, moved) = (negotiated(), at("198.51.100.7:31877"));
        flow(&mut trust, translated(), 0..4);
        assert_eq!(flow(&mut trust, moved, 4..14), [Trust::Stranger; 10], "nobody has said anything new");
        // Resumed after a hold, at the same address.
        trust.negotiate(Some(peer()));
        assert_eq!(flow(&mut trust, moved, 14..18).last(), Some(&Trust::Peer));
        assert_eq!(trust.source(), Some(moved));
        // A source that keeps sending is kept.
        trust.negotiate(Some(peer()));
        flow(&mut trust, moved, [18]);
        assert_eq!(flow(&mut trust, translated(), 0..10), [Trust::Stranger; 10]);
    }

    #[test]
    fn a_source_of_before_is_learnt_again_over_a_lossy_path() {
        let mut trust = negotiated();
        flow(&mut trust, peer(), 0..4);
        trust.negotiate(Some(at("192.0.2.9:4000")));
        // Every tenth packet is lost, every seventh comes late.
        let mut numbers: Vec<u16> = (4..80).filter(|number| number % 10 != 3).collect();
        (0..numbers.len() - 1).step_by(7).for_each(|place| numbers.swap(place, place + 1));
        assert_eq!(flow(&mut trust, peer(), numbers).last(), Some(&Trust::Peer));
    }

    #[test]
    fn what_was_learnt_before_the_first_description_stays_until_the_peer_speaks() {
        let mut trust = TrustedSource::default();
        flow(&mut trust, translated(), 0..4);
        assert_eq!(trust.difference(), None);
        trust.negotiate(Some(peer()));
        assert_eq!(flow(&mut trust, translated(), [4]), [Trust::Peer]);
        assert_eq!(trust.difference(), Some((peer(), translated())));
        assert_eq!(flow(&mut trust, peer(), [1]), [Trust::Peer]);
        assert_eq!(trust.difference(), None);
    }

    #[test]
    fn two_reports_of_one_source_make_it_known() {
        let mut trust = negotiated();
        let mut bytes = [0x80, 201, 0, 1, 0, 0, 0, 9];
        assert_eq!(trust.judge(translated(), Proof::of_rtcp(&bytes)), Trust::Unproven);
        bytes[7] = 10;
        assert_eq!(trust.judge(translated(), Proof::of_rtcp(&bytes)), Trust::Unproven);
        assert_eq!(trust.judge(translated(), Proof::of_rtcp(&bytes)), Trust::Peer);
        assert_eq!((Proof::of_rtcp(&bytes[..7]), Proof::of_rtcp(&[0; 8])), (None, None));
    }

    #[test]
    fn addresses_are_compared_as_what_they_mean() {
        let mut trust = negotiated();
        assert_eq!(flow(&mut trust, at("[::ffff:192.0.2.1]:4000"), [1]), [Trust::Peer]);
        let mut trust = TrustedSource::default();
        trust.negotiate(Some(at("[fe80::1]:4000")));
        assert_eq!(flow(&mut trust, at("[fe80::1%3]:4000"), [1]), [Trust::Peer]);
        assert_eq!(flow(&mut trust, at("[fe80::2%3]:4000"), [1]), [Trust::Stranger]);
    }
}
