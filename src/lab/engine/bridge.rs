//! Two legs that form one call: connecting them, a late answer, and the end of either.

use std::time::Instant;

use offhook_media::sdp::SessionDescription;
use offhook_sip::{
    message::{HeaderName, StatusCode},
    user_agent::{Body, SessionId},
};

use super::{
    Engine,
    description::{target, through},
    hunt::Purpose,
    leg::{After, Role},
};

impl Engine {
    /// Lets media flow between two legs, to each of them that has sent a description.
    pub(super) fn connect(&self, one: SessionId, two: SessionId) {
        let (Some(one), Some(two)) = (self.legs.get(&one), self.legs.get(&two)) else { return };
        for leg in [one, two] {
            leg.media.aim(leg.talk.received.as_ref().map(target).unwrap_or_default());
        }
        one.media.relay(&two.media);
    }

    /// Returns what `from` has described, as a description for `to`.
    pub(super) fn describe(&mut self, from: SessionId, to: SessionId) -> Option<Body> {
        let received = self.legs.get(&from)?.talk.received.clone()?;
        self.write(to, &received)
    }

    /// Returns `description` as one for `to`, with our address.
    pub(super) fn write(&mut self, to: SessionId, description: &SessionDescription) -> Option<Body> {
        let leg = self.legs.get_mut(&to)?;
        let address = leg.media.address();
        Some(leg.talk.write(through(description, address), address.ip(), leg.media.id()))
    }

    /// Connects a caller with the phone that answered.
    pub(super) fn call_answered(&mut self, now: Instant, caller: SessionId, callee: SessionId) {
        let body = self.describe(callee, caller);
        if let Some(leg) = self.legs.get_mut(&caller) {
            leg.role = Role::Bridged { with: callee };
            // The caller left the offer to the callee: its ACK will carry the answer.
            let late = leg.talk.received.is_none();
            if let Some(callee) = self.legs.get_mut(&callee) {
                callee.owed_answer = late;
            }
        }
        self.connect(caller, callee);
        self.respond(now, caller, StatusCode::OK, body, Vec::new());
    }

    /// Handles the ACK of a 2xx of ours.
    pub(super) fn acknowledged(&mut self, now: Instant, id: SessionId, sdp: Option<&[u8]>) {
        let Some(answer) = sdp.and_then(|sdp| SessionDescription::parse(sdp).ok()) else {
            return self.unanswered(now, id);
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match leg.role {
            Role::Robot(_) => self.robot_answered(now, id, &answer),
            Role::Bridged { with } => {
                leg.talk.received = Some(answer);
                let owed = self.legs.get(&with).is_some_and(|peer| peer.owed_answer);
                self.connect(id, with);
                if owed && let Some(body) = self.describe(id, with) {
                    if let Some(peer) = self.legs.get_mut(&with) {
                        peer.owed_answer = false;
                    }
                    if let Err(error) = self.agent.acknowledge(now, with, body) {
                        tracing::debug!(%error, "late answer could not be passed on");
                    }
                }
            }
            Role::Caller | Role::Branch { .. } | Role::Waiting | Role::Transferred | Role::Leaving => {}
        }
    }

    /// Ends a call whose answer never came: our 2xx carried the offer, and the ACK was empty.
    fn unanswered(&mut self, now: Instant, id: SessionId) {
        let Some(Role::Bridged { with }) = self.legs.get(&id).map(|leg| &leg.role) else { return };
        let with = *with;
        if self.legs.get(&with).is_some_and(|peer| peer.owed_answer) {
            self.leave(now, id, Vec::new());
            self.leave(now, with, Vec::new());
        }
    }

    /// Forgets a leg that is over, and ends what depends on it.
    pub(super) fn ended(&mut self, now: Instant, id: SessionId, reason: Option<String>) {
        self.teller.ended(id);
        let purpose = self.abandon(now, id);
        let Some(leg) = self.legs.remove(&id) else { return };
        self.alarms.clear(id);
        self.voices.remove(&leg.media.id());
        self.pass_on_no_more(now, id);
        if let Some(After::Admit(newcomer)) = leg.after {
            self.respond(now, newcomer, StatusCode::CALL_DOES_NOT_EXIST, None, Vec::new());
        }
        if let Some(Purpose::Transfer { by }) = purpose {
            // The leg to be transferred is gone.
            self.tell_transferor(now, by, StatusCode::REQUEST_TERMINATED);
        }
        let headers = reason.map(|reason| (HeaderName::Reason, reason)).into_iter().collect();
        match leg.role {
            Role::Branch { of } => self.branch_ended(now, of, id),
            Role::Bridged { with } if !self.survives(with, id) => {
                self.refuse_open_offer(now, with, leg.after);
                self.leave(now, with, headers);
            }
            Role::Bridged { .. }
            | Role::Caller
            | Role::Waiting
            | Role::Robot(_)
            | Role::Transferred
            | Role::Leaving => {}
        }
    }

    /// Returns whether `leg` is being transferred by its partner `gone`, which may leave before
    /// that is done.
    fn survives(&mut self, leg: SessionId, gone: SessionId) -> bool {
        let Some(hunt) = self.hunts.get_mut(&leg) else { return false };
        if hunt.purpose() != (Purpose::Transfer { by: Some(gone) }) {
            return false;
        }
        hunt.set_purpose(Purpose::Transfer { by: None });
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.role = Role::Waiting;
        }
        true
    }
}
