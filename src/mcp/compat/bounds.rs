//! How much an answer shows if nothing narrows it: an agent pays for each entry, and can ask for
//! the rest.

/// A shortened list.
#[derive(Debug, PartialEq)]
pub(in crate::mcp) struct Shown<T> {
    /// The newest entries, in their order.
    pub(in crate::mcp) list: Vec<T>,
    /// How many there are.
    pub(in crate::mcp) total: usize,
    /// How many are not shown.
    pub(in crate::mcp) left_out: usize,
}

/// Keeps the newest `most` entries of a list ordered oldest first, or all of it if something
/// narrows it.
pub(in crate::mcp) fn keep_newest<T>(mut list: Vec<T>, most: usize, narrowed: bool) -> Shown<T> {
    let total = list.len();
    let left_out = if narrowed { 0 } else { total.saturating_sub(most) };
    list.drain(..left_out);
    Shown { list, total, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_narrows_is_bounded_and_counted() {
        let list: Vec<_> = (0..25).collect();
        let newest = keep_newest(list.clone(), 20, false);
        assert_eq!(newest, Shown { list: (5..25).collect(), total: 25, left_out: 5 });
        assert_eq!(keep_newest(list.clone(), 20, true), Shown { list: list.clone(), total: 25, left_out: 0 });
        assert_eq!(keep_newest(list.clone(), 25, false).left_out, 0);
    }
}
