//! The engine's state, its two doors, its timers, and the table of client transactions.

use super::config::Config;
use super::event::{Anomaly, Event, Output, RegistrationId, SessionId};
use super::flow::{Flow, Input, Transmit};
use super::naming::Waiting;
use super::outgoing::Outgoing;
use super::reason::{Deadline, Reason};
use crate::auth::Wallet;
use crate::deadlines::Deadlines;
use crate::dialog::DialogTable;
use crate::ids::Ids;
use crate::message::{Message, Method};
use crate::registration::RegistrationState;
use crate::transaction::{Effect, Fired, Layer, Notice, Returned};
use crate::usage::invite::Session;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Whom a set of remembered challenges belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Session(SessionId),
    Registration(RegistrationId),
    Request(u64),
}

/// The SIP engine of one phone.
#[derive(Debug)]
pub struct UserAgent {
    pub(crate) config: Config,
    pub(crate) ids: Ids,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) deadlines: Deadlines<Deadline>,
    /// A client transaction reports to its request; a server transaction may belong to a session.
    pub(crate) transactions: Layer<u64, SessionId>,
    // Boxed: a tree has room for eleven values from the first one on, and these are large.
    pub(crate) outgoing: BTreeMap<u64, Box<Outgoing>>,
    pub(crate) sessions: BTreeMap<SessionId, Box<Session>>,
    pub(crate) dialogs: DialogTable,
    pub(crate) registrations: BTreeMap<RegistrationId, Box<RegistrationState>>,
    pub(crate) wallet: Wallet<Owner>,
    /// URIs that the shell is resolving, and who waits for their addresses, in order.
    pub(crate) names: BTreeMap<String, Vec<Waiting>>,
    pub(crate) last_id: u64,
}

impl UserAgent {
    /// Makes an engine; nothing happens until it gets an input.
    pub fn new(config: Config) -> Self {
        Self {
            ids: Ids::new(config.seed),
            transactions: Layer::new(config.timers.clone()),
            config,
            outputs: VecDeque::new(),
            deadlines: Deadlines::new(),
            outgoing: BTreeMap::new(),
            sessions: BTreeMap::new(),
            dialogs: DialogTable::new(),
            registrations: BTreeMap::new(),
            wallet: Wallet::new(),
            names: BTreeMap::new(),
            last_id: 0,
        }
    }

    /// Returns the settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Takes one input. Afterwards, drain [`Self::poll_output`] to [`Output::Timeout`].
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Received { flow, bytes } => self.receive(now, flow, bytes),
            Input::Message { flow, message } => self.receive_message(now, flow, message),
            Input::TransportFailed { flow } => self.transport_failed(now, flow),
            Input::Returned { flow, sent } => self.returned(now, flow, sent),
            Input::Timeout => self.fire(now),
        }
    }

    /// Returns the next output; [`Output::Timeout`] says that there is nothing more.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_deadline()))
    }

    /// Returns the next deadline; at the same instant, transactions go first.
    fn next_deadline(&self) -> Option<(Instant, Reason)> {
        let other = self.deadlines.next().map(|(at, deadline)| (at, deadline.reason()));
        let timer = self.transactions.next_timer().map(|(at, name)| (at, Reason::Transaction(name)));
        timer.into_iter().chain(other).min_by_key(|(at, _)| *at)
    }

    /// Returns how many transactions are open, finished ones that still absorb repeats included.
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Returns how many sessions are alive or still absorb repeats.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Returns how many registrations are kept up.
    pub fn registrations(&self) -> usize {
        self.registrations.len()
    }

    /// Returns how many deadlines are pending.
    pub fn pending_timers(&self) -> usize {
        self.deadlines.len() + self.transactions.timers()
    }

    /// Returns what is still open, one line each; empty when nothing is. For post-conditions of tests.
    pub fn leftovers(&self) -> Vec<String> {
        let outgoing = self.outgoing.keys().map(|id| format!("request {id}"));
        let sessions = self.sessions.keys().map(|id| format!("{id}"));
        let names = self.names.keys().map(|uri| format!("name {uri}"));
        let deadlines = self.deadlines.keys().map(|deadline| format!("{deadline:?}"));
        self.transactions
            .leftovers()
            .chain(outgoing)
            .chain(sessions)
            .chain(self.dialogs.leftovers())
            .chain(names)
            .chain(deadlines)
            .collect()
    }

    pub(crate) const fn fresh_id(&mut self) -> u64 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(crate) fn transmit(&mut self, flow: Flow, message: Message, retransmission: bool) {
        self.outputs.push_back(Output::Transmit(Transmit::message_on(flow, message, retransmission)));
    }

    pub(crate) fn raise(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn anomaly(&mut self, what: Anomaly, flow: Flow, bytes: &[u8]) {
        self.raise(Event::Anomaly { what, flow, bytes: bytes.to_vec() });
    }

    pub(crate) fn arm(&mut self, now: Instant, deadline: Deadline, after: Duration) {
        self.deadlines.set(deadline, now, after);
    }

    fn fire(&mut self, now: Instant) {
        while let Some((_, reason)) = self.next_deadline().filter(|(at, _)| *at <= now) {
            self.outputs.push_back(Output::Fired(reason));
            if matches!(reason, Reason::Transaction(_)) {
                match self.transactions.fire(now) {
                    Some(Fired::Client(effect)) => self.client_effect(now, effect, None),
                    Some(Fired::Server(effect)) => self.server_effect(effect),
                    None => {}
                }
                continue;
            }
            match self.deadlines.pop_due(now) {
                Some(Deadline::Invite(id, timer)) => self.session_timer(now, id, timer),
                Some(Deadline::Subscription(set, timer)) => self.subscription_timer(set, timer),
                Some(Deadline::Registration(id, timer)) => self.registration_timer(now, id, timer),
                Some(Deadline::Recovery(id)) => self.recovery_expired(now, id),
                None => {}
            }
        }
    }

    fn transport_failed(&mut self, now: Instant, flow: Flow) {
        let (clients, servers) = self.transactions.on_path(flow);
        for id in clients {
            let effect = self.transactions.client_undeliverable(now, id);
            self.client_effect(now, effect, None);
        }
        for id in servers {
            let effect = self.transactions.server_undeliverable(now, id);
            self.server_effect(effect);
        }
    }

    /// Tells whether a datagram that begins like this was sent on a flow and still matters. Ask
    /// before handing it in.
    pub fn awaits_delivery(&self, flow: Flow, sent: &[u8]) -> bool {
        self.transactions.returned(flow, sent).is_some()
    }

    /// §8.1.3.1: for its transaction, and no other, it is as if the transport had failed.
    fn returned(&mut self, now: Instant, flow: Flow, sent: &[u8]) {
        match self.transactions.returned(flow, sent) {
            Some(Returned::Client(id)) => {
                let effect = self.transactions.client_undeliverable(now, id);
                self.client_effect(now, effect, None);
            }
            Some(Returned::Server(id)) => {
                let effect = self.transactions.server_undeliverable(now, id);
                self.server_effect(effect);
            }
            None => {}
        }
    }

    /// Carries out what an input to a client transaction led to.
    pub(crate) fn client_effect(&mut self, now: Instant, effect: Effect<u64>, response: Option<&Message>) {
        self.outputs.extend(effect.transmit.map(Output::Transmit));
        let Some(outgoing) = effect.user else { return };
        match (effect.notice, response) {
            (Some(Notice::Response), Some(response)) => self.outgoing_response(now, outgoing, response),
            (Some(Notice::TimedOut), _) => {
                self.outgoing_failed(now, outgoing, super::RequestFailure::Timeout);
            }
            (Some(Notice::TransportFailed), _) => {
                self.outgoing_failed(now, outgoing, super::RequestFailure::Transport);
            }
            (Some(Notice::Response | Notice::TryingDue | Notice::Acknowledged) | None, _) => {}
        }
        if effect.over {
            self.close_outgoing(outgoing, effect.id);
        }
    }

    /// Carries out what an input to a server transaction led to.
    pub(crate) fn server_effect(&mut self, effect: Effect<SessionId>) {
        self.outputs.extend(effect.transmit.map(Output::Transmit));
        if let Some((flow, request)) = effect.about {
            let what = match effect.notice {
                Some(Notice::TransportFailed) => Anomaly::ResponseUndelivered,
                _ if request.method() == Method::Invite => Anomaly::AckMissing,
                _ => Anomaly::Unanswered,
            };
            self.anomaly(what, flow, request.bytes());
        }
        if let Some(session) = effect.user.filter(|_| effect.over) {
            self.release_session(session);
        }
    }
}
