//! How much an answer shows if nothing narrows it: an agent pays for each entry, and can ask for
//! the rest.

use serde_json::Value;

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

/// Keeps the newest `most` entries of a list ordered oldest first.
pub(in crate::mcp) fn keep_newest<T>(mut list: Vec<T>, most: usize) -> Shown<T> {
    let total = list.len();
    let left_out = total.saturating_sub(most);
    list.drain(..left_out);
    Shown { list, total, left_out }
}

/// Keeps the newest `last_n` entries, all of them for 0, and `usual` if `last_n` is absent.
///
/// # Errors
/// The number is negative.
pub(in crate::mcp) fn keep_asked<T>(
    list: Vec<T>,
    last_n: Option<i64>,
    usual: usize,
) -> Result<Shown<T>, String> {
    let Some(count) = last_n else { return Ok(keep_newest(list, usual)) };
    let count = usize::try_from(count)
        .map_err(|_| format!("last_n {count} is negative: give how many of the newest, or 0 for all"))?;
    let list = keep_newest(list, if count == 0 { usize::MAX } else { count }).list;
    // A caller who asks for a number leaves out the others, and the total is that of the answer.
    Ok(Shown { total: list.len(), list, left_out: 0 })
}

/// Says how many older entries were left out, and how to see them.
pub(in crate::mcp) fn more(left_out: usize, how: &str) -> Option<(String, Value)> {
    let sentence = || format!("{left_out} older ones are left out; give {how}");
    (left_out > 0).then(|| ("more".to_owned(), sentence().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        let list: Vec<_> = (0..25).collect();
        let newest = keep_newest(list.clone(), 20);
        assert_eq!(newest, Shown { list: (5..25).collect(), total: 25, left_out: 5 });
        assert_eq!(keep_newest(list.clone(), 25), Shown { list: list.clone(), total: 25, left_out: 0 });
        assert_eq!(keep_newest(list.clone(), usize::MAX).list, list);
    }

    #[test]
    fn all_of_a_list_is_shown_on_request_only_and_fewer_than_none_never() {
        let asked = |last_n| keep_asked((0..25).collect::<Vec<_>>(), last_n, 20);
        for (last_n, length, total, left_out) in
            [(None, 20, 25, 5), (Some(0), 25, 25, 0), (Some(3), 3, 3, 0), (Some(i64::MAX), 25, 25, 0)]
        {
            let shown = asked(last_n).unwrap();
            assert_eq!(
                (shown.list.len(), shown.total, shown.left_out),
                (length, total, left_out),
                "{last_n:?}"
            );
            assert_eq!(shown.list.last(), Some(&24));
        }
        for last_n in [-1, i64::MIN] {
            assert!(asked(Some(last_n)).unwrap_err().contains("or 0 for all"), "{last_n}");
        }
    }
}
