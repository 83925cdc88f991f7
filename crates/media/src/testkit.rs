//! What the unit tests share: the one place where they get an instant.

use std::time::Instant;

/// Returns the instant that a test calls zero.
#[expect(clippy::disallowed_methods, reason = "the one source of time for unit tests")]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
