//! Transfers: REFER (RFC 3515) carried out by the PBX, and INVITE with Replaces (RFC 3891).
//!
//! ```text
//! a ── PBX ── b        a: REFER c     PBX ── 202, NOTIFY 100 ──► a
//!                                     PBX ── INVITE ──► c … 180 ─► NOTIFY 180 ──► a
//! c answers:           b ◄─ re-INVITE ─ PBX        NOTIFY 200 ──► a, which sends BYE
//! c refuses:           a and b go on               NOTIFY 486 ──► a
//! ```

use std::time::Instant;

use offhook_sip::{
    dialog::DialogKey,
    message::{Message, Replaces, StatusCode},
    user_agent::{Body, IncomingId, SessionId},
};

use super::{
    Engine,
    description::resumed,
    dialplan::{self, Route},
    hunt::Purpose,
    leg::{After, Leg, Role},
};

impl Engine {
    /// Handles a REFER within a call.
    pub(super) fn referred(&mut self, now: Instant, by: SessionId, id: IncomingId, request: &Message) {
        let Some(&Role::Bridged { with }) = self.legs.get(&by).map(|leg| &leg.role) else {
            // There is nobody on the other side to transfer.
            return self.reply(now, id, StatusCode::DECLINE);
        };
        let Ok(Some(target)) = request.refer_to() else {
            return self.reply(now, id, StatusCode::BAD_REQUEST);
        };
        if self.hunts.contains_key(&with) {
            return self.reply(now, id, StatusCode::REQUEST_PENDING);
        }
        self.reply(now, id, StatusCode::ACCEPTED);
        self.notify(now, by, StatusCode::TRYING);
        let consulted = target.uri.header("Replaces").and_then(|text| text.parse::<Replaces>().ok());
        if let Some(replaces) = consulted {
            let Some(consultation) = self.find(&replaces) else {
                return self.notify(now, by, StatusCode::CALL_DOES_NOT_EXIST);
            };
            if let Some(&Role::Bridged { with: other }) = self.legs.get(&consultation).map(|leg| &leg.role) {
                self.leave(now, consultation, Vec::new());
                return self.transfer_answered(now, with, other, Some(by), After::Offer(other));
            }
        }
        let number = target.uri.user_decoded().unwrap_or_default().into_owned();
        self.transfer(now, with, by, &number);
    }

    fn find(&self, replaces: &Replaces) -> Option<SessionId> {
        let key = |local: &str, remote: &str| DialogKey {
            call_id: replaces.call_id.clone(),
            local_tag: local.to_owned(),
            remote_tag: remote.to_owned(),
        };
        let found = self.agent.session_with(&key(&replaces.to_tag, &replaces.from_tag));
        // Some phones write the tags as they see them themselves.
        found.or_else(|| self.agent.session_with(&key(&replaces.from_tag, &replaces.to_tag)))
    }

    fn transfer(&mut self, now: Instant, leg: SessionId, by: SessionId, number: &str) {
        let purpose = Purpose::Transfer { by: Some(by) };
        match dialplan::route(number, &self.users, &self.options.timing) {
            Route::Refused(status) => self.notify(now, by, status),
            Route::Phone { user, limit } => {
                let contacts = self.bindings.of(&user, now);
                if contacts.is_empty() {
                    self.notify(now, by, StatusCode::TEMPORARILY_UNAVAILABLE);
                } else {
                    self.hunt(now, leg, &contacts, limit, Vec::new(), purpose);
                }
            }
            Route::Robot(script) => {
                let status = self.robot_takes(now, leg, script);
                self.notify(now, by, status);
                if status.is_success() {
                    self.dismiss(now, by);
                }
            }
        }
    }

    /// Connects the transferred leg with the one that answered.
    ///
    /// `after` says whether the latter needs a re-INVITE too: it was offered either the leg's
    /// description or another's.
    pub(super) fn transfer_answered(
        &mut self,
        now: Instant,
        leg: SessionId,
        other: SessionId,
        by: Option<SessionId>,
        after: After,
    ) {
        self.tell_transferor(now, by, StatusCode::OK);
        if let Some(by) = by {
            self.dismiss(now, by);
        }
        for (one, two) in [(leg, other), (other, leg)] {
            if let Some(one) = self.legs.get_mut(&one) {
                one.role = Role::Bridged { with: two };
            }
        }
        self.connect(leg, other);
        // The leg may be on hold, and may have agreed on another codec with its former partner.
        let Some(offer) = self.legs.get(&other).and_then(|other| other.talk.received.as_ref().map(resumed))
        else {
            return;
        };
        let sent = self.write(leg, &offer).map(|body| self.offer(now, leg, body, after));
        if let Some(Err(error)) = sent {
            tracing::debug!(%error, "joined legs keep their first descriptions");
        }
    }

    /// Lets both sides go on as they were, or ends the one that is left.
    pub(super) fn transfer_failed(
        &mut self,
        now: Instant,
        leg: SessionId,
        by: Option<SessionId>,
        status: StatusCode,
    ) {
        self.tell_transferor(now, by, status);
        if by.is_none() {
            self.leave(now, leg, Vec::new());
        }
    }

    /// Notifies the transferor of the transfer's progress, if it is still there.
    pub(super) fn tell_transferor(&mut self, now: Instant, by: Option<SessionId>, status: StatusCode) {
        if let Some(by) = by {
            self.notify(now, by, status);
        }
    }

    fn notify(&mut self, now: Instant, to: SessionId, status: StatusCode) {
        let state = if status.is_final() { "terminated;reason=noresource" } else { "active;expires=60" };
        let line = format!("SIP/2.0 {} {}\r\n", status.code(), status.default_reason());
        let body = Body { content_type: "message/sipfrag;version=2.0".to_owned(), bytes: line.into_bytes() };
        if let Err(error) = self.agent.notify(now, to, "refer", state, Some(body)) {
            tracing::debug!(%error, "the transferor has gone");
        }
    }

    /// Gives a leg that has transferred its call time to hang up by itself.
    fn dismiss(&mut self, now: Instant, by: SessionId) {
        if let Some(leg) = self.legs.get_mut(&by) {
            leg.role = Role::Transferred;
            self.alarms.set(by, now + self.options.timing.transfer_linger);
        }
    }

    /// Lets a new leg take the place of `replaced` (RFC 3891 §3): the partner of `replaced` is
    /// offered the newcomer's description.
    pub(super) fn take_over(
        &mut self,
        now: Instant,
        id: SessionId,
        newcomer: Leg,
        replaced: SessionId,
    ) -> Result<(), StatusCode> {
        let Some(&Role::Bridged { with: partner }) = self.legs.get(&replaced).map(|leg| &leg.role) else {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        };
        let offer = newcomer.talk.received.clone().ok_or(StatusCode::NOT_ACCEPTABLE_HERE)?;
        let body = self.write(partner, &offer).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        self.offer(now, partner, body, After::Admit(id)).map_err(|_| StatusCode::REQUEST_PENDING)?;
        self.legs.insert(id, newcomer);
        Ok(())
    }

    /// Answers a leg that takes another's place, and ends the one replaced.
    pub(super) fn admitted(&mut self, now: Instant, partner: SessionId, newcomer: SessionId) {
        let Some(leg) = self.legs.get_mut(&partner) else { return };
        let role = std::mem::replace(&mut leg.role, Role::Bridged { with: newcomer });
        if !self.legs.contains_key(&newcomer) {
            // It canceled in the meantime; the old call goes on as it was.
            if let Some(leg) = self.legs.get_mut(&partner) {
                leg.role = role;
            }
            return;
        }
        if let Role::Bridged { with: replaced } = role {
            self.leave(now, replaced, Vec::new());
        }
        if let Some(leg) = self.legs.get_mut(&newcomer) {
            leg.role = Role::Bridged { with: partner };
        }
        self.connect(partner, newcomer);
        let body = self.describe(partner, newcomer);
        self.respond(now, newcomer, StatusCode::OK, body, Vec::new());
    }
}
