//! Other requests inside the dialog of a session: NOTIFY, INFO, MESSAGE both ways, and the re-INVITE of the peer.
//! RFC 3261 §12.2, §14.2, RFC 6086, RFC 3428.

use super::{EndCause, Party, SessionError, SessionEvent, SessionState};
use crate::dialog::DialogSet;
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::transaction::TimerName;
use crate::user_agent::{
    Body, Flow, IncomingId, NamedHeaders, Outgoing, Reply, RequestFailure, RequestId, SessionId, User,
    UserAgent,
};
use std::time::Instant;

impl UserAgent {
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
        // A caller may already send requests in an early dialog, a callee in its only one.
        let dialog = self.dialogs_of(id).and_then(DialogSet::latest);
        let dialog =
            dialog.filter(|_| !session.is_over() && !reserved).ok_or(SessionError::WrongState { state })?;
        let (mut draft, destination) =
            self.dialog_request(dialog, method, headers).ok_or(SessionError::Unroutable)?;
        draft.body = body;
        let request = RequestId(self.fresh_id());
        let dialogs = self.dialogs_of_mut(id).ok_or(SessionError::Unknown)?;
        let (cseq, credentials) = (dialogs.next_cseq(), dialogs.credentials.clone());
        let user = User::InDialog(id, request);
        self.send_request(now, Outgoing::new(user, draft, cseq, &destination, credentials));
        Ok(request)
    }

    pub(crate) fn in_dialog_outcome(
        &mut self,
        now: Instant,
        (id, request): (SessionId, RequestId),
        outgoing: u64,
        outcome: Result<&Message, RequestFailure>,
    ) {
        let method = self.outgoing.get(&outgoing).map(|outgoing| outgoing.draft.method.clone());
        self.refer_outcome(id, request, outcome);
        // `Ended` is the last event of a session, so nothing is reported after it.
        if self.sessions.get(&id).is_some_and(|session| session.state != SessionState::Ended) {
            self.session_event(id, SessionEvent::RequestDone { request, outcome: outcome.cloned() });
        }
        // A NOTIFY or SUBSCRIBE that finds nothing there ends a subscription only; the session goes
        // on (RFC 5057 §5.1).
        if matches!(method, Some(Method::Notify | Method::Subscribe)) {
            return;
        }
        match outcome {
            Ok(response) => {
                let gone = [StatusCode::CALL_DOES_NOT_EXIST, StatusCode::REQUEST_TIMEOUT];
                if let Some(status) = response.status().filter(|status| gone.contains(status)) {
                    self.lose_dialog(now, id, EndCause::DialogGone(status), Party::Remote);
                }
            }
            Err(RequestFailure::Timeout) => {
                self.lose_dialog(now, id, EndCause::Timeout(TimerName::F), Party::Local);
            }
            Err(RequestFailure::Transport | RequestFailure::Unresolved | RequestFailure::NoDestination) => {}
        }
    }

    /// Takes a request of the peer that belongs to the session.
    pub(crate) fn dispatch_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        server: u64,
        flow: Flow,
        message: &Message,
    ) {
        let method = message.method();
        let handled = matches!(method, Method::Invite | Method::Refer | Method::Info | Method::Message);
        if !handled || !self.config.allow.contains(&method) {
            return self.receive_fresh(now, server, flow, message, Some(id));
        }
        if self.refuse_unknown(now, server, flow, message) {
            return;
        }
        let (request, copy) = (IncomingId(server), message.clone());
        if method == Method::Invite {
            self.receive_reinvite(now, id, server, message);
        } else if method == Method::Refer {
            self.session_event(id, SessionEvent::Refer { request, message: copy });
        } else if method == Method::Info {
            self.session_event(id, SessionEvent::Info { request, message: copy });
        } else {
            self.session_event(id, SessionEvent::Message { request, message: copy });
        }
    }

    /// Takes a re-INVITE (§14.2).
    fn receive_reinvite(&mut self, now: Instant, id: SessionId, server: u64, message: &Message) {
        let Some(session) = self.sessions.get(&id) else { return };
        let pending = session.server.is_some();
        let to_tag = self.local_tag_of(id);
        if pending {
            // An earlier INVITE has no final response yet.
            let after = self.ids.below(11);
            let headers = vec![(HeaderName::RetryAfter, after.to_string())];
            let reply = Reply { to_tag, headers, ..Reply::default() };
            self.answer(now, server, StatusCode::SERVER_INTERNAL_ERROR, None, reply);
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        // RFC 5407 §3.1.4: an ACK that only confirms what was agreed may be late or lost, so we do
        // not wait for it.
        let unanswered = session.answer.as_ref().is_some_and(|answer| answer.offers);
        let busy = unanswered
            || session.reinvite.is_some()
            || session.owed_ack.is_some()
            || session.bye_after_ack.is_some();
        if busy || !matches!(session.state, SessionState::Established | SessionState::Answered) {
            let status =
                if session.is_over() { StatusCode::REQUEST_TERMINATED } else { StatusCode::REQUEST_PENDING };
            self.answer(now, server, status, None, Reply { to_tag, ..Reply::default() });
            return;
        }
        session.server = Some(server);
        self.refresh_target(id, message);
        let offer = message.sdp().map(<[u8]>::to_vec);
        self.session_event(id, SessionEvent::Reoffered { message: message.clone(), offer });
    }
}
