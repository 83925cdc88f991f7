//! Where in the journal the SIP messages of a phone and of a `Call-ID` are.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    event::{Envelope, Event, SipSummary},
    id::{PhoneId, Seq},
    journal::Fold,
};

/// How many of the newest `Call-ID`s are kept.
const THREADS: usize = 20_000;

/// The messages of one phone that share a `Call-ID`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipThread {
    /// Positions of its messages, oldest first.
    pub messages: VecDeque<Seq>,
    /// The last INVITE request that we sent.
    pub invite_sent: Option<Seq>,
    /// The last INVITE request that we received.
    pub invite_received: Option<Seq>,
}

/// An index of the `sip.*` events.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct SipMessages {
    by_phone: HashMap<PhoneId, VecDeque<Seq>>,
    threads: HashMap<String, HashMap<PhoneId, SipThread>>,
    order: VecDeque<String>,
}

impl SipMessages {
    /// How many of the newest positions are kept per phone.
    pub const PER_PHONE: usize = 5_000;
    /// How many of the newest positions are kept per `Call-ID`.
    pub const PER_THREAD: usize = 1_000;

    /// Returns the positions of a phone's messages, oldest first, including anomalies and refusals.
    #[must_use]
    pub fn of_phone(&self, phone: &PhoneId) -> Vec<Seq> {
        self.by_phone.get(phone).into_iter().flatten().copied().collect()
    }

    /// Returns what a phone sent and received with a `Call-ID`.
    #[must_use]
    pub fn thread(&self, phone: &PhoneId, sip_call_id: &str) -> Option<&SipThread> {
        self.threads.get(sip_call_id)?.get(phone)
    }

    /// Forgets what a phone sent and received, except in its calls.
    pub(super) fn forget(&mut self, phone: &PhoneId) {
        self.by_phone.remove(phone);
    }

    /// Forgets what a phone sent and received in a call.
    pub(super) fn forget_thread(&mut self, phone: &PhoneId, sip_call_id: &str) {
        let Some(of_call) = self.threads.get_mut(sip_call_id) else { return };
        let Some(gone) = of_call.remove(phone) else { return };
        if of_call.is_empty() {
            self.threads.remove(sip_call_id);
        }
        if let Some(ring) = self.by_phone.get_mut(phone) {
            ring.retain(|seq| gone.messages.binary_search(seq).is_err());
        }
    }

    /// Forgets the order of threads that are gone.
    pub(super) fn close_ranks(&mut self) {
        let threads = &self.threads;
        self.order.retain(|known| threads.contains_key(known));
    }

    fn message(&mut self, phone: &PhoneId, summary: &SipSummary, seq: Seq, sent: bool) {
        let Some(sip_call_id) = &summary.sip_call_id else { return };
        if !self.threads.contains_key(sip_call_id) {
            self.order.push_back(sip_call_id.clone());
            if self.order.len() > THREADS
                && let Some(oldest) = self.order.pop_front()
            {
                self.threads.remove(&oldest);
            }
        }
        let of_call = self.threads.entry(sip_call_id.clone()).or_default();
        let thread = of_call.entry(phone.clone()).or_default();
        push(&mut thread.messages, seq, Self::PER_THREAD);
        if summary.status.is_none() && summary.method.as_deref() == Some("INVITE") {
            let slot = if sent { &mut thread.invite_sent } else { &mut thread.invite_received };
            *slot = Some(seq);
        }
    }
}

fn push(ring: &mut VecDeque<Seq>, seq: Seq, limit: usize) {
    if ring.len() >= limit {
        ring.pop_front();
    }
    ring.push_back(seq);
}

impl Fold for SipMessages {
    fn apply(&mut self, envelope: &Envelope) {
        let (Event::Sip(event), Some(phone)) = (&envelope.event, &envelope.subject.phone) else { return };
        if !self.by_phone.contains_key(phone) {
            self.by_phone.insert(phone.clone(), VecDeque::new());
        }
        if let Some(ring) = self.by_phone.get_mut(phone) {
            push(ring, envelope.seq, Self::PER_PHONE);
        }
        if let Some(passed) = event.on_wire() {
            self.message(phone, passed.summary, envelope.seq, passed.sent);
        }
    }
}
