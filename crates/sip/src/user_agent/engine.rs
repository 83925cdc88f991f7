//! The engine's state, its two doors, its timers, and the table of client transactions.

use super::config::Config;
use super::event::{Anomaly, Event, IncomingId, Output, RegistrationId, SessionId};
use super::flow::{Flow, Input, Transmit};
use super::incoming::ServerTransaction;
use super::outgoing::Outgoing;
use crate::auth::Wallet;
use crate::ids::Ids;
use crate::index::Index;
use crate::message::Message;
use crate::registration::RegistrationState;
use crate::session::Session;
use crate::transaction::{
    ClientInput, ClientInvite, ClientInviteState, ClientKey, ClientOther, ClientOtherState, MergeKey, Notice,
    Reason, ServerKey, Step, TimerTable, Timers, Transmission,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Who a deadline or a set of remembered challenges belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Client(u64),
    Server(u64),
    Session(SessionId),
    Registration(RegistrationId),
    Request(u64),
}

/// Either kind of client transaction.
#[derive(Debug)]
pub(crate) enum ClientMachine {
    Invite(ClientInvite),
    Other(ClientOther),
}

impl ClientMachine {
    fn handle(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match self {
            Self::Invite(machine) => machine.handle(timers, input),
            Self::Other(machine) => machine.handle(timers, input),
        }
    }

    /// Tells whether a response has come.
    pub(crate) fn was_heard(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.state != ClientInviteState::Calling,
            Self::Other(machine) => machine.state != ClientOtherState::Trying,
        }
    }
}

/// A client transaction with its messages.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    pub(crate) key: ClientKey,
    pub(crate) machine: ClientMachine,
    pub(crate) request: Message,
    pub(crate) flow: Flow,
    pub(crate) ack: Option<Message>,
    /// The request that is told about responses; `None` once it lost interest.
    pub(crate) outgoing: Option<u64>,
}

/// The SIP engine of one phone.
#[derive(Debug)]
pub struct UserAgent {
    pub(crate) config: Config,
    pub(crate) ids: Ids,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) timers: TimerTable<Owner>,
    pub(crate) clients: BTreeMap<u64, ClientTransaction>,
    pub(crate) client_keys: Index<ClientKey, u64>,
    pub(crate) servers: BTreeMap<u64, ServerTransaction>,
    pub(crate) server_keys: Index<ServerKey, u64>,
    pub(crate) merges: Index<MergeKey, u64>,
    pub(crate) outgoing: BTreeMap<u64, Outgoing>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) tags: Index<String, SessionId>,
    pub(crate) registrations: BTreeMap<RegistrationId, RegistrationState>,
    pub(crate) wallet: Wallet<Owner>,
    pub(crate) last_id: u64,
}

impl UserAgent {
    /// Makes an engine; nothing happens until it gets an input.
    pub fn new(config: Config) -> Self {
        Self {
            ids: Ids::new(config.seed),
            config,
            outputs: VecDeque::new(),
            timers: TimerTable::new(),
            clients: BTreeMap::new(),
            client_keys: Index::new(),
            servers: BTreeMap::new(),
            server_keys: Index::new(),
            merges: Index::new(),
            outgoing: BTreeMap::new(),
            sessions: BTreeMap::new(),
            tags: Index::new(),
            registrations: BTreeMap::new(),
            wallet: Wallet::new(),
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
            Input::Timeout => self.fire(now),
        }
    }

    /// Returns the next output; [`Output::Timeout`] says that there is nothing more.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// Returns how many transactions are open, finished ones that still absorb repeats included.
    pub fn transactions(&self) -> usize {
        self.clients.len() + self.servers.len()
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
        self.timers.len()
    }

    /// Returns what is still open, one line each; empty when nothing is. For post-conditions of tests.
    pub fn leftovers(&self) -> Vec<String> {
        let clients = self.clients.values().map(|client| format!("client {:?}", client.key));
        let servers = self.servers.keys().map(|id| format!("server {id}"));
        let outgoing = self.outgoing.keys().map(|id| format!("request {id}"));
        let sessions = self.sessions.keys().map(|id| format!("{id}"));
        let tags = (!self.tags.is_empty()).then(|| format!("{} tags", self.tags.len()));
        let merges = (!self.merges.is_empty()).then(|| format!("{} merges", self.merges.len()));
        let timers = self.timers.pending().map(|(owner, reason, _)| format!("{reason:?} of {owner:?}"));
        clients
            .chain(servers)
            .chain(outgoing)
            .chain(sessions)
            .chain(tags)
            .chain(merges)
            .chain(timers)
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

    pub(crate) fn arm(&mut self, now: Instant, owner: Owner, reason: Reason, after: Duration) {
        // A zero interval in the configuration must not make an endless loop of firings.
        self.timers.set(owner, reason, now + after.max(Duration::from_millis(1)));
    }

    pub(crate) fn arm_step(&mut self, now: Instant, owner: Owner, step: &Step) {
        if step.clear_timers {
            self.timers.stop_all(owner);
        }
        for (reason, after) in step.timers.into_iter().flatten() {
            self.arm(now, owner, reason, after);
        }
    }

    fn fire(&mut self, now: Instant) {
        while let Some((owner, reason)) = self.timers.pop_due(now) {
            match owner {
                Owner::Client(id) => self.drive_client(now, id, ClientInput::Timer(reason), None),
                Owner::Server(id) => self.server_timer(now, id, reason),
                Owner::Session(id) => self.session_timer(now, id, reason),
                Owner::Registration(id) => self.registration_timer(now, id, reason),
                Owner::Request(id) => self.request_timer(now, id, reason),
            }
        }
    }

    fn transport_failed(&mut self, now: Instant, flow: Flow) {
        let path = |other: &Flow| other.transport == flow.transport && other.remote == flow.remote;
        let clients: Vec<u64> =
            self.clients.iter().filter(|(_, client)| path(&client.flow)).map(|(&id, _)| id).collect();
        let servers: Vec<u64> =
            self.servers.iter().filter(|(_, server)| path(&server.flow)).map(|(&id, _)| id).collect();
        for id in clients {
            self.drive_client(now, id, ClientInput::TransportFailed, None);
        }
        for id in servers {
            self.server_transport_failed(now, id);
        }
    }

    /// Puts a request on the wire as a new client transaction.
    pub(crate) fn start_client(
        &mut self,
        now: Instant,
        key: ClientKey,
        client: ClientTransaction,
        step: &Step,
    ) {
        let id = self.fresh_id();
        self.transmit(client.flow, client.request.clone(), false);
        if let Some(outgoing) = client.outgoing.and_then(|outgoing| self.outgoing.get_mut(&outgoing)) {
            outgoing.client = Some(id);
        }
        self.client_keys.insert(key, id);
        self.clients.insert(id, client);
        self.arm_step(now, Owner::Client(id), step);
    }

    /// Feeds one input to a client transaction and carries out what follows.
    pub(crate) fn drive_client(
        &mut self,
        now: Instant,
        id: u64,
        input: ClientInput,
        response: Option<&Message>,
    ) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let step = client.machine.handle(&self.config.timers, input);
        let (flow, outgoing) = (client.flow, client.outgoing);
        match step.transmission {
            Some(Transmission::Request) => {
                let request = client.request.clone();
                self.transmit(flow, request, true);
            }
            Some(Transmission::Ack) => {
                let repeated = client.ack.is_some();
                if client.ack.is_none() {
                    client.ack =
                        response.and_then(|response| super::write::failure_ack(&client.request, response));
                }
                if let Some(ack) = client.ack.clone() {
                    self.transmit(flow, ack, repeated);
                }
            }
            Some(Transmission::Response | Transmission::LastResponse) | None => {}
        }
        self.arm_step(now, Owner::Client(id), &step);
        if step.terminated {
            self.drop_client(id);
        }
        let Some(outgoing) = outgoing else { return };
        match (step.notice, response) {
            (Some(Notice::Response), Some(response)) => self.outgoing_response(now, outgoing, response),
            (Some(Notice::TimedOut), _) => {
                self.outgoing_failed(now, outgoing, super::RequestFailure::Timeout);
            }
            (Some(Notice::TransportFailed), _) => {
                self.outgoing_failed(now, outgoing, super::RequestFailure::Transport);
            }
            (Some(Notice::Response | Notice::TryingDue | Notice::Acknowledged) | None, _) => {}
        }
        if step.terminated {
            self.close_outgoing(outgoing, id);
        }
    }

    pub(crate) fn drop_client(&mut self, id: u64) {
        self.timers.stop_all(Owner::Client(id));
        if let Some(client) = self.clients.remove(&id) {
            self.client_keys.remove(&client.key);
        }
    }

    pub(crate) fn incoming_id(id: u64) -> IncomingId {
        IncomingId(id)
    }
}
