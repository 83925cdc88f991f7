//! When the next report is due.
//!
//! RFC 3550 sections 6.2 and 6.3.1, appendix A.7, for a call of two: five percent of the stream's
//! bandwidth, at least five seconds (half that for the first), spread by half on both sides.

use std::time::{Duration, Instant};

use offhook_seed::Seed;

/// Shortest mean interval.
const MINIMUM: Duration = Duration::from_secs(5);
/// Compensates for timer reconsideration: e − 3/2.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

/// Timer of our reports.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Bytes a second that RTCP may use.
    bandwidth: f64,
    /// Mean size of compounds, sent and received, with their lower headers.
    mean_size: f64,
    /// Whether no report has been sent yet.
    initial: bool,
    due: Instant,
}

impl Schedule {
    /// Starts the timer; `stream` is the bandwidth of the media in bytes a second.
    #[must_use]
    pub fn new(now: Instant, stream: f64, seed: &mut Seed) -> Self {
        let mut schedule = Self { bandwidth: stream * 0.05, mean_size: 128.0, initial: true, due: now };
        schedule.due = now + schedule.interval(seed.next_unit());
        schedule
    }

    /// Returns when the next report is due.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Notes the size of a compound that was received or sent, UDP and IP headers included.
    pub fn observe(&mut self, bytes: usize) {
        self.mean_size += (bytes as f64 - self.mean_size) / 16.0;
    }

    /// Sets the timer again after a report.
    pub fn sent(&mut self, now: Instant, seed: &mut Seed) {
        self.initial = false;
        self.due = now + self.interval(seed.next_unit());
    }

    /// Returns the interval for `random` in `0.0..1.0`.
    #[must_use]
    pub fn interval(&self, random: f64) -> Duration {
        let minimum = if self.initial { MINIMUM / 2 } else { MINIMUM };
        // Two members share the bandwidth; with half of them senders, A.7 does not split it further.
        let fair = 2.0 * self.mean_size / self.bandwidth.max(1.0);
        let mean = fair.max(minimum.as_secs_f64());
        Duration::from_secs_f64(mean * (random + 0.5) / COMPENSATION)
    }
}
