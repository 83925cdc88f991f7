//! The transaction layer: RFC 3261 §17. It matches messages to transactions, runs their machines
//! and timers, and keeps what they retransmit. Its user decides what to send; the layer decides
//! whether and how often it leaves.
//!
//! `C` names who is told about a client transaction, `S` who owns a server transaction. Every input
//! returns an [`Effect`]; the layer knows neither dialogs nor its user's tables.

use super::clients::Client;
use super::room::Room;
use super::servers::Server;
use super::{ClientInput, ClientKey, MergeKey, Notice, ServerInput, ServerKey, Step, TimerName, Timers};
use crate::deadlines::Deadlines;
use crate::index::Index;
use crate::message::Message;
use crate::user_agent::{Flow, Transmit};
use std::collections::BTreeMap;
use std::time::Instant;

/// Names one transaction of a layer.
pub(crate) type TransactionId = u64;

/// What one input to a transaction led to.
#[derive(Debug)]
#[must_use]
pub(crate) struct Effect<U> {
    /// Which transaction.
    pub(crate) id: TransactionId,
    /// What leaves.
    pub(crate) transmit: Option<Transmit>,
    /// What its user has to know.
    pub(crate) notice: Option<Notice>,
    /// Its user.
    pub(crate) user: Option<U>,
    /// The request that a server transaction could not finish, and its path.
    pub(crate) about: Option<(Flow, Message)>,
    /// The transaction is gone.
    pub(crate) over: bool,
}

impl<U> Effect<U> {
    pub(super) const fn none(id: TransactionId) -> Self {
        Self { id, transmit: None, notice: None, user: None, about: None, over: false }
    }
}

/// The effect of a timer.
#[derive(Debug)]
pub(crate) enum Fired<C, S> {
    Client(Effect<C>),
    Server(Effect<S>),
}

/// All transactions of one user agent.
#[derive(Debug)]
pub(crate) struct Layer<C, S> {
    pub(super) values: Timers,
    pub(super) clients: BTreeMap<TransactionId, Client<C>>,
    pub(super) client_keys: Index<ClientKey, TransactionId>,
    pub(super) servers: BTreeMap<TransactionId, Server<S>>,
    pub(super) server_keys: Index<ServerKey, TransactionId>,
    pub(super) merges: Index<MergeKey, TransactionId>,
    pub(super) timers: Deadlines<(TransactionId, TimerName)>,
    /// The room that all server transactions take, and the strangers' share of it.
    pub(super) taken: Room,
    pub(super) taken_by_strangers: Room,
    last_id: TransactionId,
}

impl<C: Copy, S: Copy> Layer<C, S> {
    pub(crate) fn new(values: Timers) -> Self {
        Self {
            values,
            clients: BTreeMap::new(),
            client_keys: Index::new(),
            servers: BTreeMap::new(),
            server_keys: Index::new(),
            merges: Index::new(),
            timers: Deadlines::new(),
            taken: Room::default(),
            taken_by_strangers: Room::default(),
            last_id: 0,
        }
    }

    /// Returns how many transactions are open, finished ones that still absorb repeats included.
    pub(crate) fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Returns how many timers run.
    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Returns the next deadline.
    pub(crate) fn next_timer(&self) -> Option<(Instant, TimerName)> {
        self.timers.next().map(|(at, (_, timer))| (at, timer))
    }

    /// Lets the earliest timer fire if it is due.
    pub(crate) fn fire(&mut self, now: Instant) -> Option<Fired<C, S>> {
        let (id, timer) = self.timers.pop_due(now)?;
        Some(if self.clients.contains_key(&id) {
            Fired::Client(self.drive_client(now, id, ClientInput::Timer(timer), None))
        } else {
            Fired::Server(self.drive_server(now, id, ServerInput::Timer(timer), None))
        })
    }

    /// Returns the client and the server transactions on a path, oldest first.
    pub(crate) fn on_path(&self, flow: Flow) -> (Vec<TransactionId>, Vec<TransactionId>) {
        let on = |other: &Flow| other.transport == flow.transport && other.remote == flow.remote;
        let clients = self.clients.iter().filter(|(_, client)| on(&client.flow)).map(|(&id, _)| id);
        let servers = self.servers.iter().filter(|(_, server)| on(&server.flow)).map(|(&id, _)| id);
        (clients.collect(), servers.collect())
    }

    /// Returns what is left, one line each.
    pub(crate) fn leftovers(&self) -> impl Iterator<Item = String> + '_ {
        let clients = self.clients.values().map(|client| format!("client {:?}", client.key));
        let servers = self.servers.values().map(|server| format!("server {:?}", server.key));
        let merges = (!self.merges.is_empty()).then(|| format!("{} merges", self.merges.len()));
        let timers = self.timers.keys().map(|(id, timer)| format!("timer {timer:?} of {id}"));
        clients.chain(servers).chain(merges).chain(timers)
    }

    pub(super) const fn fresh_id(&mut self) -> TransactionId {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(super) fn arm(&mut self, now: Instant, id: TransactionId, step: &Step) {
        if step.clear_timers {
            self.timers.stop_all((id, TimerName::FIRST)..=(id, TimerName::LAST));
        }
        for (timer, after) in step.timers.into_iter().flatten() {
            self.timers.set((id, timer), now, after);
        }
    }
}
