//! Every call by id, by phone and by `Call-ID` header.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::CallView;
use crate::{
    event::{CallEvent, Envelope, Event, PhoneEvent, SystemEvent},
    id::{CallId, PhoneId},
    journal::Fold,
};

/// How many ended calls are kept for history.
const HISTORY: usize = 10_000;

/// Running calls and the newest ended ones.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    by_id: BTreeMap<CallId, Arc<CallView>>,
    active: BTreeMap<PhoneId, BTreeSet<CallId>>,
    /// Two of our phones in one call share its `Call-ID`, unless a proxy rewrites it.
    by_sip_call_id: HashMap<String, Vec<CallId>>,
    /// In the order in which they ended.
    ended: VecDeque<CallId>,
    next: u64,
}

impl Calls {
    /// Returns a call.
    #[must_use]
    pub fn get(&self, call: CallId) -> Option<Arc<CallView>> {
        self.by_id.get(&call).cloned()
    }

    /// Returns the calls of a phone that are not over, oldest first.
    #[must_use]
    pub fn active(&self, phone: &PhoneId) -> Vec<Arc<CallView>> {
        self.active.get(phone).into_iter().flatten().filter_map(|call| self.get(*call)).collect()
    }

    /// Returns every call that is not over, oldest first.
    #[must_use]
    pub fn all_active(&self) -> Vec<Arc<CallView>> {
        let calls: BTreeSet<_> = self.active.values().flatten().collect();
        calls.into_iter().filter_map(|call| self.get(*call)).collect()
    }

    /// Returns the newest `last` ended calls in order of their end, of one phone or of all.
    #[must_use]
    pub fn history(&self, phone: Option<&PhoneId>, last: usize) -> Vec<Arc<CallView>> {
        let of_phone = |call: &Arc<CallView>| phone.is_none_or(|phone| call.phone == *phone);
        let newest = self.ended.iter().rev().filter_map(|call| self.get(*call)).filter(of_phone);
        let mut calls: Vec<_> = newest.take(last).collect();
        calls.reverse();
        calls
    }

    /// Returns the calls with this `Call-ID` header, oldest first.
    #[must_use]
    pub fn with_sip_call_id(&self, sip_call_id: &str) -> Vec<Arc<CallView>> {
        self.by_sip_call_id
            .get(sip_call_id)
            .into_iter()
            .flatten()
            .filter_map(|call| self.get(*call))
            .collect()
    }

    /// Returns the id for the next call: never used before in this journal.
    #[must_use]
    pub const fn next_id(&self) -> CallId {
        CallId(self.next)
    }

    fn begin(&mut self, call: CallView) {
        self.next = self.next.max(call.id.0.saturating_add(1));
        self.active.entry(call.phone.clone()).or_default().insert(call.id);
        let same = self.by_sip_call_id.entry(call.sip_call_id.clone()).or_default();
        if !same.contains(&call.id) {
            same.push(call.id);
        }
        self.by_id.insert(call.id, Arc::new(call));
    }

    fn end(&mut self, call: CallId, phone: &PhoneId) {
        let Some(active) = self.active.get_mut(phone) else { return };
        if !active.remove(&call) {
            return;
        }
        if active.is_empty() {
            self.active.remove(phone);
        }
        self.ended.push_back(call);
        if self.ended.len() > HISTORY {
            self.forget_oldest();
        }
    }

    /// Forgets the ended calls with these numbers; returns them.
    pub(crate) fn forget(&mut self, ranges: &[[u64; 2]]) -> Vec<Arc<CallView>> {
        let retired = |call: &CallId| ranges.iter().any(|[first, last]| (*first..=*last).contains(&call.0));
        let (gone, ended): (VecDeque<_>, _) = self.ended.drain(..).partition(retired);
        self.ended = ended;
        gone.into_iter().filter_map(|call| self.remove(call)).collect()
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.ended.pop_front() {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, call: CallId) -> Option<Arc<CallView>> {
        let gone = self.by_id.remove(&call)?;
        if let Some(same) = self.by_sip_call_id.get_mut(&gone.sip_call_id) {
            same.retain(|call| *call != gone.id);
            if same.is_empty() {
                self.by_sip_call_id.remove(&gone.sip_call_id);
            }
        }
        Some(gone)
    }
}

impl Calls {
    /// Applies a fact that belongs to no call: the sound of calls that lost their process or their
    /// phone has gone with it, although they may still be up on the wire.
    fn without_a_call(&mut self, envelope: &Envelope) {
        let phone = match &envelope.event {
            Event::System(SystemEvent::Started { .. }) => None,
            Event::Phone(PhoneEvent::Crashed { .. }) => envelope.subject.phone.as_ref(),
            Event::Phone(_)
            | Event::Call(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Sip(_)
            | Event::Run(_)
            | Event::System(_) => return,
        };
        let concerned = |call: &&mut Arc<CallView>| {
            let sounds = call.conference.is_some() || call.playing.is_some();
            sounds && call.is_active() && phone.is_none_or(|phone| call.phone == *phone)
        };
        for call in self.by_id.values_mut().filter(concerned) {
            Arc::make_mut(call).sound_is_gone();
        }
    }
}

impl Fold for Calls {
    fn apply(&mut self, envelope: &Envelope) {
        let Some(id) = envelope.subject.call else { return self.without_a_call(envelope) };
        if let Some(call) = self.by_id.get_mut(&id) {
            let call = Arc::make_mut(call);
            call.latest = envelope.seq;
            match &envelope.event {
                Event::Call(event) => {
                    call.session_fact(event, envelope.at);
                    if let CallEvent::Ended { .. } = event {
                        let phone = call.phone.clone();
                        self.end(id, &phone);
                    }
                }
                Event::Media(event) => call.media_fact(event),
                Event::Capture(event) => call.capture_fact(event),
                Event::Phone(_) | Event::Sip(_) | Event::Run(_) | Event::System(_) => {}
            }
        } else if let (Event::Call(event), Some(phone)) = (&envelope.event, &envelope.subject.phone)
            && let Some(call) = CallView::begin(id, phone.clone(), event, envelope)
        {
            self.begin(call);
        }
    }
}
