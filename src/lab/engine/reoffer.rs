//! Changes within a call: re-INVITEs passed through, and those with which the PBX connects legs
//! anew.

use std::time::Instant;

use offhook_media::sdp::SessionDescription;
use offhook_sip::{
    message::StatusCode,
    session::SessionError,
    user_agent::{Body, SessionId},
};

use super::{
    Engine,
    leg::{After, Role},
};

impl Engine {
    /// Handles a re-INVITE.
    pub(super) fn reoffered(&mut self, now: Instant, id: SessionId, offer: Option<&[u8]>) {
        let Some(leg) = self.legs.get(&id) else { return };
        let Some(offer) = offer else { return self.describe_again(now, id) };
        let Ok(offer) = SessionDescription::parse(offer) else {
            return self.respond(now, id, StatusCode::BAD_REQUEST, None, Vec::new());
        };
        match leg.role {
            Role::Robot(_) => self.robot_reoffered(now, id, &offer),
            Role::Bridged { with } => {
                let passed = self.write(with, &offer);
                let sent = passed.map(|body| self.offer(now, with, body, After::Answer(id)));
                match sent {
                    Some(Ok(())) => {
                        if let Some(leg) = self.legs.get_mut(&id) {
                            leg.talk.received = Some(offer);
                        }
                    }
                    Some(Err(SessionError::Pending)) => {
                        self.respond(now, id, StatusCode::REQUEST_PENDING, None, Vec::new());
                    }
                    Some(Err(_)) | None => {
                        self.respond(now, id, StatusCode::SERVER_INTERNAL_ERROR, None, Vec::new());
                    }
                }
            }
            Role::Caller | Role::Branch { .. } | Role::Waiting | Role::Transferred | Role::Leaving => {
                self.respond(now, id, StatusCode::REQUEST_PENDING, None, Vec::new());
            }
        }
    }

    /// Responds to a re-INVITE without an offer with what we last described; the ACK carries the
    /// answer.
    fn describe_again(&mut self, now: Instant, id: SessionId) {
        let again = self.described_again(id);
        let status = if again.is_some() { StatusCode::OK } else { StatusCode::SERVER_INTERNAL_ERROR };
        self.respond(now, id, status, again, Vec::new());
    }

    /// Returns what we last described to a leg.
    fn described_again(&mut self, id: SessionId) -> Option<Body> {
        let leg = self.legs.get_mut(&id)?;
        let sent = leg.talk.sent.clone()?;
        Some(leg.talk.write(sent, leg.media.address().ip(), leg.media.id()))
    }

    /// Sends a re-INVITE whose answer is for `after`.
    pub(super) fn offer(
        &mut self,
        now: Instant,
        to: SessionId,
        body: Body,
        after: After,
    ) -> Result<(), SessionError> {
        self.agent.reinvite(now, to, body)?;
        if let Some(leg) = self.legs.get_mut(&to) {
            leg.after = Some(after);
        }
        Ok(())
    }

    /// Handles the answer to our re-INVITE.
    pub(super) fn modified(&mut self, now: Instant, id: SessionId, answer: Option<&[u8]>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let after = leg.after.take();
        let Some(answer) = answer.and_then(|answer| SessionDescription::parse(answer).ok()) else {
            return self.modify_failed_after(now, id, after, StatusCode::NOT_ACCEPTABLE_HERE);
        };
        if after != Some(After::Speak) {
            leg.talk.received = Some(answer.clone());
        }
        match after {
            Some(After::Answer(asker)) => {
                self.connect(id, asker);
                let body = self.write(asker, &answer);
                self.respond(now, asker, StatusCode::OK, body, Vec::new());
            }
            Some(After::Offer(other)) => {
                self.connect(id, other);
                let sent =
                    self.write(other, &answer).map(|body| self.offer(now, other, body, After::Join(id)));
                if let Some(Err(error)) = sent {
                    tracing::debug!(%error, "joined legs keep their first descriptions");
                }
            }
            Some(After::Join(other)) => self.connect(id, other),
            Some(After::Speak) => self.robot_answered(now, id, &answer),
            Some(After::Admit(newcomer)) => self.admitted(now, id, newcomer),
            None => {}
        }
    }

    /// Offers again what we last described, after our re-INVITE crossed one of the leg's own.
    pub(super) fn offer_again(&mut self, now: Instant, id: SessionId) {
        let again = self.described_again(id).ok_or(SessionError::Unknown);
        if let Err(error) = again.and_then(|body| self.agent.reinvite(now, id, body)) {
            tracing::debug!(%error, "the leg cannot be offered anything now");
            self.modify_failed(now, id, Some(StatusCode::REQUEST_PENDING));
        }
    }

    /// Handles the refusal of our re-INVITE.
    pub(super) fn modify_failed(&mut self, now: Instant, id: SessionId, status: Option<StatusCode>) {
        let after = self.legs.get_mut(&id).and_then(|leg| leg.after.take());
        // A transport failure counts as 503 (RFC 3261 §8.1.3.1).
        self.modify_failed_after(now, id, after, status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE));
    }

    fn modify_failed_after(&mut self, now: Instant, id: SessionId, after: Option<After>, status: StatusCode) {
        match after {
            Some(After::Answer(asker)) => self.respond(now, asker, status, None, Vec::new()),
            // If the new description fails the call ends; it must not go on in silence.
            Some(After::Offer(other) | After::Join(other)) => {
                self.leave(now, id, Vec::new());
                self.leave(now, other, Vec::new());
            }
            Some(After::Speak) => self.leave(now, id, Vec::new()),
            Some(After::Admit(newcomer)) => self.respond(now, newcomer, status, None, Vec::new()),
            None => {}
        }
    }

    /// Responds to the re-INVITE of a leg whose partner left before it could be asked.
    pub(super) fn refuse_open_offer(&mut self, now: Instant, asker: SessionId, after: Option<After>) {
        if after == Some(After::Answer(asker)) {
            self.respond(now, asker, StatusCode::REQUEST_TERMINATED, None, Vec::new());
        }
    }
}
