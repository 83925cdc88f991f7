//! Changing a session: our re-INVITE and its outcomes, glare included. RFC 3261 §14.1.

use super::{Answered, Direction, EndCause, InviteTimer, Party, SessionError, SessionEvent, SessionState};
use crate::message::{Message, Method, StatusCode};
use crate::transaction::TimerName;
use crate::user_agent::{Body, Deadline, Outgoing, RequestFailure, SessionId, User, UserAgent};
use std::time::{Duration, Instant};

impl UserAgent {
    /// Sends a re-INVITE with an offer. After 491 it is up to the caller to offer again, at
    /// [`SessionEvent::GlareOver`].
    ///
    /// # Errors
    /// When the session is not established, another INVITE or an ACK is pending in it, or glare has not passed.
    pub fn reinvite(&mut self, now: Instant, id: SessionId, offer: Body) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let state = session.state;
        let pending = session.server.is_some()
            || session.reinvite.is_some()
            || session.answer.is_some()
            || session.owed_ack.is_some()
            || session.glare;
        if state == SessionState::Answered || pending {
            return Err(SessionError::Pending);
        }
        if state != SessionState::Established {
            return Err(SessionError::WrongState { state });
        }
        self.send_reinvite(now, id, offer)
    }

    fn send_reinvite(&mut self, now: Instant, id: SessionId, offer: Body) -> Result<(), SessionError> {
        let mut headers = Vec::new();
        self.push_capabilities(&mut headers);
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        session.offerless = false;
        let dialog = self.dialog_of(id).ok_or(SessionError::Unroutable)?;
        let (mut draft, destination) =
            self.dialog_request(dialog, Method::Invite, headers).ok_or(SessionError::Unroutable)?;
        draft.body = Some(offer);
        let dialogs = self.dialogs_of_mut(id).ok_or(SessionError::Unknown)?;
        let (cseq, credentials) = (dialogs.next_cseq(), dialogs.credentials.clone());
        let outgoing = Outgoing::new(User::Reinvite(id), draft, cseq, &destination, credentials);
        let outgoing = self.send_request(now, outgoing);
        if let Some(session) = self.sessions.get_mut(&id)
            && self.outgoing.contains_key(&outgoing)
        {
            session.reinvite = Some(outgoing);
        }
        Ok(())
    }

    pub(crate) fn reinvite_outcome(
        &mut self,
        now: Instant,
        id: SessionId,
        outgoing: u64,
        outcome: Result<&Message, RequestFailure>,
    ) {
        match outcome {
            Ok(response) if response.status().is_some_and(StatusCode::is_success) => {
                self.reinvite_accepted(id, outgoing, response);
            }
            Ok(response) => self.reinvite_refused(now, id, response),
            Err(RequestFailure::Transport) => self.reinvite_undelivered(id),
            Err(RequestFailure::Timeout) => {
                self.lose_after_reinvite(now, id, EndCause::Timeout(TimerName::B));
            }
            Err(failure @ (RequestFailure::NoDestination | RequestFailure::Unresolved)) => {
                self.lose_after_reinvite(now, id, EndCause::Unsent(failure));
            }
        }
    }

    /// §8.1.3.1: counts as a 503, which says nothing about the dialog (§14.1). The peer may be back
    /// in a moment.
    fn reinvite_undelivered(&mut self, id: SessionId) {
        self.clear_reinvite(id);
        if self.sessions.get(&id).is_some_and(|session| session.is_established()) {
            let reason = RequestFailure::Transport.to_string();
            self.session_event(id, SessionEvent::ModifyFailed { status: None, reason });
        }
    }

    fn lose_after_reinvite(&mut self, now: Instant, id: SessionId, cause: EndCause) {
        self.clear_reinvite(id);
        self.lose_dialog(now, id, cause, Party::Local);
    }

    fn reinvite_accepted(&mut self, id: SessionId, outgoing: u64, response: &Message) {
        let Some(sent) = self.outgoing.get(&outgoing) else { return };
        let answered = Answered { outgoing, cseq: sent.cseq, credentials: sent.sent_credentials.clone() };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.reinvite != Some(outgoing) {
            // A repeat, perhaps while a later re-INVITE is open: it is acknowledged again and changes nothing.
            self.repeat_ack(id, outgoing, response);
            return;
        }
        session.reinvite = None;
        let alive = session.is_established();
        self.refresh_target(id, response);
        self.acknowledge_answer(id, answered, None);
        if alive {
            let answer = response.sdp().map(<[u8]>::to_vec);
            self.session_event(id, SessionEvent::Modified { message: response.clone(), answer });
        }
    }

    fn reinvite_refused(&mut self, now: Instant, id: SessionId, response: &Message) {
        let Some(status) = response.status() else { return };
        self.clear_reinvite(id);
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.is_established()) else {
            return;
        };
        match status {
            StatusCode::REQUEST_PENDING => {
                // §14.1: the side that made the Call-ID waits longer, so that the two do not
                // collide again.
                let (from, to) = match session.direction {
                    Direction::Outbound => (Duration::from_millis(2_100), Duration::from_secs(4)),
                    Direction::Inbound => (Duration::ZERO, Duration::from_secs(2)),
                };
                session.glare = true;
                let retry_in = self.ids.between(from, to);
                self.arm(now, Deadline::Invite(id, InviteTimer::Glare), retry_in);
                self.session_event(id, SessionEvent::Glare { retry_in });
            }
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                self.lose_dialog(now, id, EndCause::DialogGone(status), Party::Remote);
            }
            _ => {
                let reason = super::place::phrase(response);
                self.session_event(id, SessionEvent::ModifyFailed { status: Some(status), reason });
            }
        }
    }

    pub(crate) fn glare_over(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.glare) else { return };
        if session.server.is_some() || session.answer.is_some() {
            // The peer's own re-INVITE is still open; wait a little longer.
            self.arm(now, Deadline::Invite(id, InviteTimer::Glare), self.config.timers.t1);
            return;
        }
        session.glare = false;
        self.session_event(id, SessionEvent::GlareOver);
    }

    fn clear_reinvite(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.reinvite = None;
        }
    }

    /// §12.2.1.2: a request that times out in a dialog, or finds it gone, ends it with a BYE that may or may not arrive.
    pub(crate) fn lose_dialog(&mut self, now: Instant, id: SessionId, cause: EndCause, by: Party) {
        if self.sessions.get(&id).is_some_and(|session| session.is_established()) {
            self.send_bye(now, id, Vec::new(), (by, cause));
        }
    }
}
