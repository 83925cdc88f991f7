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
    /// Refuses values that no message can have.
    ///
    /// # Errors
    /// The allowed values.
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        let short = |given: &str| given.chars().take(40).collect::<String>();
        if let Some(given) = &self.direction
            && !["TX", "RX"].iter().any(|one| given.eq_ignore_ascii_case(one))
        {
            return Err(format!("direction '{}' is neither TX (sent) nor RX (received)", short(given)));
        }
        // RFC 3261 §25.1: a method is a token.
        let in_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        if let Some(given) = &self.method
            && (given.is_empty() || !given.chars().all(in_token))
        {
            return Err(format!("method '{}' is no method such as INVITE or REGISTER", short(given)));
        }
        if let Some(given) = self.status_code.filter(|given| !(100..=699).contains(given)) {
            return Err(format!("status_code {given} is no status of a response: from 100 to 699"));
        }
        match self.cseq {
            Some(given) if u32::try_from(given).is_err() => {
                Err(format!("cseq {given} is no CSeq number: from 0 to {}", u32::MAX))
            }
            Some(_) | None => Ok(()),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_message_has_is_refused_with_what_may_be() {
        let direction = |given: &str| SipFilter { direction: Some(given.into()), ..SipFilter::default() };
        let method = |given: &str| SipFilter { method: Some(given.into()), ..SipFilter::default() };
        let status = |given| SipFilter { status_code: Some(given), ..SipFilter::default() };
        let cseq = |given| SipFilter { cseq: Some(given), ..SipFilter::default() };
        for good in [
            SipFilter::default(),
            direction("tx"),
            direction("RX"),
            method("invite"),
            method("FOO-1"),
            status(100),
            status(699),
            cseq(0),
            cseq(u32::MAX.into()),
        ] {
            assert_eq!(good.check(), Ok(()));
        }
        for (bad, told) in [
            (direction("sent"), "neither TX (sent) nor RX (received)"),
            (direction(""), "neither TX"),
            (method(""), "no method such as INVITE"),
            (method("200 OK"), "no method such as INVITE"),
            (status(0), "from 100 to 699"),
            (status(700), "from 100 to 699"),
            (status(-486), "from 100 to 699"),
            (cseq(-1), "from 0 to 4294967295"),
            (cseq(1 << 32), "from 0 to 4294967295"),
        ] {
            let refused = bad.check().unwrap_err();
            assert!(refused.contains(told), "{refused}");
        }
    }
}
