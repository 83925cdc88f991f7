//! Sequence numbers without wrap.
//!
//! RFC 3550 appendix A.1, with one change: the first packet counts at once. A softphone must hear the
//! first word, and a wrong port is seen in the payload type anyway.

/// Larger steps forward are taken for a restarted sender.
const MAX_DROPOUT: u16 = 3000;
/// Steps back up to this are packets out of order.
const MAX_MISORDER: u16 = 100;

/// What a sequence number means after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// In place, or ahead after a loss: the extended number.
    Forward(u64),
    /// Older than the newest: the extended number.
    Behind(u64),
    /// So far off that the packet is ignored until a second one confirms it.
    Doubtful,
    /// The second packet of a new numbering: a new tracker has to start here.
    Restarted,
}

/// Extends 16-bit sequence numbers.
#[derive(Debug, Clone)]
pub struct SequenceTracker {
    highest: u64,
    /// The number that would confirm a restart.
    doubtful: Option<u16>,
}

impl SequenceTracker {
    /// Starts with the first number of a stream.
    #[must_use]
    pub const fn new(first: u16) -> Self {
        // One cycle above zero, so that packets from before the first have a number too.
        Self { highest: 0x1_0000 + first as u64, doubtful: None }
    }

    /// Returns the highest extended number.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Places the next number.
    pub fn update(&mut self, sequence: u16) -> Sequence {
        let step = sequence.wrapping_sub(self.highest as u16);
        if step < MAX_DROPOUT {
            self.doubtful = None;
            self.highest += u64::from(step);
            return if step == 0 { Sequence::Behind(self.highest) } else { Sequence::Forward(self.highest) };
        }
        let back = step.wrapping_neg();
        if back <= MAX_MISORDER {
            return Sequence::Behind(self.highest - u64::from(back));
        }
        if self.doubtful == Some(sequence) {
            return Sequence::Restarted;
        }
        self.doubtful = Some(sequence.wrapping_add(1));
        Sequence::Doubtful
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_growing_over_the_wrap() {
        let mut tracker = SequenceTracker::new(65_534);
        let start = tracker.highest();
        assert_eq!(tracker.update(65_535), Sequence::Forward(start + 1));
        assert_eq!(tracker.update(0), Sequence::Forward(start + 2));
        assert_eq!(tracker.update(65_535), Sequence::Behind(start + 1));
        assert_eq!(tracker.update(3), Sequence::Forward(start + 5));
        assert_eq!(tracker.update(3), Sequence::Behind(start + 5));
    }

    #[test]
    fn a_packet_older_than_the_first_has_a_number() {
        let mut tracker = SequenceTracker::new(0);
        let start = tracker.highest();
        assert_eq!(tracker.update(65_535), Sequence::Behind(start - 1));
    }

    #[test]
    fn a_far_jump_needs_two_packets_in_a_row() {
        let mut tracker = SequenceTracker::new(100);
        assert_eq!(tracker.update(40_000), Sequence::Doubtful);
        assert_eq!(tracker.update(101), Sequence::Forward(tracker.highest()));
        assert_eq!(tracker.update(40_000), Sequence::Doubtful);
        assert_eq!(tracker.update(50_000), Sequence::Doubtful);
        let before = tracker.highest();
        assert_eq!(tracker.update(50_001), Sequence::Restarted);
        assert_eq!(tracker.highest(), before, "the figures of what ended stay true");
    }

    #[test]
    fn the_limits_are_those_of_the_rfc() {
        let mut tracker = SequenceTracker::new(1000);
        assert!(matches!(tracker.update(1000 + 2999), Sequence::Forward(_)));
        let mut tracker = SequenceTracker::new(1000);
        assert_eq!(tracker.update(1000 + 3000), Sequence::Doubtful);
        assert!(matches!(tracker.update(900), Sequence::Behind(_)));
        assert_eq!(tracker.update(899), Sequence::Doubtful);
    }
}
