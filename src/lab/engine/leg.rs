//! One side of a call: a session, its media, and its role.

use offhook_sip::{message::NameAddr, user_agent::SessionId};

use super::{description::Talk, robot::Robot};
use crate::lab::media::MediaLeg;

/// One dialog between the PBX and a phone.
pub(super) struct Leg {
    /// How others see the phone at the other end.
    pub(super) party: NameAddr,
    /// Our media ports for it.
    pub(super) media: MediaLeg,
    /// The descriptions exchanged with it.
    pub(super) talk: Talk,
    /// Its role.
    pub(super) role: Role,
    /// What the answer to our pending re-INVITE is for.
    pub(super) after: Option<After>,
    /// Our 2xx carried the offer, and the ACK will carry the answer.
    pub(super) owed_answer: bool,
}

/// The role of a leg.
pub(super) enum Role {
    /// Has called a phone, which rings.
    Caller,
    /// Rings for this leg.
    Branch { of: SessionId },
    /// Talks to another leg.
    Bridged { with: SessionId },
    /// Its partner has transferred it and left; the target rings.
    Waiting,
    /// Talks to a test number.
    Robot(Box<Robot>),
    /// Has transferred its call, and may hang up by itself.
    Transferred,
    /// Has been told to end.
    Leaving,
}

/// What the answer to our re-INVITE is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It answers the re-INVITE of this leg.
    Answer(SessionId),
    /// It is offered to this leg, which gets a new partner too.
    Offer(SessionId),
    /// It completes the offer made to this leg before.
    Join(SessionId),
    /// It is for the voice of a test number.
    Speak,
    /// It admits a new leg in place of this leg's former partner.
    Admit(SessionId),
}

impl Leg {
    pub(super) fn new(party: NameAddr, media: MediaLeg, role: Role) -> Self {
        Self { party, media, talk: Talk::default(), role, after: None, owed_answer: false }
    }
}
