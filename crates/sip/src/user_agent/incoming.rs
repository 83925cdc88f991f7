//! Server transactions: their table, what they send, and replies to requests that the user answers.

use super::engine::{Owner, UserAgent};
use super::event::{Anomaly, IncomingId, SessionId};
use super::flow::Flow;
use super::write::{self, Reply};
use crate::message::{Builder, HeaderName, Message, Method, StatusCode, Via};
use crate::transaction::{
    MergeKey, Notice, Reason, ServerInput, ServerInvite, ServerInviteState, ServerKey, ServerOther,
    ServerOtherState, Step, Timers, Transmission,
};
use std::time::Instant;

/// Either kind of server transaction.
#[derive(Debug)]
pub(crate) enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerOther),
}

impl ServerMachine {
    fn handle(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match self {
            Self::Invite(machine) => machine.handle(timers, input),
            Self::Other(machine) => machine.handle(timers, input),
        }
    }

    /// Tells whether a final response is still owed.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.state == ServerInviteState::Proceeding,
            Self::Other(machine) => {
                matches!(machine.state, ServerOtherState::Trying | ServerOtherState::Proceeding)
            }
        }
    }
}

/// A server transaction with its messages.
#[derive(Debug)]
pub(crate) struct ServerTransaction {
    pub(crate) machine: ServerMachine,
    pub(crate) request: Message,
    /// Where responses go.
    pub(crate) flow: Flow,
    /// Topmost Via as responses carry it, with `received` and `rport` filled in.
    pub(crate) via: Via,
    pub(crate) session: Option<SessionId>,
    key: ServerKey,
    merge: Option<MergeKey>,
    last: Option<Message>,
}

/// Why a reply was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The request is unknown, was answered already, or its client has given up.
    #[error("the request no longer waits for a reply")]
    Gone,
    /// What was built is not a response.
    #[error("a reply must be a response")]
    NotAResponse,
}

impl ServerTransaction {
    pub(crate) const fn last_response(&self) -> Option<&Message> {
        self.last.as_ref()
    }
}

impl UserAgent {
    /// Answers a request of [`Event::Request`](super::Event::Request) or of an in-dialog session event.
    ///
    /// Start from [`Message::response_to`]; the To tag, Via routing parameters and, for dialogs, the Contact are
    /// added where they are missing.
    pub fn reply(&mut self, now: Instant, id: IncomingId, response: Builder) -> Result<(), ReplyError> {
        let server =
            self.servers.get(&id.0).filter(|server| server.machine.is_open()).ok_or(ReplyError::Gone)?;
        let message = response.build();
        let status = message.status().ok_or(ReplyError::NotAResponse)?;
        let mut edited = Builder::from_message(&message).set_top(HeaderName::Via, &server.via);
        if !status.is_provisional() || status.code() > 100 {
            let missing = message.to().is_ok_and(|to| to.tag().is_none());
            if missing {
                edited = edited.to_tag(&self.ids.tag());
            }
        }
        let creates_dialog = matches!(message.method(), Method::Refer | Method::Subscribe);
        if creates_dialog && status.is_success() && message.header(HeaderName::Contact).is_none() {
            let user = server.request.request_uri().and_then(|uri| uri.user().map(str::to_owned));
            if let Some(contact) = self.own_contact(&user.unwrap_or_default(), server.flow) {
                edited = edited.header(HeaderName::Contact, contact);
            }
        }
        if !self.config.product.is_empty() && message.header(HeaderName::Server).is_none() {
            edited = edited.header(HeaderName::Server, &self.config.product);
        }
        self.send_response(now, id.0, status, edited.build());
        Ok(())
    }

    /// Answers a request with a bare status.
    pub fn reply_status(
        &mut self,
        now: Instant,
        id: IncomingId,
        status: StatusCode,
    ) -> Result<(), ReplyError> {
        let server = self.servers.get(&id.0).ok_or(ReplyError::Gone)?;
        let response = server.request.response_to(status, None);
        self.reply(now, id, response)
    }

    pub(crate) fn own_contact(&self, user: &str, flow: Flow) -> Option<String> {
        let local = self.config.address(flow.transport)?;
        let form = write::ContactForm::Local { user: user.to_owned(), params: String::new() };
        write::contact(&form, flow.transport, local)
    }

    /// Takes a request that no transaction knows.
    pub(crate) fn open_server(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Message,
        via: Via,
        flow: Flow,
    ) -> u64 {
        let id = self.fresh_id();
        let reliable = flow.transport.is_reliable();
        let timers = &self.config.timers;
        let (machine, step) = if request.method() == Method::Invite {
            let (machine, step) = ServerInvite::start(timers, reliable);
            (ServerMachine::Invite(machine), step)
        } else {
            let (machine, step) = ServerOther::start(timers, reliable);
            (ServerMachine::Other(machine), step)
        };
        let merge = MergeKey::of(request);
        if let Some(merge) = merge.clone() {
            // A copy by another path must not take the place of the one that is being answered.
            self.merges.insert_if_absent(merge, id);
        }
        let server = ServerTransaction {
            machine,
            request: request.clone(),
            flow: write::response_flow(flow, &via),
            via,
            session: None,
            key: key.clone(),
            merge,
            last: None,
        };
        self.server_keys.insert(key, id);
        self.servers.insert(id, server);
        self.arm_step(now, Owner::Server(id), &step);
        if step.notice == Some(Notice::TryingDue) {
            self.send_trying(now, id);
        }
        id
    }

    /// Ties a server transaction to a session, which then lives at least as long.
    pub(crate) fn attach_server(&mut self, id: u64, session: SessionId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.session = Some(session);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.open += 1;
        }
    }

    /// Answers a request by the engine's own decision.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        id: u64,
        status: StatusCode,
        reason: Option<&str>,
        mut reply: Reply,
    ) {
        let Some(server) = self.servers.get(&id) else { return };
        let tagged = server.request.to().is_ok_and(|to| to.tag().is_some());
        if reply.to_tag.is_none() && !tagged && status.code() > 100 {
            reply.to_tag = Some(self.ids.tag());
        }
        if !self.config.product.is_empty() && status.code() > 100 {
            reply.headers.push((HeaderName::Server, self.config.product.clone()));
        }
        let message = write::response(&server.request, &server.via, status, reason, &reply);
        self.send_response(now, id, status, message);
    }

    /// Gives a response to the machine, which decides whether it leaves.
    pub(crate) fn send_response(&mut self, now: Instant, id: u64, status: StatusCode, message: Message) {
        let input = if status.is_provisional() {
            ServerInput::Provisional
        } else if status.is_success() {
            ServerInput::Success
        } else {
            ServerInput::Failure
        };
        self.drive_server(now, id, input, Some(message));
    }

    pub(crate) fn drive_server(
        &mut self,
        now: Instant,
        id: u64,
        input: ServerInput,
        response: Option<Message>,
    ) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let step = server.machine.handle(&self.config.timers, input);
        let flow = server.flow;
        match step.transmission {
            Some(Transmission::Response) => {
                if let Some(response) = response {
                    let repeated = server.last.as_ref().is_some_and(|last| last.bytes() == response.bytes());
                    server.last = Some(response.clone());
                    self.transmit(flow, response, repeated);
                }
            }
            Some(Transmission::LastResponse) => {
                if let Some(last) = server.last.clone() {
                    self.transmit(flow, last, true);
                }
            }
            Some(Transmission::Request | Transmission::Ack) | None => {}
        }
        self.arm_step(now, Owner::Server(id), &step);
        match step.notice {
            Some(Notice::TryingDue) => self.send_trying(now, id),
            Some(Notice::TimedOut) => self.server_timed_out(id),
            Some(Notice::TransportFailed) => self.server_anomaly(id, Anomaly::ResponseUndelivered),
            Some(Notice::Acknowledged | Notice::Response) | None => {}
        }
        if step.terminated {
            self.drop_server(id);
        }
    }

    fn send_trying(&mut self, now: Instant, id: u64) {
        self.answer(now, id, StatusCode::TRYING, None, Reply::default());
    }

    fn server_timed_out(&mut self, id: u64) {
        let invite = self.servers.get(&id).is_some_and(|server| server.request.method() == Method::Invite);
        self.server_anomaly(id, if invite { Anomaly::AckMissing } else { Anomaly::Unanswered });
    }

    fn server_anomaly(&mut self, id: u64, what: Anomaly) {
        let Some(server) = self.servers.get(&id) else { return };
        let (flow, request) = (server.flow, server.request.clone());
        self.anomaly(what, flow, request.bytes());
    }

    pub(crate) fn server_timer(&mut self, now: Instant, id: u64, reason: Reason) {
        self.drive_server(now, id, ServerInput::Timer(reason), None);
    }

    pub(crate) fn server_transport_failed(&mut self, now: Instant, id: u64) {
        self.drive_server(now, id, ServerInput::TransportFailed, None);
    }

    fn drop_server(&mut self, id: u64) {
        self.timers.stop_all(Owner::Server(id));
        let Some(server) = self.servers.remove(&id) else { return };
        self.server_keys.remove(&server.key);
        if let Some(merge) = server.merge
            && self.merges.get(&merge) == Some(&id)
        {
            self.merges.remove(&merge);
        }
        if let Some(session) = server.session {
            self.release_session(session);
        }
    }
}
