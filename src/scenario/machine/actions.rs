//! The facts of the beginning and the end of each action; the one of the end names the one of the beginning.

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
    /// Where its command left the journal.
    pub(super) outcome: Option<Seq>,
}

/// The actions of a run that are not over, in the order in which their facts leave the machine.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// How many were begun, and of how many the fact has left.
    begun: u64,
    told: u64,
    /// Whether the fact that left last begins an action.
    last_begins: bool,
    /// Where those that are not over were begun.
    places: BTreeMap<u64, Seq>,
    /// The actions whose ends have not left yet.
    over: VecDeque<u64>,
}

impl Actions {
    /// Numbers the action whose beginning has just been put out.
    pub(super) fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// Notes that the end of an action has just been put out.
    pub(super) fn end(&mut self, number: u64) {
        self.over.push_back(number);
    }

    /// Looks at what leaves, and names its beginning in the end of an action; tells whether it may leave: not where nobody
    /// said what place the beginning got.
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

    /// Takes the place in the journal of what left last.
    pub(super) fn appended(&mut self, seq: Seq) {
        if self.last_begins {
            self.places.insert(self.told, seq);
        }
    }
}

impl Machine {
    /// Says that the action of a list begins.
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

    /// Says that the action of a list is over, if one was started.
    pub(super) fn action_over(&mut self, list: &mut List, succeeded: bool) {
        let Some(Begun { number, action, subject, outcome }) = list.begun.take() else { return };
        let cause = self.cause(&list.name);
        // Its beginning has its place by the time this is appended.
        let event = RunEvent::ActionFinished { action, started: Seq(0), succeeded, outcome };
        self.append(Some(subject), cause, event);
        self.actions.end(number);
    }
}
