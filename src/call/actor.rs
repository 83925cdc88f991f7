//! The actor around one call: takes a message, changes state once, performs the effects.
//!
//! Commands are handled here, session events in `signaling`, recordings in `recording`.

use std::time::Duration;

use offhook_media::session::{Fact, SendDigitsError};
use ractor::{Actor, ActorProcessingErr, ActorRef, DerivedActorRef};
use tokio::time::Instant;

use super::{
    CallMedia, CallMessage, Conferences, Reply, Request, ToPhone, Told, codecs,
    conference::Membership,
    farewell::Farewell,
    info::{InfoDigits, MOST_WAITING},
    names::Held,
    patience::Patience,
    recording::{CallRecordings, RecordingPlace},
    sound,
    sounding::{DIGIT, Sounding, Soundings},
    state::{CallState, sound_name},
    told::Ready,
};
use crate::{
    command::{CallCommand, Outcome, Refused, Rejection},
    config::Occupant,
    event::{
        CallEvent, CallPhase as Phase, Cause, DigitMethod, Direction, Event, MediaDirection, MediaEvent,
        MediaSocket, MediaStatistics, Subject,
    },
    id::{CallId, PhoneId},
    journal::Journal,
    media::{Kind, Notice, Noticed},
    net::Admission,
    telemetry::SeldomTogether,
};

/// How many facts caused by the other side's media, such as digits and tones, may wait in the
/// mailbox.
const FACTS: usize = 128;

/// What a phone's settings mean for its calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallSettings {
    /// Whether calls are recorded.
    pub(crate) recording: bool,
    /// Codecs to offer; `None` means all.
    pub(crate) codecs: Option<Vec<String>>,
}

/// How a call begins.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// Outbound; the offer has been made.
    Outbound,
    /// Inbound.
    Inbound {
        /// The caller's offer; `None` when we are to make it.
        offer: Option<Vec<u8>>,
        /// The message that carried the INVITE.
        invite: Cause,
        /// Whether to answer at once.
        auto_answer: bool,
    },
}

/// What a call's actor starts with.
pub(crate) struct CallArguments {
    pub(crate) id: CallId,
    pub(crate) phone: PhoneId,
    /// The run that has the phone to itself for now.
    pub(crate) occupant: Occupant,
    pub(crate) beginning: Beginning,
    pub(crate) media: CallMedia,
    pub(crate) journal: Journal,
    pub(crate) to_phone: DerivedActorRef<ToPhone>,
    pub(crate) settings: CallSettings,
    pub(crate) recordings: RecordingPlace,
    pub(crate) conferences: Conferences,
    /// Limits log lines about what this phone's calls refuse to others.
    pub(crate) refusals: SeldomTogether,
    /// The event that began the call.
    pub(crate) cause: Cause,
}

/// One call.
pub(crate) struct CallActor;

/// The actor's state: the call's rules, its media, and where its messages go.
pub(crate) struct Shell {
    pub(super) me: ActorRef<CallMessage>,
    pub(super) id: CallId,
    pub(super) phone: PhoneId,
    occupant: Occupant,
    pub(super) journal: Journal,
    pub(super) to_phone: DerivedActorRef<ToPhone>,
    pub(super) state: CallState,
    pub(super) media: CallMedia,
    /// Room in the mailbox for facts caused by the other side's media.
    pub(super) facts: Admission,
    /// How many facts without such room have been journaled as lost.
    pub(super) refused_facts: u64,
    pub(super) settings: CallSettings,
    pub(super) recordings: RecordingPlace,
    pub(super) refusals: SeldomTogether,
    pub(super) recorded: CallRecordings,
    pub(super) membership: Membership,
    /// The last facts, held back while the recording is being completed.
    pub(super) farewell: Option<Farewell>,
    /// The caller's offer that we have not answered yet.
    pub(super) offer: Option<Vec<u8>>,
    /// Our answer to it, once made; the final response carries it again.
    pub(super) answer: Option<Vec<u8>>,
    /// Our 2xx carries the offer and the ACK will carry the answer.
    pub(super) awaiting_answer_in_ack: bool,
    /// To tag of the provisional response whose early answer is in use; each fork has its own.
    pub(super) early_answer_of: Option<String>,
    /// When we decided to answer, or the other side answered.
    pub(super) answered: Option<Instant>,
    pub(super) established: Option<Instant>,
    /// When it was decided to end the call.
    pub(super) ending: Option<Instant>,
    /// Why something could not be sent, while that is being handled.
    pub(super) unsent: Option<String>,
    /// Status and reason of the refusal sent or received.
    pub(super) last_status: Option<(u16, String)>,
    pub(super) info: InfoDigits,
    /// Changes of what we send that wait for the disk.
    pub(super) soundings: Soundings,
    /// Number of play and stop requests so far.
    sound_requests: u64,
    /// Number of the last one that was carried out.
    sound_decided: u64,
    pub(super) patience: Patience,
    /// What our last re-INVITE offered, to be offered again after glare.
    pub(super) wish: Option<Wish>,
    /// Messages that wait for host names.
    pub(super) held: Held,
}

/// What a re-INVITE of ours asks for.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// This direction of our media.
    Direction(MediaDirection),
    /// These codecs.
    Codecs(Vec<String>),
}

impl Actor for CallActor {
    type Msg = CallMessage;
    type State = Shell;
    type Arguments = CallArguments;

    async fn pre_start(
        &self,
        me: ActorRef<CallMessage>,
        start: CallArguments,
    ) -> Result<Shell, ActorProcessingErr> {
        let facts = Admission::new(FACTS);
        let (to_me, places) = (me.clone(), facts.clone());
        start.media.leg.listen(move |notice| {
            let permit = if notice.noticed.is_our_doing() { None } else { places.admit() };
            if permit.is_some() || notice.noticed.is_our_doing() {
                // A refused cast means that the call is over, and then nobody wants the fact.
                drop(to_me.cast(CallMessage::Media { notice, permit }));
            }
        });
        let mut media = start.media;
        let (direction, offer, auto_answer) = match start.beginning {
            Beginning::Outbound => (Direction::Outbound, None, false),
            Beginning::Inbound { offer, invite, auto_answer } => {
                media.offered(&invite);
                (Direction::Inbound, offer, auto_answer)
            }
        };
        let mut call = Shell {
            membership: Membership::new(&start.conferences, start.id, me.clone()),
            me,
            id: start.id,
            phone: start.phone,
            occupant: start.occupant,
            journal: start.journal,
            to_phone: start.to_phone,
            state: CallState::new(direction),
            media,
            facts,
            refused_facts: 0,
            settings: start.settings,
            recordings: start.recordings,
            refusals: start.refusals,
            recorded: CallRecordings::default(),
            farewell: None,
            offer,
            answer: None,
            awaiting_answer_in_ack: false,
            early_answer_of: None,
            answered: None,
            established: None,
            ending: None,
            unsent: None,
            last_status: None,
            info: InfoDigits::default(),
            soundings: Soundings::default(),
            sound_requests: 0,
            sound_decided: 0,
            patience: Patience::default(),
            wish: None,
            held: Held::default(),
        };
        if let Some(begin) = call.admit(CallMessage::Begin { auto_answer, cause: start.cause }) {
            call.take(begin);
        }
        Ok(call)
    }

    async fn handle(
        &self,
        me: ActorRef<CallMessage>,
        message: CallMessage,
        call: &mut Shell,
    ) -> Result<(), ActorProcessingErr> {
        if let CallMessage::NamesFound { round, found } = message {
            let held = call.names_found(round, found);
            while held && let Some(message) = call.next_held() {
                call.take(message);
            }
        } else if let Some(message) = call.admit(message) {
            call.take(message);
        }
        if call.state.phase == Phase::Ended && !call.is_leaving() {
            me.stop(None);
        }
        Ok(())
    }
}

impl Shell {
    /// Handles a message whose turn it is.
    fn take(&mut self, message: CallMessage) {
        let me = self.me.clone();
        match message {
            CallMessage::Begin { auto_answer, cause } => self.begin(auto_answer, &cause),
            CallMessage::Command { told, cause, reply } => self.command(told, cause, reply),
            CallMessage::Sip { event, cause, unsent } => {
                self.unsent = unsent;
                self.session_event(*event, &cause);
            }
            CallMessage::Media { notice, permit } => {
                self.noticed(notice);
                drop(permit);
                if self.facts.free() == FACTS {
                    self.tell_refused_facts(&Cause::Media);
                }
            }
            CallMessage::Recorded { recorded, cause } => self.recorded(recorded, &cause),
            CallMessage::InfoDone { accepted, cause } => self.info_done(accepted, &cause),
            CallMessage::ReferDone { status, reason, cause } => self.refer_done(status, reason, &cause),
            CallMessage::ReinviteRefused { reason, cause } => self.modify_failed(None, reason, &cause),
            CallMessage::DiskHasIt => self.disk_has_it(),
            CallMessage::Seated { seated, cause, done } => {
                let takes_part = self.seated(seated, &cause);
                let _often_nobody_waits = done.send(takes_part);
            }
            CallMessage::Settle { done } => {
                let _asker_may_be_gone = done.send(());
            }
            CallMessage::Heard => self.heard(&me),
            CallMessage::PatienceOver => self.patience_over(&me),
            CallMessage::PhoneDropped { cause, left_open } => self.dropped(left_open, &cause),
            CallMessage::Settings { settings, cause } => self.set_settings(settings, &cause),
            // The actor releases what waits for them.
            CallMessage::NamesFound { .. } => {}
            #[cfg(test)]
            CallMessage::Fail => panic!("asked to"),
        }
        self.tell_audio();
    }

    /// Appends a fact and folds it.
    pub(super) fn append(&mut self, event: impl Into<Event>, cause: &Cause) {
        let event = event.into();
        let before = self.state.audio();
        self.state.apply(&event);
        match &event {
            Event::Call(CallEvent::Answered { .. }) => drop(self.answered.get_or_insert_with(Instant::now)),
            Event::Call(CallEvent::Ending {}) => drop(self.ending.get_or_insert_with(Instant::now)),
            Event::Call(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Phone(_)
            | Event::Sip(_)
            | Event::Run(_)
            | Event::System(_) => {}
        }
        let subject = Subject::call(self.phone.clone(), self.id).during(self.occupant.run());
        let seq = self.journal.append(subject, cause.clone(), event);
        if self.state.audio() != before {
            self.membership.changed_by(seq);
        }
    }

    /// Asks the phone to signal something.
    pub(super) fn ask(&self, request: Request, cause: &Cause) {
        // The phone supervises this actor: if it is gone, so are we.
        drop(self.to_phone.cast(ToPhone { call: self.id, cause: cause.clone(), request }));
    }

    fn begin(&mut self, auto_answer: bool, cause: &Cause) {
        if let Some(Err(error)) = self.offer.as_deref().map(|offer| self.media.examine(offer)) {
            self.refuse(488, &error.to_string(), cause);
        } else if auto_answer {
            // The state is fresh, so an answer cannot come in the wrong phase.
            let answer = Told::from(CallCommand::Answer { status: 200 });
            if let Ok(facts) = self.state.decide(&answer.command) {
                self.carry_out(answer, facts, cause);
            }
        } else if self.state.direction == Direction::Inbound {
            self.rings_here();
        }
    }

    /// Refuses the call for a reason of our own.
    pub(super) fn refuse(&mut self, status: u16, why: &str, cause: &Cause) {
        if let Some(more) = self.refusals.turn() {
            tracing::warn!(call = %self.id, why, more, "call refused");
        }
        self.last_status = Some((status, why.to_owned()));
        self.append(CallEvent::Ending {}, cause);
        self.ask(Request::Respond { status, sdp: None }, cause);
    }

    fn command(&mut self, told: Told, cause: Cause, reply: Reply) {
        if matches!(told.command, CallCommand::Play { .. } | CallCommand::StopPlaying) {
            match &told.ready {
                None => self.sound_requests += 1,
                Some(ready) if ready.request > self.sound_decided => {}
                // A later request that was not refused decides what is heard now.
                Some(_) => return drop(reply.send(Err(Refused::SoundOvertaken.into()))),
            }
        }
        if let CallCommand::Play { sound, .. } = &told.command
            && told.ready.is_none()
            && sound::takes_time(sound)
        {
            return match self.state.decide(&told.command) {
                // The surface may have given up waiting.
                Err(rejection) => drop(reply.send(Err(rejection))),
                Ok(_) => self.make_ready(told, cause, reply),
            };
        }
        self.decide(told, &cause, reply);
    }

    /// Prepares a sound while the call goes on, then sends the command again with the sound.
    fn make_ready(&self, told: Told, cause: Cause, reply: Reply) {
        let (me, request) = (self.me.clone(), self.sound_requests);
        tokio::task::spawn_blocking(move || {
            let CallCommand::Play { sound, repeat } = &told.command else { return };
            match sound::source(sound, *repeat) {
                Err(rejection) => drop(reply.send(Err(rejection))),
                Ok(source) => {
                    let told = Told { ready: Some(Ready { source, request }), ..told };
                    // If the call has ended meanwhile, the drop tells the asker.
                    drop(me.cast(CallMessage::Command { told, cause, reply }));
                }
            }
        });
    }

    /// Decides, appends, acts. Whatever can refuse a command does so before its first fact.
    fn decide(&mut self, mut told: Told, cause: &Cause, reply: Reply) {
        let result = self.state.decide(&told.command).and_then(|facts| {
            self.check(&mut told)?;
            self.carry_out(told, facts, cause);
            Ok(Outcome { seq: self.journal.head(), call: Some(self.id), calls: vec![self.id] })
        });
        // The surface may have given up waiting; the facts are in the journal all the same.
        drop(reply.send(result));
    }

    /// Checks what `decide` cannot know: sounds, codec names, and what the media session accepts.
    fn check(&self, told: &mut Told) -> Result<(), Rejection> {
        match &told.command {
            CallCommand::SetCodecs { codecs } => codecs::all_available(codecs),
            CallCommand::Play { sound, repeat } => {
                if told.ready.is_none() {
                    let source = sound::source(sound, *repeat)?;
                    told.ready = Some(Ready { source, request: self.sound_requests });
                }
                Ok(())
            }
            CallCommand::SendDigits { digits, .. } if digits.len() > MOST_WAITING => {
                Err(Refused::DigitsWaiting(MOST_WAITING).into())
            }
            CallCommand::SendDigits { digits, .. } if self.knows_events() => self.check_digits(digits),
            CallCommand::SendDigits { digits, .. } => self.check_info_digits(digits),
            CallCommand::Answer { .. }
            | CallCommand::Reject { .. }
            | CallCommand::HangUp
            | CallCommand::Hold
            | CallCommand::Resume
            | CallCommand::Transfer { .. }
            | CallCommand::AttendedTransfer { .. }
            | CallCommand::StopPlaying
            | CallCommand::Record { .. } => Ok(()),
        }
    }

    fn check_digits(&self, digits: &str) -> Result<(), Rejection> {
        let (method, digits) = (offhook_media::dtmf::DigitMethod::Rfc4733, digits.to_ascii_uppercase());
        let checked = self.media.leg.session(|session, _| session.check_digits(method, &digits));
        let refused = |error: SendDigitsError| Refused::DigitsNotTaken { why: error.to_string() };
        checked.unwrap_or(Err(SendDigitsError::NotSending)).map_err(|error| refused(error).into())
    }

    /// Appends the decision and performs it.
    fn carry_out(&mut self, told: Told, facts: Vec<Event>, cause: &Cause) {
        let decided = !facts.is_empty();
        for mut fact in facts {
            if let Event::Media(MediaEvent::DigitsSent { method, .. }) = &mut fact
                && !self.knows_events()
            {
                *method = DigitMethod::Info;
            }
            self.append(fact, cause);
        }
        match told.command {
            CallCommand::Answer { status } if status < 300 => self.answer(status, cause),
            CallCommand::Answer { status } | CallCommand::Reject { status } => {
                self.last_status = Some((status, super::state::reason_phrase(status).to_owned()));
                self.ask(Request::Respond { status, sdp: None }, cause);
            }
            CallCommand::HangUp if decided => self.ask(Request::HangUp, cause),
            CallCommand::Hold if decided => self.reoffer(Wish::Direction(MediaDirection::Sendonly), cause),
            CallCommand::Resume if decided => self.reoffer(Wish::Direction(MediaDirection::Sendrecv), cause),
            CallCommand::SetCodecs { codecs } => self.reoffer(Wish::Codecs(codecs), cause),
            CallCommand::Transfer { to } => self.ask(Request::Refer { to }, cause),
            CallCommand::AttendedTransfer { .. } => {
                self.ask(Request::Refer { to: told.replacing.unwrap_or_default() }, cause);
            }
            CallCommand::Play { sound, .. } => {
                if let Some(Ready { source, request }) = told.ready {
                    self.sound_decided = request;
                    self.sound(Sounding::Play { source, name: sound_name(&sound) });
                }
            }
            CallCommand::StopPlaying => {
                self.sound_decided = self.sound_requests;
                self.sound(Sounding::Stop);
            }
            CallCommand::SendDigits { digits, duration } if self.knows_events() => {
                let digits = digits.to_ascii_uppercase();
                self.sound(Sounding::Digits { digits, duration });
            }
            CallCommand::SendDigits { digits, duration } => {
                self.send_digits_by_info(&digits, duration.unwrap_or(DIGIT), cause);
            }
            CallCommand::Record { on } => self.set_recording(on, cause),
            CallCommand::HangUp | CallCommand::Hold | CallCommand::Resume => {}
        }
    }

    /// Sends a re-INVITE that asks for `wish`.
    pub(super) fn reoffer(&mut self, wish: Wish, cause: &Cause) {
        let sdp = match &wish {
            Wish::Direction(direction) => self.media.offer_direction(*direction),
            Wish::Codecs(codecs) => self.media.offer_codecs(codecs),
        };
        self.wish = Some(wish);
        self.ask(Request::Reinvite { sdp }, cause);
    }

    /// Returns whether the other side supports telephone events (RFC 4733); otherwise digits go by
    /// INFO.
    fn knows_events(&self) -> bool {
        self.media.plan.as_ref().is_some_and(|plan| plan.telephone_event.is_some())
    }

    fn set_settings(&mut self, settings: CallSettings, cause: &Cause) {
        let recording = settings.recording;
        self.settings = settings;
        if self.state.media && recording != self.recorded.is_on() {
            self.set_recording(recording, cause);
        }
    }

    /// Handles what the media leg noticed.
    fn noticed(&mut self, Notice { epoch, noticed }: Notice) {
        match noticed {
            Noticed::Voice(fact) => self.append_fact(fact, epoch, &Cause::Media),
            Noticed::SocketFailed { kind, reason } => {
                let socket = match kind {
                    Kind::Rtp => MediaSocket::Rtp,
                    Kind::Rtcp => MediaSocket::Rtcp,
                };
                self.append(MediaEvent::SocketFailed { socket, reason, epoch }, &Cause::Network);
            }
            Noticed::RecordingGap { lost_ms } => self.recording_gap(lost_ms),
            Noticed::RecordingBroken => self.set_recording(false, &Cause::Media),
        }
    }

    /// Records how many facts found no room in the mailbox, if there are new ones.
    pub(super) fn tell_refused_facts(&mut self, cause: &Cause) {
        let refused = self.facts.refused();
        let count = refused - std::mem::replace(&mut self.refused_facts, refused);
        if count > 0 {
            self.append(MediaEvent::FactsRefused { count, epoch: self.state.epoch }, cause);
        }
    }

    /// Appends a fact of the media session, if it has an event.
    pub(super) fn append_fact(&mut self, fact: Fact, epoch: u32, cause: &Cause) {
        let event = if matches!(fact, Fact::PlaybackFinished) {
            self.run_out().map(|source| MediaEvent::PlaybackFinished { source, epoch })
        } else {
            media_event(fact, epoch)
        };
        if let Some(event) = event {
            self.append(event, cause);
        }
    }
}

/// Translates a fact of the media session into an event.
fn media_event(fact: Fact, epoch: u32) -> Option<MediaEvent> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let method = |method| match method {
        offhook_media::dtmf::DigitMethod::Rfc4733 => DigitMethod::Rfc4733,
        offhook_media::dtmf::DigitMethod::InBand => DigitMethod::Inband,
    };
    Some(match fact {
        Fact::FirstPacket { source, payload_type, ssrc, codec: _ } => {
            MediaEvent::FirstPacket { source: source.to_string(), ssrc, payload_type, epoch }
        }
        Fact::SourceChanged { source, ssrc: _ } => {
            MediaEvent::SourceChanged { source: source.to_string(), epoch }
        }
        Fact::SourceDiffers { negotiated, source } => MediaEvent::SourceDiffers {
            negotiated: negotiated.to_string(),
            source: source.to_string(),
            epoch,
        },
        Fact::ForeignPackets { source, packets } => {
            MediaEvent::ForeignPackets { source: source.to_string(), packets, epoch }
        }
        Fact::Withheld { facts } => MediaEvent::FactsRefused { count: facts, epoch },
        Fact::ReceptionStopped { silent_for } => {
            MediaEvent::ReceptionStopped { quiet_ms: millis(silent_for), epoch }
        }
        Fact::ReceptionResumed => MediaEvent::ReceptionResumed { epoch },
        Fact::PayloadChanged { payload_type, codec } => {
            MediaEvent::PayloadChanged { payload_type, codec: codec.name.to_owned(), epoch }
        }
        Fact::DigitStarted { digit, method: how } => {
            MediaEvent::DigitStarted { digit: digit.as_char(), method: method(how), epoch }
        }
        Fact::Digit { digit, duration_ms, method: how } => {
            MediaEvent::DigitReceived { digit: digit.as_char(), duration_ms, method: method(how), epoch }
        }
        Fact::DigitsSent { digits, method: _ } => MediaEvent::DigitsFinished { digits, epoch },
        Fact::DigitsCut { digits, method: _ } => MediaEvent::DigitsCut { digits, epoch },
        Fact::SilenceStarted => MediaEvent::SilenceStarted { epoch },
        Fact::SilenceEnded { quiet } => MediaEvent::SilenceEnded { duration_ms: millis(quiet), epoch },
        Fact::ToneStarted { hz, level } => {
            MediaEvent::ToneStarted { hz: tenths(hz), level_dbfs: tenths(level), epoch }
        }
        Fact::ToneEnded { hz, duration } => {
            MediaEvent::ToneEnded { hz: tenths(hz), duration_ms: millis(duration), epoch }
        }
        Fact::Statistics(stats) => MediaEvent::Statistics { statistics: statistics(&stats), epoch },
        // The call knows which sound it was.
        Fact::PlaybackFinished | Fact::RemoteBye { .. } => return None,
    })
}

/// Returns the statistics of a media session as the journal keeps them.
pub(super) fn statistics(stats: &offhook_media::session::StreamStats) -> MediaStatistics {
    MediaStatistics {
        sent_packets: stats.packets_sent,
        sent_bytes: stats.bytes_sent,
        received_packets: stats.packets_received,
        received_bytes: stats.bytes_received,
        lost: stats.lost,
        duplicates: stats.duplicates,
        reordered: stats.reordered,
        discarded: stats.discarded,
        jitter_ms: thousandths(stats.jitter_ms),
        jitter_max_ms: thousandths(stats.max_jitter_ms),
        rtt_ms: stats.round_trip_ms.map(thousandths),
        level_dbfs: stats.received_dbfs.map(tenths),
        mos: stats.quality.mos().map(thousandths),
        mos_absent_because: stats.quality.reason().map(|why| why.reason().to_owned()),
    }
}

/// Rounds to one decimal: more digits would only be noise in a report.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
