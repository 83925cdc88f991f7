//! Ringing phones for somebody: several contacts at once, one answer, and what becomes of the rest.

use std::time::{Duration, Instant};

use offhook_media::sdp::SessionDescription;
use offhook_sip::{
    message::{NameAddr, StatusCode},
    session::Invite,
    user_agent::{NamedHeaders, SessionId},
};

use super::{
    Engine,
    bindings::Binding,
    description::{resumed, through},
    leg::{After, Leg, Role},
};

/// Phones that ring for one leg.
pub(super) struct Hunt {
    branches: Vec<SessionId>,
    purpose: Purpose,
    /// The refusal to pass on if nobody answers.
    best: Option<Refusal>,
}

/// A phone's refusal: status and reason phrase.
type Refusal = (StatusCode, String);

/// What the phones ring for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A caller, who waits for the answer to its INVITE.
    Call,
    /// A leg that its partner is transferring; the partner is notified, unless it has left.
    Transfer { by: Option<SessionId> },
}

impl Hunt {
    pub(super) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(super) const fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }
}

impl Engine {
    /// Rings `contacts` for the leg `of`.
    pub(super) fn hunt(
        &mut self,
        now: Instant,
        of: SessionId,
        contacts: &[Binding],
        limit: Duration,
        headers: NamedHeaders,
        purpose: Purpose,
    ) {
        let Some(leg) = self.legs.get(&of) else { return };
        let party = leg.party.clone();
        let offer = match purpose {
            Purpose::Call => leg.talk.received.clone(),
            Purpose::Transfer { .. } => leg.talk.received.as_ref().map(resumed),
        };
        let mut branches = Vec::new();
        for contact in contacts {
            branches.extend(self.ring(now, of, &party, contact, offer.as_ref(), headers.clone()));
        }
        let hopeless = branches.is_empty();
        self.hunts.insert(of, Hunt { branches, purpose, best: None });
        if hopeless {
            self.hunt_failed(now, of, plain(StatusCode::SERVICE_UNAVAILABLE));
        } else {
            self.alarms.set(of, now + limit);
        }
    }

    fn ring(
        &mut self,
        now: Instant,
        of: SessionId,
        party: &NameAddr,
        contact: &Binding,
        offer: Option<&SessionDescription>,
        headers: NamedHeaders,
    ) -> Option<SessionId> {
        let destination = contact.destination();
        let (_, peer) = *destination.candidates.first()?;
        let media = self.open_media(peer)?;
        let callee = self.number(contact.uri.user().unwrap_or_default());
        let mut leg = Leg::new(callee, media, Role::Branch { of });
        let address = leg.media.address();
        let mut invite = Invite::new(contact.uri.clone(), party.clone(), destination);
        invite.body =
            offer.map(|offer| leg.talk.write(through(offer, address), address.ip(), leg.media.id()));
        invite.headers = headers;
        let id = self.agent.invite(now, invite);
        self.legs.insert(id, leg);
        Some(id)
    }

    /// Handles a provisional response from a branch.
    pub(super) fn branch_rings(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        reason: &str,
        sdp: Option<&[u8]>,
    ) {
        let Some(Role::Branch { of }) = self.legs.get(&id).map(|leg| &leg.role) else { return };
        let of = *of;
        let Some(hunt) = self.hunts.get(&of) else { return };
        let (alone, purpose) = (hunt.branches.len() == 1, hunt.purpose);
        match purpose {
            Purpose::Call => {
                // Early media only if a single phone rings: several would talk over each other.
                let early = sdp.filter(|_| alone).and_then(|sdp| SessionDescription::parse(sdp).ok());
                let body = early.and_then(|early| {
                    self.legs.get_mut(&id)?.talk.received = Some(early);
                    self.connect(of, id);
                    self.describe(id, of)
                });
                self.respond_as(now, of, (status, Some(reason)), body, Vec::new());
            }
            Purpose::Transfer { by } => self.tell_transferor(now, by, status),
        }
    }

    /// Handles a 2xx from a branch.
    pub(super) fn branch_answered(&mut self, now: Instant, id: SessionId, sdp: Option<&[u8]>) {
        let role = self.legs.get(&id).map(|leg| &leg.role);
        let Some(&Role::Branch { of }) = role else { return };
        let Some(hunt) = self.hunts.remove(&of) else { return self.leave(now, id, Vec::new()) };
        self.alarms.clear(of);
        for other in hunt.branches.into_iter().filter(|branch| *branch != id) {
            self.leave(now, other, Vec::new());
        }
        let Some(answer) = sdp.and_then(|sdp| SessionDescription::parse(sdp).ok()) else {
            // An answer without a session description cannot be bridged.
            self.leave(now, id, Vec::new());
            return self.failed(now, of, hunt.purpose, &plain(StatusCode::NOT_ACCEPTABLE_HERE));
        };
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.talk.received = Some(answer);
            leg.role = Role::Bridged { with: of };
        }
        match hunt.purpose {
            Purpose::Call => self.call_answered(now, of, id),
            Purpose::Transfer { by } => self.transfer_answered(now, of, id, by, After::Join(id)),
        }
    }

    /// Notes the refusal of a branch; its `Ended` follows.
    pub(super) fn branch_refused(&mut self, _now: Instant, id: SessionId, status: StatusCode, reason: &str) {
        let Some(Role::Branch { of }) = self.legs.get(&id).map(|leg| &leg.role) else { return };
        if let Some(hunt) = self.hunts.get_mut(of) {
            let refusal = told(status, reason);
            let better = hunt.best.as_ref().is_none_or(|best| rank(refusal.0) < rank(best.0));
            if better {
                hunt.best = Some(refusal);
            }
        }
    }

    /// Forgets a branch that is over; the hunt fails with its last branch.
    pub(super) fn branch_ended(&mut self, now: Instant, of: SessionId, id: SessionId) {
        let Some(hunt) = self.hunts.get_mut(&of) else { return };
        hunt.branches.retain(|branch| *branch != id);
        if hunt.branches.is_empty() {
            let refusal = hunt.best.take().unwrap_or_else(|| plain(StatusCode::TEMPORARILY_UNAVAILABLE));
            self.hunt_failed(now, of, refusal);
        }
    }

    /// Gives up: nobody answered in time.
    pub(super) fn hunt_over(&mut self, now: Instant, of: SessionId) {
        self.hunt_failed(now, of, plain(StatusCode::TEMPORARILY_UNAVAILABLE));
    }

    fn hunt_failed(&mut self, now: Instant, of: SessionId, refusal: Refusal) {
        let Some(purpose) = self.abandon(now, of) else { return };
        self.failed(now, of, purpose, &refusal);
    }

    fn failed(&mut self, now: Instant, of: SessionId, purpose: Purpose, (status, reason): &Refusal) {
        match purpose {
            Purpose::Call => self.respond_as(now, of, (*status, Some(reason)), None, Vec::new()),
            Purpose::Transfer { by } => self.transfer_failed(now, of, by, *status),
        }
    }

    /// Stops ringing for a leg.
    pub(super) fn abandon(&mut self, now: Instant, of: SessionId) -> Option<Purpose> {
        let hunt = self.hunts.remove(&of)?;
        self.alarms.clear(of);
        for branch in hunt.branches {
            self.leave(now, branch, Vec::new());
        }
        Some(hunt.purpose)
    }
}

fn plain(status: StatusCode) -> Refusal {
    (status, status.default_reason().to_owned())
}

/// Returns what the caller is told about a phone's refusal: the same, unless only we could act on
/// it.
fn told(status: StatusCode, reason: &str) -> Refusal {
    match status.code() {
        // The phone's challenge or redirection is for us, and we follow neither.
        401 | 407 => plain(StatusCode::FORBIDDEN),
        300..=399 => plain(StatusCode::TEMPORARILY_UNAVAILABLE),
        _ => (status, reason.to_owned()),
    }
}

/// Returns how much a refusal tells the caller, best first: the callee's own decision comes before
/// "not there".
fn rank(status: StatusCode) -> u8 {
    match status.code() {
        600.. => 0,
        486 => 1,
        408 | 480 | 487 | 500..600 => 3,
        _ => 2,
    }
}
