//! Filters for the SIP log: by phone, call, method, direction, status and CSeq.
//!
//! A message belongs exactly to the phone that sent or received it; nothing is guessed from its
//! text.

use super::log_text::Logged;

/// What a caller wants to see; an entry that lacks a field being filtered on is left out.
#[derive(Default)]
pub(in crate::mcp) struct SipFilter {
    /// `Call-ID` header of the requested call.
    pub(in crate::mcp) sip_call_id: Option<String>,
    /// Request method; for responses that of the CSeq. Case does not matter.
    pub(in crate::mcp) method: Option<String>,
    /// `TX` or `RX`. Case does not matter.
    pub(in crate::mcp) direction: Option<String>,
    /// Status of responses.
    pub(in crate::mcp) status_code: Option<i64>,
    /// CSeq number.
    pub(in crate::mcp) cseq: Option<i64>,
}

impl SipFilter {
    /// Returns whether the filter lets the message through.
    pub(in crate::mcp) fn accepts(&self, logged: &Logged<'_>) -> bool {
        let summary = logged.summary;
        let equal = |asked: &Option<String>, found: Option<&str>| {
            asked.as_ref().is_none_or(|asked| found.is_some_and(|found| found.eq_ignore_ascii_case(asked)))
        };
        self.sip_call_id.as_deref().is_none_or(|asked| summary.sip_call_id.as_deref() == Some(asked))
            && equal(&self.method, summary.method.as_deref())
            && equal(&self.direction, Some(logged.direction()))
            && self.status_code.is_none_or(|asked| summary.status.map(i64::from) == Some(asked))
            && self.cseq.is_none_or(|asked| summary.cseq.map(i64::from) == Some(asked))
    }
}

/// How many of the newest entries are shown if nothing narrows the search: an agent pays for each
/// of them.
pub(in crate::mcp) const SHOWN: usize = 20;

/// Refuses a value of `direction` that no message has.
///
/// # Errors
/// The allowed values.
pub(in crate::mcp) fn check_direction(direction: Option<&str>) -> Result<(), String> {
    match direction {
        Some(given) if !["TX", "RX"].iter().any(|one| given.eq_ignore_ascii_case(one)) => {
            let given: String = given.chars().take(40).collect();
            Err(format!("direction '{given}' is neither TX (sent) nor RX (received)"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Keeps the last `count` of a list; `None` and 0 keep everything.
pub(in crate::mcp) fn keep_last<T>(mut list: Vec<T>, count: Option<i64>) -> Vec<T> {
    if let Some(count) = count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0) {
        list.drain(..list.len().saturating_sub(count));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_that_no_message_has_is_refused() {
        assert_eq!([None, Some("tx"), Some("RX")].map(check_direction), [Ok(()), Ok(()), Ok(())]);
        assert!(check_direction(Some("sent")).unwrap_err().contains("neither TX (sent)"));
    }

    #[test]
    fn the_last_entries_are_kept() {
        assert_eq!(keep_last(vec![1, 2, 3], Some(2)), [2, 3]);
        assert_eq!(keep_last(vec![1, 2, 3], Some(9)), [1, 2, 3]);
        assert_eq!(keep_last(vec![1, 2, 3], Some(0)), [1, 2, 3]);
        assert_eq!(keep_last(vec![1, 2, 3], None), [1, 2, 3]);
    }
}
