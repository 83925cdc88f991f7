//! The state of a call, and what a command would cause: decide and apply, nothing else.
//!
//! Commands are checked here and become facts; the actor performs them afterwards.

use offhook_media::codec::Codec;

use super::conference::Audio;
use crate::{
    command::{CallCommand, CommandKind, Refused, Rejection, Sound, Standing},
    event::{
        CallEvent, CallPhase as Phase, Change, DigitMethod, Direction, Event, MediaDirection, MediaEvent,
        Party,
    },
};

/// A fold of those facts of a call that decisions need.
#[derive(Clone, Debug)]
pub(crate) struct CallState {
    pub(crate) direction: Direction,
    pub(crate) phase: Phase,
    /// Whether we hold the other side.
    pub(crate) held_locally: bool,
    /// Whether the other side holds us.
    pub(crate) held_remotely: bool,
    /// The sound that is playing, as requested.
    pub(crate) playing: Option<String>,
    /// The change that our pending re-INVITE asks for.
    pub(crate) changing: Option<Change>,
    /// Number of the offer/answer exchange that media follows.
    pub(crate) epoch: u32,
    /// Whether a session description has been agreed.
    pub(crate) media: bool,
    /// Whether it is in a conference.
    pub(crate) confers: bool,
    /// The codec that is sent, once there is media.
    codec: Option<Codec>,
    /// Direction of our media, once there is any.
    way: MediaDirection,
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
            confers: false,
            codec: None,
            way: MediaDirection::Sendrecv,
        }
    }

    /// Returns what the other side can take part in, in a conference; `None` without media, and
    /// when the call is about to end.
    pub(crate) fn audio(&self) -> Option<Audio> {
        let on = !self.held_locally && !self.held_remotely;
        let says = on && matches!(self.way, MediaDirection::Sendrecv | MediaDirection::Recvonly);
        let hears = on && matches!(self.way, MediaDirection::Sendrecv | MediaDirection::Sendonly);
        (self.media && self.phase < Phase::Ending).then_some(Audio { says, hears })
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
            CallCommand::Hold => self.decide_change(Change::Hold, None),
            CallCommand::Resume => self.decide_change(Change::Resume, None),
            CallCommand::SetCodecs { codecs } => self.decide_change(Change::Codecs, Some(codecs.clone())),
            CallCommand::SendDigits { digits, .. } => self.decide_digits(digits),
            CallCommand::Transfer { to } => self.decide_transfer(to.clone()),
            CallCommand::AttendedTransfer { target } => {
                self.decide_transfer(target.map(|target| target.to_string()).unwrap_or_default())
            }
            CallCommand::Play { sound, repeat } => {
                self.with_media()?;
                self.can_carry(sound)?;
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
                Some(source) if self.phase < Phase::Ending => {
                    vec![MediaEvent::PlaybackFinished { source: source.clone(), epoch: self.epoch }.into()]
                }
                Some(_) | None => vec![],
            }),
            // The actor chooses the file name, so it appends the fact itself.
            CallCommand::Record { .. } => match self.phase {
                Phase::Ended | Phase::Ending => Err(self.wrong_phase(command.kind())),
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
            return Err(self.wrong_phase(CommandKind::Answer));
        }
        let reason = reason_phrase(status).to_owned();
        match status {
            100 => Ok(vec![CallEvent::Trying {}.into()]),
            101..=199 => Ok(vec![CallEvent::Ringing { status, reason, early_media: status == 183 }.into()]),
            200..=299 => Ok(vec![CallEvent::Answered { by: Party::Local, status, reason }.into()]),
            300..=699 => self.decide_reject(status),
            _ => Err(Refused::NoSuchStatus(status).into()),
        }
    }

    fn decide_reject(&self, status: u16) -> Result<Vec<Event>, Rejection> {
        match (self.direction, self.phase) {
            (Direction::Inbound, Phase::Incoming | Phase::Early) if (300..=699).contains(&status) => {
                Ok(vec![CallEvent::Ending {}.into()])
            }
            (Direction::Inbound, Phase::Incoming | Phase::Early) => Err(Refused::NotARefusal(status).into()),
            (_, _) => Err(self.wrong_phase(CommandKind::Reject)),
        }
    }

    fn decide_transfer(&self, to: String) -> Result<Vec<Event>, Rejection> {
        self.established(CommandKind::Transfer)?;
        Ok(vec![CallEvent::TransferRequested { by: Party::Local, to }.into()])
    }

    fn decide_change(&self, change: Change, codecs: Option<Vec<String>>) -> Result<Vec<Event>, Rejection> {
        self.established(match change {
            Change::Hold => CommandKind::Hold,
            Change::Resume => CommandKind::Resume,
            Change::Codecs => CommandKind::SetCodecs,
        })?;
        let done = match change {
            Change::Hold => self.held_locally,
            Change::Resume => !self.held_locally,
            Change::Codecs => false,
        };
        match self.changing {
            // Check this first: what holds now may not hold once the pending change is done.
            Some(_) => Err(Refused::ChangePending.into()),
            None if done => Ok(vec![]),
            None => Ok(vec![CallEvent::Modifying { change, codecs }.into()]),
        }
    }

    fn decide_digits(&self, digits: &str) -> Result<Vec<Event>, Rejection> {
        self.with_media()?;
        let digits = digits.to_ascii_uppercase();
        if digits.is_empty() || !digits.chars().all(|d| matches!(d, '0'..='9' | '*' | '#' | 'A'..='D')) {
            return Err(Refused::NotDigits(digits).into());
        }
        Ok(vec![MediaEvent::DigitsSent { digits, method: DigitMethod::Rfc4733, epoch: self.epoch }.into()])
    }

    fn established(&self, command: CommandKind) -> Result<(), Rejection> {
        match self.phase {
            Phase::Established => Ok(()),
            Phase::Calling
            | Phase::Incoming
            | Phase::Early
            | Phase::Answered
            | Phase::Ending
            | Phase::Ended => Err(self.wrong_phase(command)),
        }
    }

    fn with_media(&self) -> Result<(), Rejection> {
        if self.media && !matches!(self.phase, Phase::Ending | Phase::Ended) {
            return Ok(());
        }
        Err(Rejection::from(Refused::NoMedia).or_try(self.standing().legal()))
    }

    /// Refuses a tone that the codec would make inaudible: it carries no more than half its rate.
    fn can_carry(&self, sound: &Sound) -> Result<(), Rejection> {
        let (Some(codec), Sound::Tone { hz, .. }) = (self.codec, sound) else { return Ok(()) };
        let below = codec.rate / 2;
        match hz.iter().find(|hz| **hz >= f64::from(below)) {
            Some(hz) => Err(Refused::ToneTooHigh { hz: hz.to_string(), codec: codec.name, below }.into()),
            None => Ok(()),
        }
    }

    fn wrong_phase(&self, command: CommandKind) -> Rejection {
        let refused = Refused::WrongPhase { direction: self.direction, phase: self.phase, command };
        Rejection::from(refused).or_try(self.standing().legal())
    }

    const fn standing(&self) -> Standing {
        Standing { direction: self.direction, phase: self.phase, media: self.media, held: self.held_locally }
    }

    /// Folds one fact; never fails, never acts.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Call(event) => self.apply_call(event),
            Event::Media(event) => self.apply_media(event),
            Event::Phone(_) | Event::Capture(_) | Event::Sip(_) | Event::Run(_) | Event::System(_) => {}
        }
    }

    fn apply_call(&mut self, event: &CallEvent) {
        match event {
            CallEvent::Ringing { .. } => self.phase.advance(Phase::Early),
            CallEvent::Answered { .. } => self.phase.advance(Phase::Answered),
            CallEvent::Established { .. } => self.phase.advance(Phase::Established),
            CallEvent::Ending {} => self.phase.advance(Phase::Ending),
            CallEvent::Ended { .. } | CallEvent::Crashed { .. } => self.phase = Phase::Ended,
            CallEvent::Held { by: Party::Local } => self.held_locally = true,
            CallEvent::Held { by: Party::Remote } => self.held_remotely = true,
            CallEvent::Resumed { by: Party::Local } => self.held_locally = false,
            CallEvent::Resumed { by: Party::Remote } => self.held_remotely = false,
            CallEvent::Modifying { change, .. } => self.changing = Some(*change),
            CallEvent::Modified { by, epoch, codec, direction, .. } => {
                (self.epoch, self.way) = (*epoch, *direction);
                self.codec = codec.as_deref().and_then(Codec::from_name).or(self.codec);
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
            | CallEvent::TransferAccepted { .. }
            | CallEvent::TransferRefused { .. }
            | CallEvent::TransferProgress { .. } => {}
        }
    }

    fn apply_media(&mut self, event: &MediaEvent) {
        match event {
            MediaEvent::Started { epoch, codec, direction, .. } => {
                (self.media, self.epoch, self.codec) = (true, *epoch, Codec::from_name(codec));
                self.way = *direction;
            }
            MediaEvent::Changed { epoch, codec, direction, .. } => {
                (self.epoch, self.codec, self.way) = (*epoch, Codec::from_name(codec), *direction);
            }
            MediaEvent::Stopped { .. } => {
                (self.media, self.confers) = (false, false);
                self.playing = None;
            }
            MediaEvent::ConferenceJoined { .. } | MediaEvent::ConferenceChanged { .. } => self.confers = true,
            MediaEvent::ConferenceLeft { .. } => self.confers = false,
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
            | MediaEvent::SourceDiffers { .. }
            | MediaEvent::ForeignPackets { .. }
            | MediaEvent::ReceptionStopped { .. }
            | MediaEvent::ReceptionResumed { .. }
            | MediaEvent::Statistics { .. }
            | MediaEvent::SilenceStarted { .. }
            | MediaEvent::SilenceEnded { .. }
            | MediaEvent::ToneStarted { .. }
            | MediaEvent::ToneEnded { .. }
            | MediaEvent::PayloadChanged { .. }
            | MediaEvent::DigitStarted { .. }
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

/// Returns the usual reason phrase of a status that we send.
pub(crate) fn reason_phrase(status: u16) -> &'static str {
    offhook_sip::message::StatusCode::new(status).map_or("Unknown", |status| status.default_reason())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::Code, event::MediaDirection};

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
        assert_eq!(refused.to_string(), "the inbound call is answered and cannot be answered");
        assert_eq!(refused.legal, [CommandKind::Record, CommandKind::HangUp]);
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
        assert_eq!(facts, vec![CallEvent::Modifying { change: Change::Hold, codecs: None }.into()]);
        facts.iter().for_each(|fact| call.apply(fact));
        for other in [CallCommand::Hold, CallCommand::Resume] {
            assert_eq!(call.decide(&other).unwrap_err().what, Refused::ChangePending, "{other:?}");
        }
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
            vec![CallEvent::Modifying { change: Change::Resume, codecs: None }.into()]
        );
    }

    #[test]
    fn a_tone_that_the_codec_cannot_carry_is_refused() {
        let mut call = given(Direction::Outbound, &established());
        let tone = |hz| {
            let sound = Sound::Tone { hz: vec![440.0, hz], level_dbfs: -10.0, duration: None };
            CallCommand::Play { sound, repeat: false }
        };
        let modified = |codec: &str| CallEvent::Modified {
            by: Party::Remote,
            codec: Some(codec.into()),
            direction: MediaDirection::Sendrecv,
            epoch: 2,
            agreement: None,
        };
        call.media = true;
        for (codec, carried, refused) in
            [("PCMU", 3_999.0, 4_000.0), ("G722", 7_000.0, 8_000.0), ("PCMA", 400.0, 6_000.0)]
        {
            call.apply(&modified(codec).into());
            assert!(call.decide(&tone(carried)).is_ok(), "{codec}");
            let error = call.decide(&tone(refused)).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(
                error.to_string().starts_with(&format!("a tone of {refused} Hz cannot be heard in {codec}"))
            );
        }
    }

    #[test]
    fn digits_need_media_and_must_be_digits() {
        let mut call = given(Direction::Outbound, &established());
        let send = |digits: &str| CallCommand::SendDigits { digits: digits.into(), duration: None };
        assert_eq!(call.decide(&send("1")).unwrap_err().what, Refused::NoMedia);
        (call.media, call.epoch) = (true, 2);
        assert_eq!(call.decide(&send("1x")).unwrap_err().code, Code::InvalidArgument);
        assert!(call.decide(&send("")).is_err());
        let sent = MediaEvent::DigitsSent { digits: "12A#".into(), method: DigitMethod::Rfc4733, epoch: 2 };
        assert_eq!(call.decide(&send("12a#")).unwrap(), vec![sent.into()]);
    }

    /// Returns one of each command that a call takes.
    fn commands() -> Vec<CallCommand> {
        vec![
            CallCommand::Answer { status: 200 },
            CallCommand::Reject { status: 486 },
            CallCommand::HangUp,
            CallCommand::Hold,
            CallCommand::Resume,
            CallCommand::SendDigits { digits: "1".into(), duration: None },
            CallCommand::Transfer { to: "sip:c@h".into() },
            CallCommand::AttendedTransfer { target: None },
            CallCommand::Play { sound: Sound::Echo, repeat: false },
            CallCommand::StopPlaying,
            CallCommand::Record { on: true },
            CallCommand::SetCodecs { codecs: vec!["PCMA".into()] },
        ]
    }

    #[test]
    fn what_is_called_legal_is_decided_and_what_is_not_is_refused_or_does_nothing() {
        for (direction, beginning) in
            [(Direction::Inbound, Phase::Incoming), (Direction::Outbound, Phase::Calling)]
        {
            let later = Phase::ALL.into_iter().filter(|phase| *phase >= Phase::Early);
            for phase in std::iter::once(beginning).chain(later) {
                for (media, held_locally) in [(false, false), (true, false), (true, true)] {
                    let playing = media.then(|| "echo".to_owned());
                    let call = CallState { phase, media, held_locally, playing, ..CallState::new(direction) };
                    let legal = call.standing().legal();
                    for command in commands() {
                        let told = call.decide(&command);
                        let words = format!("{command:?} of {call:?}");
                        match (&told, command.kind()) {
                            // The actor makes that fact.
                            (Ok(facts), CommandKind::Record) => assert!(facts.is_empty(), "{words}"),
                            (Ok(facts), kind) => {
                                assert_eq!(!facts.is_empty(), legal.contains(&kind), "{words}");
                            }
                            (Err(refused), kind) => {
                                assert_eq!(refused.code, Code::WrongState, "{words}");
                                assert!(!legal.contains(&kind), "{words}");
                                assert_eq!(refused.legal, legal, "{words}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_late_180_does_not_take_an_answer_back() {
        let mut call = given(Direction::Outbound, &established());
        call.apply(&ringing());
        assert_eq!(call.phase, Phase::Established);
    }
}
