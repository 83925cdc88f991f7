//! One side of a call: a session, its media, and what it is there for.

use offhook_sip::{message::NameAddr, user_agent::SessionId};

use super::{description::Talk, robot::Robot};
use crate::lab::media::MediaLeg;

/// One dialog between the PBX and a phone.
pub(super) struct Leg {
    /// How the phone at the other end is shown to others.
    pub(super) party: NameAddr,
    /// Our ports towards it.
    pub(super) media: MediaLeg,
    /// What was described to and by it.
    pub(super) talk: Talk,
    /// What it is there for.
    pub(super) role: Role,
    /// What the answer to our open re-INVITE is for.
    pub(super) after: Option<After>,
    /// Its 2xx carried the offer, and the other side's ACK will bring the answer.
    pub(super) owed_answer: bool,
}

/// What a leg is there for.
pub(super) enum Role {
    /// Called a phone, which rings.
    Caller,
    /// Rings for the leg whose call it is.
    Branch { of: SessionId },
    /// Talks with another leg.
    Bridged { with: SessionId },
    /// Its partner has transferred it and left; the target rings.
    Waiting,
    /// Talks with a test number.
    Robot(Box<Robot>),
    /// Has transferred its call, and may hang up by itself.
    Transferred,
    /// Was told to end.
    Leaving,
}

/// What the answer to a re-INVITE of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It answers the re-INVITE of this leg.
    Answer(SessionId),
    /// It is offered to this leg, which gets a new partner too.
    Offer(SessionId),
    /// It completes what this leg was offered before.
    Join(SessionId),
    /// It is for the voice of a test number.
    Speak,
    /// It lets a new leg into the place of this leg's former partner.
    Admit(SessionId),
}

impl Leg {
    pub(super) fn new(party: NameAddr, media: MediaLeg, role: Role) -> Self {
        Self { party, media, talk: Talk::default(), role, after: None, owed_answer: false }
    }
}
