//! The one source of time for these tests.

use std::time::Instant;

/// Returns the instant that a test calls zero.
#[expect(clippy::disallowed_methods, reason = "the one source of time for integration tests")]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
