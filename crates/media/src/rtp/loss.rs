//! Which packets came, which came twice, which never: a sliding window over extended numbers.
//!
//! RFC 3550 appendix A.3 for the totals. A packet is lost for good once 64 newer numbers are known,
//! so that a burst is counted once and a packet late by less than that heals it.

/// Loss bursts by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BurstHistogram {
    /// Single packets.
    pub one: u64,
    /// Pairs.
    pub two: u64,
    /// Three to five in a row.
    pub three_to_five: u64,
    /// Six to ten in a row.
    pub six_to_ten: u64,
    /// More than ten in a row.
    pub over_ten: u64,
}

impl BurstHistogram {
    /// Counts a burst.
    pub const fn add(&mut self, length: u64) {
        match length {
            0 => {}
            1 => self.one += 1,
            2 => self.two += 1,
            3..=5 => self.three_to_five += 1,
            6..=10 => self.six_to_ten += 1,
            _ => self.over_ten += 1,
        }
    }

    /// Returns the number of bursts.
    #[must_use]
    pub const fn bursts(&self) -> u64 {
        self.one + self.two + self.three_to_five + self.six_to_ten + self.over_ten
    }
}

/// What became of a packet in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Seen for the first time.
    Fresh,
    /// Seen before.
    Duplicate,
    /// Too old to tell.
    Stale,
}

/// Width of the window in packets.
const WINDOW: u64 = 64;

/// Counts losses and their bursts.
#[derive(Debug, Clone)]
pub struct LossTracker {
    /// Next number to enter the window.
    next: u64,
    /// Bit `n` tells whether `next - 1 - n` came.
    seen: u64,
    /// Numbers in the window.
    filled: u64,
    /// Losses that left the window.
    lost: u64,
    /// Length of the burst at the old end of the window.
    run: u64,
    bursts: BurstHistogram,
}

impl LossTracker {
    /// Starts before the packet with the extended number `first`.
    #[must_use]
    pub fn new(first: u64) -> Self {
        Self { next: first, seen: 0, filled: 0, lost: 0, run: 0, bursts: BurstHistogram::default() }
    }

    /// Notes the arrival of a packet.
    pub(super) fn mark(&mut self, number: u64) -> Mark {
        if number >= self.next {
            while self.next < number {
                self.push(false);
            }
            self.push(true);
            return Mark::Fresh;
        }
        let age = self.next - 1 - number;
        if age >= self.filled {
            return Mark::Stale;
        }
        let bit = 1u64 << age;
        if self.seen & bit != 0 {
            return Mark::Duplicate;
        }
        self.seen |= bit;
        Mark::Fresh
    }

    /// Returns the losses and bursts so far; what is missing in the window counts as lost.
    #[must_use]
    pub fn summary(&self) -> (u64, BurstHistogram) {
        let mut rest = self.clone();
        for _ in 0..rest.filled {
            rest.pop();
        }
        rest.end_burst();
        (rest.lost, rest.bursts)
    }

    fn push(&mut self, came: bool) {
        if self.filled == WINDOW {
            self.pop();
        }
        self.seen = (self.seen << 1) | u64::from(came);
        self.filled += 1;
        self.next += 1;
    }

    /// Settles the oldest number of the window.
    fn pop(&mut self) {
        self.filled -= 1;
        if self.seen & (1u64 << self.filled) == 0 {
            self.lost += 1;
            self.run += 1;
        } else {
            self.end_burst();
        }
    }

    const fn end_burst(&mut self) {
        self.bursts.add(self.run);
        self.run = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked(numbers: impl IntoIterator<Item = u64>) -> (u64, BurstHistogram) {
        let mut tracker = LossTracker::new(1);
        for number in numbers {
            let _mark = tracker.mark(number);
        }
        tracker.summary()
    }

    #[test]
    fn bursts_are_counted_by_length() {
        let missing = [5..6, 10..12, 20..24, 30..38, 100..150];
        let numbers = (1..=300u64).filter(|number| !missing.iter().any(|burst| burst.contains(number)));
        let (lost, bursts) = tracked(numbers);
        assert_eq!(lost, 1 + 2 + 4 + 8 + 50);
        let expected = BurstHistogram { one: 1, two: 1, three_to_five: 1, six_to_ten: 1, over_ten: 1 };
        assert_eq!(bursts, expected);
    }

    #[test]
    fn a_late_packet_heals_its_loss_and_splits_the_burst() {
        let (lost, bursts) = tracked([1, 5, 3, 6]);
        assert_eq!(lost, 2);
        assert_eq!(bursts, BurstHistogram { one: 2, ..BurstHistogram::default() });
    }

    #[test]
    fn a_second_copy_is_a_duplicate_and_a_very_old_one_stale() {
        let mut tracker = LossTracker::new(1);
        assert_eq!(tracker.mark(1), Mark::Fresh);
        assert_eq!(tracker.mark(1), Mark::Duplicate);
        assert_eq!(tracker.mark(200), Mark::Fresh);
        assert_eq!(tracker.mark(1), Mark::Stale);
        assert_eq!(tracker.mark(199), Mark::Fresh);
        assert_eq!(tracker.mark(199), Mark::Duplicate);
    }
}
