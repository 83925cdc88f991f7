//! Ending a session: CANCEL, BYE or a refusal, whichever the state asks for. RFC 3261 §9, §15.

use super::{Cancel, Direction, EndCause, InviteTimer, Party, SessionError, SessionEvent, SessionState};
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::transaction::TimerName;
use crate::user_agent::{
    Anomaly, Deadline, Flow, NamedHeaders, Outgoing, Owner, Reply, RequestFailure, SessionId, User, UserAgent,
};
use std::time::Instant;

/// What [`UserAgent::hang_up`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// CANCEL was sent.
    Cancel,
    /// CANCEL goes out with the first provisional response; before it none may be sent (§9.1).
    CancelWhenHeard,
    /// BYE was sent.
    Bye,
    /// BYE goes out when the ACK of our 2xx arrives or its wait is over (§15).
    ByeAfterAck,
    /// The incoming INVITE was refused with this status.
    Refused(StatusCode),
    /// The session was ending or over already.
    Already,
}

impl UserAgent {
    /// Ends a session in the way its state asks for; doing it twice is harmless. `headers` go into the message that
    /// ends it, for example a Reason.
    ///
    /// # Errors
    /// When the handle was never given out.
    pub fn hang_up(
        &mut self,
        now: Instant,
        id: SessionId,
        headers: NamedHeaders,
    ) -> Result<Ending, SessionError> {
        let Some(session) = self.sessions.get_mut(&id) else {
            // Handles count upwards, so a smaller one belonged to a session that is over.
            return if id.0 <= self.last_id { Ok(Ending::Already) } else { Err(SessionError::Unknown) };
        };
        if session.is_canceling() || session.bye_after_ack.is_some() {
            return Ok(Ending::Already);
        }
        match (session.state, session.direction) {
            (SessionState::Calling, _) => {
                let heard = session.invite.is_some_and(|invite| self.invite_was_heard(invite));
                Ok(self.withdraw(now, id, headers, heard))
            }
            (SessionState::Ringing, Direction::Outbound) => Ok(self.withdraw(now, id, headers, true)),
            (SessionState::Ringing, Direction::Inbound) => {
                let status = StatusCode::DECLINE;
                self.respond(now, id, status, None, None, headers)?;
                Ok(Ending::Refused(status))
            }
            (SessionState::Answered, _) => {
                session.bye_after_ack = Some(headers);
                Ok(Ending::ByeAfterAck)
            }
            (SessionState::Established, _) => {
                if let Some(owed) = session.owed_ack.take() {
                    self.acknowledge_answer(id, owed, None);
                }
                self.send_bye(now, id, headers, (Party::Local, EndCause::Bye));
                Ok(Ending::Bye)
            }
            (SessionState::Ending | SessionState::Ended, _) => Ok(Ending::Already),
        }
    }

    fn invite_was_heard(&self, outgoing: u64) -> bool {
        let client = self.outgoing.get(&outgoing).and_then(|outgoing| outgoing.client);
        client.and_then(|client| self.transactions.client(client)).is_some_and(|client| client.was_heard())
    }

    fn withdraw(&mut self, now: Instant, id: SessionId, headers: NamedHeaders, heard: bool) -> Ending {
        let Some(session) = self.sessions.get_mut(&id) else { return Ending::Already };
        if !heard {
            session.cancel = Cancel::Wanted(headers);
            return Ending::CancelWhenHeard;
        }
        session.cancel = Cancel::Sent;
        let Some(outgoing) = session.invite else { return Ending::Already };
        self.cancel_invite(now, id, outgoing, &headers);
        Ending::Cancel
    }

    pub(crate) fn cancel_invite(
        &mut self,
        now: Instant,
        id: SessionId,
        outgoing: u64,
        headers: &NamedHeaders,
    ) {
        let client = self.outgoing.get(&outgoing).and_then(|outgoing| outgoing.client);
        let Some(client) = client.and_then(|client| self.transactions.client(client)) else { return };
        let (invite, flow) = (client.request.clone(), client.flow);
        self.send_cancel(now, &invite, flow, headers);
        self.arm(now, Deadline::Invite(id, InviteTimer::CancelLimit), self.config.timers.b);
    }

    /// §9.1: an INVITE without final response 64·T1 after its CANCEL counts as canceled.
    pub(crate) fn cancel_expired(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let outgoing = session.invite.take();
        self.end_session(now, id, Party::Local, EndCause::Cancel, None, None);
        let Some(outgoing) = outgoing else { return };
        let client = self.outgoing.get(&outgoing).and_then(|outgoing| outgoing.client);
        self.forget_outgoing(outgoing);
        if let Some(client) = client {
            self.transactions.drop_client(client);
        }
    }

    /// Sends BYE; `end` is reported when it is over.
    pub(crate) fn send_bye(
        &mut self,
        now: Instant,
        id: SessionId,
        headers: NamedHeaders,
        end: (Party, EndCause),
    ) {
        self.deadlines.stop_all(Deadline::of_session(id));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.state = SessionState::Ending;
        session.ending = Some(end);
        session.glare = false;
        session.answer = None;
        let pending = session.server.take();
        // The user knows of a hang-up or CANCEL; any other ending is news.
        if !matches!(end.1, EndCause::Bye | EndCause::Cancel) {
            self.session_event(id, SessionEvent::Ending { cause: end.1 });
        }
        let Some(dialogs) = self.dialogs_of_mut(id) else { return };
        let (cseq, credentials) = (dialogs.next_cseq(), dialogs.credentials.clone());
        let to_tag = Some(dialogs.local_tag.clone());
        let draft = self.dialog_of(id).and_then(|dialog| self.dialog_request(dialog, Method::Bye, headers));
        if let Some(server) = pending {
            self.answer(
                now,
                server,
                StatusCode::REQUEST_TERMINATED,
                None,
                Reply { to_tag, ..Reply::default() },
            );
        }
        match draft {
            Some((draft, destination)) => {
                self.send_request(now, Outgoing::new(User::Bye(id), draft, cseq, &destination, credentials));
            }
            None => self.bye_outcome(now, id, Err(RequestFailure::NoDestination)),
        }
    }

    pub(crate) fn bye_outcome(
        &mut self,
        now: Instant,
        id: SessionId,
        outcome: Result<&Message, RequestFailure>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (by, planned) = session.ending.take().unwrap_or((Party::Local, EndCause::Bye));
        let status = match planned {
            EndCause::DialogGone(status) => Some(status),
            EndCause::Bye
            | EndCause::Cancel
            | EndCause::Rejected(_)
            | EndCause::Timeout(_)
            | EndCause::TransportFailed
            | EndCause::Expired
            | EndCause::AckMissing
            | EndCause::Unsent(_) => outcome.ok().and_then(Message::status),
        };
        // The reason why BYE was sent says more than how the BYE itself fared, unless it was a plain hang-up.
        let cause = match (planned, outcome) {
            (EndCause::Bye, Err(RequestFailure::Timeout)) => EndCause::Timeout(TimerName::F),
            (EndCause::Bye, Err(RequestFailure::Transport)) => EndCause::TransportFailed,
            (EndCause::Bye, Err(failure @ (RequestFailure::NoDestination | RequestFailure::Unresolved))) => {
                EndCause::Unsent(failure)
            }
            (planned, _) => planned,
        };
        self.end_session(now, id, by, cause, status, None);
    }

    /// Takes a BYE (§15.1.2).
    pub(crate) fn receive_bye(
        &mut self,
        now: Instant,
        id: SessionId,
        server: u64,
        flow: Flow,
        bye: &Message,
    ) {
        self.note_ignored_body(flow, bye);
        self.answer(now, server, StatusCode::OK, None, Reply::default());
        let remote_tag = bye.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        if self.dialog_of(id).is_none() {
            // A callee must not do this before its 2xx was acknowledged; the INVITE itself is still open.
            if let Some(dialogs) = self.dialogs_of_mut(id) {
                dialogs.drop_early(&remote_tag);
            }
            self.anomaly(Anomaly::ByeInEarlyDialog, flow, bye.bytes());
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.is_over() {
            // Both sides hung up at once; the outcome of our own BYE ends the session.
            return;
        }
        let pending = session.server.take();
        let to_tag = self.local_tag_of(id);
        if let Some(server) = pending {
            self.answer(
                now,
                server,
                StatusCode::REQUEST_TERMINATED,
                None,
                Reply { to_tag, ..Reply::default() },
            );
        }
        let reason = bye.header(HeaderName::Reason).map(std::borrow::Cow::into_owned);
        self.end_session(now, id, Party::Remote, EndCause::Bye, None, reason);
    }

    /// Reports the end of a session, once, and forgets it when nothing refers to it any more.
    pub(crate) fn end_session(
        &mut self,
        now: Instant,
        id: SessionId,
        by: Party,
        cause: EndCause,
        status: Option<StatusCode>,
        reason_header: Option<String>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.state == SessionState::Ended {
            return;
        }
        session.state = SessionState::Ended;
        session.answer = None;
        session.glare = false;
        self.deadlines.stop_all(Deadline::of_session(id));
        self.outlive(now, id);
        self.session_event(id, SessionEvent::Ended { by, cause, status, reason_header });
        self.drop_finished(id);
    }

    /// Notes that something that referred to the session is gone.
    pub(crate) fn release_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.open = session.open.saturating_sub(1);
        }
        self.drop_finished(id);
    }

    fn drop_finished(&mut self, id: SessionId) {
        let session = self.sessions.get(&id);
        if !session.is_some_and(|session| session.state == SessionState::Ended && session.open == 0) {
            return;
        }
        if let Some(session) = self.sessions.remove(&id)
            && let Some(dialogs) = self.dialogs.get_mut(session.dialogs)
        {
            dialogs.end_session();
            self.dialogs.close_unused(session.dialogs);
        }
        self.wallet.forget(Owner::Session(id));
        self.deadlines.stop_all(Deadline::of_session(id));
    }
}
