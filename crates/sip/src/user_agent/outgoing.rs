//! A request as its user sees it: several attempts (credentials, other candidates, TCP or UDP) for one outcome.
//!
//! RFC 3261 §8.1.3.5 (credentials), §18.1.1 (large requests by TCP, back to UDP when that fails),
//! RFC 3263 §4.3 (the next candidate after 503, a transport failure or a time-out).

use super::engine::{Owner, UserAgent};
use super::event::{Abandoned, Event, Output, RegistrationId, RequestFailure, RequestId, SessionId};
use super::flow::{Destination, Flow};
use super::naming::Waiting;
use super::write::{Attempt, Draft, NamedHeaders};
use crate::auth::digest::Target;
use crate::auth::{Attempts, Credentials};
use crate::message::{Message, Method, StatusCode, Uri};
use crate::transport::Transport;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// Who is told about the outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Registration(RegistrationId),
    Invite(SessionId),
    Reinvite(SessionId),
    Bye(SessionId),
    InDialog(SessionId, RequestId),
    Request(RequestId),
    /// A BYE that ends a dialog nobody wanted; the session that ran into it lives until the BYE is
    /// done.
    Surplus(Option<SessionId>),
    /// An INVITE from before this engine existed, canceled on behalf of a request.
    Recorded(RequestId),
}

impl User {
    /// Returns the session that waits for the request.
    pub(crate) const fn session(self) -> Option<SessionId> {
        match self {
            Self::Invite(id) | Self::Reinvite(id) | Self::Bye(id) | Self::InDialog(id, _) => Some(id),
            Self::Surplus(session) => session,
            Self::Registration(_) | Self::Request(_) | Self::Recorded(_) => None,
        }
    }

    const fn owner(self, id: u64) -> Owner {
        match self {
            Self::Registration(id) => Owner::Registration(id),
            Self::Invite(id)
            | Self::Reinvite(id)
            | Self::Bye(id)
            | Self::InDialog(id, _)
            | Self::Surplus(Some(id)) => Owner::Session(id),
            Self::Surplus(None) | Self::Request(_) | Self::Recorded(_) => Owner::Request(id),
        }
    }
}

/// A request on its way to a final outcome.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) user: User,
    pub(crate) draft: Draft,
    pub(crate) cseq: u32,
    pub(crate) credentials: Option<Credentials>,
    /// Headers that carried credentials in the last attempt; the ACK of a 2xx repeats them.
    pub(crate) sent_credentials: NamedHeaders,
    /// The path of the last attempt.
    pub(crate) flow: Option<Flow>,
    /// ACKs of its 2xx, by the tag of the answerer. Each leaves again with every repeat of its 2xx
    /// (RFC 3261 §13.2.2.4), which the transaction receives for 64·T1, whatever is sent in the
    /// dialog meanwhile.
    pub(crate) acks: Vec<(String, Flow, Message)>,
    /// The transaction of the last attempt.
    pub(crate) client: Option<u64>,
    /// The URI to resolve before the first attempt.
    pub(super) name: Option<Uri>,
    hop: Option<(Transport, SocketAddr)>,
    pub(super) hops: VecDeque<(Transport, SocketAddr)>,
    /// The path that was given up for the next place, and why, until that place is tried.
    abandoned: Option<(Flow, Abandoned)>,
    attempts: Attempts,
    switched_to_tcp: bool,
    datagrams_only: bool,
}

impl Outgoing {
    pub(crate) fn new(
        user: User,
        draft: Draft,
        cseq: u32,
        destination: &Destination,
        credentials: Option<Credentials>,
    ) -> Self {
        Self {
            user,
            draft,
            cseq,
            credentials,
            sent_credentials: Vec::new(),
            acks: Vec::new(),
            flow: None,
            client: None,
            name: destination.name.clone(),
            hop: None,
            hops: destination.candidates.iter().copied().collect(),
            abandoned: None,
            attempts: Attempts::default(),
            switched_to_tcp: false,
            datagrams_only: false,
        }
    }
}

impl UserAgent {
    /// Starts a request; its user hears about it through events even when it cannot be sent at all.
    pub(crate) fn send_request(&mut self, now: Instant, outgoing: Outgoing) -> u64 {
        let id = self.fresh_id();
        if let Some(session) = outgoing.user.session().and_then(|session| self.sessions.get_mut(&session)) {
            session.open += 1;
        }
        let name = outgoing.name.clone();
        self.outgoing.insert(id, Box::new(outgoing));
        match name {
            Some(uri) => self.follow(&uri, Waiting::Request(id)),
            None => self.next_hop(now, id, RequestFailure::NoDestination),
        }
        id
    }

    /// Goes to the next candidate that a configured transport reaches, or gives up for the reason given.
    pub(super) fn next_hop(&mut self, now: Instant, id: u64, failure: RequestFailure) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        outgoing.switched_to_tcp = false;
        outgoing.datagrams_only = false;
        outgoing.hop = None;
        while let Some(hop) = outgoing.hops.pop_front() {
            if self.config.address(hop.0).is_some() {
                outgoing.hop = Some(hop);
                break;
            }
        }
        let Some(to) = outgoing.hop else { return self.give_up(now, id, failure) };
        if let Some((from, why)) = outgoing.abandoned.take() {
            let (method, session) = (outgoing.draft.method.clone(), outgoing.user.session());
            self.raise(Event::FailedOver { method, session, from, to, why });
        }
        self.attempt(now, id);
    }

    /// Sends the request once, as a new transaction with a new branch.
    fn attempt(&mut self, now: Instant, id: u64) {
        match self.compose(id) {
            Ok((message, flow, branch)) => {
                let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
                outgoing.flow = Some(flow);
                let (client, transmit) = self.transactions.start(now, branch, message, flow, Some(id));
                outgoing.client = Some(client);
                self.outputs.push_back(Output::Transmit(transmit));
            }
            Err(failure) => self.give_up(now, id, failure),
        }
    }

    /// Writes the request for the current candidate; a large one goes by TCP where that is possible.
    fn compose(&mut self, id: u64) -> Result<(Message, Flow, String), RequestFailure> {
        let branch = self.ids.branch();
        let outgoing = self.outgoing.get_mut(&id).ok_or(RequestFailure::NoDestination)?;
        let (transport, remote) = outgoing.hop.ok_or(RequestFailure::NoDestination)?;
        if let Some(credentials) = &outgoing.credentials {
            let target = Target {
                method: outgoing.draft.method.as_str(),
                uri: outgoing.draft.uri.as_str(),
                body: outgoing.draft.body.as_ref().map_or(&[][..], |body| &body.bytes),
            };
            outgoing.sent_credentials = self.wallet.answers(outgoing.user.owner(id), credentials, &target);
        }
        let mut attempt = Attempt {
            transport,
            local: self.config.address(transport).ok_or(RequestFailure::NoDestination)?,
            branch: &branch,
            cseq: outgoing.cseq,
            rport: self.config.rport,
            credentials: &outgoing.sent_credentials,
        };
        let mut message = outgoing.draft.write(&attempt);
        outgoing.switched_to_tcp = false;
        if transport == Transport::Udp
            && !outgoing.datagrams_only
            && message.bytes().len() > self.config.datagram_limit
            && let Some(local) = self.config.address(Transport::Tcp)
        {
            attempt.transport = Transport::Tcp;
            attempt.local = local;
            message = outgoing.draft.write(&attempt);
            outgoing.switched_to_tcp = true;
        }
        let flow = Flow { transport: attempt.transport, local: attempt.local, remote };
        Ok((message, flow, branch))
    }

    /// Takes a response that a client transaction passed up.
    pub(crate) fn outgoing_response(&mut self, now: Instant, id: u64, response: &Message) {
        let Some(status) = response.status() else { return };
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        let user = outgoing.user;
        if status.is_provisional() {
            self.deliver_provisional(now, id, user, status, response);
            return;
        }
        let challenged =
            status == StatusCode::UNAUTHORIZED || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        if challenged && self.wants_retry(user) && self.answer_challenge(id, response) {
            self.note_challenge(user, status);
            self.retry(now, id, user);
            return;
        }
        if status == StatusCode::SERVICE_UNAVAILABLE && self.wants_retry(user) && self.has_more_hops(id) {
            self.fail_over(now, id, user, Abandoned::Unavailable);
            return;
        }
        self.deliver(now, id, user, Ok(response));
        // Only an accepted INVITE gets more responses: 2xx of other branches, and repeats of its
        // own.
        let keep =
            status.is_success() && self.outgoing.get(&id).is_some_and(|o| o.draft.method == Method::Invite);
        if !keep {
            self.forget_outgoing(id);
        }
    }

    /// Takes a time-out or transport failure of the transaction.
    pub(crate) fn outgoing_failed(&mut self, now: Instant, id: u64, failure: RequestFailure) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let user = outgoing.user;
        outgoing.client = None;
        if failure == RequestFailure::Transport && outgoing.switched_to_tcp {
            // §18.1.1: the peer may not speak TCP; nothing was delivered, so the CSeq stays.
            outgoing.datagrams_only = true;
            self.attempt(now, id);
        } else if self.wants_retry(user) && self.has_more_hops(id) {
            let why =
                if failure == RequestFailure::Timeout { Abandoned::Silent } else { Abandoned::Unreachable };
            self.fail_over(now, id, user, why);
        } else {
            self.give_up(now, id, failure);
        }
    }

    /// Notes that a transaction is gone.
    pub(crate) fn close_outgoing(&mut self, id: u64, client: u64) {
        if self.outgoing.get(&id).is_some_and(|outgoing| outgoing.client == Some(client)) {
            self.forget_outgoing(id);
        }
    }

    pub(super) fn give_up(&mut self, now: Instant, id: u64, failure: RequestFailure) {
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        self.deliver(now, id, outgoing.user, Err(failure));
        self.forget_outgoing(id);
    }

    /// Lets go of a request; its transaction lives on to absorb repeats.
    pub(crate) fn forget_outgoing(&mut self, id: u64) {
        let Some(outgoing) = self.outgoing.remove(&id) else { return };
        if let Some(client) = outgoing.client {
            self.transactions.release_client(client);
        }
        self.wallet.forget(Owner::Request(id));
        if let Some(session) = outgoing.user.session() {
            self.release_session(session);
        }
    }

    fn has_more_hops(&self, id: u64) -> bool {
        let usable = |hop: &(Transport, SocketAddr)| self.config.address(hop.0).is_some();
        self.outgoing.get(&id).is_some_and(|outgoing| outgoing.hops.iter().any(usable))
    }

    /// Goes to the next place with the same request on a new branch (RFC 3263 §4.3).
    ///
    /// In a dialog and to a registrar it gets the next CSeq: there may be one server behind both
    /// places, and it refuses a number that it has already counted (RFC 3261 §12.2.2, §10.3).
    fn fail_over(&mut self, now: Instant, id: u64, user: User, why: Abandoned) {
        match user {
            User::Invite(_) | User::Request(_) => self.leave_transaction(id),
            User::Registration(_)
            | User::Reinvite(_)
            | User::Bye(_)
            | User::InDialog(..)
            | User::Surplus(_)
            | User::Recorded(_) => self.renumber(id, user),
        }
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.abandoned = outgoing.flow.map(|flow| (flow, why));
        }
        self.next_hop(now, id, RequestFailure::NoDestination);
    }

    /// Detaches a request from its transaction, which lives on to absorb what still comes.
    fn leave_transaction(&mut self, id: u64) {
        if let Some(client) = self.outgoing.get_mut(&id).and_then(|outgoing| outgoing.client.take()) {
            self.transactions.release_client(client);
        }
    }

    fn answer_challenge(&mut self, id: u64, response: &Message) -> bool {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return false };
        let Some(credentials) = &outgoing.credentials else { return false };
        let owner = outgoing.user.owner(id);
        self.wallet.take(owner, response, credentials, &mut outgoing.attempts, &mut self.ids)
    }

    fn retry(&mut self, now: Instant, id: u64, user: User) {
        self.renumber(id, user);
        self.attempt(now, id);
    }

    /// Gives the request the next CSeq of its dialog or registration (§22.2), and detaches it from
    /// its old transaction.
    fn renumber(&mut self, id: u64, user: User) {
        self.leave_transaction(id);
        let Some(outgoing) = self.outgoing.get(&id) else { return };
        let next = outgoing.cseq.wrapping_add(1);
        let numbered = match user {
            User::Invite(session)
            | User::Reinvite(session)
            | User::Bye(session)
            | User::InDialog(session, _) => self.next_cseq_of(session),
            User::Registration(registration) => {
                self.registrations.get_mut(&registration).map(|state| state.next_cseq())
            }
            // A dialog that lives only for this request.
            User::Surplus(_) | User::Request(_) | User::Recorded(_) => None,
        };
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.cseq = numbered.unwrap_or(next);
        }
    }

    pub(super) fn wants_retry(&self, user: User) -> bool {
        match user {
            User::Invite(id) => self.sessions.get(&id).is_some_and(|session| !session.is_canceling()),
            User::Reinvite(id) => self.sessions.get(&id).is_some_and(|session| session.is_established()),
            User::Registration(_)
            | User::Bye(_)
            | User::InDialog(..)
            | User::Request(_)
            | User::Surplus(_) => true,
            User::Recorded(_) => false,
        }
    }

    fn deliver_provisional(
        &mut self,
        now: Instant,
        id: u64,
        user: User,
        status: StatusCode,
        response: &Message,
    ) {
        match user {
            User::Invite(session) => self.invite_provisional(now, session, id, status, response),
            User::Request(request) => {
                let outcome = Ok(response.clone());
                self.raise(Event::Response { id: request, provisional: true, outcome });
            }
            User::Registration(_)
            | User::Reinvite(_)
            | User::Bye(_)
            | User::InDialog(..)
            | User::Surplus(_)
            | User::Recorded(_) => {}
        }
    }

    fn deliver(&mut self, now: Instant, id: u64, user: User, outcome: Result<&Message, RequestFailure>) {
        match user {
            User::Registration(registration) => self.registration_outcome(now, registration, id, outcome),
            User::Invite(session) => self.invite_outcome(now, session, id, outcome),
            User::Reinvite(session) => self.reinvite_outcome(now, session, id, outcome),
            User::Bye(session) => self.bye_outcome(now, session, outcome),
            User::InDialog(session, request) => self.in_dialog_outcome(now, (session, request), id, outcome),
            User::Request(request) => {
                let outcome = outcome.cloned();
                self.raise(Event::Response { id: request, provisional: false, outcome });
            }
            User::Surplus(_) => {}
            User::Recorded(request) => self.recorded_outcome(now, request, id, outcome),
        }
    }
}
