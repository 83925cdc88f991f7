//! Sequence numbers without wrap.
//!
//! RFC 3550 appendix A.1, with two changes. The first packet counts at once: a softphone must hear
//! the first word, and a wrong port shows in the payload type anyway. And a step of more than a
//! second is doubted like a far one, until more than two packets in a row confirm it: with the
//! RFC's `MAX_DROPOUT` a single forged packet would make thousands of lost ones.

/// Steps forward up to this are losses at once; packets of the gap that come late are still
/// recognized.
const MAX_GAP: u16 = 50;
/// Steps back up to this are packets out of order.
const MAX_MISORDER: u16 = 100;
/// Packets in a row that confirm a far step.
const MIN_SEQUENTIAL: u16 = 4;

/// What a sequence number means after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// In place, or ahead after a loss: the extended number.
    Forward(u64),
    /// Older than the newest: the extended number.
    Behind(u64),
    /// So far off that the packet is ignored until others confirm it; says how many in a row there
    /// are.
    Doubtful(u16),
    /// As far off, but confirmed by the packets before it.
    Jumped(Jump),
}

/// A far step that is confirmed; [`SequenceTracker::follow`] or a new tracker take it from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// Packets in a row, this one included.
    pub packets: u16,
    /// Packets that are missing before them, if the numbering went on; `None` for a step back.
    pub missing: Option<u16>,
}

/// Packets in a row that do not fit.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    last: u16,
    packets: u16,
}

/// Extends 16-bit sequence numbers.
#[derive(Debug, Clone)]
pub struct SequenceTracker {
    highest: u64,
    doubt: Option<Doubt>,
}

impl SequenceTracker {
    /// Starts with the first number of a stream.
    #[must_use]
    pub const fn new(first: u16) -> Self {
        // One cycle above zero, so that packets from before the first have a number too.
        Self { highest: 0x1_0000 + first as u64, doubt: None }
    }

    /// Returns the highest extended number.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Returns the step to a number, modulo their range.
    const fn step_to(&self, sequence: u16) -> u16 {
        sequence.wrapping_sub(self.highest as u16)
    }

    /// Places the next number.
    pub fn update(&mut self, sequence: u16) -> Sequence {
        let step = self.step_to(sequence);
        if step <= MAX_GAP {
            self.doubt = None;
            self.highest += u64::from(step);
            return if step == 0 { Sequence::Behind(self.highest) } else { Sequence::Forward(self.highest) };
        }
        let back = step.wrapping_neg();
        if back <= MAX_MISORDER {
            self.doubt = None;
            return Sequence::Behind(self.highest - u64::from(back));
        }
        let packets = match self.doubt {
            Some(doubt) if doubt.last.wrapping_add(1) == sequence => doubt.packets.saturating_add(1),
            // A second copy.
            Some(doubt) if doubt.last == sequence => return Sequence::Doubtful(doubt.packets),
            Some(_) | None => 1,
        };
        self.doubt = Some(Doubt { last: sequence, packets });
        if packets < MIN_SEQUENTIAL {
            return Sequence::Doubtful(packets);
        }
        let missing = (step < 0x8000).then(|| step.saturating_sub(packets));
        Sequence::Jumped(Jump { packets, missing })
    }

    /// Takes a confirmed step forward as one of the same numbering; returns the extended number.
    pub fn follow(&mut self, sequence: u16) -> u64 {
        self.highest += u64::from(self.step_to(sequence));
        self.doubt = None;
        self.highest
    }

    /// Returns whether `packets` in a row up to `sequence` continue this numbering.
    #[must_use]
    pub const fn goes_on(&self, sequence: u16, packets: u16) -> bool {
        let step = self.step_to(sequence).wrapping_sub(packets);
        step < MAX_GAP
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
    fn a_far_jump_needs_four_packets_in_a_row() {
        let mut tracker = SequenceTracker::new(1000);
        let doubted = |tracker: &mut SequenceTracker, numbers: &[u16]| {
            numbers.iter().map(|number| tracker.update(*number)).collect::<Vec<_>>()
        };
        let three = [Sequence::Doubtful(1), Sequence::Doubtful(2), Sequence::Doubtful(3)];
        assert_eq!(doubted(&mut tracker, &[40_000, 40_001, 40_002]), three);
        assert_eq!(tracker.update(1001), Sequence::Forward(tracker.highest()));
        assert_eq!(doubted(&mut tracker, &[40_003, 40_004, 40_005]), three, "the old run has gone on");
        assert_eq!(tracker.update(1000), Sequence::Behind(tracker.highest() - 1));
        assert_eq!(tracker.update(50_000), Sequence::Doubtful(1));
        assert_eq!(doubted(&mut tracker, &[65_535, 0, 1]), three);
        assert_eq!(tracker.update(1), Sequence::Doubtful(3), "a copy confirms nothing");
        let before = tracker.highest();
        assert_eq!(tracker.update(2), Sequence::Jumped(Jump { packets: 4, missing: None }));
        assert_eq!(tracker.highest(), before, "the figures of what ended stay true");
    }

    #[test]
    fn a_jump_forward_tells_what_is_missing_and_can_be_followed() {
        let mut tracker = SequenceTracker::new(65_000);
        let start = tracker.highest();
        for number in 464..467 {
            assert!(matches!(tracker.update(number), Sequence::Doubtful(_)));
        }
        // From 65001 to 463, over the wrap.
        assert_eq!(tracker.update(467), Sequence::Jumped(Jump { packets: 4, missing: Some(999) }));
        let old = tracker.clone();
        assert_eq!(tracker.follow(467), start + 1003);
        assert_eq!(tracker.update(468), Sequence::Forward(start + 1004));
        assert!(old.goes_on(65_004, 4) && old.goes_on(65_053, 4));
        assert!(!old.goes_on(65_054, 4) && !old.goes_on(65_003, 4));
    }

    #[test]
    fn the_limits_are_as_said() {
        let mut tracker = SequenceTracker::new(1000);
        assert!(matches!(tracker.update(1000 + 50), Sequence::Forward(_)));
        let mut tracker = SequenceTracker::new(1000);
        assert_eq!(tracker.update(1000 + 51), Sequence::Doubtful(1));
        assert!(matches!(tracker.update(900), Sequence::Behind(_)));
        assert_eq!(tracker.update(899), Sequence::Doubtful(1));
    }
}
