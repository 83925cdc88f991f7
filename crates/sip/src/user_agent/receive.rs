//! Received bytes: to a transaction, to a session, or up to the user. RFC 3261 §8.2, §12.2.2, §17.1.3, §17.2.3, §18.2.

use super::engine::UserAgent;
use super::event::{Anomaly, Event, IncomingId, SessionId};
use super::flow::Flow;
use super::write::Reply;
use crate::message::{HeaderName, Message, Method, Rejected, StatusCode, Via, validate};
use crate::transaction::{ClientKey, ServerKey};
use std::time::Instant;

impl UserAgent {
    pub(crate) fn receive(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        match Message::parse(bytes) {
            Ok(message) => self.receive_message(now, flow, &message),
            Err(error) => self.anomaly(Anomaly::Unparsable(error), flow, bytes),
        }
    }

    pub(crate) fn receive_message(&mut self, now: Instant, flow: Flow, message: &Message) {
        if message.is_response() {
            self.receive_response(now, flow, message);
        } else {
            self.receive_request(now, flow, message);
        }
    }

    fn receive_response(&mut self, now: Instant, flow: Flow, message: &Message) {
        let (Some(key), Ok(())) = (ClientKey::of(message), validate(message)) else {
            self.anomaly(Anomaly::UnusableResponse, flow, message.bytes());
            return;
        };
        match self.transactions.receive_response(now, &key, message) {
            Some(effect) => self.client_effect(now, effect, Some(message)),
            None => self.anomaly(Anomaly::StrayResponse, flow, message.bytes()),
        }
    }

    fn receive_request(&mut self, now: Instant, flow: Flow, message: &Message) {
        let Ok(via) = message.top_via() else {
            let reason = "no usable Via";
            let what = Anomaly::RefusedRequest { status: StatusCode::BAD_REQUEST, reason };
            self.anomaly(what, flow, message.bytes());
            return;
        };
        let method = message.method();
        let key = ServerKey::of(message, &via, &method);
        if let Some(id) = self.transactions.server_of(&key) {
            let accepted = self.transactions.server(id).is_some_and(|server| !server.is_open());
            let effect = self.transactions.receive_repeat(now, id, &method);
            self.server_effect(effect);
            if method == Method::Ack && accepted {
                // Clients that reuse the branch of the INVITE for the ACK of a 2xx.
                self.acknowledged_by_branch(now, id, message);
            }
            return;
        }
        let via = via.stamped(flow.remote.ip(), flow.remote.port());
        if method == Method::Ack {
            self.receive_ack(now, flow, message);
            return;
        }
        match validate(message) {
            Ok(()) => self.receive_usable(now, flow, message, via, key),
            Err(Rejected::Answer { status, reason }) => {
                self.anomaly(Anomaly::RefusedRequest { status, reason }, flow, message.bytes());
                let id = self.open_server(now, key, message, via, flow);
                self.answer(now, id, status, Some(reason), Reply::default());
            }
            Err(Rejected::Discard { reason }) => {
                let what = Anomaly::RefusedRequest { status: StatusCode::BAD_REQUEST, reason };
                self.anomaly(what, flow, message.bytes());
            }
        }
    }

    fn receive_ack(&mut self, now: Instant, flow: Flow, message: &Message) {
        let session = self.session_of(message);
        if session.is_none_or(|session| !self.session_acknowledged(now, session, message)) {
            self.anomaly(Anomaly::StrayAck, flow, message.bytes());
        }
    }

    fn acknowledged_by_branch(&mut self, now: Instant, id: u64, message: &Message) {
        let session = self.transactions.server(id).and_then(|server| server.user);
        if let Some(session) = session {
            self.session_acknowledged(now, session, message);
        }
    }

    fn receive_usable(&mut self, now: Instant, flow: Flow, message: &Message, via: Via, key: ServerKey) {
        let merged = self.transactions.is_merged(message);
        let method = message.method();
        let id = self.open_server(now, key, message, via, flow);
        if method == Method::Cancel {
            self.receive_cancel(now, id, flow, message);
            return;
        }
        if merged {
            self.refuse(now, id, flow, message, Anomaly::MergedRequest, StatusCode::LOOP_DETECTED);
            return;
        }
        if let Some(session) = self.session_of(message) {
            self.receive_in_dialog(now, session, id, flow, message);
            return;
        }
        let tagged = message.to().is_ok_and(|to| to.tag().is_some());
        let needs_dialog = match method {
            Method::Bye | Method::Prack => true,
            // A subscription that the user keeps may exist where we know no session.
            Method::Notify | Method::Subscribe | Method::Register | Method::Publish => false,
            Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Options
            | Method::Message
            | Method::Info
            | Method::Refer
            | Method::Update
            | Method::Extension(_) => tagged,
        };
        if needs_dialog {
            self.refuse(now, id, flow, message, Anomaly::UnknownDialog, StatusCode::CALL_DOES_NOT_EXIST);
        } else {
            self.receive_fresh(now, id, flow, message, None);
        }
    }

    fn receive_cancel(&mut self, now: Instant, id: u64, flow: Flow, message: &Message) {
        let target = message.top_via().ok().map(|via| ServerKey::of(message, &via, &Method::Invite));
        let Some(invite) = target.and_then(|target| self.transactions.server_of(&target)) else {
            self.refuse(now, id, flow, message, Anomaly::StrayCancel, StatusCode::CALL_DOES_NOT_EXIST);
            return;
        };
        let session = self.transactions.server(invite).and_then(|server| server.user);
        let tag =
            session.and_then(|session| self.sessions.get(&session)).map(|session| session.local_tag.clone());
        // §9.2: the same To tag as in the response to the INVITE.
        let reply = Reply { to_tag: tag, ..Reply::default() };
        self.answer(now, id, StatusCode::OK, None, reply);
        let open = self.transactions.server(invite).is_some_and(|server| server.is_open());
        if let Some(session) = session.filter(|_| open) {
            self.session_canceled(now, session, invite, message);
        }
    }

    /// Handles a request that no session takes.
    pub(crate) fn receive_fresh(
        &mut self,
        now: Instant,
        id: u64,
        flow: Flow,
        message: &Message,
        session: Option<SessionId>,
    ) {
        let method = message.method();
        let allowed = self.config.allow.contains(&method);
        if !allowed && !self.config.raise_unhandled {
            let known = !method.is_extension();
            let status = if known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_IMPLEMENTED };
            let headers = vec![(HeaderName::Allow, self.allow_text())];
            self.answer(now, id, status, None, Reply { headers, ..Reply::default() });
            return;
        }
        if self.refuse_extensions(now, id, message) {
            return;
        }
        if method == Method::Invite && session.is_none() {
            self.receive_invite(id, flow, message);
        } else if method == Method::Options && self.config.answer_options {
            let mut headers = vec![(HeaderName::Accept, "application/sdp".to_owned())];
            self.push_capabilities(&mut headers);
            self.answer(now, id, StatusCode::OK, None, Reply { headers, ..Reply::default() });
        } else {
            let id = IncomingId(id);
            self.raise(Event::Request { id, message: message.clone(), flow, session });
        }
    }

    /// Answers 420 when the request needs an extension that we do not have (§8.2.2.3).
    pub(crate) fn refuse_extensions(&mut self, now: Instant, id: u64, message: &Message) -> bool {
        let known = |tag: &String| self.config.supported.iter().any(|own| own.eq_ignore_ascii_case(tag));
        let missing: Vec<String> = message.require().into_iter().filter(|tag| !known(tag)).collect();
        if missing.is_empty() {
            return false;
        }
        let headers = vec![(HeaderName::Unsupported, missing.join(", "))];
        self.answer(now, id, StatusCode::BAD_EXTENSION, None, Reply { headers, ..Reply::default() });
        true
    }

    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        id: u64,
        flow: Flow,
        message: &Message,
        what: Anomaly,
        status: StatusCode,
    ) {
        self.anomaly(what, flow, message.bytes());
        self.answer(now, id, status, None, Reply::default());
    }

    /// Finds the session whose dialog a request belongs to.
    fn session_of(&self, request: &Message) -> Option<SessionId> {
        let to = request.to().ok()?;
        let &id = self.tags.get(to.tag()?)?;
        let from = request.from().ok()?;
        let call_id = request.call_id().ok()?;
        let known = self.sessions.get(&id)?.has_dialog(&call_id, from.tag().unwrap_or_default());
        known.then_some(id)
    }
}
