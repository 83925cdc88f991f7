//! Which calls there are, how far each has come, and which of them the run must end.

use std::collections::BTreeMap;

use crate::{
    event::{CallEvent, CallPhase, Envelope, Event, MediaEvent, PhoneEvent},
    id::{CallId, PhoneId, Seq},
};

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) phone: Option<PhoneId>,
    pub(super) phase: CallPhase,
    /// Whether the run placed it, answered it or owns its phone.
    pub(super) ours: bool,
    /// Whether it was ever established.
    was_up: bool,
    /// Whether its media is still going on.
    media: bool,
    end: Option<Seq>,
}

/// Every call that the run has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    calls: BTreeMap<CallId, Call>,
    /// Phones that the run created and that are gone, with the events that say so.
    dropped: BTreeMap<PhoneId, Seq>,
    /// How many calls have begun.
    pub(super) begun: u64,
}

impl Call {
    fn new(ours: bool) -> Self {
        let phase = CallPhase::Calling;
        Self { phone: None, phase, ours, was_up: false, media: false, end: None }
    }

    fn apply(&mut self, event: &CallEvent, seq: Seq) {
        let phase = match event {
            CallEvent::Placed { .. } => CallPhase::Calling,
            CallEvent::Incoming { .. } => CallPhase::Incoming,
            CallEvent::Ringing { .. } => CallPhase::Early,
            CallEvent::Answered { .. } => CallPhase::Answered,
            CallEvent::Established { .. } => {
                self.was_up = true;
                CallPhase::Established
            }
            CallEvent::Ended { .. } => {
                self.end = Some(seq);
                CallPhase::Ended
            }
            CallEvent::Trying {}
            | CallEvent::Dialog { .. }
            | CallEvent::Modifying { .. }
            | CallEvent::Held { .. }
            | CallEvent::Resumed { .. }
            | CallEvent::Modified { .. }
            | CallEvent::ModifyFailed { .. }
            | CallEvent::TransferRequested { .. }
            | CallEvent::TransferAccepted { .. }
            | CallEvent::TransferRefused { .. }
            | CallEvent::TransferProgress { .. }
            | CallEvent::Ending {}
            | CallEvent::Crashed { .. } => return,
        };
        self.phase.advance(phase);
    }
}

impl Book {
    /// Notes an event; `phone` is its phone as the run calls it, and `ours` says that the run
    /// created that phone.
    pub(super) fn observe(&mut self, envelope: &Envelope, phone: Option<&PhoneId>, ours: bool) {
        if let (Event::Phone(PhoneEvent::Dropped {}), Some(phone), true) = (&envelope.event, phone, ours) {
            self.dropped.insert(phone.clone(), envelope.seq);
        }
        let Some(id) = envelope.subject.call else { return };
        if let (Event::Media(event), Some(call)) = (&envelope.event, self.calls.get_mut(&id)) {
            call.media |= matches!(event, MediaEvent::Started { .. });
            call.media &= !matches!(event, MediaEvent::Stopped { .. });
        }
        let Event::Call(event) = &envelope.event else { return };
        if matches!(event, CallEvent::Placed { .. } | CallEvent::Incoming { .. }) {
            self.begun += 1;
        }
        let call = self.calls.entry(id).or_insert_with(|| Call::new(false));
        call.ours |= ours;
        if call.phone.is_none() {
            call.phone = phone.cloned();
        }
        call.apply(event, envelope.seq);
    }

    /// Notes that the run is responsible for a call.
    pub(super) fn adopt(&mut self, id: CallId) {
        self.calls.entry(id).or_insert_with(|| Call::new(true)).ours = true;
    }

    pub(super) fn phase(&self, id: CallId) -> Option<CallPhase> {
        self.calls.get(&id).map(|call| call.phase)
    }

    /// Returns whether a call was ever established.
    pub(super) fn was_up(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(|call| call.was_up)
    }

    /// Returns whether a call's media is still going on.
    pub(super) fn has_media(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(|call| call.media)
    }

    /// Returns the event that ended a call, if it is over.
    pub(super) fn end(&self, id: CallId) -> Option<Seq> {
        self.calls.get(&id)?.end
    }

    /// Returns the event that ended a phone the run created.
    pub(super) fn dropped(&self, phone: &PhoneId) -> Option<Seq> {
        self.dropped.get(phone).copied()
    }

    /// Returns whether any call is not over.
    pub(super) fn any_goes_on(&self) -> bool {
        self.calls.values().any(|call| call.phase != CallPhase::Ended)
    }

    /// Returns the run's calls that are not over.
    pub(super) fn left_over(&self) -> Vec<CallId> {
        let open = self.calls.iter().filter(|(_, call)| call.ours && call.phase != CallPhase::Ended);
        open.map(|(id, _)| *id).collect()
    }

    /// Returns the established calls of one phone, or of all.
    pub(super) fn up(&self, phone: Option<&PhoneId>) -> Vec<CallId> {
        let up = self.calls.iter().filter(|(_, call)| {
            call.phase == CallPhase::Established
                && phone.is_none_or(|phone| call.phone.as_ref() == Some(phone))
        });
        up.map(|(id, _)| *id).collect()
    }
}
