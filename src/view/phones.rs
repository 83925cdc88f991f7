//! Phones, their addresses and their registrations.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::{CaptureEvent, Cause, Envelope, Event, PhoneEvent, PhoneSpec, SystemEvent},
    id::{PhoneId, Seq},
    journal::Fold,
};

/// How many of the newest dropped phones are kept for history.
const DROPPED: usize = 1_000;

/// The state of a phone's registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// No REGISTER has been sent since the phone was added or the process started.
    #[default]
    NeverTried,
    /// A REGISTER is pending; `registered` tells whether an older binding is still valid.
    Pending,
    /// The registrar accepted.
    Accepted,
    /// The registrar refused, or did not respond.
    Failed,
    /// The binding was removed at our request.
    Removed,
}

/// A phone's registration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistrationView {
    /// Its state.
    pub state: Registration,
    /// Whether the registrar has a binding of ours, as far as we know.
    pub registered: bool,
    /// Status of the last response; `None` before the first, and if there was none.
    pub status: Option<u16>,
    /// Its reason phrase, or what went wrong on our side; empty before the first outcome.
    pub reason: String,
    /// Granted lifetime in seconds, while registered.
    pub expires_s: Option<u64>,
    /// When the binding expires unless refreshed.
    pub expires_at: Option<Timestamp>,
    /// Time to the next attempt, as of the failure; `None` if there will be none.
    pub retry_in: Option<Duration>,
    /// When the last outcome came.
    pub at: Option<Timestamp>,
    /// Position of the last fact about it.
    pub seq: Seq,
}

/// One phone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhoneView {
    /// Its name.
    pub id: PhoneId,
    /// Its settings.
    pub spec: PhoneSpec,
    /// Address and port on which it receives SIP; `None` while it has no socket.
    pub bound: Option<SocketAddr>,
    /// Address and port on which it last received SIP.
    pub last_bound: Option<SocketAddr>,
    /// Whether a run added it.
    pub of_a_run: bool,
    /// Its registration.
    pub registration: RegistrationView,
    /// The capture file that is being written.
    #[serde(default)]
    pub capture: Option<String>,
    /// Restarts after failures since it was added.
    pub restarts: u32,
    /// Text of the last failure.
    pub last_failure: Option<String>,
    /// Rank by time of addition; a replaced phone moves to the end.
    pub order: u64,
    /// Position of the fact that added it; whatever is before that belongs to an earlier phone of
    /// the same name.
    pub first: Seq,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was dropped; such a phone is history.
    pub dropped_at: Option<Timestamp>,
}

/// Every existing phone, and the newest ones that existed.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phones {
    by_id: HashMap<PhoneId, Arc<PhoneView>>,
    added: u64,
    /// Dropped phones in the order in which they were dropped, each with the fact that had added
    /// it: a name may have been reused since.
    dropped: VecDeque<(PhoneId, Seq)>,
}

impl Phones {
    /// Returns a phone, dropped ones included.
    #[must_use]
    pub fn get(&self, phone: &PhoneId) -> Option<Arc<PhoneView>> {
        self.by_id.get(phone).cloned()
    }

    /// Returns the phones that exist, in order of addition.
    #[must_use]
    pub fn present(&self) -> Vec<Arc<PhoneView>> {
        self.sorted(|phone| phone.dropped_at.is_none())
    }

    /// Returns the phones that exist or existed, in order of addition.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<PhoneView>> {
        self.sorted(|_| true)
    }

    fn sorted(&self, wanted: impl Fn(&PhoneView) -> bool) -> Vec<Arc<PhoneView>> {
        let wanted = self.by_id.values().filter(|phone| wanted(phone));
        // Beside each phone, so that sorting a thousand does not look into each of them ten times.
        let mut phones: Vec<_> = wanted.map(|phone| (phone.order, Arc::clone(phone))).collect();
        phones.sort_unstable_by_key(|(order, _)| *order);
        phones.into_iter().map(|(_, phone)| phone).collect()
    }

    /// Forgets the oldest dropped phone above the limit, except those that must stay.
    pub(super) fn forget_one(&mut self, may_go: impl Fn(&PhoneId) -> bool) -> Option<PhoneId> {
        for _ in DROPPED..self.dropped.len() {
            let (id, first) = self.dropped.pop_front()?;
            let is_gone = |phone: &Arc<PhoneView>| phone.first == first && phone.dropped_at.is_some();
            if !self.by_id.get(&id).is_some_and(is_gone) {
                continue;
            }
            if may_go(&id) {
                self.by_id.remove(&id);
                return Some(id);
            }
            self.dropped.push_back((id, first));
        }
        None
    }

    fn add(&mut self, id: &PhoneId, spec: &PhoneSpec, envelope: &Envelope) {
        self.added = self.added.saturating_add(1);
        let phone = PhoneView {
            id: id.clone(),
            spec: spec.clone(),
            bound: None,
            last_bound: self.by_id.get(id).and_then(|earlier| earlier.last_bound),
            of_a_run: matches!(envelope.cause, Cause::Run { .. }),
            registration: RegistrationView::default(),
            capture: None,
            restarts: 0,
            last_failure: None,
            order: self.added,
            first: envelope.seq,
            added_at: envelope.at,
            dropped_at: None,
        };
        self.by_id.insert(id.clone(), Arc::new(phone));
    }

    fn capture_fact(&mut self, event: &CaptureEvent, envelope: &Envelope) {
        let Some(phone) = envelope.subject.phone.as_ref().and_then(|id| self.by_id.get_mut(id)) else {
            return;
        };
        let is_open = |path: &String| phone.capture.as_ref() == Some(path);
        let open = match event {
            CaptureEvent::Started { path, .. } | CaptureEvent::CallAdded { path, .. } => Some(path.clone()),
            CaptureEvent::Stopped { path, .. } | CaptureEvent::Failed { path, .. } if is_open(path) => None,
            CaptureEvent::Stopped { .. }
            | CaptureEvent::Failed { .. }
            | CaptureEvent::Gap { .. }
            | CaptureEvent::Removed { .. } => return,
        };
        Arc::make_mut(phone).capture = open;
    }

    /// After a start, nothing of the previous process is bound; its phones come back one by one.
    fn forget_sockets(&mut self) {
        for phone in self.by_id.values_mut() {
            let phone = Arc::make_mut(phone);
            phone.bound = None;
            phone.capture = None;
            phone.registration = RegistrationView::default();
        }
    }
}

impl Fold for Phones {
    fn apply(&mut self, envelope: &Envelope) {
        let event = match &envelope.event {
            Event::Phone(event) => event,
            Event::Capture(event) => return self.capture_fact(event, envelope),
            Event::System(SystemEvent::Started { .. }) => return self.forget_sockets(),
            Event::System(_) | Event::Call(_) | Event::Media(_) | Event::Sip(_) | Event::Run(_) => return,
        };
        let Some(id) = &envelope.subject.phone else { return };
        if let PhoneEvent::Added { spec } = event {
            return self.add(id, spec, envelope);
        }
        if let Some(phone) = self.by_id.get_mut(id) {
            if matches!(event, PhoneEvent::Dropped {}) && phone.dropped_at.is_none() {
                self.dropped.push_back((id.clone(), phone.first));
            }
            phone_fact(Arc::make_mut(phone), event, envelope);
        }
    }
}

fn phone_fact(phone: &mut PhoneView, event: &PhoneEvent, envelope: &Envelope) {
    match event {
        PhoneEvent::Updated { spec } => phone.spec = spec.clone(),
        // A dropped phone that failed is restarted to end its calls; it stays history.
        PhoneEvent::Bound { local } => {
            phone.bound = phone.dropped_at.is_none().then_some(*local);
            phone.last_bound = Some(*local);
        }
        PhoneEvent::Dropped {} => {
            phone.dropped_at = Some(envelope.at);
            phone.bound = None;
            phone.registration.registered = false;
        }
        PhoneEvent::Crashed { reason } => {
            phone.last_failure = Some(reason.clone());
            phone.bound = None;
        }
        PhoneEvent::Restarted { .. } => phone.restarts = phone.restarts.saturating_add(1),
        PhoneEvent::Registering { .. }
        | PhoneEvent::Registered { .. }
        | PhoneEvent::RegistrationFailed { .. }
        | PhoneEvent::Unregistered { .. } => registration_fact(&mut phone.registration, event, envelope),
        PhoneEvent::Added { .. }
        | PhoneEvent::MessageReceived { .. }
        | PhoneEvent::MessageSent { .. }
        | PhoneEvent::MessageDelivered { .. }
        | PhoneEvent::MessageFailed { .. } => {}
    }
}

fn registration_fact(registration: &mut RegistrationView, event: &PhoneEvent, envelope: &Envelope) {
    registration.seq = envelope.seq;
    let outcome =
        RegistrationView { at: Some(envelope.at), seq: envelope.seq, ..RegistrationView::default() };
    match event {
        PhoneEvent::Registering { .. } => registration.state = Registration::Pending,
        PhoneEvent::Registered { status, reason, expires_s } => {
            *registration = RegistrationView {
                state: Registration::Accepted,
                registered: true,
                status: Some(*status),
                reason: reason.clone(),
                expires_s: Some(*expires_s),
                expires_at: envelope.at.checked_add(Duration::from_secs(*expires_s)).ok(),
                ..outcome
            }
        }
        PhoneEvent::RegistrationFailed { status, reason, retry_in_ms } => {
            *registration = RegistrationView {
                state: Registration::Failed,
                status: *status,
                reason: reason.clone(),
                retry_in: retry_in_ms.map(Duration::from_millis),
                ..outcome
            }
        }
        PhoneEvent::Unregistered { status } => {
            *registration = RegistrationView { state: Registration::Removed, status: *status, ..outcome }
        }
        PhoneEvent::Added { .. }
        | PhoneEvent::Updated { .. }
        | PhoneEvent::Bound { .. }
        | PhoneEvent::Dropped {}
        | PhoneEvent::Crashed { .. }
        | PhoneEvent::Restarted { .. }
        | PhoneEvent::MessageReceived { .. }
        | PhoneEvent::MessageSent { .. }
        | PhoneEvent::MessageDelivered { .. }
        | PhoneEvent::MessageFailed { .. } => {}
    }
}
