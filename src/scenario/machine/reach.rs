//! What cannot come true any more, so that nobody waits for it: a call that is over will not be
//! answered, and a phone that is gone does nothing.
//!
//! Something counts as out of reach only if what the run has begun makes that certain. A call that
//! the phone system itself places after it refused one can be waited for with
//! `expect: call.incoming`, which is never out of reach.

use std::collections::BTreeSet;

use super::{
    super::model::{CallRef, EventMatcher, Scope, Step},
    book::Book,
    engine::Machine,
    history::History,
    lists::List,
    seen::{Captures, resolve},
    world::Names,
};
use crate::{
    command::CommandKind,
    event::EventPattern,
    id::{CallId, Seq},
};

/// Events of a call that is not over, under both names.
const OF_A_LIVE_CALL: &[&str] = &[
    "call.trying",
    "call.ringing",
    "call.answered",
    "call.established",
    "call.held",
    "call.resumed",
    "call.state.early",
    "call.state.connecting",
    "call.state.confirmed",
];

/// Events of media that is going on, under both names.
const OF_LIVE_MEDIA: &[&str] = &["dtmf.received", "dtmf.in", "media.first_packet", "media.tone_started"];

/// What a condition needs to come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A call that is not over.
    Call,
    /// A call whose media is going on.
    Media,
    /// Nothing but the phone.
    Phone,
}

impl Need {
    /// Returns what an event needs; `None` if that depends on more than calls and phones.
    pub(super) fn of(matcher: &EventMatcher) -> Option<Self> {
        let all = |names: &[&str]| {
            let named = |event: &EventPattern| names.contains(&event.as_str());
            !matcher.events.is_empty() && matcher.events.iter().all(named)
        };
        if all(OF_A_LIVE_CALL) {
            return Some(Self::Call);
        }
        if all(OF_LIVE_MEDIA) {
            return Some(Self::Media);
        }
        let of_calls = |event: &EventPattern| {
            event.as_str().starts_with("call.")
                || event.as_str().starts_with("media.")
                || event.as_str().starts_with("dtmf.")
        };
        (!matcher.events.is_empty() && matcher.events.iter().all(of_calls)).then_some(Self::Phone)
    }
}

/// What is known of the run's calls and phones when a list waits.
pub(super) struct Reach<'a> {
    pub(super) book: &'a Book,
    pub(super) history: &'a History,
    pub(super) names: &'a Names,
    /// The call that the list's newest command placed, or whose event started the list.
    pub(super) about: Option<CallId>,
    /// Whether anything else in the scenario may still place a call.
    pub(super) others_may_call: bool,
    /// Names under which another call may yet be captured.
    pub(super) kept_again: BTreeSet<String>,
}

impl Reach<'_> {
    /// Returns why something with this need cannot happen any more, and the event that shows it.
    pub(super) fn lost(&self, need: Need, scope: &Scope) -> Option<(Seq, String)> {
        let gone = scope.phone.as_ref().and_then(|phone| self.book.dropped(phone));
        if let Some(seq) = gone {
            return Some(self.because(seq));
        }
        let is_over = |call: CallId| match need {
            Need::Call => self.book.end(call),
            Need::Media => self.book.end(call).filter(|_| !self.book.has_media(call)),
            Need::Phone => None,
        };
        let captures: &Captures = &self.names.calls;
        if let Some(named) = &scope.call {
            if let CallRef::Captured(name) = named
                && self.kept_again.contains(name)
            {
                return None;
            }
            return resolve(named, captures).and_then(is_over).map(|seq| self.because(seq));
        }
        // No particular call is meant. If the list's own call came to nothing, no other call is
        // open and none can begin, then there is no call it could be.
        let about = self.about.filter(|call| !self.book.was_up(*call))?;
        if self.others_may_call || self.book.any_goes_on() {
            return None;
        }
        is_over(about).map(|seq| self.because(seq))
    }

    fn because(&self, seq: Seq) -> (Seq, String) {
        let words = self.history.at(seq).map_or_else(|| format!("event {seq}"), |seen| seen.words());
        (seq, format!("it cannot come any more after {words}"))
    }
}

impl Machine {
    /// Returns what is within reach of a waiting list; `None` in the older form, where waits always
    /// take their full time.
    pub(super) fn reach(&self, list: &List) -> Option<Reach<'_>> {
        (!self.scenario.lenient).then(|| Reach {
            book: &self.book,
            history: &self.history,
            names: &self.names,
            about: list.placed.or(list.context.call),
            others_may_call: self.others_may_call(),
            kept_again: self.kept_again(list),
        })
    }

    /// Returns the names under which another call may yet be captured.
    fn kept_again(&self, waiting: &List) -> BTreeSet<String> {
        let hooks = self.scenario.hooks.iter().zip(&self.hooks).filter(|(_, state)| !state.spent);
        let of_hooks = hooks.filter_map(|(hook, _)| hook.capture.as_deref());
        let others = self.lists.values().filter(|list| !std::ptr::eq(*list, waiting));
        let of_lists =
            others.flat_map(|list| list.rest(&self.scenario)).filter_map(|step| step.action.capture());
        of_hooks.chain(of_lists).map(str::to_owned).collect()
    }

    /// Returns whether a command is in progress, or another list or hook may still place a call.
    fn others_may_call(&self) -> bool {
        let calls =
            |steps: &[Step]| steps.iter().any(|step| step.action.command() == Some(CommandKind::PlaceCall));
        let mut hooks = self.scenario.hooks.iter().zip(&self.hooks);
        !self.in_flight.is_empty()
            || self.lists.values().any(|list| calls(list.rest(&self.scenario)))
            || hooks.any(|(hook, state)| !state.spent && calls(&hook.then))
    }
}
