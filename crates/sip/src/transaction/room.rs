//! How much room server transactions take: anybody who sends requests fills it, and each stays for
//! up to 64·T1.

use super::layer::{Layer, TransactionId};
use super::servers::Server;
use crate::message::Message;

/// A number of server transactions and the bytes that they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Transactions.
    pub requests: usize,
    /// Bytes of their requests and last responses, with what is derived from them.
    pub bytes: usize,
}

impl Room {
    const fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    const fn take(&mut self, other: Self) {
        self.requests = self.requests.saturating_sub(other.requests);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    /// Tells whether this uses up `all`.
    const fn fills(&self, all: &Self) -> bool {
        self.requests >= all.requests || self.bytes >= all.bytes
    }
}

impl<S> Server<S> {
    fn weigh(&self) -> Room {
        // The keys, the Via and the merge key together repeat what the request says at most once.
        let request = self.request.weight().saturating_mul(2);
        let response = self.last_response().map_or(0, Message::weight);
        Room { requests: 1, bytes: request.saturating_add(response) }
    }
}

impl<C, S> Layer<C, S> {
    /// Tells whether all transactions together use up `room`.
    pub(crate) const fn fills(&self, room: &Room) -> bool {
        self.taken.fills(room)
    }

    /// Tells whether the transactions that belong to no call use up `room`.
    pub(crate) const fn strangers_fill(&self, room: &Room) -> bool {
        self.taken_by_strangers.fills(room)
    }

    /// Notes that a transaction belongs to a call, so that it no longer counts as a stranger's.
    pub(crate) fn belongs_to_a_call(&mut self, id: TransactionId) {
        let Some(server) = self.servers.get_mut(&id).filter(|server| server.of_stranger) else { return };
        server.of_stranger = false;
        self.taken_by_strangers.take(server.room);
    }

    /// Counts a transaction that is new or has a new response.
    pub(super) fn count(&mut self, id: TransactionId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let room = server.weigh();
        let before = std::mem::replace(&mut server.room, room);
        self.taken.take(before);
        self.taken.add(room);
        if server.of_stranger {
            self.taken_by_strangers.take(before);
            self.taken_by_strangers.add(room);
        }
    }

    /// Stops counting a transaction.
    pub(super) const fn discount(&mut self, server: &Server<S>) {
        self.taken.take(server.room);
        if server.of_stranger {
            self.taken_by_strangers.take(server.room);
        }
    }
}
