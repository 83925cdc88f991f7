//! Checking a document before anything is dialed: reading it, then looking at it as a whole.
//!
//! Reading reports wrong keys, types, names and spellings. This module checks the logic: waits that
//! nothing can end, steps that come too early or too late, times that do not add up, and documents
//! that could not fail. What a real phone system does on its own is unknown, so these rules report
//! only mistakes that the document itself shows.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::super::{
    diagnostic::{Diagnostic, Level, Position, Rule},
    dialect::{self, Known, Reading},
    model::{
        Action, ArgumentTemplate, CallRef, CallTarget, Clause, ClauseKind, EventMatcher, Expectation,
        PhoneRef, Provision, Scenario, Step,
    },
};
use crate::command::{Addressee, Argument, CommandKind};

/// Reads and checks a YAML document.
#[must_use]
pub fn check_yaml(text: &str, source: Option<&str>, known: &Known) -> Reading {
    finished(dialect::read_yaml(text, source, known))
}

/// Reads and checks a JSON document.
#[must_use]
pub fn check_json(document: &Value, known: &Known) -> Reading {
    finished(dialect::read_json(document, known))
}

fn finished(mut reading: Reading) -> Reading {
    if let Some(scenario) = &reading.scenario {
        let mut logic = Logic { scenario, findings: Vec::new() };
        logic.purpose();
        logic.causes();
        logic.order();
        logic.times();
        reading.findings.extend(logic.findings);
    }
    reading.findings.sort_by_key(|finding| finding.at);
    reading
}

struct Logic<'a> {
    scenario: &'a Scenario,
    findings: Vec<Diagnostic>,
}

impl<'a> Logic<'a> {
    fn find(&mut self, level: Level, rule: Rule, at: Position, text: String) {
        self.findings.push(Diagnostic { level, rule, at, path: Vec::new(), text, suggestion: None });
    }

    /// Reports an error, or a warning for a document of the older form.
    fn strict(&mut self, rule: Rule, at: Position, text: String) {
        let level = if self.scenario.lenient { Level::Warning } else { Level::Error };
        self.find(level, rule, at, text);
    }

    fn steps(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.scenario.lists().flat_map(|(_, steps)| steps)
    }

    fn has(&self, test: fn(&Action) -> bool) -> bool {
        self.steps().any(|step| test(&step.action))
    }

    /// Finds documents that show nothing, however they end.
    fn purpose(&mut self) {
        let scenario = self.scenario;
        let expects = self.has(Action::finds_out);
        let refusals = self.steps().any(|step| step.refused.is_some());
        if scenario.skip.is_some() {
            return;
        }
        if self.steps().next().is_none() && scenario.hooks.is_empty() && scenario.stop_on.is_empty() {
            self.strict(Rule::NothingExpected, Position::default(), "the scenario does nothing".to_owned());
        } else if !expects && !refusals && scenario.never.is_empty() && scenario.stop_on.is_empty() {
            let text = "nothing is expected, so the run can never pass; add an expect step or stop_on";
            let level = if scenario.steps.is_empty() { Level::Warning } else { Level::Error };
            let level = if scenario.lenient { Level::Warning } else { level };
            self.find(level, Rule::NothingExpected, Position::default(), text.to_owned());
        }
    }

    /// Finds waits for events that no step can cause.
    fn causes(&mut self) {
        // Anyone may call phones that exist already; only phones the run creates are fully known.
        let closed = !self.scenario.phones.is_empty()
            && self.scenario.phones.iter().all(|phone| matches!(phone.provision, Provision::Created(_)));
        let mut waits: Vec<(Position, &EventMatcher)> = Vec::new();
        for step in self.steps() {
            if let Action::Expect(expectation) = &step.action {
                expectation.clause.visit(&mut |clause: &'a Clause| {
                    if let ClauseKind::Event { matcher, .. } = &clause.kind {
                        waits.push((clause.at, matcher));
                    }
                });
            }
        }
        let needed = waits.len();
        waits.extend(self.scenario.hooks.iter().map(|hook| (hook.at, &hook.when)));
        for (index, (at, matcher)) in waits.into_iter().enumerate() {
            let missing: Vec<_> =
                matcher.events.iter().map(|event| self.missing_cause(event.as_str(), closed)).collect();
            let Some(cause) = missing.first().filter(|_| missing.iter().all(Option::is_some)) else {
                continue;
            };
            let cause = cause.unwrap_or_default();
            let text = format!("nothing can cause '{}': {cause}", matcher.words());
            if index < needed {
                self.strict(Rule::NeverHappens, at, text);
            } else {
                self.find(Level::Warning, Rule::NeverHappens, at, text);
            }
        }
        if closed {
            self.media_causes();
        }
    }

    /// Returns the step that an event would need and the scenario lacks.
    fn missing_cause(&self, event: &str, closed: bool) -> Option<&'static str> {
        if let Some(name) = event.strip_prefix("user.") {
            let emits = |step: &Step| matches!(&step.action, Action::Emit { name: emitted, .. } if emitted == name || name == "*");
            let emitted = self.steps().any(emits);
            let patterns = name == "scenario_failed" && !self.scenario.patterns_used.is_empty();
            return (!emitted && !patterns).then_some("no step emits it");
        }
        if event == "scenario.stopped" || event == "run.finished" {
            return Some("it is the last event of a run, when nothing waits any more");
        }
        if !closed {
            return None;
        }
        let places = self.has(|action| action.command() == Some(CommandKind::PlaceCall));
        let begins = |prefix: &str| event.starts_with(prefix);
        if (begins("call.") || begins("media.") || begins("dtmf.")) && !places {
            return Some("no step places a call");
        }
        let sends = self.has(|action| action.command() == Some(CommandKind::SendMessage));
        if (begins("message.") || begins("im.")) && !sends {
            return Some("no step sends a message");
        }
        if (event == "call.held" || event == "call.resumed")
            && !self.has(|action| matches!(action.command(), Some(CommandKind::Hold | CommandKind::Resume)))
        {
            return Some("no step holds a call");
        }
        if event == "dtmf.sent" && !self.has(|action| action.command() == Some(CommandKind::SendDigits)) {
            return Some("no step sends digits");
        }
        let confers = self.has(|action| action.command() == Some(CommandKind::Conference));
        if begins("media.conference_") && !confers {
            return Some("no step makes a conference");
        }
        let unregisters = self.has(|action| action.command() == Some(CommandKind::Unregister));
        if (event == "phone.unregistered" || event == "reg.unregistered") && !unregisters {
            return Some("no step unregisters a phone");
        }
        None
    }

    /// Finds expectations about a call's media or end where there can be no call.
    fn media_causes(&mut self) {
        if self.has(|action| action.command() == Some(CommandKind::PlaceCall)) {
            return;
        }
        for step in self.steps() {
            let about_a_call = step.action.clause().is_some_and(|clause| {
                matches!(
                    clause.kind,
                    ClauseKind::Digits { .. }
                        | ClauseKind::Tone { .. }
                        | ClauseKind::Media { .. }
                        | ClauseKind::Ended { .. }
                )
            });
            let needs_call = about_a_call || matches!(step.action, Action::HoldFor { .. });
            if needs_call {
                let text = format!("'{}' needs a call, and no step places one", step.name);
                self.strict(Rule::NeverHappens, step.at, text);
            }
        }
    }

    /// Finds steps of the main list that come too early or too late.
    fn order(&mut self) {
        let captured_elsewhere: BTreeSet<&str> = self
            .scenario
            .hooks
            .iter()
            .filter_map(|hook| hook.capture.as_deref())
            .chain(self.scenario.hooks.iter().flat_map(|hook| &hook.then).filter_map(captures))
            .chain(self.scenario.initial_actions.iter().filter_map(captures))
            .collect();
        let other_calls =
            self.scenario.hooks.iter().flat_map(|hook| &hook.then).chain(&self.scenario.initial_actions);
        let called_elsewhere =
            other_calls.into_iter().any(|step| step.action.command() == Some(CommandKind::PlaceCall));
        let mut state = OrderState {
            later: self.scenario.steps.iter().filter_map(captures).collect(),
            captured: captured_elsewhere,
            ended: BTreeSet::new(),
            placed: called_elsewhere,
            closed: self.scenario.phones.iter().any(|phone| matches!(phone.provision, Provision::Created(_))),
        };
        let scenario = self.scenario;
        for step in &scenario.steps {
            self.order_of(step, &mut state);
        }
        for hook in &scenario.hooks {
            self.double_answers(&hook.then);
        }
    }

    fn order_of(&mut self, step: &'a Step, state: &mut OrderState<'a>) {
        if let CallTarget::Ref(CallRef::Captured(name)) = &step.call {
            if !state.captured.contains(name.as_str()) {
                // A name that no step captures at all has been reported where it is written.
                if !state.later.contains(name.as_str()) {
                    return;
                }
                let text = format!("${name} is not known yet here; the step that keeps it comes later");
                self.strict(Rule::TooEarly, step.at, text);
            } else if state.ended.contains(name.as_str())
                && step.action.command() != Some(CommandKind::HangUp)
            {
                let text = format!("'{}' uses ${name}, which an earlier step has ended", step.name);
                self.strict(Rule::CallOver, step.at, text);
            }
        }
        let commands_call =
            step.action.command().is_some_and(|kind| kind.verb().addressee == Addressee::Call);
        let on_call = commands_call || matches!(step.action, Action::HoldFor { .. });
        if on_call && !state.placed && state.closed && step.refused.is_none() {
            let ringing = matches!(step.action.command(), Some(CommandKind::Answer | CommandKind::Reject));
            let what = if ringing { "no call can be ringing" } else { "there can be no call" };
            let text = format!("'{}' comes before any call is placed; {what} yet", step.name);
            self.strict(Rule::TooEarly, step.at, text);
        }
        state.placed |= step.action.command() == Some(CommandKind::PlaceCall);
        if step.action.command() == Some(CommandKind::HangUp)
            && let CallTarget::Ref(CallRef::Captured(name)) = &step.call
        {
            state.ended.insert(name);
        }
        if step.action.command() == Some(CommandKind::HangUpAll) && step.phone == PhoneRef::Inherited {
            state.ended.extend(state.captured.iter().copied());
        }
        if let Some(name) = captures(step) {
            state.ended.remove(name);
            state.captured.insert(name);
        }
    }

    /// Finds a final answer or refusal of the event's call after another one in the same reaction.
    fn double_answers(&mut self, steps: &[Step]) {
        let mut decided: Option<&str> = None;
        for step in steps {
            if step.call != CallTarget::Inherited || step.phone != PhoneRef::Inherited {
                continue;
            }
            let provisional = is_provisional(&step.action);
            let decides = matches!(step.action.command(), Some(CommandKind::Answer | CommandKind::Reject));
            match decided {
                Some(before) if decides => {
                    let text = format!("'{}' comes after '{before}' of the same call", step.name);
                    self.strict(Rule::Unreachable, step.at, text);
                }
                None if decides && !provisional => decided = Some(&step.name),
                Some(_) | None => {}
            }
        }
    }

    /// Finds waits that take longer than the run, and pauses that wait for nothing.
    fn times(&mut self) {
        let scenario = self.scenario;
        let mut certain = Duration::ZERO;
        let mut longest = Duration::ZERO;
        for step in &scenario.steps {
            let action = &step.action;
            let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
            if let Action::Wait { duration } | Action::HoldFor { duration } = action {
                (least, most) = (*duration, *duration);
            } else if let Action::Never { during, .. } = action {
                (least, most) = (*during, *during);
            } else if let Action::Expect(Expectation { within, .. }) = action {
                most = *within;
            } else if let Action::WaitUntil { timeout, .. } = action {
                most = *timeout;
            }
            certain += least;
            longest += most;
            if let Action::Wait { .. } = step.action {
                let text = "a bare wait proves nothing; use hold_for to keep the call up, or expect an event";
                self.find(Level::Warning, Rule::BareWait, step.at, text.to_owned());
            }
        }
        let timeout = scenario.timeout;
        if certain >= timeout && !scenario.steps.is_empty() {
            let text = format!("the pauses take {certain:?}, the whole run only {timeout:?}");
            self.strict(Rule::TimeoutTooShort, Position::default(), text);
        } else if longest > timeout {
            let text = format!("the waits may take {longest:?} together, the whole run only {timeout:?}");
            self.find(Level::Warning, Rule::TimeoutTooShort, Position::default(), text);
        }
    }
}

struct OrderState<'a> {
    later: BTreeSet<&'a str>,
    captured: BTreeSet<&'a str>,
    ended: BTreeSet<&'a str>,
    placed: bool,
    closed: bool,
}

fn captures(step: &Step) -> Option<&str> {
    step.action.capture()
}

/// Returns whether an action answers with a status that leaves the call ringing.
fn is_provisional(action: &Action) -> bool {
    let Action::Do { command, .. } = action else { return false };
    let status = command.arguments.get("status");
    command.kind == CommandKind::Answer
        && matches!(status, Some(ArgumentTemplate::Filled(Argument::Status(100..=199))))
}
