//! How large a bench is.

/// Chooses a size: one short round, as `cargo test` runs it, shows that the bench still works.
pub(crate) fn in_short<T>(full: T, short: T) -> T {
    if std::env::args().any(|argument| argument == "--bench") { full } else { short }
}
