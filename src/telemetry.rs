//! Diagnostics: `tracing` to standard error, filtered by `OFFHOOK_LOG`.
//!
//! Standard output belongs to results and to MCP.

use std::{
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::{Duration, Instant};
use tracing_subscriber::{EnvFilter, fmt};

/// Installs the process-wide subscriber; the level is `warn` unless `OFFHOOK_LOG` sets another.
pub fn init() {
    let mut filter = EnvFilter::try_from_env("OFFHOOK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // Below this level the MCP library prints whole requests, passwords included.
    if let Ok(quiet) = "rmcp=warn".parse() {
        filter = filter.add_directive(quiet);
    }
    let colors = io::stderr().is_terminal();
    // A second call (in tests) finds a subscriber in place; keeping the first is right.
    drop(fmt().with_env_filter(filter).with_ansi(colors).with_writer(io::stderr).try_init());
}

/// Least time between two log lines of a kind that others can cause.
const SELDOM: Duration = Duration::from_secs(1);

/// Decides which of many equal log lines to print, so that nobody outside can fill the log.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// Returns how many lines were left out since the last one, if it is time for another.
    pub(crate) fn turn(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < SELDOM) {
            self.unsaid = self.unsaid.saturating_add(1);
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// The same for many sources of lines of one kind, such as the calls of a phone; clones count
/// together.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeldomTogether(Arc<Mutex<Seldom>>);

impl SeldomTogether {
    /// Returns how many lines were left out since the last one from any source, if it is time for
    /// another.
    pub(crate) fn turn(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_lines_one_a_second_is_printed_and_the_rest_counted() {
        let mut seldom = Seldom::default();
        assert_eq!([seldom.turn(), seldom.turn(), seldom.turn()], [Some(0), None, None]);
        tokio::time::advance(SELDOM).await;
        assert_eq!([seldom.turn(), seldom.turn()], [Some(2), None]);
    }
}
