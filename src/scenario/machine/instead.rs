//! What happened instead of what was expected: the nearest event, and the state of the run's calls.

use super::{engine::Machine, seen::Seen, watch::Watch};
use crate::{
    event::Event,
    id::{CallId, Seq},
};

/// Most calls in one sentence, the newest ones.
const CALLS: usize = 4;
/// Facts given for each call.
const FACTS: usize = 2;

impl Machine {
    pub(super) fn words_of(&self, seq: Seq) -> String {
        self.history.at(seq).map_or_else(|| format!("event {seq}"), |seen| seen.words())
    }

    /// Finds the event after `since` that is closest to what is watched for, and describes the
    /// state of the run's calls: the failure may lie on the other side of the phone system.
    pub(super) fn what_came_instead(&self, watch: &Watch, since: Seq) -> (Option<Seq>, String) {
        let calls = self.calls_now();
        if let Some((seq, words)) = watch.instead() {
            return (Some(seq), and(words, calls));
        }
        let mut recent = self.history.iter().rev().take_while(|seen| seen.seq() > since);
        match recent.find(|seen| seen.is_telling() && watch.concerns(seen, &self.names.calls)) {
            Some(seen) => {
                let words = format!("nothing like it; the last was {}", seen.words());
                (Some(seen.seq()), and(words, calls))
            }
            None => {
                let mut recent = self.history.iter().rev().take_while(|seen| seen.seq() > since);
                let last = recent.find(|seen| tells_of_a_call(seen)).map(|seen| seen.seq());
                (last, and("nothing happened there".to_owned(), calls))
            }
        }
    }

    /// Describes the state of each of the newest calls and what happened to it last; `None` if
    /// there was no call.
    pub(super) fn calls_now(&self) -> Option<String> {
        let mut told: Vec<(CallId, Vec<&Seen>)> = Vec::new();
        for seen in self.history.iter().rev().filter(|seen| tells_of_a_call(seen)) {
            let Some(call) = seen.envelope.subject.call else { continue };
            match told.iter_mut().find(|(known, _)| *known == call) {
                Some((_, facts)) if facts.len() < FACTS => facts.push(seen),
                Some(_) => {}
                None => told.push((call, vec![seen])),
            }
        }
        let more = told.len().saturating_sub(CALLS);
        told.truncate(CALLS);
        told.sort_by_key(|(call, _)| *call);
        let each = told.iter().map(|(call, facts)| {
            let phone = facts.iter().find_map(|seen| seen.phone.as_ref());
            let phone = phone.map(|phone| format!(" on {phone}")).unwrap_or_default();
            let state = self.book.phase(*call).map_or("unknown", |phase| phase.name());
            let facts: Vec<String> = facts.iter().rev().map(|seen| seen.fact()).collect();
            format!("{call}{phone} is {state}: {}", facts.join(", then "))
        });
        let mut each: Vec<String> = each.collect();
        if more > 0 {
            each.push(format!("and {more} calls before"));
        }
        (!each.is_empty()).then(|| each.join("; "))
    }
}

/// Joins what happened instead and the state of the calls.
pub(super) fn and(words: String, calls: Option<String>) -> String {
    match calls {
        Some(calls) => format!("{words}; {calls}"),
        None => words,
    }
}

/// Returns whether an event shows the state of a call to someone reading about a failure.
fn tells_of_a_call(seen: &Seen) -> bool {
    matches!(seen.envelope.event, Event::Call(_)) && seen.is_telling()
}
