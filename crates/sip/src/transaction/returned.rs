//! Our datagrams that came back undelivered: RFC 3261 §18.4.
//!
//! An ICMP message quotes the beginning of the datagram it is about. Anybody can forge one, but not
//! the branch of a request they have not seen. So a quote counts only if it is the beginning of one
//! of our messages and includes the branch.

use super::layer::{Layer, TransactionId};
use crate::message::Message;
use crate::user_agent::Flow;

/// The transaction whose message came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returned {
    /// Its request, which has no final response yet.
    Client(TransactionId),
    /// Its last response.
    Server(TransactionId),
}

impl<C: Copy, S: Copy> Layer<C, S> {
    /// Returns the transaction whose message, sent on `flow`, begins with `sent`.
    ///
    /// An ACK belongs to none: the response that it acknowledges has arrived, whatever happens to
    /// the ACK.
    pub(crate) fn returned(&self, flow: Flow, sent: &[u8]) -> Option<Returned> {
        let on = |other: &Flow| other.transport == flow.transport && other.remote == flow.remote;
        let mut clients = self.clients.iter().filter(|(_, client)| on(&client.flow));
        let client = clients.find(|(_, client)| {
            client.waits_for_its_request() && begins(&client.request, &client.key.branch, sent)
        });
        if let Some((&id, _)) = client {
            return Some(Returned::Client(id));
        }
        let mut servers = self.servers.iter().filter(|(_, server)| on(&server.flow));
        let server = servers.find(|(_, server)| {
            let (last, branch) = (server.last_response(), server.via.branch().unwrap_or_default());
            last.is_some_and(|last| begins(last, branch, sent))
        });
        server.map(|(&id, _)| Returned::Server(id))
    }
}

/// Tells whether a message begins with `sent`, and whether `sent` is too much of it to be a guess.
fn begins(message: &Message, branch: &str, sent: &[u8]) -> bool {
    !branch.is_empty()
        && message.bytes().starts_with(sent)
        && memchr::memmem::find(sent, branch.as_bytes()).is_some()
}
