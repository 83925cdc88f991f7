//! The call's side of a conference: it tells what its other side takes part in, appends where it
//! sits, then connects its sound.

use super::{
    super::{actor::Shell, sounding::Sounding},
    Conferences, Participant, Seated,
};
use crate::{
    call::CallMessage,
    event::{CallPhase, Cause, MediaEvent},
    id::{CallId, Seq},
    media::BridgeHandle,
};

/// What a call knows of conferences.
#[derive(Debug)]
pub(in crate::call) struct Membership {
    participant: Participant,
    /// The newest fact that changed what its other side takes part in, while that is not told.
    untold: Option<Seq>,
    /// Where its sound goes. A mix lasts until each of its calls has left it, after the fact.
    mix: Option<BridgeHandle>,
}

impl Membership {
    pub(in crate::call) fn new(
        conferences: &Conferences,
        call: CallId,
        actor: ractor::ActorRef<CallMessage>,
    ) -> Self {
        Self { participant: conferences.enter(call, actor), untold: None, mix: None }
    }

    /// Notes that a fact changed what the other side takes part in.
    pub(in crate::call) const fn changed_by(&mut self, fact: Seq) {
        self.untold = Some(fact);
    }
}

impl Shell {
    /// Connects the sound to a mix, or takes it out of the one that it is in.
    pub(in crate::call) fn mix(&mut self, mix: Option<BridgeHandle>) {
        match &mix {
            Some(bridge) => bridge.join(&self.media.leg),
            None => BridgeHandle::leave(&self.media.leg),
        }
        self.membership.mix = mix;
    }

    /// Tells the conferences what the other side of this call takes part in, if that has changed.
    pub(in crate::call) fn tell_audio(&mut self) {
        if let Some(seq) = self.membership.untold.take() {
            self.membership.participant.set_audio(self.state.audio(), &Cause::Event { seq });
        }
    }

    /// Takes a place in a conference, or leaves the one it was in; returns whether it has the place
    /// now.
    pub(in crate::call) fn seated(&mut self, seated: Option<Seated>, cause: &Cause) -> bool {
        if self.is_leaving() || self.state.phase == CallPhase::Ended {
            return false;
        }
        // Its end was decided meanwhile.
        if seated.is_some() && self.state.audio().is_none() {
            return false;
        }
        let takes_part = seated.is_some();
        let epoch = self.state.epoch;
        let (fact, bridge) = match (self.state.confers, seated) {
            (false, None) => return false,
            (true, None) => (MediaEvent::ConferenceLeft { epoch }, None),
            (confers, Some(Seated { seat, bridge })) => {
                let (members, hears, heard_by) = (seat.members, seat.hears, seat.heard_by);
                let fact = match confers {
                    false => MediaEvent::ConferenceJoined { members, hears, heard_by, epoch },
                    true => MediaEvent::ConferenceChanged { members, hears, heard_by, epoch },
                };
                (fact, bridge)
            }
        };
        self.append(fact, cause);
        self.sound(Sounding::Mixed(bridge));
        takes_part
    }

    /// Leaves the conference because the call is over.
    pub(in crate::call) fn leave_conference(&mut self, cause: &Cause) {
        if self.state.confers {
            self.append(MediaEvent::ConferenceLeft { epoch: self.state.epoch }, cause);
            self.mix(None);
        }
        self.membership.participant.set_audio(None, cause);
    }
}
