//! Lists of steps being executed: the main list, the initial actions and every reaction of a hook.

use std::{
    ops::Bound::{Excluded, Included},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    super::{
        diagnostic::Position,
        model::{
            Action, CallRef, CallTarget, Clause, ClauseKind, EventMatcher, Expectation, Hook, PhoneRef,
            Refusal, Scenario, Scope, Since, Step,
        },
    },
    actions::Begun,
    commands::{Context, Prepared, Whom},
    engine::{Machine, Phase, Purpose},
    instead::and,
    seen::Seen,
    verdict::Failure,
    watch::{Look, Progress, Watch},
};
use crate::{
    command::{CommandKind, Outcome, Rejection},
    event::{CallPhase, Comparison, Condition, Ending, EventPattern, Expected, RunEvent, Subject},
    id::{CallId, PhoneId, Seq},
};

/// Names a list being executed.
pub(super) type ListId = u64;

/// Where a list has its steps from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Hook(usize),
    Initial,
    Main,
}

/// A list being executed.
#[derive(Debug)]
pub(super) struct List {
    pub(super) which: Which,
    pub(super) name: String,
    pub(super) context: Context,
    /// Where its newest command was issued; events count from here on.
    since: Seq,
    pub(super) next: usize,
    waiting: Option<Waiting>,
    /// Events that met an expectation since the newest command, with the words of the expectation.
    used: Vec<(String, Seq)>,
    /// The call that its newest command placed.
    pub(super) placed: Option<CallId>,
    /// The action in progress.
    pub(super) begun: Option<Begun>,
}

#[derive(Debug)]
enum Waiting {
    Command {
        args: Value,
    },
    Pause {
        until: Instant,
    },
    Watching {
        watch: Box<Watch>,
        until: Instant,
        goal: Goal,
        expected: String,
        key: String,
        /// Events that met an earlier expectation with the same words.
        used: Vec<Seq>,
    },
}

/// The purpose of a watch.
#[derive(Debug)]
enum Goal {
    /// It must be met.
    Presence { capture: Option<String> },
    /// It must not be met.
    Absence,
}

impl List {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.waiting {
            Some(Waiting::Pause { until } | Waiting::Watching { until, .. }) => Some(*until),
            Some(Waiting::Command { .. }) | None => None,
        }
    }

    /// Returns the current or next step; `None` if the list is done.
    fn step<'a>(&self, scenario: &'a Scenario) -> Option<&'a Step> {
        self.which.steps(scenario).get(self.next)
    }

    /// Returns the steps that are not done, including the current one.
    pub(super) fn rest<'a>(&self, scenario: &'a Scenario) -> &'a [Step] {
        self.which.steps(scenario).get(self.next..).unwrap_or_default()
    }

    /// Returns whether the list's watch has come to a result before its time is over.
    fn is_decided(&self) -> bool {
        let Some(Waiting::Watching { watch, goal, .. }) = &self.waiting else { return false };
        match (goal, watch.progress()) {
            (Goal::Presence { .. }, Progress::Met(_) | Progress::Lost(..)) => true,
            (Goal::Absence, Progress::Met(_)) => true,
            (Goal::Presence { .. } | Goal::Absence, Progress::Open | Progress::Lost(..)) => false,
        }
    }
}

impl Which {
    fn steps(self, scenario: &Scenario) -> &[Step] {
        match self {
            Self::Hook(index) => {
                scenario.hooks.get(index).map(|hook| hook.then.as_slice()).unwrap_or_default()
            }
            Self::Initial => &scenario.initial_actions,
            Self::Main => &scenario.steps,
        }
    }
}

/// Whether a list goes on.
enum Flow {
    Next,
    Wait,
    Abort,
}

impl Machine {
    pub(super) fn begin_list(&mut self, now: Instant, which: Which) {
        let name = match which {
            Which::Initial => "<init>",
            Which::Main | Which::Hook(_) => "steps",
        };
        let list = List {
            which,
            name: name.to_owned(),
            context: Context::default(),
            since: self.first,
            next: 0,
            waiting: None,
            used: Vec::new(),
            placed: None,
            begun: None,
        };
        self.add_list(now, list);
    }

    pub(super) fn begin_hook(&mut self, now: Instant, index: usize, hook: &Hook, seen: &Seen) {
        let subject = &seen.envelope.subject;
        let context = Context {
            phone: hook.when.phone.clone().or_else(|| seen.phone.clone()),
            call: subject.call,
            call_phone: seen.phone.clone(),
        };
        let list = List {
            which: Which::Hook(index),
            name: hook.name.clone(),
            context,
            since: seen.seq(),
            next: 0,
            waiting: None,
            used: Vec::new(),
            placed: None,
            begun: None,
        };
        self.add_list(now, list);
    }

    fn add_list(&mut self, now: Instant, list: List) {
        self.counter += 1;
        let id = self.counter;
        self.advance(now, id, list);
    }

    /// Executes steps until one has to wait.
    fn advance(&mut self, now: Instant, id: ListId, mut list: List) {
        let scenario = Arc::clone(&self.scenario);
        loop {
            if !matches!(self.phase, Phase::Running) {
                return;
            }
            let Some(step) = list.step(&scenario) else {
                return self.list_over(now, list.which, true);
            };
            match self.begin_step(now, id, &mut list, step) {
                Flow::Next => list.next += 1,
                Flow::Wait => {
                    self.lists.insert(id, list);
                    return;
                }
                Flow::Abort => return self.list_over(now, list.which, false),
            }
        }
    }

    fn list_over(&mut self, now: Instant, which: Which, complete: bool) {
        if which == Which::Main {
            if !complete {
                return self.finish(now, Ending::StepsDone, String::new());
            }
            self.main_done = true;
        }
        if self.main_done && !self.lists.values().any(|list| self.still_expects(list)) {
            self.finish(now, Ending::StepsDone, String::new());
        }
    }

    /// Returns whether a list still has something to find out; ending the run before that would
    /// hide a failure.
    fn still_expects(&self, list: &List) -> bool {
        list.rest(&self.scenario).iter().any(|step| step.action.finds_out())
    }

    fn begin_step(&mut self, now: Instant, id: ListId, list: &mut List, step: &Step) -> Flow {
        let whom = Whom {
            names: &self.names,
            context: &list.context,
            run: self.setup.run,
            older: self.scenario.lenient,
        };
        match whom.prepare(step) {
            Ok(Some(prepared)) => return self.begin_command(id, list, step, prepared),
            Ok(None) => {}
            Err(error) => return self.step_failed(list, step, &json!({}), None, &error),
        }
        match &step.action {
            Action::Wait { duration } => {
                let args = json!({ "ms": duration.as_millis() });
                self.note_action(list, step, &args, None);
                list.waiting = Some(Waiting::Pause { until: now + *duration });
                Flow::Wait
            }
            Action::WaitUntil { event, timeout } => {
                let phone = whom.said_phone(step);
                self.begin_wait_until(now, list, step, event, *timeout, phone)
            }
            Action::Expect(expectation) => self.begin_expect(now, list, step, expectation),
            Action::Never { clause, during } => {
                let expected = format!("never {} during {}", clause.words, show(*during));
                self.watch(now, list, step, clause, *during, Goal::Absence, expected)
            }
            Action::HoldFor { duration } => self.begin_hold(now, list, step, *duration),
            Action::Emit { name, data } => self.emit(list, step, name, data),
            Action::Checkpoint { label } => match self.names.fill(label) {
                Ok(label) => {
                    self.checkpoints.insert(label.clone(), self.newest);
                    self.remark(list, RunEvent::Checkpoint { label })
                }
                Err(error) => self.step_failed(list, step, &json!({}), None, &error),
            },
            Action::Log { message } => match self.names.fill(message) {
                Ok(message) => self.remark(list, RunEvent::Log { message }),
                Err(error) => self.step_failed(list, step, &json!({}), None, &error),
            },
            // Commands were prepared above.
            Action::Do { .. } => Flow::Next,
        }
    }

    fn begin_command(&mut self, id: ListId, list: &mut List, step: &Step, prepared: Prepared) -> Flow {
        let Prepared { command, args, subject } = prepared;
        self.note_action(list, step, &args, Some(subject));
        list.since = self.newest;
        list.used.clear();
        list.placed = None;
        let places_call = matches!(step.action.command(), Some(CommandKind::PlaceCall | CommandKind::Answer));
        let name = list.name.clone();
        self.execute(command, &name, Purpose::List { list: id, places_call });
        list.waiting = Some(Waiting::Command { args });
        Flow::Wait
    }

    fn begin_wait_until(
        &mut self,
        now: Instant,
        list: &mut List,
        step: &Step,
        event: &EventPattern,
        timeout: Duration,
        phone: Option<PhoneId>,
    ) -> Flow {
        let args = json!({ "event": event.as_str(), "timeout_ms": timeout.as_millis() });
        self.note_action(list, step, &args, None);
        // Only that phone's events count, and events without a phone.
        let conditions = phone.map(|phone| Condition {
            path: "phone_id".to_owned(),
            expected: Expected::OneOf(vec![Expected::Equals(json!(phone.as_str())), Expected::Missing]),
        });
        let matcher = EventMatcher {
            events: vec![event.clone()],
            conditions: conditions.into_iter().collect(),
            ..EventMatcher::default()
        };
        let kind = ClauseKind::Event { matcher, count: Comparison::AtLeast(1.0) };
        let clause = Clause { at: step.at, words: event.to_string(), kind };
        let expected = format!("{event} within {}", show(timeout));
        let before = std::mem::replace(&mut list.since, self.newest);
        let flow = self.watch(now, list, step, &clause, timeout, Goal::Presence { capture: None }, expected);
        list.since = before;
        flow
    }

    fn begin_expect(
        &mut self,
        now: Instant,
        list: &mut List,
        step: &Step,
        expectation: &Expectation,
    ) -> Flow {
        let before = list.since;
        match &expectation.since {
            Since::LastCommand => {}
            Since::Start => list.since = self.first,
            Since::Checkpoint(label) => match self.checkpoints.get(label) {
                Some(seq) => list.since = *seq,
                None => {
                    let error = format!("the checkpoint '{label}' was not reached");
                    return self.step_failed(list, step, &json!({}), None, &error);
                }
            },
        }
        let expected = format!("{} within {}", expectation.clause.words, show(expectation.within));
        let goal = Goal::Presence { capture: expectation.capture.clone() };
        let flow = self.watch(now, list, step, &expectation.clause, expectation.within, goal, expected);
        list.since = before;
        flow
    }

    fn begin_hold(&mut self, now: Instant, list: &mut List, step: &Step, duration: Duration) -> Flow {
        let calls: Vec<CallId> = match &step.call {
            CallTarget::Ref(call) => super::seen::resolve(call, &self.names.calls).into_iter().collect(),
            CallTarget::Inherited if list.context.call.is_some() => list.context.call.into_iter().collect(),
            CallTarget::Inherited | CallTarget::Any => {
                let phone = match &step.phone {
                    PhoneRef::Named(phone) => Some(phone),
                    PhoneRef::Nobody | PhoneRef::Inherited => None,
                };
                self.book.up(phone)
            }
        };
        let up = |call: &CallId| self.book.phase(*call) == Some(CallPhase::Established);
        if calls.is_empty() || !calls.iter().all(up) {
            return self.step_failed(list, step, &json!({}), None, "no call is up that could be held");
        }
        let parts = calls.iter().map(|call| {
            let scope = Scope { phone: None, call: Some(CallRef::Id(*call)) };
            let kind = ClauseKind::Ended { scope, cause: None, by: None, status: None };
            Clause { at: step.at, words: format!("the end of {call}"), kind }
        });
        let kind = ClauseKind::Any(parts.collect());
        let clause = Clause { at: step.at, words: "the end of the call".to_owned(), kind };
        let expected = format!("the call to stay up for {}", show(duration));
        self.watch(now, list, step, &clause, duration, Goal::Absence, expected)
    }

    #[expect(clippy::too_many_arguments, reason = "a watch has this many independent properties")]
    fn watch(
        &mut self,
        now: Instant,
        list: &mut List,
        step: &Step,
        clause: &Clause,
        within: Duration,
        goal: Goal,
        expected: String,
    ) -> Flow {
        if !matches!(step.action, Action::WaitUntil { .. }) {
            self.note_action(list, step, &json!({ "expectation": expected }), None);
        }
        let fallback = Scope {
            phone: list.context.call.is_none().then(|| list.context.phone.clone()).flatten(),
            call: list.context.call.map(CallRef::Id),
        };
        let mut watch = match Watch::new(clause, &self.names, &fallback) {
            Ok(watch) => Box::new(watch),
            Err(error) => return self.step_failed(list, step, &json!({}), None, &error),
        };
        let used: Vec<Seq> =
            list.used.iter().filter(|(words, _)| *words == clause.words).map(|(_, seq)| *seq).collect();
        // An absence begins now; a presence may have happened since the last command.
        let since = if matches!(goal, Goal::Absence) { self.newest } else { list.since };
        for seen in self.history.of_kinds(&|sample| watch.looks_at(sample)) {
            let look = Look { captures: &self.names.calls, counts: seen.seq() > since, used: &used };
            watch.see(seen, look);
        }
        watch.past_is_over();
        let key = clause.words.clone();
        list.waiting = Some(Waiting::Watching { watch, until: now + within, goal, expected, key, used });
        self.give_up_waiting(list);
        self.conclude_watch(list, step, false)
    }

    /// Makes a waiting list give up on what cannot happen any more.
    fn give_up_waiting(&self, list: &mut List) {
        let Some(reach) = self.reach(list) else { return };
        if let Some(Waiting::Watching { watch, goal: Goal::Presence { .. }, .. }) = &mut list.waiting {
            watch.give_up(&reach);
        }
    }

    /// Handles the result of a watch; `over` means that its time has passed.
    fn conclude_watch(&mut self, list: &mut List, step: &Step, over: bool) -> Flow {
        if over && let Some(Waiting::Watching { watch, .. }) = &mut list.waiting {
            watch.time_is_over(self.newest);
        }
        if !over && !list.is_decided() {
            return Flow::Wait;
        }
        let Some(Waiting::Watching { watch, goal, expected, key, .. }) = list.waiting.take() else {
            return Flow::Wait;
        };
        match (goal, watch.progress().clone()) {
            (Goal::Presence { capture }, Progress::Met(by)) => {
                if let (Some(name), Some(call)) = (capture, watch.call()) {
                    self.names.calls.insert(name, call);
                }
                list.used.push((key, by));
                self.expectation_held(list, step, expected, Some(by))
            }
            (Goal::Presence { .. }, Progress::Lost(by, words)) => {
                let words = and(words, self.calls_now());
                self.expectation_failed(list, step, &expected, words, Some(by))
            }
            (Goal::Presence { .. }, Progress::Open) => {
                let (by, instead) = self.what_came_instead(&watch, list.since);
                self.expectation_failed(list, step, &expected, instead, by)
            }
            (Goal::Absence, Progress::Met(by)) => {
                let words = self.words_of(by);
                self.expectation_failed(list, step, &expected, words, Some(by))
            }
            (Goal::Absence, Progress::Open | Progress::Lost(..)) => {
                self.expectation_held(list, step, expected, None)
            }
        }
    }

    fn expectation_held(&mut self, list: &mut List, step: &Step, expected: String, by: Option<Seq>) -> Flow {
        let cause = self.cause(&list.name);
        let event = RunEvent::ExpectationMet { expectation: expected, at: step.at.text(), by };
        self.append(None, cause, event);
        self.held += 1;
        self.held_by_events += usize::from(by.is_some());
        self.action_over(list, true);
        Flow::Next
    }

    fn expectation_failed(
        &mut self,
        list: &mut List,
        step: &Step,
        expected: &str,
        instead: String,
        by: Option<Seq>,
    ) -> Flow {
        let place = (step.at, Some(list.place(&self.scenario)));
        self.fail(&list.name, place, expected.to_owned(), instead, by);
        self.action_over(list, false);
        Flow::Abort
    }

    pub(super) fn fail(
        &mut self,
        list: &str,
        (at, step): (Position, Option<String>),
        expected: String,
        instead: String,
        by: Option<Seq>,
    ) {
        let cause = self.cause(list);
        let event = RunEvent::ExpectationFailed {
            expectation: expected.clone(),
            at: at.text(),
            instead: instead.clone(),
            by,
            step: step.clone(),
        };
        self.append(None, cause, event);
        self.failures.push(Failure { at, step, expected, instead });
    }

    fn emit(&mut self, list: &List, step: &Step, name: &str, data: &Value) -> Flow {
        let phone = match &step.phone {
            PhoneRef::Named(phone) => Some(phone.clone()),
            PhoneRef::Nobody => None,
            PhoneRef::Inherited => list.context.phone.clone(),
        };
        let event = RunEvent::Signal { name: name.to_owned(), data: data.clone() };
        let cause = self.cause(&list.name);
        self.append(Some(Subject { phone, ..Subject::default() }), cause, event);
        Flow::Next
    }

    fn remark(&mut self, list: &List, event: RunEvent) -> Flow {
        let cause = self.cause(&list.name);
        self.append(None, cause, event);
        Flow::Next
    }

    fn step_failed(
        &mut self,
        list: &mut List,
        step: &Step,
        args: &Value,
        subject: Option<Subject>,
        error: &str,
    ) -> Flow {
        let place = Some(list.place(&self.scenario));
        let event = RunEvent::ActionFailed {
            action: step.name.clone(),
            args: args.clone(),
            hook: list.name.clone(),
            at: step.at.text(),
            error: error.to_owned(),
            step: place.clone(),
        };
        let cause = self.cause(&list.name);
        self.append(subject, cause, event);
        let expected = format!("'{}' to work", step.name);
        self.failures.push(Failure { at: step.at, step: place, expected, instead: error.to_owned() });
        self.action_over(list, false);
        Flow::Abort
    }

    /// Shows an event to every list that waits for one.
    pub(super) fn lists_saw(&mut self, now: Instant, seen: &Seen) {
        // Lists that begin meanwhile have already looked back at this event.
        let Some(newest) = self.lists.last_key_value().map(|(id, _)| *id) else { return };
        let mut last = 0;
        while let Some((id, list)) = self.lists.range_mut((Excluded(last), Included(newest))).next() {
            last = *id;
            let Some(Waiting::Watching { watch, used, .. }) = &mut list.waiting else { continue };
            let counts = seen.seq() > list.since;
            watch.see(seen, Look { captures: &self.names.calls, counts, used });
            let Some(mut list) = self.lists.remove(&last) else { continue };
            self.give_up_waiting(&mut list);
            if list.is_decided() {
                self.resume(now, last, list, false);
            } else {
                self.lists.insert(last, list);
            }
        }
    }

    /// Continues lists whose time has come.
    pub(super) fn lists_time(&mut self, now: Instant) {
        for id in self.lists.keys().copied().collect::<Vec<_>>() {
            let due = self.lists.get(&id).and_then(List::deadline).is_some_and(|at| at <= now);
            if !due {
                continue;
            }
            let Some(mut list) = self.lists.remove(&id) else { continue };
            if matches!(list.waiting, Some(Waiting::Pause { .. })) {
                list.waiting = None;
                list.next += 1;
                self.action_over(&mut list, true);
                self.advance(now, id, list);
            } else {
                self.resume(now, id, list, true);
            }
        }
    }

    fn resume(&mut self, now: Instant, id: ListId, mut list: List, over: bool) {
        let scenario = Arc::clone(&self.scenario);
        let Some(step) = list.step(&scenario) else { return };
        match self.conclude_watch(&mut list, step, over) {
            Flow::Next => {
                list.next += 1;
                self.advance(now, id, list);
            }
            Flow::Wait => {
                self.lists.insert(id, list);
            }
            Flow::Abort => self.list_over(now, list.which, false),
        }
    }

    /// Handles the outcome of a list's command.
    pub(super) fn command_done(&mut self, now: Instant, id: ListId, outcome: Result<Outcome, Rejection>) {
        let Some(mut list) = self.lists.remove(&id) else { return };
        let scenario = Arc::clone(&self.scenario);
        let Some(step) = list.step(&scenario) else { return };
        let args = match list.waiting.take() {
            Some(Waiting::Command { args }) => args,
            Some(Waiting::Pause { .. } | Waiting::Watching { .. }) | None => json!({}),
        };
        if let (Some(begun), Ok(outcome)) = (&mut list.begun, &outcome) {
            begun.outcome = Some(outcome.seq);
        }
        let flow = match (outcome, step.refused) {
            (Ok(outcome), None) => {
                if let (Action::Do { capture: Some(name), .. }, Some(call)) = (&step.action, outcome.call) {
                    self.names.calls.insert(name.clone(), call);
                }
                if step.action.command() == Some(CommandKind::PlaceCall) {
                    list.placed = outcome.call;
                }
                self.action_over(&mut list, true);
                Flow::Next
            }
            (Err(rejection), Some(Refusal::Any)) => self.refused_as_it_must(&mut list, step, &rejection),
            (Err(rejection), Some(Refusal::With(code))) if rejection.code == code => {
                self.refused_as_it_must(&mut list, step, &rejection)
            }
            (Ok(_), Some(_)) => {
                let error = "it was accepted but must be refused";
                self.step_failed(&mut list, step, &args, None, error)
            }
            (Err(rejection), Some(Refusal::With(_)) | None) => {
                let error = self.names.inside(&format!("{rejection} ({})", rejection.code));
                self.step_failed(&mut list, step, &args, None, &error)
            }
        };
        match flow {
            Flow::Next => {
                list.next += 1;
                self.advance(now, id, list);
            }
            Flow::Wait | Flow::Abort => self.list_over(now, list.which, false),
        }
    }

    fn refused_as_it_must(&mut self, list: &mut List, step: &Step, rejection: &Rejection) -> Flow {
        let expected = format!("'{}' to be refused", step.name);
        let words = self.names.inside(&format!("{expected}: {rejection}"));
        let cause = self.cause(&list.name);
        let event =
            RunEvent::ExpectationMet { expectation: words, at: step.at.text(), by: Some(self.newest) };
        self.append(None, cause, event);
        self.held += 1;
        self.held_by_events += 1;
        self.action_over(list, true);
        Flow::Next
    }

    /// Turns everything still waited for into failures, because the run ends here.
    pub(super) fn unfinished(&mut self, ending: Ending) {
        let why = if ending == Ending::StopMatched {
            "the run was stopped before".to_owned()
        } else {
            format!("the run's time of {} was over", show(self.scenario.timeout))
        };
        let scenario = Arc::clone(&self.scenario);
        let lists = std::mem::take(&mut self.lists);
        for list in lists.values() {
            let Some(step) = list.step(&scenario) else { continue };
            let place = (step.at, Some(list.place(&scenario)));
            match &list.waiting {
                Some(Waiting::Watching { watch, expected, goal, .. }) => {
                    let (by, instead) = match goal {
                        Goal::Presence { .. } => self.what_came_instead(watch, list.since),
                        Goal::Absence => (None, "it was not watched to the end".to_owned()),
                    };
                    self.fail(&list.name, place, expected.clone(), format!("{instead} ({why})"), by);
                }
                Some(Waiting::Command { .. } | Waiting::Pause { .. }) | None
                    if list.which == Which::Main || self.still_expects(list) =>
                {
                    let expected = format!("'{}' and what follows it", step.name);
                    self.fail(&list.name, place, expected, why.clone(), None);
                }
                Some(Waiting::Command { .. } | Waiting::Pause { .. }) | None => {}
            }
        }
    }
}

/// Prints a duration as documents write it.
pub(super) fn show(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds >= 1_000 && milliseconds.is_multiple_of(1_000) {
        format!("{}s", milliseconds / 1_000)
    } else if milliseconds >= 1_000 {
        format!("{}s", duration.as_secs_f64())
    } else {
        format!("{milliseconds}ms")
    }
}
