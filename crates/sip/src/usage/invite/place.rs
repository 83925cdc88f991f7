//! Calling: our INVITE, its responses, forked dialogs and the ACK of a 2xx. RFC 3261 §13.2.

use super::{
    Answered, Cancel, Direction, EndCause, Party, Session, SessionError, SessionEvent, SessionState, Surplus,
};
use crate::auth::Credentials;
use crate::dialog::{DialogKey, DialogRecord, DialogSet, Ours};
use crate::message::{HeaderName, Message, Method, NameAddr, StatusCode, Uri};
use crate::transaction::TimerName;
use crate::user_agent::{
    Anomaly, Body, ContactForm, Deadline, Destination, Draft, Event, NamedHeaders, Outgoing, OwedAck,
    RequestFailure, SessionId, User, UserAgent, Waiting,
};
use std::time::Instant;

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Invite {
    /// Request-URI, and To.
    pub target: Uri,
    /// From, without tag.
    pub from: NameAddr,
    /// Where it goes.
    pub destination: Destination,
    /// Answers challenges, also those of later requests in the session.
    pub credentials: Option<Credentials>,
    /// Further headers.
    pub headers: NamedHeaders,
    /// The offer; without one the 2xx carries it and [`UserAgent::acknowledge`] must answer.
    pub body: Option<Body>,
    /// Route set to preload (RFC 3261 §8.1.1.1).
    pub route: Vec<Uri>,
}

impl Invite {
    /// Returns a call without credentials, offer and route.
    pub fn new(target: Uri, from: NameAddr, destination: Destination) -> Self {
        Self {
            target,
            from,
            destination,
            credentials: None,
            headers: Vec::new(),
            body: None,
            route: Vec::new(),
        }
    }
}

impl UserAgent {
    /// Sends an INVITE.
    pub fn invite(&mut self, now: Instant, invite: Invite) -> SessionId {
        let id = SessionId(self.fresh_id());
        let tag = self.ids.tag();
        let call_id = self.ids.call_id();
        let mut from = invite.from.clone();
        from.params.remove("tag");
        from.uri = from.uri.as_identity();
        let user = from.uri.user().unwrap_or_default().to_owned();
        let mut dialogs = DialogSet::new(call_id.clone(), tag.clone(), from.to_string(), user.clone());
        dialogs.credentials.clone_from(&invite.credentials);
        let cseq = dialogs.next_cseq();
        let dialogs = self.dialogs.open(dialogs);
        let offerless = invite.body.is_none();
        let session = Session { offerless, ..Session::new(Direction::Outbound, dialogs) };
        self.sessions.insert(id, Box::new(session));
        let mut headers: NamedHeaders =
            invite.route.iter().map(|route| (HeaderName::Route, format!("<{route}>"))).collect();
        headers.push((HeaderName::From, from.with_tag(&tag).to_string()));
        headers.push((HeaderName::To, NameAddr::new(invite.target.as_identity()).to_string()));
        headers.push((HeaderName::CallId, call_id));
        self.push_product(&mut headers);
        self.push_capabilities(&mut headers);
        headers.extend(invite.headers);
        let draft = Draft {
            method: Method::Invite,
            uri: invite.target.without_headers(),
            contact: ContactForm::Local { user, params: String::new() },
            headers,
            body: invite.body,
        };
        let outgoing = Outgoing::new(User::Invite(id), draft, cseq, &invite.destination, invite.credentials);
        // The request may fail before `send_request` returns; then the session must not refer to
        // it.
        let outgoing = self.send_request(now, outgoing);
        if let Some(session) = self.sessions.get_mut(&id)
            && self.outgoing.contains_key(&outgoing)
        {
            session.invite = Some(outgoing);
        }
        id
    }

    /// Sends the ACK with the answer for a 2xx that carried the offer.
    ///
    /// # Errors
    /// When no such 2xx waits.
    pub fn acknowledge(&mut self, _now: Instant, id: SessionId, answer: Body) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let state = session.state;
        let owed = session.owed_ack.take().ok_or(SessionError::WrongState { state })?;
        self.acknowledge_answer(id, owed, Some(answer));
        Ok(())
    }

    pub(crate) fn session_event(&mut self, id: SessionId, event: SessionEvent) {
        self.raise(Event::Session { id, event });
    }

    pub(crate) fn invite_provisional(
        &mut self,
        now: Instant,
        id: SessionId,
        outgoing: u64,
        status: StatusCode,
        response: &Message,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Cancel::Wanted(headers) = session.cancel.clone() {
            session.cancel = Cancel::Sent;
            self.cancel_invite(now, id, outgoing, &headers);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let repeated = session.provisional.as_ref() == Some(response);
        session.provisional = Some(response.clone());
        if repeated {
            // The network duplicated it, or the callee repeats it to keep proxies from giving up
            // (§13.3.1.1).
            return;
        }
        if status.code() == 100 {
            self.session_event(id, SessionEvent::Trying);
            return;
        }
        let remote_tag = response.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        self.compare_answers(id, outgoing, &remote_tag, response);
        self.note_early(id, outgoing, &remote_tag, response);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.state == SessionState::Calling {
            session.state = SessionState::Ringing;
        }
        let Some(dialogs) = self.dialogs_of(id) else { return };
        let early =
            DialogKey { call_id: dialogs.call_id.clone(), local_tag: dialogs.local_tag.clone(), remote_tag };
        let event = SessionEvent::Provisional {
            status,
            reason: phrase(response),
            sdp: response.sdp().map(<[u8]>::to_vec),
            message: response.clone(),
            early,
        };
        self.session_event(id, event);
    }

    /// Reports a description that differs from the one before it in the same dialog: the first one
    /// is the answer (§13.2.1), whatever becomes of the second.
    fn compare_answers(&mut self, id: SessionId, outgoing: u64, remote_tag: &str, response: &Message) {
        let flow = self.outgoing.get(&outgoing).and_then(|invite| invite.flow);
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.offerless) else { return };
        let (Some(sdp), Some(flow)) = (response.sdp(), flow) else { return };
        let answer = (remote_tag.to_owned(), sdp.to_vec());
        let before = session.early_answer.replace(answer);
        if before.is_some_and(|(tag, before)| tag == remote_tag && before != sdp) {
            self.anomaly(Anomaly::AnswerChanged, flow, response.bytes());
        }
    }

    /// Takes note of the early dialog of a provisional response (§12.1.2).
    fn note_early(&mut self, id: SessionId, outgoing: u64, remote_tag: &str, response: &Message) {
        let Some(dialogs) = self.dialogs_of_mut(id) else { return };
        if dialogs.has(&dialogs.call_id, remote_tag) {
            let settled = dialogs.dialog().is_some();
            if let Some(early) = dialogs.with_tag(remote_tag).filter(|_| !settled) {
                early.record.refresh_target(response);
            }
        } else if !remote_tag.is_empty()
            && let Some(record) = self.dialog_from(id, outgoing, response)
            && let Some(dialogs) = self.dialogs_of_mut(id)
        {
            dialogs.add_early(record, id);
        }
    }

    pub(crate) fn invite_outcome(
        &mut self,
        now: Instant,
        id: SessionId,
        outgoing: u64,
        outcome: Result<&Message, RequestFailure>,
    ) {
        match outcome {
            Ok(response) if response.status().is_some_and(StatusCode::is_success) => {
                self.invite_answered(now, id, outgoing, response);
            }
            Ok(response) => self.invite_refused(now, id, response),
            Err(failure) => self.invite_failed(now, id, failure),
        }
    }

    fn invite_answered(&mut self, now: Instant, id: SessionId, outgoing: u64, response: &Message) {
        if self.repeat_ack(id, outgoing, response) {
            return;
        }
        let Some(dialog) = self.dialog_from(id, outgoing, response) else { return };
        let Some(sent) = self.outgoing.get(&outgoing) else { return };
        let answered = Answered { outgoing, cseq: sent.cseq, credentials: sent.sent_credentials.clone() };
        if let Some(known) = self.dialog_of(id) {
            if known.remote_tag != dialog.remote_tag {
                self.refuse_answer(now, id, outgoing, dialog, response, Surplus::Fork);
            }
            // Otherwise the offer in it was raised already and its answer is still awaited.
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.state == SessionState::Ended {
            self.refuse_answer(now, id, outgoing, dialog, response, Surplus::Ended);
            return;
        }
        let canceled = session.is_canceling();
        session.invite = Some(outgoing);
        self.compare_answers(id, outgoing, &dialog.remote_tag, response);
        if let Some(dialogs) = self.dialogs_of_mut(id) {
            dialogs.settle(dialog, id);
        }
        if canceled {
            // §9.1: the CANCEL came too late; the session exists and is ended with BYE.
            self.deadlines.stop_all(Deadline::of_session(id));
            self.acknowledge_answer(id, answered, None);
            self.session_event(
                id,
                SessionEvent::SurplusAnswer { message: response.clone(), why: Surplus::Canceled },
            );
            self.send_bye(now, id, Vec::new(), (Party::Local, EndCause::Cancel));
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.state = SessionState::Established;
        if session.offerless && response.sdp().is_some() {
            session.owed_ack = Some(answered);
        } else {
            self.acknowledge_answer(id, answered, None);
        }
        let sdp = response.sdp().map(<[u8]>::to_vec);
        self.session_event(id, SessionEvent::Answered { message: response.clone(), sdp });
    }

    /// Acknowledges and ends an answer that nobody wants; its ACK is kept for repeats.
    fn refuse_answer(
        &mut self,
        now: Instant,
        id: SessionId,
        outgoing: u64,
        dialog: DialogRecord,
        response: &Message,
        why: Surplus,
    ) {
        let ack = self.acknowledge_and_end(now, &dialog, outgoing, Some(id));
        if let (Some((flow, message)), Some(invite)) = (ack, self.outgoing.get_mut(&outgoing)) {
            invite.acks.push((dialog.remote_tag, flow, message));
        }
        self.session_event(id, SessionEvent::SurplusAnswer { message: response.clone(), why });
    }

    fn invite_refused(&mut self, now: Instant, id: SessionId, response: &Message) {
        let Some(status) = response.status() else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.invite = None;
        let canceled = session.cancel != Cancel::No;
        let reason_header = response.header(HeaderName::Reason).map(std::borrow::Cow::into_owned);
        if canceled {
            self.end_session(now, id, Party::Local, EndCause::Cancel, Some(status), reason_header);
            return;
        }
        let reason = phrase(response);
        self.session_event(id, SessionEvent::Rejected { status, reason, message: response.clone() });
        self.end_session(now, id, Party::Remote, EndCause::Rejected(status), Some(status), reason_header);
    }

    fn invite_failed(&mut self, now: Instant, id: SessionId, failure: RequestFailure) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.invite = None;
        let cause = match failure {
            RequestFailure::Timeout | RequestFailure::Transport | RequestFailure::Unresolved
                if session.cancel != Cancel::No =>
            {
                EndCause::Cancel
            }
            RequestFailure::Timeout => EndCause::Timeout(TimerName::B),
            RequestFailure::Transport => EndCause::TransportFailed,
            RequestFailure::NoDestination | RequestFailure::Unresolved => EndCause::Unsent(failure),
        };
        self.end_session(now, id, Party::Local, cause, None, None);
    }

    /// Sends the ACK of a 2xx to our INVITE or re-INVITE and keeps it for repeats.
    pub(crate) fn acknowledge_answer(&mut self, id: SessionId, answered: Answered, body: Option<Body>) {
        let Some(dialog) = self.dialog_of(id).cloned() else { return };
        let name = self.name_towards(&dialog);
        let Answered { outgoing, cseq, credentials } = answered;
        let owed = OwedAck { session: id, outgoing, dialog, cseq, body, credentials };
        match name {
            Some(uri) => self.follow(&uri, Waiting::Ack(Box::new(owed))),
            None => self.write_ack(owed, &[]),
        }
    }

    /// Answers the repeat of a 2xx with the ACK that was lost (§13.2.2.4).
    pub(crate) fn repeat_ack(&mut self, id: SessionId, outgoing: u64, response: &Message) -> bool {
        let tag = response.to_tag().unwrap_or_default();
        let Some(invite) = self.outgoing.get(&outgoing) else { return false };
        let Some((_, flow, ack)) = invite.acks.iter().find(|(of, ..)| *of == tag).cloned() else {
            return self.owes_ack(id, &tag, invite.cseq);
        };
        self.transmit(flow, ack, true);
        true
    }

    fn dialog_from(&self, id: SessionId, outgoing: u64, response: &Message) -> Option<DialogRecord> {
        let dialogs = self.dialogs_of(id)?;
        let sent = self.outgoing.get(&outgoing)?;
        let flow = sent.flow?;
        let ours = Ours {
            tag: &dialogs.local_tag,
            uri: &dialogs.local_uri,
            contact: self.own_contact(&dialogs.user, flow).unwrap_or_default(),
            flow,
            local_cseq: dialogs.cseq(),
        };
        DialogRecord::from_response(&sent.draft.uri, response, ours)
    }
}

/// Returns the reason phrase of a response.
pub(crate) fn phrase(response: &Message) -> String {
    response.reason().map(std::borrow::Cow::into_owned).unwrap_or_default()
}
