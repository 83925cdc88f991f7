//! Journals the start and the end of each action; the fact of the end refers to the fact of the
//! start.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{
    super::model::Step,
    engine::{Machine, Output},
    lists::List,
};
use crate::{
    event::{RunEvent, Subject},
    id::Seq,
};

/// An action that was started.
#[derive(Debug)]
pub(super) struct Begun {
    number: u64,
    action: String,
    subject: Subject,
    /// The journal position that its command's outcome reported.
    pub(super) outcome: Option<Seq>,
}

/// The actions of a run that are not over, in the order in which their facts leave the machine.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// How many were begun, and for how many the fact has left.
    begun: u64,
    told: u64,
    /// Whether the fact that left last starts an action.
    last_begins: bool,
    /// The facts that started the actions in progress, by number.
    places: BTreeMap<u64, Seq>,
    /// The actions whose end facts have not left yet.
    over: VecDeque<u64>,
}

impl Actions {
    /// Numbers the action whose start fact has just been queued.
    pub(super) fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// Notes that the end fact of an action has just been queued.
    pub(super) fn end(&mut self, number: u64) {
        self.over.push_back(number);
    }

    /// Inspects an output that is about to leave, and puts the seq of the start into the end of an
    /// action. Returns whether it may leave: an end may not if nobody reported the seq of its
    /// start.
    pub(super) fn leaves(&mut self, output: &mut Output) -> bool {
        self.last_begins = false;
        let Output::Append { event, .. } = output else { return true };
        if let RunEvent::ActionStarted { .. } = **event {
            self.told += 1;
            self.last_begins = true;
        } else if let RunEvent::ActionFinished { started, .. } = &mut **event {
            let place = self.over.pop_front().and_then(|number| self.places.remove(&number));
            let Some(place) = place else { return false };
            *started = place;
        }
        true
    }

    /// Takes the seq of the fact that left last.
    pub(super) fn appended(&mut self, seq: Seq) {
        if self.last_begins {
            self.places.insert(self.told, seq);
        }
    }
}

impl Machine {
    /// Journals that the action of a list starts.
    pub(super) fn note_action(
        &mut self,
        list: &mut List,
        step: &Step,
        args: &Value,
        subject: Option<Subject>,
    ) {
        let event = RunEvent::ActionStarted {
            action: step.name.clone(),
            args: args.clone(),
            hook: list.name.clone(),
            at: step.at.text(),
        };
        let subject = subject.unwrap_or_else(|| Subject {
            phone: list.context.phone.clone(),
            call: list.context.call,
            run: None,
        });
        let cause = self.cause(&list.name);
        self.append(Some(subject.clone()), cause, event);
        let number = self.actions.begin();
        list.begun = Some(Begun { number, action: step.name.clone(), subject, outcome: None });
    }

    /// Journals that the action of a list is over, if one was started.
    pub(super) fn action_over(&mut self, list: &mut List, succeeded: bool) {
        let Some(Begun { number, action, subject, outcome }) = list.begun.take() else { return };
        let cause = self.cause(&list.name);
        // A placeholder: the start has its seq by the time this is appended.
        let event = RunEvent::ActionFinished { action, started: Seq(0), succeeded, outcome };
        self.append(Some(subject), cause, event);
        self.actions.end(number);
    }
}
