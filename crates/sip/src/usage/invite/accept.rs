//! Being called: an incoming INVITE or re-INVITE, our responses, the 2xx until its ACK. RFC 3261 §13.3, §14.2, §9.2.

use super::{
    Answer, Direction, EndCause, InviteTimer, Party, ReplacedDialog, Session, SessionError, SessionEvent,
    SessionState,
};
use crate::dialog::{DialogKey, DialogRecord, DialogSet, Ours, Party as Side};
use crate::message::{HeaderName, Message, StatusCode};
use crate::user_agent::{Body, Deadline, Flow, NamedHeaders, Owner, Reply, SessionId, UserAgent};
use std::time::{Duration, Instant};

/// Repeat interval of a provisional response (§13.3.1.1).
const PROVISIONAL_EVERY: Duration = Duration::from_secs(60);

impl UserAgent {
    pub(crate) fn receive_invite(&mut self, now: Instant, server: u64, flow: Flow, message: &Message) {
        let (Ok(to), Ok(call_id)) = (message.to(), message.call_id()) else { return };
        let id = SessionId(self.fresh_id());
        let tag = self.ids.tag();
        let local_uri = Side::of(&to).uri;
        let user = message.request_uri().and_then(|uri| uri.user().map(str::to_owned)).unwrap_or_default();
        let contact = self.own_contact(&user, flow).unwrap_or_default();
        let ours = Ours { tag: &tag, uri: &local_uri, contact, flow, local_cseq: 0 };
        let record = DialogRecord::from_request(message, ours);
        let mut dialogs = DialogSet::new(call_id, tag, local_uri, user);
        if let Some(record) = record {
            dialogs.settle(record, id);
        }
        let dialogs = self.dialogs.open(dialogs);
        let session = Session { server: Some(server), ..Session::new(Direction::Inbound, dialogs) };
        self.sessions.insert(id, Box::new(session));
        self.attach_server(server, id);
        if let Some(seconds) = message.expires().ok().flatten() {
            self.arm(now, Deadline::Invite(id, InviteTimer::Expires), Duration::from_secs(seconds.into()));
        }
        let replaces = message.replaces().ok().flatten().map(|replaces| {
            let dialog = DialogKey {
                call_id: replaces.call_id,
                local_tag: replaces.to_tag,
                remote_tag: replaces.from_tag,
            };
            let session = self.session_with(&dialog);
            ReplacedDialog { dialog, early_only: replaces.early_only, session }
        });
        let offer = message.sdp().map(<[u8]>::to_vec);
        self.session_event(id, SessionEvent::Incoming { invite: message.clone(), flow, offer, replaces });
    }

    /// Replaces the credentials that answer challenges to requests in a session, or takes them away; they count from
    /// the next request on.
    ///
    /// # Errors
    /// When the session is unknown.
    pub fn set_session_credentials(
        &mut self,
        id: SessionId,
        credentials: Option<crate::auth::Credentials>,
    ) -> Result<(), SessionError> {
        let dialogs = self.dialogs_of_mut(id).ok_or(SessionError::Unknown)?;
        dialogs.credentials = credentials;
        // The remembered challenges may be of a realm that the new credentials are not for.
        self.wallet.forget(Owner::Session(id));
        Ok(())
    }

    /// Answers the pending INVITE or re-INVITE: 1xx, 2xx, or 300 to 699.
    ///
    /// A 2xx is repeated until its ACK arrives; without one the session is ended with BYE. A refusal of the first
    /// INVITE ends the session, one of a re-INVITE leaves it as it was.
    ///
    /// # Errors
    /// When nothing waits for an answer.
    pub fn respond(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        reason: Option<&str>,
        body: Option<Body>,
        headers: NamedHeaders,
    ) -> Result<(), SessionError> {
        let session = self.sessions.get(&id).ok_or(SessionError::Unknown)?;
        let state = session.state;
        let server = session.server.ok_or(SessionError::WrongState { state })?;
        self.answer_invite(now, id, server, status, reason, body, headers);
        if status.is_provisional() {
            return Ok(());
        }
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        session.server = None;
        session.provisional = None;
        self.deadlines.stop(Deadline::Invite(id, InviteTimer::RepeatProvisional));
        self.deadlines.stop(Deadline::Invite(id, InviteTimer::Expires));
        let first = session.state == SessionState::Ringing;
        if status.is_success() {
            if first {
                session.state = SessionState::Answered;
            }
            self.await_ack(now, id, server);
        } else if first {
            self.end_session(now, id, Party::Local, EndCause::Rejected(status), Some(status), None);
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one response; a struct would be built only here"
    )]
    fn answer_invite(
        &mut self,
        now: Instant,
        id: SessionId,
        server: u64,
        status: StatusCode,
        reason: Option<&str>,
        body: Option<Body>,
        extra: NamedHeaders,
    ) {
        let Some(dialogs) = self.dialogs_of(id) else { return };
        let dialog = self.dialog_of(id);
        // §12.1.1: whatever creates or refreshes the dialog carries Contact and Record-Route.
        let creates = status.code() > 100 && !status.is_failure();
        let mut reply = Reply {
            to_tag: (status.code() > 100).then(|| dialogs.local_tag.clone()),
            contact: dialog.filter(|_| creates).map(|dialog| dialog.contact.clone()),
            copy_route: creates,
            headers: Vec::new(),
            body,
        };
        if status.is_success() {
            self.push_capabilities(&mut reply.headers);
        }
        reply.headers.extend(extra);
        self.answer(now, server, status, reason, reply);
        if status.is_provisional() && status.code() > 100 {
            let sent = self.transactions.server(server).and_then(|server| server.last_response().cloned());
            if let Some(session) = self.sessions.get_mut(&id) {
                session.provisional = sent;
            }
            self.arm(now, Deadline::Invite(id, InviteTimer::RepeatProvisional), PROVISIONAL_EVERY);
        }
    }

    fn await_ack(&mut self, now: Instant, id: SessionId, server: u64) {
        let Some(transaction) = self.transactions.server(server) else { return };
        let (Some(message), Ok(cseq)) = (transaction.last_response().cloned(), transaction.request.cseq())
        else {
            return;
        };
        let flow = transaction.flow;
        let interval = self.config.timers.t1;
        let offers = transaction.request.sdp().is_none();
        let answer = Answer { server, cseq: cseq.number, flow, message, interval, offers };
        let before = self.sessions.get_mut(&id).and_then(|session| session.answer.replace(answer));
        // The peer has sent a re-INVITE since, so it has received the previous 2xx.
        self.answer_arrived(now, before);
        self.arm(now, Deadline::Invite(id, InviteTimer::RepeatAnswer), interval);
        self.arm(now, Deadline::Invite(id, InviteTimer::AckMissing), self.config.timers.h);
    }

    pub(crate) fn session_timer(&mut self, now: Instant, id: SessionId, timer: InviteTimer) {
        match timer {
            InviteTimer::RepeatAnswer => self.repeat_answer(now, id),
            InviteTimer::AckMissing => self.ack_missing(now, id),
            InviteTimer::RepeatProvisional => self.repeat_provisional(now, id),
            InviteTimer::CancelLimit => self.cancel_expired(now, id),
            InviteTimer::Glare => self.glare_over(now, id),
            InviteTimer::Expires => self.invite_expired(now, id),
        }
    }

    fn repeat_answer(&mut self, now: Instant, id: SessionId) {
        let limit = self.config.timers.t2;
        let Some(answer) = self.sessions.get_mut(&id).and_then(|session| session.answer.as_mut()) else {
            return;
        };
        answer.interval = answer.interval.saturating_mul(2).min(limit);
        let (interval, server, flow, message) =
            (answer.interval, answer.server, answer.flow, answer.message.clone());
        if self.transactions.server(server).is_some() {
            self.send_response(now, server, StatusCode::OK, message);
        } else {
            // Timer L may be configured shorter than the wait for the ACK.
            self.transmit(flow, message, true);
        }
        self.arm(now, Deadline::Invite(id, InviteTimer::RepeatAnswer), interval);
    }

    fn ack_missing(&mut self, now: Instant, id: SessionId) {
        self.deadlines.stop(Deadline::Invite(id, InviteTimer::RepeatAnswer));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.answer = None;
        let headers = session.bye_after_ack.take();
        let asked = headers.is_some();
        let end = if asked { (Party::Local, EndCause::Bye) } else { (Party::Local, EndCause::AckMissing) };
        self.send_bye(now, id, headers.unwrap_or_default(), end);
    }

    fn repeat_provisional(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let (Some(server), Some(message)) = (session.server, session.provisional.clone()) else { return };
        if let Some(status) = message.status() {
            self.send_response(now, server, status, message);
        }
        self.arm(now, Deadline::Invite(id, InviteTimer::RepeatProvisional), PROVISIONAL_EVERY);
    }

    /// Refuses an INVITE whose time is over.
    fn invite_expired(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (Some(server), SessionState::Ringing) = (session.server, session.state) else { return };
        session.server = None;
        let to_tag = self.local_tag_of(id);
        let status = StatusCode::REQUEST_TERMINATED;
        self.answer(now, server, status, None, Reply { to_tag, ..Reply::default() });
        self.end_session(now, id, Party::Local, EndCause::Expired, Some(status), None);
    }

    /// Takes an ACK inside a dialog; false when it fits nothing.
    pub(crate) fn session_acknowledged(&mut self, now: Instant, id: SessionId, ack: &Message) -> bool {
        let Ok(cseq) = ack.cseq() else { return false };
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        match &session.answer {
            Some(answer) if answer.cseq == cseq.number => {}
            // A repeat of an ACK that was taken before.
            Some(_) | None => {
                return self.dialog_of(id).is_some_and(|dialog| dialog.remote_cseq >= Some(cseq.number));
            }
        }
        let answered = session.answer.take();
        if session.state == SessionState::Answered {
            session.state = SessionState::Established;
        }
        let hang_up = session.bye_after_ack.take();
        self.answer_arrived(now, answered);
        self.deadlines.stop(Deadline::Invite(id, InviteTimer::RepeatAnswer));
        self.deadlines.stop(Deadline::Invite(id, InviteTimer::AckMissing));
        self.session_event(id, SessionEvent::Acknowledged { sdp: ack.sdp().map(<[u8]>::to_vec) });
        if let Some(headers) = hang_up {
            self.send_bye(now, id, headers, (Party::Local, EndCause::Bye));
        }
        true
    }

    /// Tells the transaction of a 2xx of ours that it has arrived.
    fn answer_arrived(&mut self, now: Instant, answer: Option<Answer>) {
        if let Some(answer) = answer {
            let effect = self.transactions.acknowledged(now, answer.server);
            self.server_effect(effect);
        }
    }

    /// Takes the CANCEL of a pending INVITE or re-INVITE (§9.2).
    pub(crate) fn session_canceled(&mut self, now: Instant, id: SessionId, server: u64, cancel: &Message) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.server = None;
        session.provisional = None;
        let first = session.state == SessionState::Ringing;
        let to_tag = self.local_tag_of(id);
        self.deadlines.stop(Deadline::Invite(id, InviteTimer::RepeatProvisional));
        let status = StatusCode::REQUEST_TERMINATED;
        self.answer(now, server, status, None, Reply { to_tag, ..Reply::default() });
        self.session_event(id, SessionEvent::Canceled { message: cancel.clone() });
        if first {
            let reason = cancel.header(HeaderName::Reason).map(std::borrow::Cow::into_owned);
            self.end_session(now, id, Party::Remote, EndCause::Cancel, Some(status), reason);
        }
    }
}
