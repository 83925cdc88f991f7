//! How much of what others send to a phone is recorded.
//!
//! What belongs to a call, a registration or a request of the phone is evidence, and so is what the
//! phone accepts: a new call or a MESSAGE. Everything else is recorded up to a limit, in messages
//! and in bytes, and counted beyond it; the count becomes a fact once a second. So nobody can fill
//! the journal, or push the evidence of calls out of it, by sending to a phone.

use std::time::Duration;

use tokio::time::Instant;

/// Messages that belong to nothing: how many a second, and how many at once.
const OTHERS: (u32, u32) = (50, 200);
/// Bytes of such messages: how many a second, and how many at once.
const BYTES: (u32, u32) = (128 << 10, 1 << 20);
/// Messages a second for each call the phone may have. A call that is made, changed and ended every
/// second takes half of that. A peer that retransmits without end is limited all the same.
const OWN: u32 = 20;
/// The minimum, for phones that may have few calls.
const OWN_LEAST: u32 = 1_000;
/// How long unrecorded messages are counted before the count becomes a fact.
pub(super) const TELL: Duration = Duration::from_secs(1);

/// How a message relates to a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belonging {
    /// It belongs to a call, or answers a request of ours.
    Own,
    /// It starts a call or is a MESSAGE to the phone.
    Taken,
    /// It belongs to nothing.
    Nothing,
}

/// What was not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// Decides what one phone records.
#[derive(Debug)]
pub(super) struct Evidence {
    own: Rate,
    taken: Rate,
    others: Rate,
    bytes: Rate,
    /// Anomalies raised by a timer rather than by a message.
    anomalies: Rate,
    left_out: LeftOut,
    /// When counting began.
    since: Option<Instant>,
    /// The message being handled is not recorded, so the response to it is not either.
    pub(super) silent: bool,
}

impl Evidence {
    /// Creates it for a phone that may have `calls` calls.
    pub(super) fn new(calls: usize) -> Self {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX).max(1);
        let (own, taken) = (calls.saturating_mul(OWN).max(OWN_LEAST), calls.saturating_mul(2).max(OTHERS.0));
        Self {
            own: Rate::new(own, own.saturating_mul(2)),
            taken: Rate::new(taken, taken.max(OTHERS.1)),
            others: Rate::new(OTHERS.0, OTHERS.1),
            bytes: Rate::new(BYTES.0, BYTES.1),
            anomalies: Rate::new(OTHERS.0, OTHERS.1),
            left_out: LeftOut::default(),
            since: None,
            silent: false,
        }
    }

    /// Decides whether a message is recorded, and counts it if not.
    pub(super) fn admits(&mut self, belonging: Belonging, length: usize) -> bool {
        let admitted = match belonging {
            Belonging::Own => self.own.take(1),
            Belonging::Taken => self.taken.take(1),
            Belonging::Nothing => {
                self.bytes.take(u32::try_from(length).unwrap_or(u32::MAX)) && self.others.take(1)
            }
        };
        if !admitted {
            self.leave_out(length);
        }
        admitted
    }

    /// Decides whether to record an anomaly that is not about a recorded message.
    pub(super) fn admits_anomaly(&mut self) -> bool {
        !self.silent && self.anomalies.take(1)
    }

    /// Counts a message that is not recorded.
    pub(super) fn leave_out(&mut self, length: usize) {
        self.left_out.messages = self.left_out.messages.saturating_add(1);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.left_out.bytes = self.left_out.bytes.saturating_add(length);
        self.since.get_or_insert_with(Instant::now);
    }

    /// Returns when the count becomes due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + TELL)
    }

    /// Takes the count and the time it covers.
    pub(super) fn take_left_out(&mut self) -> Option<(LeftOut, Duration)> {
        let since = self.since.take()?;
        Some((std::mem::take(&mut self.left_out), since.elapsed()))
    }
}

/// A rate limit: so many a second, and so many at once.
#[derive(Debug)]
struct Rate {
    each: Duration,
    at_once: Duration,
    /// When what was taken so far is paid off.
    paid: Option<Instant>,
}

impl Rate {
    fn new(a_second: u32, at_once: u32) -> Self {
        let each = Duration::from_secs(1) / a_second.max(1);
        Self { each, at_once: each.saturating_mul(at_once), paid: None }
    }

    fn take(&mut self, units: u32) -> bool {
        let now = Instant::now();
        let paid = self.paid.map_or(now, |paid| paid.max(now)) + self.each.saturating_mul(units);
        let fits = paid.saturating_duration_since(now) <= self.at_once;
        if fits {
            self.paid = Some(paid);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(evidence: &mut Evidence, belonging: Belonging, tried: usize, length: usize) -> usize {
        (0..tried).filter(|_| evidence.admits(belonging, length)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_belongs_to_nothing_is_written_down_up_to_a_rate_and_counted_beyond() {
        let mut evidence = Evidence::new(100);
        assert_eq!(count(&mut evidence, Belonging::Nothing, 1000, 500), 200);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(count(&mut evidence, Belonging::Nothing, 1000, 500), 50);
        let (left_out, within) = evidence.take_left_out().unwrap();
        assert_eq!((left_out.messages, left_out.bytes, within), (1750, 875_000, Duration::from_secs(1)));
        assert_eq!(evidence.take_left_out(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_are_bounded_by_their_bytes() {
        let mut evidence = Evidence::new(100);
        assert_eq!(count(&mut evidence, Belonging::Nothing, 1000, 60_000), 17);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(count(&mut evidence, Belonging::Nothing, 1000, 60_000), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_calls_a_second_lose_nothing_beside_a_flood() {
        let mut evidence = Evidence::new(100);
        for _ in 0..60 {
            count(&mut evidence, Belonging::Nothing, 1000, 500);
            assert_eq!(count(&mut evidence, Belonging::Taken, 100, 900), 100);
            assert_eq!(count(&mut evidence, Belonging::Own, 800, 900), 800);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
}
