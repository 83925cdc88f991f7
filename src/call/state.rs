//! What is true of a call, and what a command would cause: decide and apply, nothing else.
//!
//! Commands are checked here and become facts; the actor performs them afterwards.

use crate::{
    command::{CallCommand, Code, Rejection, Sound},
    event::{CallEvent, Change, DigitMethod, Direction, Event, MediaEvent, Party},
};

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Outbound, nobody has answered or rung.
    Calling,
    /// Inbound, we have said nothing yet.
    Incoming,
    /// Ringing, either direction.
    Early,
    /// A 2xx crossed; the ACK has not.
    Answered,
    /// Complete.
    Established,
    /// We asked for the end and wait for it.
    Ending,
    /// Over.
    Ended,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Incoming => "incoming",
            Self::Early => "ringing",
            Self::Answered => "answered",
            Self::Established => "established",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }

    /// Returns the actions that make sense now, as tool names.
    const fn legal(self, direction: Direction) -> &'static [&'static str] {
        match (self, direction) {
            (Self::Incoming | Self::Early, Direction::Inbound) => &["answer_call", "reject_call", "hangup"],
            (Self::Calling | Self::Early | Self::Answered | Self::Incoming, _) => &["hangup"],
            (Self::Established, _) => &[
                "hangup",
                "hold",
                "unhold",
                "send_dtmf",
                "blind_transfer",
                "attended_transfer",
                "play_audio",
                "stop_audio",
            ],
            (Self::Ending | Self::Ended, _) => &[],
        }
    }
}

/// The fold of one call's facts that decisions need.
#[derive(Clone, Debug)]
pub(crate) struct CallState {
    pub(crate) direction: Direction,
    pub(crate) phase: Phase,
    /// Whether our side holds the other.
    pub(crate) held_locally: bool,
    /// Whether the other side holds us.
    pub(crate) held_remotely: bool,
    /// What is playing, as asked for.
    pub(crate) playing: Option<String>,
    /// What a re-INVITE of ours is changing.
    pub(crate) changing: Option<Change>,
    /// Number of the offer and answer that media follows.
    pub(crate) epoch: u32,
    /// Whether a session description was agreed.
    pub(crate) media: bool,
}

impl CallState {
    pub(crate) const fn new(direction: Direction) -> Self {
        let phase = match direction {
            Direction::Inbound => Phase::Incoming,
            Direction::Outbound => Phase::Calling,
        };
        Self {
            direction,
            phase,
            held_locally: false,
            held_remotely: false,
            playing: None,
            changing: None,
            epoch: 0,
            media: false,
        }
    }

    /// Decides what a command causes; changes nothing.
    pub(crate) fn decide(&self, command: &CallCommand) -> Result<Vec<Event>, Rejection> {
        match command {
            CallCommand::Answer { status } => self.decide_answer(*status),
            CallCommand::Reject { status } => self.decide_reject(*status),
            CallCommand::HangUp => Ok(match self.phase {
                Phase::Ended | Phase::Ending => vec![],
                Phase::Calling | Phase::Incoming | Phase::Early | Phase::Answered | Phase::Established => {
                    vec![CallEvent::Ending {}.into()]
                }
            }),
            CallCommand::Hold => self.decide_change(Change::Hold),
            CallCommand::Resume => self.decide_change(Change::Resume),
            CallCommand::SetCodecs { .. } => self.decide_change(Change::Codecs),
            CallCommand::SendDigits { digits, .. } => self.decide_digits(digits),
            CallCommand::Transfer { to } => self.decide_transfer(to.clone()),
            CallCommand::AttendedTransfer { target } => {
                self.decide_transfer(target.map(|target| target.to_string()).unwrap_or_default())
            }
            CallCommand::Play { sound, repeat } => {
                self.with_media()?;
                Ok(vec![
                    MediaEvent::PlaybackStarted {
                        source: sound_name(sound),
                        repeat: *repeat,
                        epoch: self.epoch,
                    }
                    .into(),
                ])
            }
            CallCommand::StopPlaying => Ok(match &self.playing {
                Some(source) => {
                    vec![MediaEvent::PlaybackFinished { source: source.clone(), epoch: self.epoch }.into()]
                }
                None => vec![],
            }),
            // The file name is the actor's to choose, so it appends the fact itself.
            CallCommand::Record { .. } => match self.phase {
                Phase::Ended | Phase::Ending => Err(self.wrong_state("be changed")),
                Phase::Calling | Phase::Incoming | Phase::Early | Phase::Answered | Phase::Established => {
                    Ok(vec![])
                }
            },
        }
    }

    fn decide_answer(&self, status: u16) -> Result<Vec<Event>, Rejection> {
        let ringing =
            matches!((self.direction, self.phase), (Direction::Inbound, Phase::Incoming | Phase::Early));
        if !ringing {
            return Err(self.wrong_state("be answered"));
        }
        let reason = reason_phrase(status).to_owned();
        match status {
            100 => Ok(vec![CallEvent::Trying {}.into()]),
            101..=199 => Ok(vec![CallEvent::Ringing { status, reason, early_media: status == 183 }.into()]),
            200..=299 => Ok(vec![CallEvent::Answered { by: Party::Local, status, reason }.into()]),
            300..=699 => self.decide_reject(status),
            _ => Err(Rejection::new(
                Code::InvalidArgument,
                format!(
                    "status {status} does not exist: give 180 to ring, 200 to answer, 300 to 699 to refuse"
                ),
            )),
        }
    }

    fn decide_reject(&self, status: u16) -> Result<Vec<Event>, Rejection> {
        match (self.direction, self.phase) {
            (Direction::Inbound, Phase::Incoming | Phase::Early) if (300..=699).contains(&status) => {
                Ok(vec![CallEvent::Ending {}.into()])
            }
            (Direction::Inbound, Phase::Incoming | Phase::Early) => Err(Rejection::new(
                Code::InvalidArgument,
                format!("status {status} does not refuse a call: give 300 to 699, such as 486"),
            )),
            (_, _) => Err(self.wrong_state("be rejected")),
        }
    }

    fn decide_transfer(&self, to: String) -> Result<Vec<Event>, Rejection> {
        self.established("be transferred")?;
        Ok(vec![CallEvent::TransferRequested { by: Party::Local, to }.into()])
    }

    fn decide_change(&self, change: Change) -> Result<Vec<Event>, Rejection> {
        self.established(match change {
            Change::Hold => "be held",
            Change::Resume => "be resumed",
            Change::Codecs => "be changed",
        })?;
        let done = match change {
            Change::Hold => self.held_locally,
            Change::Resume => !self.held_locally,
            Change::Codecs => false,
        };
        match self.changing {
            _ if done => Ok(vec![]),
            None => Ok(vec![CallEvent::Modifying { change }.into()]),
            Some(_) => Err(Rejection::new(
                Code::WrongState,
                "another change of this call waits for its answer: try again when call.modified or \
                 call.modify_failed has come",
            )),
        }
    }

    fn decide_digits(&self, digits: &str) -> Result<Vec<Event>, Rejection> {
        self.with_media()?;
        let digits = digits.to_ascii_uppercase();
        if digits.is_empty() || !digits.chars().all(|d| matches!(d, '0'..='9' | '*' | '#' | 'A'..='D')) {
            return Err(Rejection::new(
                Code::InvalidArgument,
                format!("'{digits}' holds something that is no digit: use 0-9 * # A-D"),
            ));
        }
        Ok(vec![MediaEvent::DigitsSent { digits, method: DigitMethod::Rfc4733, epoch: self.epoch }.into()])
    }

    fn established(&self, what: &str) -> Result<(), Rejection> {
        match self.phase {
            Phase::Established => Ok(()),
            Phase::Calling
            | Phase::Incoming
            | Phase::Early
            | Phase::Answered
            | Phase::Ending
            | Phase::Ended => Err(self.wrong_state(what)),
        }
    }

    fn with_media(&self) -> Result<(), Rejection> {
        if self.media && !matches!(self.phase, Phase::Ending | Phase::Ended) {
            return Ok(());
        }
        // The words are the ones users of per-phone tools know.
        let legal = self.phase.legal(self.direction);
        Err(Rejection::new(Code::WrongState, "Call has no active audio media").or_try(legal))
    }

    fn wrong_state(&self, what: &str) -> Rejection {
        let direction = match self.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        };
        Rejection::new(
            Code::WrongState,
            format!("the {direction} call is {} and cannot {what}", self.phase.name()),
        )
        .or_try(self.phase.legal(self.direction))
    }

    /// Folds one fact; never fails, never acts.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Call(event) => self.apply_call(event),
            Event::Media(event) => self.apply_media(event),
            Event::Phone(_) | Event::Sip(_) | Event::Run(_) | Event::System(_) => {}
        }
    }

    fn apply_call(&mut self, event: &CallEvent) {
        match event {
            CallEvent::Ringing { .. } => self.advance(Phase::Early),
            CallEvent::Answered { .. } => self.advance(Phase::Answered),
            CallEvent::Established { .. } => self.advance(Phase::Established),
            CallEvent::Ending {} => self.advance(Phase::Ending),
            CallEvent::Ended { .. } | CallEvent::Crashed { .. } => self.phase = Phase::Ended,
            CallEvent::Held { by: Party::Local } => self.held_locally = true,
            CallEvent::Held { by: Party::Remote } => self.held_remotely = true,
            CallEvent::Resumed { by: Party::Local } => self.held_locally = false,
            CallEvent::Resumed { by: Party::Remote } => self.held_remotely = false,
            CallEvent::Modifying { change } => self.changing = Some(*change),
            CallEvent::Modified { by, epoch, .. } => {
                self.epoch = *epoch;
                if *by == Party::Local {
                    self.changing = None;
                }
            }
            CallEvent::ModifyFailed { .. } => self.changing = None,
            CallEvent::Placed { .. }
            | CallEvent::Incoming { .. }
            | CallEvent::Trying {}
            | CallEvent::Dialog { .. }
            | CallEvent::TransferRequested { .. }
            | CallEvent::TransferProgress { .. } => {}
        }
    }

    /// Moves forward only: a late 180 after the answer changes nothing.
    fn advance(&mut self, to: Phase) {
        let rank = |phase: Phase| match phase {
            Phase::Calling | Phase::Incoming => 0,
            Phase::Early => 1,
            Phase::Answered => 2,
            Phase::Established => 3,
            Phase::Ending => 4,
            Phase::Ended => 5,
        };
        if rank(to) > rank(self.phase) {
            self.phase = to;
        }
    }

    fn apply_media(&mut self, event: &MediaEvent) {
        match event {
            MediaEvent::Started { epoch, .. } => (self.media, self.epoch) = (true, *epoch),
            MediaEvent::Changed { epoch, .. } => self.epoch = *epoch,
            MediaEvent::Stopped { .. } => {
                self.media = false;
                self.playing = None;
            }
            MediaEvent::PlaybackStarted { source, .. } => self.playing = Some(source.clone()),
            MediaEvent::PlaybackFinished { .. } => self.playing = None,
            MediaEvent::RecordingStarted { .. }
            | MediaEvent::RecordingStopped { .. }
            | MediaEvent::RecordingFailed { .. }
            | MediaEvent::RecordingGap { .. }
            | MediaEvent::SocketFailed { .. }
            | MediaEvent::FactsRefused { .. }
            | MediaEvent::FirstPacket { .. }
            | MediaEvent::SourceChanged { .. }
            | MediaEvent::ReceptionStopped { .. }
            | MediaEvent::ReceptionResumed { .. }
            | MediaEvent::Statistics { .. }
            | MediaEvent::SilenceStarted { .. }
            | MediaEvent::SilenceEnded { .. }
            | MediaEvent::ToneStarted { .. }
            | MediaEvent::ToneEnded { .. }
            | MediaEvent::DigitReceived { .. }
            | MediaEvent::DigitsSent { .. }
            | MediaEvent::DigitsCut { .. }
            | MediaEvent::DigitsFinished { .. } => {}
        }
    }
}

/// Returns a sound as users name it: the path, `tone 1000`, `echo`.
pub(crate) fn sound_name(sound: &Sound) -> String {
    match sound {
        Sound::File(path) => path.clone(),
        Sound::Tone { hz, .. } => {
            let list: Vec<String> = hz.iter().map(ToString::to_string).collect();
            format!("tone {}", list.join("+"))
        }
        Sound::Echo => "echo".to_owned(),
    }
}

/// Returns the usual phrase of a status that we send.
pub(crate) fn reason_phrase(status: u16) -> &'static str {
    offhook_sip::message::StatusCode::new(status).map_or("Unknown", |status| status.default_reason())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::MediaDirection;

    fn given(direction: Direction, facts: &[Event]) -> CallState {
        let mut call = CallState::new(direction);
        facts.iter().for_each(|fact| call.apply(fact));
        call
    }

    fn ringing() -> Event {
        CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false }.into()
    }

    fn established() -> [Event; 2] {
        let answered = CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() };
        [answered.into(), CallEvent::Established { contact: None }.into()]
    }

    #[test]
    fn answering_a_ringing_call_is_a_fact_and_answering_it_twice_is_not() {
        let answer = CallCommand::Answer { status: 200 };
        let mut call = given(Direction::Inbound, &[ringing()]);
        let facts = call.decide(&answer).unwrap();
        assert_eq!(
            facts,
            vec![CallEvent::Answered { by: Party::Local, status: 200, reason: "OK".into() }.into()]
        );
        facts.iter().for_each(|fact| call.apply(fact));
        let refused = call.decide(&answer).unwrap_err();
        assert_eq!(refused.code, Code::WrongState);
        assert_eq!(refused.sentence, "the inbound call is answered and cannot be answered");
        assert_eq!(refused.legal, ["hangup"]);
    }

    #[test]
    fn an_outbound_call_cannot_be_answered_or_rejected() {
        let call = given(Direction::Outbound, &[ringing()]);
        assert!(call.decide(&CallCommand::Answer { status: 200 }).is_err());
        assert!(call.decide(&CallCommand::Reject { status: 486 }).is_err());
    }

    #[test]
    fn hanging_up_is_idempotent() {
        let mut call = given(Direction::Outbound, &established());
        assert_eq!(call.decide(&CallCommand::HangUp).unwrap(), vec![CallEvent::Ending {}.into()]);
        call.apply(&CallEvent::Ending {}.into());
        assert_eq!(call.decide(&CallCommand::HangUp).unwrap(), vec![]);
    }

    #[test]
    fn hold_and_resume_need_an_established_call_and_happen_once() {
        assert!(given(Direction::Outbound, &[ringing()]).decide(&CallCommand::Hold).is_err());
        let mut call = given(Direction::Outbound, &established());
        assert_eq!(call.decide(&CallCommand::Resume).unwrap(), vec![]);
        let facts = call.decide(&CallCommand::Hold).unwrap();
        assert_eq!(facts, vec![CallEvent::Modifying { change: Change::Hold }.into()]);
        facts.iter().for_each(|fact| call.apply(fact));
        assert_eq!(call.decide(&CallCommand::Hold).unwrap_err().code, Code::WrongState);
        let modified = CallEvent::Modified {
            by: Party::Local,
            codec: None,
            direction: MediaDirection::Sendonly,
            epoch: 2,
            agreement: None,
        };
        call.apply(&modified.into());
        call.apply(&CallEvent::Held { by: Party::Local }.into());
        assert_eq!(call.decide(&CallCommand::Hold).unwrap(), vec![]);
        assert_eq!(
            call.decide(&CallCommand::Resume).unwrap(),
            vec![CallEvent::Modifying { change: Change::Resume }.into()]
        );
    }

    #[test]
    fn digits_need_media_and_must_be_digits() {
        let mut call = given(Direction::Outbound, &established());
        let send = |digits: &str| CallCommand::SendDigits { digits: digits.into(), duration: None };
        assert_eq!(call.decide(&send("1")).unwrap_err().sentence, "Call has no active audio media");
        (call.media, call.epoch) = (true, 2);
        assert_eq!(call.decide(&send("1x")).unwrap_err().code, Code::InvalidArgument);
        assert!(call.decide(&send("")).is_err());
        let sent = MediaEvent::DigitsSent { digits: "12A#".into(), method: DigitMethod::Rfc4733, epoch: 2 };
        assert_eq!(call.decide(&send("12a#")).unwrap(), vec![sent.into()]);
    }

    #[test]
    fn a_late_180_does_not_take_an_answer_back() {
        let mut call = given(Direction::Outbound, &established());
        call.apply(&ringing());
        assert_eq!(call.phase, Phase::Established);
    }
}
