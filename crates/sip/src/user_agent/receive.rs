//! Received bytes: to a transaction, to a session, or up to the user. RFC 3261 §8.2, §12.2.2, §17.1.3, §17.2.3, §18.2.

use super::engine::UserAgent;
use super::event::{Anomaly, Event, IncomingId, SessionId};
use super::flow::Flow;
use super::write::Reply;
use crate::dialog::DialogSetId;
use crate::message::{HeaderName, Message, Method, Rejected, StatusCode, Via, inspect};
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
        let (Some(key), Ok(fault)) = (ClientKey::of(message), inspect(message)) else {
            self.anomaly(Anomaly::UnusableResponse, flow, message.bytes());
            return;
        };
        match self.transactions.receive_response(now, &key, message) {
            Some(effect) => {
                // A repeat that is absorbed tells nothing new.
                if let Some(fault) = fault.filter(|_| effect.notice.is_some()) {
                    self.anomaly(Anomaly::FaultyHeader(fault.what), flow, message.bytes());
                }
                self.client_effect(now, effect, Some(message));
            }
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
        if let Some(id) = self.transactions.repeated_by(&key, message) {
            let accepted = self.transactions.server(id).is_some_and(|server| !server.is_open());
            let effect = self.transactions.receive_repeat(now, id, &method);
            self.server_effect(effect);
            if method == Method::Ack && accepted {
                // Some clients reuse the branch of the INVITE for the ACK of a 2xx.
                self.acknowledged_by_branch(now, id, message);
            }
            return;
        }
        let via = via.stamped(flow.remote.ip(), flow.remote.port());
        if method == Method::Ack {
            self.receive_ack(now, flow, message);
            return;
        }
        let expected = self.is_expected(message, &via);
        if self.is_full_for(&method, expected) {
            self.turn_away(flow, message, &via);
            return;
        }
        match inspect(message) {
            Ok(fault) => {
                if let Some(fault) = fault {
                    self.anomaly(Anomaly::FaultyHeader(fault.what), flow, message.bytes());
                }
                let merged = self.transactions.is_merged(message);
                let id = self.open_server(now, key, message, via, flow);
                if expected {
                    self.transactions.belongs_to_a_call(id);
                }
                self.receive_usable(now, id, flow, message, merged);
            }
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

    /// Tells whether a message belongs to a transaction or dialog that we have. Ask before handing
    /// it in.
    pub fn expects(&self, message: &Message) -> bool {
        if message.is_response() {
            return ClientKey::of(message).is_some_and(|key| self.transactions.has_client(&key));
        }
        let Ok(via) = message.top_via() else { return false };
        let key = ServerKey::of(message, &via, &message.method());
        self.transactions.repeated_by(&key, message).is_some() || self.is_expected(message, &via)
    }

    /// Tells whether a request belongs to a dialog or an INVITE that we have.
    fn is_expected(&self, message: &Message, via: &Via) -> bool {
        let canceled = || self.transactions.server_of(&ServerKey::of(message, via, &Method::Invite));
        self.dialogs.of_request(message).is_some()
            || message.method() == Method::Cancel && canceled().is_some()
    }

    fn receive_ack(&mut self, now: Instant, flow: Flow, message: &Message) {
        self.note_ignored_body(flow, message);
        let session = self.session_of(message);
        let taken = session.is_some_and(|session| self.session_acknowledged(now, session, message));
        if !taken && !self.is_ack_of_turned_away(message) {
            self.anomaly(Anomaly::StrayAck, flow, message.bytes());
        }
    }

    fn acknowledged_by_branch(&mut self, now: Instant, id: u64, message: &Message) {
        let session = self.transactions.server(id).and_then(|server| server.user);
        if let Some(session) = session {
            self.session_acknowledged(now, session, message);
        }
    }

    fn receive_usable(&mut self, now: Instant, id: u64, flow: Flow, message: &Message, merged: bool) {
        let method = message.method();
        if method == Method::Cancel {
            self.receive_cancel(now, id, flow, message);
            return;
        }
        if merged {
            self.refuse(now, id, flow, message, Anomaly::MergedRequest, StatusCode::LOOP_DETECTED);
            return;
        }
        if let Some(dialog) = self.dialogs.of_request(message) {
            self.receive_in_dialog(now, dialog, id, flow, message);
            return;
        }
        let tagged = message.to().is_ok_and(|to| to.tag().is_some());
        let needs_dialog = match method {
            // RFC 6086 §4.2.1: INFO belongs to a session.
            Method::Bye | Method::Prack | Method::Info => self.config.allow.contains(&method),
            // Whether we know what these ask for is checked before whether their dialog exists.
            Method::Notify | Method::Subscribe | Method::Register | Method::Publish => false,
            Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Options
            | Method::Message
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
        self.note_ignored_body(flow, message);
        let target = message.top_via().ok().map(|via| ServerKey::of(message, &via, &Method::Invite));
        let Some(invite) = target.and_then(|target| self.transactions.server_of(&target)) else {
            self.refuse(now, id, flow, message, Anomaly::StrayCancel, StatusCode::CALL_DOES_NOT_EXIST);
            return;
        };
        let session = self.transactions.server(invite).and_then(|server| server.user);
        // §9.2: the same To tag as in the response to the INVITE.
        let to_tag = session.and_then(|session| self.local_tag_of(session));
        let reply = Reply { to_tag, ..Reply::default() };
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
        if !self.config.allow.contains(&method) {
            let known = !method.is_extension();
            let status = if known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_IMPLEMENTED };
            let headers = vec![(HeaderName::Allow, self.allow_text())];
            self.answer(now, id, status, None, Reply { headers, ..Reply::default() });
            return;
        }
        if self.refuse_unknown(now, id, flow, message) {
            return;
        }
        if method == Method::Invite && session.is_none() {
            self.receive_invite(now, id, flow, message);
        } else if method == Method::Notify {
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            self.refuse(now, id, flow, message, Anomaly::NoSubscription, status);
        } else if method == Method::Options && self.config.answer_options {
            let mut headers = vec![(HeaderName::Accept, self.accept_text(None))];
            self.push_capabilities(&mut headers);
            self.answer(now, id, StatusCode::OK, None, Reply { headers, ..Reply::default() });
        } else {
            let id = IncomingId(id);
            self.raise(Event::Request { id, message: message.clone(), flow, session });
        }
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

    /// Takes a request inside a dialog: the usage that it is for decides (RFC 5057 §5).
    fn receive_in_dialog(
        &mut self,
        now: Instant,
        (set, remote_tag): (DialogSetId, String),
        server: u64,
        flow: Flow,
        message: &Message,
    ) {
        let Some(dialog) = self.dialogs.get_mut(set).and_then(|dialogs| dialogs.with_tag(&remote_tag)) else {
            return;
        };
        let session = dialog.session();
        let alive = |id: &SessionId| self.sessions.get(id).is_some_and(|session| !session.has_ended());
        let session = session.filter(alive);
        let event = if message.method() == Method::Notify { message.event().ok().flatten() } else { None };
        let subscribed = event.is_some_and(|event| dialog.subscription_for(&event).is_some());
        if session.is_none() && !subscribed {
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            self.refuse(now, server, flow, message, Anomaly::UnknownDialog, status);
            return;
        }
        let got = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        if let Err(last) = dialog.count(got) {
            let what = Anomaly::CSeqOutOfOrder { last, got };
            self.refuse(now, server, flow, message, what, StatusCode::SERVER_INTERNAL_ERROR);
            return;
        }
        if let Some(session) = session {
            self.attach_server(server, session);
        }
        match (message.method(), session) {
            (Method::Bye, Some(session)) => self.receive_bye(now, session, server, flow, message),
            (Method::Notify, _) if self.refuse_unknown(now, server, flow, message) => {}
            (Method::Notify, session) => {
                let subscription = (set, remote_tag.as_str());
                self.receive_notify(now, subscription, session, server, flow, message);
            }
            (_, Some(session)) => self.dispatch_in_dialog(now, session, server, flow, message),
            (_, None) => {}
        }
    }

    /// Finds the session whose dialog an ACK belongs to.
    fn session_of(&mut self, ack: &Message) -> Option<SessionId> {
        let (set, remote_tag) = self.dialogs.of_request(ack)?;
        self.dialogs.get_mut(set)?.with_tag(&remote_tag)?.session()
    }
}
