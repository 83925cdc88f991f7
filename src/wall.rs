//! Wall time derived from tokio's clock, so that it is virtual wherever tokio's clock is.

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock that starts at a known wall time and then follows tokio's clock.
///
/// In tests with paused time two runs give the same timestamps.
#[derive(Clone, Copy, Debug)]
pub struct Wall {
    started: Instant,
    epoch: Timestamp,
}

impl Wall {
    /// Starts at the machine's wall time.
    #[must_use]
    pub fn system() -> Self {
        Self { started: Instant::now(), epoch: Timestamp::now() }
    }

    /// Starts at `epoch`, for simulations and tests.
    #[must_use]
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { started: Instant::now(), epoch }
    }

    /// Returns the wall time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// Returns the wall time of an instant of tokio's clock.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Timestamp {
        let since = moment.saturating_duration_since(self.started);
        self.epoch.checked_add(since).unwrap_or(self.epoch)
    }
}
