//! The clock of sender reports, and the round trip it measures.
//!
//! RFC 3550 sections 4 and 6.4.1. The engine has no wall clock: its owner says what time it was when the
//! session began, and the monotonic clock continues from there.

use std::time::Duration;

/// NTP timestamp: seconds since 1900 in the upper half, fraction in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct NtpTime(u64);

impl NtpTime {
    /// Makes a timestamp from its two words.
    #[must_use]
    pub const fn new(seconds: u32, fraction: u32) -> Self {
        Self(((seconds as u64) << 32) | fraction as u64)
    }

    /// Makes a timestamp from the time since 1970.
    #[must_use]
    pub fn from_unix(since_1970: Duration) -> Self {
        Self(2_208_988_800 << 32).plus(since_1970)
    }

    /// Returns all 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the timestamp `later`.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let seconds = later.as_secs() << 32;
        let fraction = (u64::from(later.subsec_nanos()) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add(seconds).wrapping_add(fraction))
    }

    /// Returns the middle 32 bits, in 1/65536 seconds, as reports echo them.
    #[must_use]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// Returns the round trip that the receiver of a report block can compute from it.
///
/// `now` and `last_report` are middles of NTP times. `None` when no report had been heard or the
/// figures contradict each other.
#[must_use]
pub fn round_trip(now: u32, last_report: u32, delay_since_last_report: u32) -> Option<Duration> {
    if last_report == 0 {
        return None;
    }
    let units = now.wrapping_sub(last_report).wrapping_sub(delay_since_last_report);
    // More than half the range is a negative number: the peer's delay is longer than the whole trip.
    (units < 0x8000_0000).then(|| Duration::from_nanos(u64::from(units) * 1_000_000_000 / 65_536))
}
