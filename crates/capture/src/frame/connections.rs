//! Sequence numbers of connections, as far as their bytes were seen.
//!
//! RFC 9293 section 3.4. Both directions start at one. The connection that was silent longest is
//! forgotten when there are too many; numbers start higher from then on, so that one that comes
//! back does not look like a copy.

use std::collections::BTreeMap;

use super::header::Ends;

/// Most connections whose numbers are kept.
const MOST: usize = 1024;

/// The two numbers in the header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
}

/// Bytes seen in one direction of a connection, and when it was last used.
#[derive(Debug, Clone, Copy)]
struct Sent {
    bytes: u64,
    used: u64,
}

/// The directions of all connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    directions: BTreeMap<Ends, Sent>,
    /// Where directions that are not known start.
    start: u64,
    /// Counts segments.
    now: u64,
}

impl Connections {
    /// Returns the numbers of the next segment and counts its bytes.
    pub(super) fn send(&mut self, ends: Ends, bytes: usize) -> Numbers {
        self.now += 1;
        if self.directions.len() >= MOST && !self.directions.contains_key(&ends) {
            self.forget_the_most_silent();
        }
        let start = self.start;
        let seen = |sent: Option<&Sent>| sent.map_or(start, |sent| sent.bytes);
        let acknowledged = seen(self.directions.get(&ends.reversed()));
        let sent = seen(self.directions.get(&ends));
        let _before = self.directions.insert(ends, Sent { bytes: sent + bytes as u64, used: self.now });
        Numbers { sequence: number(sent), acknowledgement: number(acknowledged) }
    }

    fn forget_the_most_silent(&mut self) {
        let Some((&ends, _)) = self.directions.iter().min_by_key(|(_, sent)| sent.used) else { return };
        for direction in [ends, ends.reversed()] {
            if let Some(sent) = self.directions.remove(&direction) {
                self.start = self.start.max(sent.bytes);
            }
        }
    }
}

/// Numbers wrap after 2^32 bytes.
const fn number(bytes: u64) -> u32 {
    (bytes + 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(port: u16) -> Ends {
        let to = "192.0.2.2:5060".parse().unwrap();
        Ends::new(([192, 0, 2, 1], port).into(), to).unwrap()
    }

    #[test]
    fn each_direction_counts_its_bytes_and_acknowledges_those_of_the_other() {
        let mut connections = Connections::default();
        let there = ends(1);
        assert_eq!(connections.send(there, 10), Numbers { sequence: 1, acknowledgement: 1 });
        assert_eq!(connections.send(there.reversed(), 7), Numbers { sequence: 1, acknowledgement: 11 });
        assert_eq!(connections.send(there, 1), Numbers { sequence: 11, acknowledgement: 8 });
        assert_eq!(connections.send(ends(2), 1), Numbers { sequence: 1, acknowledgement: 1 });
    }

    #[test]
    fn numbers_wrap() {
        let mut connections = Connections::default();
        let _first = connections.send(ends(1), u32::MAX as usize - 1);
        assert_eq!(connections.send(ends(1), 1).sequence, u32::MAX);
        assert_eq!(connections.send(ends(1), 1).sequence, 0);
    }

    #[test]
    fn a_forgotten_connection_does_not_repeat_its_numbers() {
        let mut connections = Connections::default();
        let _first = connections.send(ends(5000), 1);
        let _second = connections.send(ends(5001), 500);
        for port in 3..=u16::try_from(MOST).unwrap() {
            let _other = connections.send(ends(port), 1);
        }
        let _used_again = connections.send(ends(5000), 1);
        let _one_too_many = connections.send(ends(1), 1);
        assert_eq!(connections.directions.len(), MOST);
        assert!(!connections.directions.contains_key(&ends(5001)));
        assert_eq!(connections.send(ends(5000), 1).sequence, 3);
        assert_eq!(connections.send(ends(5001), 1).sequence, 501);
    }
}
