//! Which calls there are, how far each is, and which of them the run must end.

use std::collections::BTreeMap;

use crate::{
    event::{CallEvent, Envelope, Event},
    id::{CallId, PhoneId},
};

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Begun,
    Up,
    Ended,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) phone: Option<PhoneId>,
    pub(super) phase: Phase,
    /// Whether the run placed it, answered it or owns its phone.
    pub(super) ours: bool,
}

/// Every call that the run saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    calls: BTreeMap<CallId, Call>,
    /// How many calls began.
    pub(super) begun: u64,
}

impl Book {
    /// Takes note of an event; `phone` is its phone as the run calls it, and `ours` says that the run made it.
    pub(super) fn observe(&mut self, envelope: &Envelope, phone: Option<&PhoneId>, ours: bool) {
        let (Event::Call(event), Some(id)) = (&envelope.event, envelope.subject.call) else { return };
        let begins = matches!(event, CallEvent::Placed { .. } | CallEvent::Incoming { .. });
        if begins {
            self.begun += 1;
        }
        let call = self.calls.entry(id).or_insert(Call { phone: None, phase: Phase::Begun, ours: false });
        call.ours |= ours;
        if call.phone.is_none() {
            call.phone = phone.cloned();
        }
        if matches!(event, CallEvent::Established { .. }) && call.phase == Phase::Begun {
            call.phase = Phase::Up;
        }
        if matches!(event, CallEvent::Ended { .. }) {
            call.phase = Phase::Ended;
        }
    }

    /// Notes that the run is answerable for a call.
    pub(super) fn adopt(&mut self, id: CallId) {
        let call = self.calls.entry(id).or_insert(Call { phone: None, phase: Phase::Begun, ours: true });
        call.ours = true;
    }

    pub(super) fn phase(&self, id: CallId) -> Option<Phase> {
        self.calls.get(&id).map(|call| call.phase)
    }

    /// Returns the run's calls that are not over.
    pub(super) fn left_over(&self) -> Vec<CallId> {
        let open = self.calls.iter().filter(|(_, call)| call.ours && call.phase != Phase::Ended);
        open.map(|(id, _)| *id).collect()
    }

    /// Returns the calls that are up, of one phone or of all.
    pub(super) fn up(&self, phone: Option<&PhoneId>) -> Vec<CallId> {
        let up = self.calls.iter().filter(|(_, call)| {
            call.phase == Phase::Up && phone.is_none_or(|phone| call.phone.as_ref() == Some(phone))
        });
        up.map(|(id, _)| *id).collect()
    }
}
