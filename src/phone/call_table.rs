//! The calls of a phone, found by any of the identifiers others know them by.

use std::collections::BTreeMap;

use offhook_sip::user_agent::{RequestId, SessionId};
use ractor::{ActorId, ActorRef};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{call::CallMessage, event::DialogIdentity, id::CallId};

/// A call as its phone knows it.
#[derive(Debug)]
pub(super) struct CallEntry {
    pub(super) session: SessionId,
    /// `None` once the call's actor has failed; the session is then ended without it.
    actor: Option<ActorRef<CallMessage>>,
    pub(super) inbound: bool,
    /// Whether we or the other side have answered or refused.
    pub(super) answered: bool,
    /// The session has ended; the call's actor only has to record that.
    over: bool,
    /// The dialog as last journaled.
    pub(super) dialog: Option<DialogIdentity>,
    pub(super) sip_call_id: String,
    /// Our RTP port; 0 before there is one.
    pub(super) rtp_port: u16,
    /// The INFO that carries the digit being sent.
    pub(super) info: Option<RequestId>,
    /// When the conversation began.
    began: Option<Instant>,
    /// The pending REFER.
    pub(super) refer: Option<RequestId>,
    /// Its place among the calls of the process.
    _permit: OwnedSemaphorePermit,
}

impl CallEntry {
    pub(super) fn new(
        session: SessionId,
        sip_call_id: String,
        inbound: bool,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            session,
            actor: None,
            inbound,
            answered: false,
            over: false,
            dialog: None,
            sip_call_id,
            rtp_port: 0,
            info: None,
            refer: None,
            began: None,
            _permit: permit,
        }
    }

    pub(super) const fn actor(&self) -> Option<&ActorRef<CallMessage>> {
        self.actor.as_ref()
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }
}

/// The calls, oldest first. Nothing that happens once per call scans the whole table.
#[derive(Debug, Default)]
pub(super) struct CallTable {
    calls: BTreeMap<CallId, CallEntry>,
    sessions: BTreeMap<SessionId, CallId>,
    actors: BTreeMap<ActorId, CallId>,
    /// How many outbound calls are not over.
    placed: usize,
    /// How many inbound calls are not over.
    taken: usize,
}

impl CallTable {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Returns how many outbound calls are not over.
    pub(super) const fn count_placed(&self) -> usize {
        self.placed
    }

    /// Returns how many inbound calls are not over.
    pub(super) const fn count_taken(&self) -> usize {
        self.taken
    }

    const fn count_of(&mut self, inbound: bool) -> &mut usize {
        if inbound { &mut self.taken } else { &mut self.placed }
    }

    /// Notes when the conversation began; later calls change nothing.
    pub(super) fn began(&mut self, call: CallId, now: Instant) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.began.get_or_insert(now);
        }
    }

    /// Returns how long the conversation has lasted, in milliseconds.
    pub(super) fn lasted_ms(&self, call: CallId) -> u64 {
        let began = self.calls.get(&call).and_then(|entry| entry.began);
        began.map_or(0, |began| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn get(&self, call: CallId) -> Option<&CallEntry> {
        self.calls.get(&call)
    }

    pub(super) fn get_mut(&mut self, call: CallId) -> Option<&mut CallEntry> {
        self.calls.get_mut(&call)
    }

    pub(super) fn of_session(&self, session: SessionId) -> Option<CallId> {
        self.sessions.get(&session).copied()
    }

    pub(super) fn of_actor(&self, actor: ActorId) -> Option<CallId> {
        self.actors.get(&actor).copied()
    }

    pub(super) fn actor(&self, call: CallId) -> Option<&ActorRef<CallMessage>> {
        self.get(call)?.actor()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (CallId, &CallEntry)> {
        self.calls.iter().map(|(call, entry)| (*call, entry))
    }

    /// Returns the calls that are not over, oldest first.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = (CallId, &CallEntry)> {
        self.calls.iter().filter(|(_, entry)| !entry.over).map(|(call, entry)| (*call, entry))
    }

    /// Returns the sessions of all calls.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    pub(super) fn enter(&mut self, call: CallId, entry: CallEntry) {
        let count = self.count_of(entry.inbound);
        *count = count.saturating_add(1);
        self.sessions.insert(entry.session, call);
        self.calls.insert(call, entry);
    }

    pub(super) fn started(&mut self, call: CallId, actor: ActorRef<CallMessage>) {
        if let Some(entry) = self.calls.get_mut(&call) {
            self.actors.insert(actor.get_id(), call);
            entry.actor = Some(actor);
        }
    }

    /// Forgets the actor of a call, which has failed.
    pub(super) fn orphan(&mut self, call: CallId) {
        if let Some(actor) = self.calls.get_mut(&call).and_then(|entry| entry.actor.take()) {
            self.actors.remove(&actor.get_id());
        }
    }

    /// Notes that the session of a call has ended.
    pub(super) fn set_over(&mut self, call: CallId) {
        if let Some(entry) = self.calls.get_mut(&call).filter(|entry| !entry.over) {
            entry.over = true;
            let inbound = entry.inbound;
            let count = self.count_of(inbound);
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<CallEntry> {
        self.set_over(call);
        self.orphan(call);
        let entry = self.calls.remove(&call)?;
        self.sessions.remove(&entry.session);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use offhook_sip::{
        message::NameAddr,
        session::Invite,
        user_agent::{Config, Destination, UserAgent},
    };
    use tokio::{sync::Semaphore, time::Instant};

    use super::*;

    #[test]
    fn a_call_counts_until_it_is_over_and_only_once() {
        let mut agent = UserAgent::new(Config::new(1));
        let from: NameAddr = "<sip:a@192.0.2.1>".parse().unwrap();
        let to = Destination::udp("192.0.2.2:5060".parse().unwrap());
        let mut table = CallTable::default();
        let sessions = [7, 8, 9].map(|call| {
            let invite = Invite::new(from.uri.clone(), from.clone(), to.clone());
            let session = agent.invite(Instant::now().into_std(), invite);
            let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            table.enter(CallId(call), CallEntry::new(session, call.to_string(), call == 9, permit));
            session
        });
        table.set_over(CallId(8));
        table.set_over(CallId(8));
        assert_eq!((table.count_placed(), table.count_taken()), (1, 1));
        assert_eq!(table.live().map(|(call, _)| call.0).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(table.of_session(sessions[1]), Some(CallId(8)), "its last messages still come");
        assert!(table.remove(CallId(8)).is_some() && table.remove(CallId(7)).is_some());
        assert_eq!((table.count_placed(), table.of_session(sessions[1])), (0, None));
        assert!(table.remove(CallId(7)).is_none());
        assert_eq!((table.count_placed(), table.count_taken()), (0, 1));
    }
}
