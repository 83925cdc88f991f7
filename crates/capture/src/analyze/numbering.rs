//! What sequence numbers tell: losses, copies, and packets out of order.
//!
//! RFC 3550 appendix A.1, as the media engine's tracker reads it. Unlike a phone, who looks at a
//! capture wants to know of every gap, so that a confirmed step of up to a minute is a loss;
//! farther ones begin the numbering anew.

use offhook_media::rtp::{Jump, Sequence, SequenceTracker};

/// The longest gap that counts as loss, in packets: a minute of 20 ms.
const MOST_MISSING: u16 = 3000;
/// How far back a copy is recognized, in packets; the tracker looks no further.
const WINDOW: u64 = u128::BITS as u64;

#[derive(Debug, Clone)]
pub(super) struct Numbering {
    tracker: SequenceTracker,
    /// Lowest number since the numbers began.
    first: u64,
    /// Different numbers since then.
    unique: u64,
    /// Which of the numbers up to the highest were seen; the lowest bit is the highest.
    seen: u128,
    /// The last of the packets that are far off, and how many in a row there are.
    doubt: Option<(u16, u16)>,
    /// Losses before the numbers began anew.
    lost_before: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) stray: u64,
    pub(super) restarts: u64,
}

impl Numbering {
    pub(super) fn new(sequence: u16) -> Self {
        let tracker = SequenceTracker::new(sequence);
        Self {
            first: tracker.highest(),
            tracker,
            unique: 1,
            seen: 1,
            doubt: None,
            lost_before: 0,
            duplicates: 0,
            reordered: 0,
            stray: 0,
            restarts: 0,
        }
    }

    /// Returns whether two packets in a row were seen, or three near each other, which random bytes
    /// would not show.
    pub(super) const fn is_confirmed(&self) -> bool {
        self.restarts > 0 || self.seen & (self.seen >> 1) != 0 || self.unique > 2
    }

    /// Returns how many numbers are missing up to the highest.
    pub(super) const fn lost(&self) -> u64 {
        self.lost_before + (self.tracker.highest() + 1 - self.first).saturating_sub(self.unique)
    }

    pub(super) fn add(&mut self, sequence: u16) {
        let before = self.tracker.highest();
        match self.tracker.update(sequence) {
            Sequence::Forward(number) => {
                self.give_up_doubt();
                self.forward(number - before, 1);
            }
            Sequence::Behind(number) => {
                self.give_up_doubt();
                self.behind(before - number);
            }
            Sequence::Doubtful(packets) if self.doubt == Some((sequence, packets)) => self.duplicates += 1,
            Sequence::Doubtful(packets) => {
                if packets == 1 {
                    self.give_up_doubt();
                }
                self.doubt = Some((sequence, packets));
            }
            Sequence::Jumped(jump) => self.jump(sequence, jump, before),
        }
    }

    /// Counts what stayed doubtful when the stream ended.
    pub(super) fn end(&mut self) {
        self.give_up_doubt();
    }

    fn give_up_doubt(&mut self) {
        self.stray += self.doubt.take().map_or(0, |(_, packets)| u64::from(packets));
    }

    /// Goes forward by a step, whose last `packets` numbers were all seen.
    fn forward(&mut self, step: u64, packets: u16) {
        let shifted = if step < WINDOW { self.seen << step } else { 0 };
        self.seen = shifted | lowest(packets);
        self.unique += u64::from(packets);
    }

    fn behind(&mut self, back: u64) {
        let bit = 1_u128.checked_shl(u32::try_from(back).unwrap_or(u32::MAX)).unwrap_or_default();
        if self.seen & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.seen |= bit;
        self.reordered += 1;
        self.unique += 1;
        self.first = self.first.min(self.tracker.highest() - back);
    }

    fn jump(&mut self, sequence: u16, jump: Jump, before: u64) {
        self.doubt = None;
        if jump.missing.is_some_and(|missing| missing <= MOST_MISSING) {
            let number = self.tracker.follow(sequence);
            self.forward(number - before, jump.packets);
            return;
        }
        self.lost_before = self.lost();
        self.restarts += 1;
        self.tracker = SequenceTracker::new(sequence);
        self.unique = u64::from(jump.packets);
        self.seen = lowest(jump.packets);
        self.first = self.tracker.highest() + 1 - self.unique;
    }
}

/// Returns so many ones.
fn lowest(packets: u16) -> u128 {
    1_u128.checked_shl(u32::from(packets)).map_or(u128::MAX, |bit| bit - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns lost, duplicates, reordered, stray, restarts.
    fn told(numbers: impl IntoIterator<Item = u16>) -> [u64; 5] {
        let mut numbers = numbers.into_iter();
        let mut numbering = Numbering::new(numbers.next().unwrap());
        numbers.for_each(|number| numbering.add(number));
        numbering.end();
        let Numbering { duplicates, reordered, stray, restarts, .. } = numbering;
        [numbering.lost(), duplicates, reordered, stray, restarts]
    }

    #[test]
    fn numbers_that_wrap_are_all_there() {
        assert_eq!(told((65_000..=u16::MAX).chain(0..1000)), [0; 5]);
        assert_eq!(told((0..5).flat_map(|_| 0..=u16::MAX)), [0; 5]);
    }

    #[test]
    fn missing_numbers_are_losses_also_around_the_wrap() {
        assert_eq!(told([65_533, 65_534, 2, 3, 4]), [3, 0, 0, 0, 0]);
        assert_eq!(told((0..10).chain(1000..1010)), [990, 0, 0, 0, 0]);
        assert_eq!(told((0..10).chain(3010..3020)), [3000, 0, 0, 0, 0]);
    }

    #[test]
    fn a_late_packet_is_reordered_and_not_lost() {
        assert_eq!(told([1, 2, 4, 3, 5]), [0, 0, 1, 0, 0]);
        assert_eq!(told([65_534, 0, 65_535, 1]), [0, 0, 1, 0, 0]);
        assert_eq!(told([7, 6, 8]), [0, 0, 1, 0, 0], "before the first");
        assert_eq!(told([7, 5, 8]), [1, 0, 1, 0, 0], "the first is another then");
    }

    #[test]
    fn a_copy_is_told_from_a_late_packet() {
        assert_eq!(told([1, 2, 2, 3, 1, 4]), [0, 2, 0, 0, 0]);
        assert_eq!(told([1, 2, 4, 3, 3, 5]), [0, 1, 1, 0, 0]);
        assert_eq!(told([1, 2, 60, 61, 62, 63, 3, 3, 60]), [56, 2, 1, 0, 0]);
    }

    #[test]
    fn numbers_that_begin_anew_are_no_losses() {
        assert_eq!(told((100..200).chain(50_000..50_100)), [0, 0, 0, 0, 1]);
        assert_eq!(told((100..200).chain(204..210).chain(30_000..30_100)), [4, 0, 0, 0, 1]);
    }

    #[test]
    fn a_stray_packet_is_neither_loss_nor_new_beginning() {
        assert_eq!(told([1, 2, 3, 40_000, 4, 5]), [0, 0, 0, 1, 0]);
        assert_eq!(told([1, 2, 3, 40_000, 20_000, 4, 5, 60_000]), [0, 0, 0, 3, 0]);
        assert_eq!(told([1, 2, 3, 40_000, 40_000, 4]), [0, 1, 0, 1, 0]);
    }

    #[test]
    fn two_packets_in_a_row_confirm_a_stream() {
        let confirmed = |numbers: &[u16]| {
            let mut numbering = Numbering::new(numbers[0]);
            numbers[1..].iter().for_each(|number| numbering.add(*number));
            numbering.is_confirmed()
        };
        assert!(confirmed(&[1, 2]) && confirmed(&[2, 1]) && confirmed(&[65_535, 0]));
        assert!(!confirmed(&[1]) && !confirmed(&[1, 1]) && !confirmed(&[1, 40_000]));
    }
}
