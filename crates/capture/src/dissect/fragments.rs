//! Puts packets together that were sent in fragments.
//!
//! RFC 791 section 3.2, RFC 8200 section 4.5. Exact copies are harmless; fragments that overlap
//! otherwise spoil their packet, as RFC 5722 wants for IPv6 and Linux does for both. Few packets
//! are waited for at a time, and none for longer than a minute.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::ip::{Fragment, IpPacket};

/// Most packets that are put together at a time; with the length of a packet this bounds the
/// memory.
const MOST_PACKETS: usize = 64;
/// Most fragments of a packet.
const MOST_PARTS: usize = 512;
/// The longest payload of a packet, in bytes.
const MOST_BYTES: usize = 65_535;
/// How long fragments wait for each other (RFC 8200 section 4.5).
const PATIENCE: Duration = Duration::from_secs(60);

/// Which packet a fragment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    from: IpAddr,
    to: IpAddr,
    /// Zero for IPv6, where the first fragment decides.
    protocol: u8,
    identification: u32,
}

#[derive(Debug, Default)]
struct Parts {
    parts: BTreeMap<usize, Vec<u8>>,
    /// Bytes of all parts.
    bytes: usize,
    /// Length of the whole payload, once the last fragment is there.
    total: Option<usize>,
    protocol: u8,
    began: Option<Duration>,
    /// Place in the order of first fragments.
    turn: u64,
    is_spoiled: bool,
}

/// A packet that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    payload: Vec<u8>,
}

impl Whole {
    /// Returns the packet; `None` if the extension headers in front of its payload make no sense.
    pub(crate) fn packet(&self) -> Option<IpPacket<'_>> {
        let Self { from, to, protocol, payload } = self;
        let packet =
            IpPacket { from: *from, to: *to, protocol: *protocol, payload, fragment: None, is_cut: false };
        if from.is_ipv6() { packet.behind_extensions() } else { Some(packet) }
    }
}

/// The packets that are not complete.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    packets: BTreeMap<Key, Parts>,
    turns: u64,
    /// Fragments that went nowhere.
    lost: u64,
}

impl Fragments {
    /// Takes a fragment; returns the packet that it completes.
    pub(crate) fn add(&mut self, at: Option<Duration>, packet: &IpPacket<'_>) -> Option<Whole> {
        let fragment = packet.fragment?;
        let end = fragment.offset + packet.payload.len();
        let is_odd =
            packet.payload.is_empty() || !(fragment.is_last || packet.payload.len().is_multiple_of(8));
        if packet.is_cut || is_odd || end > MOST_BYTES {
            self.lost += 1;
            return None;
        }
        let protocol = if packet.from.is_ipv6() { 0 } else { packet.protocol };
        let key = Key { from: packet.from, to: packet.to, protocol, identification: fragment.identification };
        self.give_up_if_old(key, at);
        if !self.packets.contains_key(&key) {
            self.begin(key, at);
        }
        let parts = self.packets.get_mut(&key)?;
        if !parts.add(fragment, packet) {
            self.lost += 1;
        }
        if !parts.is_complete() {
            return None;
        }
        let parts = self.packets.remove(&key)?;
        let payload = parts.parts.into_values().flatten().collect();
        Some(Whole { from: packet.from, to: packet.to, protocol: parts.protocol, payload })
    }

    /// Returns how many fragments are in no packet.
    pub(crate) fn lost(&self) -> u64 {
        self.lost + self.packets.values().map(Parts::count).sum::<u64>()
    }

    fn give_up_if_old(&mut self, key: Key, at: Option<Duration>) {
        let began = self.packets.get(&key).and_then(|parts| parts.began);
        if at.zip(began).is_some_and(|(at, began)| at.abs_diff(began) > PATIENCE) {
            self.give_up(key);
        }
    }

    fn give_up(&mut self, key: Key) {
        self.lost += self.packets.remove(&key).map_or(0, |parts| parts.count());
    }

    fn begin(&mut self, key: Key, began: Option<Duration>) {
        if self.packets.len() == MOST_PACKETS {
            let oldest = self.packets.iter().min_by_key(|(_, parts)| parts.turn).map(|(key, _)| *key);
            oldest.into_iter().for_each(|key| self.give_up(key));
        }
        self.turns += 1;
        let _none = self.packets.insert(key, Parts { began, turn: self.turns, ..Parts::default() });
    }
}

impl Parts {
    fn count(&self) -> u64 {
        self.parts.len() as u64
    }

    fn is_complete(&self) -> bool {
        !self.is_spoiled && self.total == Some(self.bytes)
    }

    /// Takes a fragment; `false` if it is of no use.
    fn add(&mut self, fragment: Fragment, packet: &IpPacket<'_>) -> bool {
        if self.is_spoiled || self.parts.len() == MOST_PARTS {
            return false;
        }
        let (start, end) = (fragment.offset, fragment.offset + packet.payload.len());
        if self.parts.get(&start).is_some_and(|part| part == packet.payload) {
            return false;
        }
        if self.overlaps(start, end) || self.contradicts(fragment.is_last, end) {
            self.is_spoiled = true;
            return false;
        }
        if fragment.is_last {
            self.total = Some(end);
        }
        if start == 0 {
            self.protocol = packet.protocol;
        }
        self.bytes += packet.payload.len();
        let _none = self.parts.insert(start, packet.payload.to_vec());
        true
    }

    fn overlaps(&self, start: usize, end: usize) -> bool {
        let before = self.parts.range(..end).next_back();
        before.is_some_and(|(other, part)| other + part.len() > start)
    }

    /// Returns whether a fragment gives the packet another end than one before.
    fn contradicts(&self, is_last: bool, end: usize) -> bool {
        let farthest = self.parts.last_key_value().map_or(0, |(start, part)| start + part.len());
        self.total.is_some_and(|total| is_last || end > total) || (is_last && end < farthest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: [u8; 30] = *b"abcdefghijklmnopqrstuvwxyz0123";

    fn part(range: std::ops::Range<usize>) -> IpPacket<'static> {
        let fragment =
            Fragment { identification: 7, offset: range.start, is_last: range.end == PAYLOAD.len() };
        IpPacket {
            from: [192, 0, 2, 1].into(),
            to: [192, 0, 2, 2].into(),
            protocol: 17,
            payload: PAYLOAD[range].to_vec().leak(),
            fragment: Some(fragment),
            is_cut: false,
        }
    }

    fn all(parts: &[IpPacket<'_>]) -> (Vec<Whole>, u64) {
        let mut fragments = Fragments::default();
        let whole = parts.iter().filter_map(|part| fragments.add(None, part)).collect();
        (whole, fragments.lost())
    }

    #[test]
    fn any_order_gives_the_packet_once() {
        let parts = [part(0..8), part(8..16), part(16..24), part(24..30)];
        for digits in 0..256_usize {
            let [a, b, c, d] = [digits % 4, digits / 4 % 4, digits / 16 % 4, digits / 64];
            if a == b || a == c || a == d || b == c || b == d || c == d {
                continue;
            }
            let (whole, lost) = all(&[parts[a], parts[b], parts[c], parts[d]]);
            assert_eq!((whole.len(), lost), (1, 0), "{a}{b}{c}{d}");
            assert_eq!(whole[0].payload, PAYLOAD);
            assert_eq!(whole[0].packet().unwrap().protocol, 17);
        }
    }

    #[test]
    fn a_copy_of_a_fragment_changes_nothing_but_is_counted() {
        let (whole, lost) = all(&[part(8..16), part(8..16), part(16..30), part(16..30), part(0..8)]);
        assert_eq!((whole.len(), lost), (1, 2));
        assert_eq!(whole[0].payload, PAYLOAD);
    }

    #[test]
    fn overlapping_fragments_spoil_their_packet() {
        for parts in [
            vec![part(0..16), part(8..24), part(24..30)],
            vec![part(8..24), part(0..16), part(24..30)],
            vec![part(8..16), part(0..24), part(24..30)],
            vec![part(0..24), part(8..16), part(24..30)],
            vec![part(0..24), part(0..16), part(24..30)],
        ] {
            let (whole, lost) = all(&parts);
            assert_eq!((whole.len(), lost), (0, 3), "{parts:?}");
        }
        let mut other = part(8..16);
        other.payload = b"ABCDEFGH";
        assert_eq!(all(&[part(0..8), part(8..16), other, part(16..30)]).0, []);
    }

    #[test]
    fn two_ends_spoil_their_packet() {
        let mut early = part(8..16);
        early.fragment = Some(Fragment { identification: 7, offset: 8, is_last: true });
        for parts in [[early, part(16..30), part(0..8)], [part(16..30), early, part(0..8)]] {
            assert_eq!(all(&parts), (vec![], 3));
        }
    }

    #[test]
    fn a_missing_fragment_leaves_the_others_counted() {
        assert_eq!(all(&[part(0..8), part(16..24), part(24..30)]), (vec![], 3));
    }

    #[test]
    fn fragments_that_cannot_be_are_counted_and_dropped() {
        let mut odd = part(0..8);
        odd.payload = b"seven..";
        let mut far = part(0..8);
        far.fragment = Some(Fragment { identification: 7, offset: 65_528, is_last: false });
        let mut cut = part(0..8);
        cut.is_cut = true;
        let mut empty = part(0..8);
        empty.payload = b"";
        assert_eq!(all(&[odd, far, cut, empty, part(8..30)]), (vec![], 5));
    }

    #[test]
    fn fragments_of_another_packet_or_minute_do_not_mix() {
        let mut fragments = Fragments::default();
        let mut other = part(8..30);
        other.fragment = Some(Fragment { identification: 8, offset: 8, is_last: true });
        assert_eq!(fragments.add(Some(Duration::ZERO), &part(0..8)), None);
        assert_eq!(fragments.add(Some(Duration::ZERO), &other), None);
        assert_eq!(fragments.add(Some(Duration::from_secs(61)), &part(8..30)), None);
        assert_eq!(fragments.lost(), 3);
        assert!(fragments.add(Some(Duration::from_secs(62)), &part(0..8)).is_some());
    }

    #[test]
    fn the_oldest_packet_is_given_up_when_there_are_too_many() {
        let mut fragments = Fragments::default();
        let numbered = |identification, range: std::ops::Range<usize>| {
            let mut part = part(range);
            part.fragment = part.fragment.map(|fragment| Fragment { identification, ..fragment });
            part
        };
        for identification in 0..10_000 {
            assert_eq!(fragments.add(None, &numbered(identification, 0..8)), None);
        }
        assert_eq!(fragments.packets.len(), MOST_PACKETS);
        assert!(fragments.add(None, &numbered(9_950, 8..30)).is_some());
        assert!(fragments.add(None, &numbered(9_000, 8..30)).is_none());
        assert_eq!(fragments.lost(), 10_000);
    }

    #[test]
    fn extension_headers_inside_an_ipv6_packet_are_skipped() {
        let payload = [[17, 0, 1, 4, 0, 0, 0, 0].as_slice(), b"datagram"].concat();
        let half = |offset: usize, is_last| IpPacket {
            from: [1; 16].into(),
            to: [2; 16].into(),
            // Only the first fragment tells.
            protocol: if offset == 0 { 60 } else { 6 },
            payload: &payload[offset..offset + 8],
            fragment: Some(Fragment { identification: 7, offset, is_last }),
            is_cut: false,
        };
        let (whole, _) = all(&[half(8, true), half(0, false)]);
        let packet = whole[0].packet().unwrap();
        assert_eq!((packet.protocol, packet.payload), (17, b"datagram".as_slice()));
    }
}
