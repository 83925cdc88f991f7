//! Counts of events.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    event::{CallEvent, EndCause, Envelope, Event, SipEvent},
    journal::Fold,
};

/// Counts since the beginning of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    #[serde(deserialize_with = "known")]
    kinds: BTreeMap<&'static str, u64>,
    outcomes: Vec<(EndCause, u64)>,
    refused: u64,
}

impl Counters {
    /// Returns how many events of a kind there were.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> u64 {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    /// Returns every kind that has occurred, with its count.
    #[must_use]
    pub const fn kinds(&self) -> &BTreeMap<&'static str, u64> {
        &self.kinds
    }

    /// Returns how many calls ended with this cause.
    #[must_use]
    pub fn calls_ended(&self, cause: EndCause) -> u64 {
        self.outcomes.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
    }

    /// Returns how many datagrams were refused because phones could not keep up.
    #[must_use]
    pub const fn refused_datagrams(&self) -> u64 {
        self.refused
    }

    fn ended(&mut self, cause: EndCause) {
        match self.outcomes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.outcomes.push((cause, 1)),
        }
    }
}

impl Fold for Counters {
    fn apply(&mut self, envelope: &Envelope) {
        let count = self.kinds.entry(envelope.event.kind()).or_default();
        *count = count.saturating_add(1);
        if let Event::Call(CallEvent::Ended { cause, .. }) = &envelope.event {
            self.ended(*cause);
        }
        if let Event::Sip(SipEvent::Refused { count }) = &envelope.event {
            self.refused = self.refused.saturating_add(*count);
        }
    }
}

/// Reads counts by kind; kinds that no longer exist are left out.
fn known<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, u64>, D::Error> {
    let mut counts = BTreeMap::<String, u64>::deserialize(from)?;
    let kinds = Event::kinds().into_iter();
    Ok(kinds.filter_map(|kind| counts.remove(kind).map(|count| (kind, count))).collect())
}
