//! Other requests inside the dialog of a session: REFER, NOTIFY, INFO, MESSAGE both ways, and the order of CSeq.
//! RFC 3261 §12.2, RFC 3515, RFC 6086, RFC 3428.

use super::{SessionError, SessionEvent, SessionState};
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::user_agent::{
    Anomaly, Body, Flow, IncomingId, NamedHeaders, Outgoing, Reply, RequestFailure, RequestId, SessionId,
    User, UserAgent,
};
use std::time::Instant;

impl UserAgent {
    /// Asks the peer to contact `refer_to`; put Referred-By or Refer-Sub into `headers`.
    ///
    /// # Errors
    /// When the session has no dialog.
    pub fn refer(
        &mut self,
        now: Instant,
        id: SessionId,
        refer_to: &str,
        mut headers: NamedHeaders,
    ) -> Result<RequestId, SessionError> {
        headers.insert(0, (HeaderName::ReferTo, refer_to.to_owned()));
        self.send_in_dialog(now, id, Method::Refer, headers, None)
    }

    /// Reports the state of a subscription that lives in the session's dialog, such as the one of a REFER.
    ///
    /// # Errors
    /// When the session has no dialog.
    pub fn notify(
        &mut self,
        now: Instant,
        id: SessionId,
        event: &str,
        subscription_state: &str,
        body: Option<Body>,
    ) -> Result<RequestId, SessionError> {
        let headers = vec![
            (HeaderName::Event, event.to_owned()),
            (HeaderName::SubscriptionState, subscription_state.to_owned()),
        ];
        self.send_in_dialog(now, id, Method::Notify, headers, body)
    }

    /// Sends application information.
    ///
    /// # Errors
    /// When the session has no dialog.
    pub fn info(&mut self, now: Instant, id: SessionId, body: Body) -> Result<RequestId, SessionError> {
        self.send_in_dialog(now, id, Method::Info, Vec::new(), Some(body))
    }

    /// Sends an instant message inside the dialog.
    ///
    /// # Errors
    /// When the session has no dialog.
    pub fn message_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Body,
    ) -> Result<RequestId, SessionError> {
        self.send_in_dialog(now, id, Method::Message, Vec::new(), Some(body))
    }

    /// Sends any other request inside the dialog; INVITE, ACK, BYE and CANCEL have methods of their own.
    ///
    /// # Errors
    /// When the session has no dialog, or for one of those four methods.
    pub fn send_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        method: Method,
        headers: NamedHeaders,
        body: Option<Body>,
    ) -> Result<RequestId, SessionError> {
        let session = self.sessions.get(&id).ok_or(SessionError::Unknown)?;
        let state = session.state;
        let reserved = matches!(method, Method::Invite | Method::Ack | Method::Bye | Method::Cancel);
        // A caller may already speak in an early dialog, a callee in its only one.
        let dialog = session.dialog.clone().or_else(|| session.early.last().cloned());
        let dialog =
            dialog.filter(|_| !session.is_over() && !reserved).ok_or(SessionError::WrongState { state })?;
        let credentials = session.credentials.clone();
        let (mut draft, destination) =
            self.dialog_request(&dialog, method, headers).ok_or(SessionError::Unroutable)?;
        draft.body = body;
        let request = RequestId(self.fresh_id());
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let cseq = session.next_cseq();
        let user = User::InDialog(id, request);
        self.send_request(now, Outgoing::new(user, draft, cseq, &destination, credentials));
        Ok(request)
    }

    pub(crate) fn in_dialog_outcome(
        &mut self,
        id: SessionId,
        request: RequestId,
        outcome: Result<&Message, RequestFailure>,
    ) {
        // Ended is the last event of a session, so what comes later is nobody's news any more.
        if self.sessions.get(&id).is_some_and(|session| session.state != SessionState::Ended) {
            self.session_event(id, SessionEvent::RequestDone { request, outcome: outcome.cloned() });
        }
    }

    pub(crate) fn receive_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        server: u64,
        flow: Flow,
        message: &Message,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.state == SessionState::Ended {
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            self.refuse(now, server, flow, message, Anomaly::UnknownDialog, status);
            return;
        }
        let got = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let remote_tag =
            message.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let mut dialogs = session.dialog.iter_mut().chain(&mut session.early);
        let Some(dialog) = dialogs.find(|dialog| dialog.remote_tag == remote_tag) else { return };
        if let Some(last) = dialog.remote_cseq.filter(|last| got <= *last) {
            let what = Anomaly::CSeqOutOfOrder { last, got };
            self.refuse(now, server, flow, message, what, StatusCode::SERVER_INTERNAL_ERROR);
            return;
        }
        dialog.remote_cseq = Some(got);
        self.attach_server(server, id);
        self.dispatch_in_dialog(now, id, server, flow, message);
    }

    fn dispatch_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        server: u64,
        flow: Flow,
        message: &Message,
    ) {
        let method = message.method();
        if method == Method::Bye {
            self.receive_bye(now, id, server, flow, message);
            return;
        }
        if self.refuse_extensions(now, server, message) {
            return;
        }
        let allowed = self.config.allow.contains(&method);
        let (request, message_copy) = (IncomingId(server), message.clone());
        let event = match method {
            Method::Invite => {
                self.receive_reinvite(now, id, server, message);
                return;
            }
            Method::Refer if allowed => SessionEvent::Refer { request, message: message_copy },
            Method::Notify if allowed => SessionEvent::Notify { request, message: message_copy },
            Method::Info if allowed => SessionEvent::Info { request, message: message_copy },
            Method::Message if allowed => SessionEvent::Message { request, message: message_copy },
            Method::Refer
            | Method::Notify
            | Method::Info
            | Method::Message
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Options
            | Method::Subscribe
            | Method::Publish
            | Method::Prack
            | Method::Update
            | Method::Extension(_) => {
                self.receive_fresh(now, server, flow, message, Some(id));
                return;
            }
        };
        self.session_event(id, event);
    }

    /// Takes a re-INVITE (§14.2).
    fn receive_reinvite(&mut self, now: Instant, id: SessionId, server: u64, message: &Message) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let to_tag = Some(session.local_tag.clone());
        if session.server.is_some() {
            // An earlier INVITE has no final response yet.
            let after = self.ids.below(11);
            let headers = vec![(HeaderName::RetryAfter, after.to_string())];
            let reply = Reply { to_tag, headers, ..Reply::default() };
            self.answer(now, server, StatusCode::SERVER_INTERNAL_ERROR, None, reply);
            return;
        }
        let busy = session.reinvite.is_some() || session.answer.is_some() || session.owed_ack.is_some();
        if busy || session.state != SessionState::Established {
            let status =
                if session.is_over() { StatusCode::REQUEST_TERMINATED } else { StatusCode::REQUEST_PENDING };
            self.answer(now, server, status, None, Reply { to_tag, ..Reply::default() });
            return;
        }
        session.server = Some(server);
        if let Some(dialog) = &mut session.dialog {
            dialog.refresh_target(message);
        }
        let offer = message.sdp().map(<[u8]>::to_vec);
        self.session_event(id, SessionEvent::Reoffered { message: message.clone(), offer });
    }
}
