//! Requests that wait for the name of their next hop. RFC 3263 §4; the shell asks the DNS.

use super::engine::UserAgent;
use super::event::{Event, RequestFailure, SessionId};
use super::write::{Body, NamedHeaders};
use crate::dialog::DialogRecord;
use crate::message::Uri;
use crate::transport::Transport;
use std::net::SocketAddr;
use std::time::Instant;

/// Who waits for the addresses behind a URI.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A request, by its number.
    Request(u64),
    /// The ACK of a 2xx.
    Ack(Box<OwedAck>),
}

/// An ACK of a 2xx that is not written yet.
#[derive(Debug)]
pub(crate) struct OwedAck {
    pub(crate) session: SessionId,
    /// The INVITE that was answered.
    pub(crate) outgoing: u64,
    pub(crate) dialog: DialogRecord,
    pub(crate) cseq: u32,
    pub(crate) body: Option<Body>,
    pub(crate) credentials: NamedHeaders,
}

impl UserAgent {
    /// Makes something wait for the addresses of a URI. Whatever else needs the same URI meanwhile
    /// waits behind it, so that messages leave in the order in which they were made.
    pub(crate) fn follow(&mut self, uri: &Uri, waiting: Waiting) {
        let session = match &waiting {
            Waiting::Request(id) => self.outgoing.get(id).and_then(|outgoing| outgoing.user.session()),
            Waiting::Ack(owed) => Some(owed.session),
        };
        let queue = self.names.entry(uri.to_string()).or_default();
        queue.push(waiting);
        if queue.len() == 1 {
            self.raise(Event::Resolve { uri: uri.clone(), session });
        }
    }

    /// Takes the places behind a URI of [`Event::Resolve`], in the order to try them; none if it
    /// has no address.
    pub fn resolved(&mut self, now: Instant, uri: &Uri, places: &[(Transport, SocketAddr)]) {
        for waiting in self.names.remove(uri.as_str()).unwrap_or_default() {
            self.go_on(now, waiting, places);
        }
    }

    /// Stops waiting for names: whatever waits goes on as if its name had no address.
    pub fn names_are_late(&mut self, now: Instant) {
        for waiting in std::mem::take(&mut self.names).into_values().flatten() {
            self.go_on(now, waiting, &[]);
        }
    }

    fn go_on(&mut self, now: Instant, waiting: Waiting, places: &[(Transport, SocketAddr)]) {
        match waiting {
            Waiting::Request(id) => self.request_resolved(now, id, places),
            Waiting::Ack(owed) => self.write_ack(*owed, places),
        }
    }

    fn request_resolved(&mut self, now: Instant, id: u64, places: &[(Transport, SocketAddr)]) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if !places.is_empty() {
            outgoing.hops = places.iter().copied().collect();
        }
        let user = outgoing.user;
        if self.wants_retry(user) {
            self.next_hop(now, id, RequestFailure::Unresolved);
        } else {
            // Nobody wants it any more: its session has moved on meanwhile.
            self.give_up(now, id, RequestFailure::Unresolved);
        }
    }

    /// Tells whether the ACK of a 2xx waits for a name.
    pub(crate) fn owes_ack(&self, session: SessionId, remote_tag: &str, cseq: u32) -> bool {
        self.names.values().flatten().any(|waiting| match waiting {
            Waiting::Request(_) => false,
            Waiting::Ack(owed) => {
                owed.session == session && owed.cseq == cseq && owed.dialog.remote_tag == remote_tag
            }
        })
    }

    /// Sends the ACK of a 2xx and keeps it for repeats.
    pub(crate) fn write_ack(&mut self, owed: OwedAck, places: &[(Transport, SocketAddr)]) {
        let OwedAck { session: _, outgoing, dialog, cseq, body, credentials } = owed;
        let Some((flow, message)) = self.send_ack(&dialog, cseq, body, &credentials, places) else { return };
        if let Some(outgoing) = self.outgoing.get_mut(&outgoing) {
            outgoing.acks.push((dialog.remote_tag, flow, message));
        }
    }
}
