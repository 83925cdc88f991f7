//! Replies to received requests, by the engine and by its user.

use super::engine::UserAgent;
use super::event::{IncomingId, SessionId};
use super::flow::Flow;
use super::write::{self, Reply};
use crate::message::{Builder, HeaderName, Message, Method, StatusCode, Via};
use crate::transaction::{ServerKey, TransactionId};
use std::time::Instant;

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

impl UserAgent {
    /// Answers a request of [`Event::Request`](super::Event::Request) or of an in-dialog session event.
    ///
    /// Start from [`Message::response_to`]; the To tag, Via routing parameters and, for dialogs, the Contact are
    /// added where they are missing.
    pub fn reply(&mut self, now: Instant, id: IncomingId, response: Builder) -> Result<(), ReplyError> {
        let server =
            self.transactions.server(id.0).filter(|server| server.is_open()).ok_or(ReplyError::Gone)?;
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
        let server = self.transactions.server(id.0).ok_or(ReplyError::Gone)?;
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
    ) -> TransactionId {
        let effect = self.transactions.open_server(now, key, request, via, flow);
        let id = effect.id;
        self.server_effect(effect);
        id
    }

    /// Ties a server transaction to a session, which then lives at least as long.
    pub(crate) fn attach_server(&mut self, id: u64, session: SessionId) {
        if !self.transactions.attach_server(id, session) {
            return;
        }
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
        let Some(server) = self.transactions.server(id) else { return };
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

    /// Gives a response to the transaction, which decides whether it leaves.
    pub(crate) fn send_response(&mut self, now: Instant, id: u64, status: StatusCode, message: Message) {
        let effect = self.transactions.respond(now, id, status, message);
        self.server_effect(effect);
    }
}
