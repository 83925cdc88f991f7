//! Selecting events.

use jiff::Timestamp;

use super::sqlite::data_text;
use crate::{
    event::{Envelope, EventPattern},
    id::{CallId, PhoneId, RunId, Seq},
};

/// A selection of events; absent fields do not restrict it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Events of this phone, its calls included.
    pub phone: Option<PhoneId>,
    /// Events of this call.
    pub call: Option<CallId>,
    /// Events of this run.
    pub run: Option<RunId>,
    /// Kinds; empty means every kind.
    pub kinds: Vec<EventPattern>,
    /// Only events after this position.
    pub after: Option<Seq>,
    /// Only events before this position.
    pub before: Option<Seq>,
    /// Only events at or after this time.
    pub since: Option<Timestamp>,
    /// Only events before this time.
    pub until: Option<Timestamp>,
    /// Only events whose data contain this text; case matters.
    pub text: Option<String>,
    /// At most this many: the oldest ones unless `newest_first`.
    pub limit: Option<usize>,
    /// Choose and return the newest first.
    pub newest_first: bool,
}

impl Query {
    /// Selects the events of a call.
    #[must_use]
    pub fn of_call(call: CallId) -> Self {
        Self { call: Some(call), ..Self::default() }
    }

    /// Selects the events of a phone.
    #[must_use]
    pub fn of_phone(phone: PhoneId) -> Self {
        Self { phone: Some(phone), ..Self::default() }
    }

    /// Selects by kind, exact or `subject.*`.
    #[must_use]
    pub fn of_kinds(kinds: &[&str]) -> Self {
        Self { kinds: kinds.iter().map(|&kind| EventPattern::new(kind)).collect(), ..Self::default() }
    }

    /// Returns whether `envelope` is selected; the caller handles `limit` and order.
    #[must_use]
    pub fn matches(&self, envelope: &Envelope) -> bool {
        let subject = &envelope.subject;
        wanted(self.phone.as_ref(), subject.phone.as_ref())
            && wanted(self.call.as_ref(), subject.call.as_ref())
            && wanted(self.run.as_ref(), subject.run.as_ref())
            && self.after.is_none_or(|after| envelope.seq > after)
            && self.before.is_none_or(|before| envelope.seq < before)
            && self.since.is_none_or(|since| envelope.at >= since)
            && self.until.is_none_or(|until| envelope.at < until)
            && self.wants_kind(envelope.event.kind())
            && self.text.as_deref().is_none_or(|text| contains(envelope, text))
    }

    fn wants_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|pattern| pattern.matches(kind))
    }
}

fn wanted<T: PartialEq>(asked: Option<&T>, is: Option<&T>) -> bool {
    asked.is_none() || asked == is
}

/// Writes `text` as it appears inside a JSON string, because the search is on JSON.
pub(super) fn needle(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn contains(envelope: &Envelope, text: &str) -> bool {
    data_text(&envelope.event, &mut Vec::new()).contains(&needle(text))
}
