//! The voices of the test numbers.
//!
//! ```text
//! 603:  answer ─ beep ─ digits … (# or four, or 3 s of silence) ─ the digits back (RFC 4733) ─ 1 s ─ BYE
//! 604:  183 + 425 Hz ── 2 s ── answer ─ echo
//! 608:  180 ── 3 s ── answer ─ echo
//! 609:  answer ─ hears the other callers of 609, and they hear it
//! ```

use std::time::{Duration, Instant};

use offhook_media::{
    audio::{SAMPLE_RATE, Tone},
    negotiate::{self, Capabilities, LocalMedia, MediaPlan},
    sdp::{Direction, SessionDescription},
    session::{Fact, Source},
};
use offhook_sip::{
    message::StatusCode,
    user_agent::{Body, SessionId},
};

use super::{
    Engine,
    leg::{After, Leg, Role},
};
use crate::lab::media::{announcement, beep};

/// Most digits that 603 reads.
const MOST_DIGITS: usize = 4;
/// How long 605 rings before it gives up after all.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What a test number does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Sends back what it hears.
    Echo,
    /// 1000 Hz until the caller hangs up.
    Tone,
    /// Plays an announcement and hangs up.
    Announcement,
    /// Sends back digits.
    ReadBack,
    /// Sends audio before it answers.
    EarlyMedia,
    /// Rings forever.
    NoAnswer,
    /// Rings for a while.
    SlowAnswer,
    /// Lets all its callers hear each other.
    Conference,
}

/// A test number in a call.
#[derive(Debug)]
pub(super) struct Robot {
    script: Script,
    step: Step,
    /// Known once both sides have sent a description.
    plan: Option<MediaPlan>,
    /// Our description, the same in every response to one INVITE.
    body: Option<Body>,
}

/// The progress of a test number.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Not answered yet.
    Ringing,
    /// Answered; there is nothing more to do than play.
    Playing,
    /// Waits for digits.
    Reading { digits: String },
    /// Sends digits.
    Sending,
    /// About to hang up.
    Parting,
}

impl Engine {
    /// Lets `script` handle the call of leg `id`.
    pub(super) fn robot_called(&mut self, now: Instant, id: SessionId, script: Script) {
        let (plan, body) = match self.robot_describes(id) {
            Ok(described) => described,
            Err(status) => {
                self.legs.remove(&id);
                return self.respond(now, id, status, None, Vec::new());
            }
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        self.voices.insert(leg.media.id(), id);
        leg.role = Role::Robot(Box::new(Robot { script, step: Step::Ringing, plan, body: Some(body) }));
        let timing = self.options.timing;
        match script {
            Script::Echo | Script::Tone | Script::Announcement | Script::ReadBack | Script::Conference => {
                self.robot_answers(now, id);
            }
            Script::EarlyMedia => {
                let body = robot(leg).and_then(|robot| robot.body.clone());
                self.respond(now, id, StatusCode::SESSION_PROGRESS, body, Vec::new());
                self.robot_speaks(now, id, ring_tone());
                self.alarms.set(id, now + timing.early_media);
            }
            Script::NoAnswer | Script::SlowAnswer => {
                self.respond(now, id, StatusCode::RINGING, None, Vec::new());
                let wait = if script == Script::NoAnswer { PATIENCE } else { timing.slow_answer };
                self.alarms.set(id, now + wait);
            }
        }
    }

    /// Lets `script` take over leg `id` from its partner; returns the status with which that
    /// begins.
    pub(super) fn robot_takes(&mut self, now: Instant, id: SessionId, script: Script) -> StatusCode {
        let body = self.robot_offers(id);
        let Some(leg) = self.legs.get_mut(&id) else { return StatusCode::CALL_DOES_NOT_EXIST };
        let Some(body) = body else { return StatusCode::NOT_ACCEPTABLE_HERE };
        self.voices.insert(leg.media.id(), id);
        leg.role = Role::Robot(Box::new(Robot { script, step: Step::Playing, plan: None, body: None }));
        match self.offer(now, id, body, After::Speak) {
            Ok(()) => StatusCode::OK,
            Err(error) => {
                tracing::debug!(%error, "a transferred call cannot be described anew");
                self.leave(now, id, Vec::new());
                StatusCode::SERVER_INTERNAL_ERROR
            }
        }
    }

    /// Creates our description: the answer to the caller's offer, otherwise an offer.
    fn robot_describes(&mut self, id: SessionId) -> Result<(Option<MediaPlan>, Body), StatusCode> {
        let gone = StatusCode::SERVER_INTERNAL_ERROR;
        let leg = self.legs.get_mut(&id).ok_or(gone)?;
        let Some(offer) = leg.talk.received.clone() else {
            return self.robot_offers(id).map(|body| (None, body)).ok_or(gone);
        };
        let (plan, body) = answer(leg, &offer)?;
        Ok((Some(plan), body))
    }

    fn robot_offers(&mut self, id: SessionId) -> Option<Body> {
        let leg = self.legs.get_mut(&id)?;
        let offer = negotiate::offer(&Capabilities::default(), &local(leg));
        Some(leg.talk.write(offer, leg.media.address().ip(), leg.media.id()))
    }

    fn robot_answers(&mut self, now: Instant, id: SessionId) {
        let Some(robot) = self.legs.get_mut(&id).and_then(robot) else { return };
        robot.step = Step::Playing;
        let body = robot.body.take();
        self.respond(now, id, StatusCode::OK, body, Vec::new());
        self.robot_begins(now, id);
    }

    /// Plays what the number is for, once it has answered and media is agreed.
    fn robot_begins(&mut self, now: Instant, id: SessionId) {
        let Some(robot) = self.legs.get_mut(&id).and_then(robot) else { return };
        if robot.plan.is_none() || robot.step == Step::Ringing {
            return;
        }
        let source = match robot.script {
            Script::Echo | Script::EarlyMedia | Script::SlowAnswer => Source::Echo,
            Script::NoAnswer | Script::Conference => Source::Silence,
            Script::Tone => Source::Tone(Tone::steady(&[1000.0], Tone::dbm0(-10.0))),
            Script::Announcement => Source::Wav { samples: announcement(), rate: SAMPLE_RATE, repeat: false },
            Script::ReadBack => {
                robot.step = Step::Reading { digits: String::new() };
                self.alarms.set(id, now + self.options.timing.digit_wait);
                Source::Wav { samples: beep(), rate: SAMPLE_RATE, repeat: false }
            }
        };
        let confers = robot.script == Script::Conference;
        self.robot_speaks(now, id, source);
        if let Some(leg) = self.legs.get(&id).filter(|_| confers) {
            leg.media.confer();
        }
    }

    fn robot_speaks(&mut self, now: Instant, id: SessionId, source: Source) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(plan) = robot(leg).and_then(|robot| robot.plan.clone()) {
            leg.media.speak(now, plan, source);
        }
    }

    /// Handles the answer to our offer, from the ACK or for a re-INVITE.
    pub(super) fn robot_answered(&mut self, now: Instant, id: SessionId, described: &SessionDescription) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(offer) = leg.talk.sent.clone() else { return };
        leg.talk.received = Some(described.clone());
        let agreed = negotiate::accept_answer(&Capabilities::default(), &offer, described);
        let Ok(plan) = agreed.inspect_err(|error| tracing::debug!(%error, "unusable answer at the lab"))
        else {
            return self.leave(now, id, Vec::new());
        };
        let Some(robot) = robot(leg) else { return };
        let first = robot.plan.replace(plan.clone()).is_none();
        if first {
            self.robot_begins(now, id);
        } else {
            leg.media.replan(now, plan);
        }
    }

    /// Responds to a re-INVITE.
    pub(super) fn robot_reoffered(&mut self, now: Instant, id: SessionId, offer: &SessionDescription) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match answer(leg, offer) {
            Ok((plan, body)) => {
                leg.talk.received = Some(offer.clone());
                leg.media.replan(now, plan.clone());
                if let Some(robot) = robot(leg) {
                    robot.plan = Some(plan);
                }
                self.respond(now, id, StatusCode::OK, Some(body), Vec::new());
            }
            Err(status) => self.respond(now, id, status, None, Vec::new()),
        }
    }

    /// Handles a fact from the voice.
    pub(super) fn robot_heard(&mut self, now: Instant, id: SessionId, fact: &Fact) {
        if let Fact::Digit { digit, .. } = fact {
            self.teller.digit(id, digit.as_char());
            return self.robot_digit(now, id, digit.as_char());
        }
        let Some(robot) = self.legs.get_mut(&id).and_then(robot) else { return };
        let finished = matches!(fact, Fact::PlaybackFinished) && robot.script == Script::Announcement;
        let sent = matches!(fact, Fact::DigitsSent { .. } | Fact::DigitsCut { .. });
        if finished && robot.step == Step::Playing {
            self.leave(now, id, Vec::new());
        } else if sent && robot.step == Step::Sending {
            self.robot_parts(now, id);
        }
    }

    /// Handles a digit, however it came.
    pub(super) fn robot_digit(&mut self, now: Instant, id: SessionId, digit: char) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let media = leg.media.clone();
        let Some(Step::Reading { digits }) = robot(leg).map(|robot| &mut robot.step) else { return };
        media.play(Source::Silence);
        if digit != '#' {
            digits.push(digit);
        }
        if digit == '#' || digits.len() >= MOST_DIGITS {
            self.robot_read(now, id);
        } else {
            self.alarms.set(id, now + self.options.timing.digit_wait);
        }
    }

    /// Sends back the digits that were read.
    fn robot_read(&mut self, now: Instant, id: SessionId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let media = leg.media.clone();
        let Some(robot) = robot(leg) else { return };
        let Step::Reading { digits } = std::mem::replace(&mut robot.step, Step::Sending) else { return };
        self.alarms.clear(id);
        if digits.is_empty() {
            return self.robot_parts(now, id);
        }
        if let Err(error) = media.send_digits(&digits) {
            tracing::debug!(%error, "digits cannot be sent back");
            self.robot_parts(now, id);
        }
    }

    fn robot_parts(&mut self, now: Instant, id: SessionId) {
        if let Some(robot) = self.legs.get_mut(&id).and_then(robot) {
            robot.step = Step::Parting;
            self.alarms.set(id, now + self.options.timing.goodbye);
        }
    }

    /// Handles the deadline of a test number.
    pub(super) fn robot_alarm(&mut self, now: Instant, id: SessionId) {
        let Some(robot) = self.legs.get_mut(&id).and_then(robot) else { return };
        match (&robot.step, robot.script) {
            (Step::Ringing, Script::NoAnswer) => {
                self.respond(now, id, StatusCode::TEMPORARILY_UNAVAILABLE, None, Vec::new());
            }
            (Step::Ringing, _) => self.robot_answers(now, id),
            (Step::Reading { .. }, _) => self.robot_read(now, id),
            (Step::Parting, _) => self.leave(now, id, Vec::new()),
            (Step::Playing | Step::Sending, _) => {}
        }
    }
}

fn robot(leg: &mut Leg) -> Option<&mut Robot> {
    match &mut leg.role {
        Role::Robot(robot) => Some(robot),
        Role::Caller
        | Role::Branch { .. }
        | Role::Bridged { .. }
        | Role::Waiting
        | Role::Transferred
        | Role::Leaving => None,
    }
}

fn local(leg: &Leg) -> LocalMedia {
    let address = leg.media.address();
    LocalMedia {
        session_id: leg.media.id(),
        version: 0,
        address: address.ip(),
        port: address.port(),
        direction: Direction::SendRecv,
    }
}

fn answer(leg: &mut Leg, offer: &SessionDescription) -> Result<(MediaPlan, Body), StatusCode> {
    let negotiated = negotiate::answer(&Capabilities::default(), &local(leg), offer).map_err(|error| {
        tracing::debug!(%error, "unusable offer at the lab");
        StatusCode::new(error.sip_status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE)
    })?;
    let body = leg.talk.write(negotiated.description, leg.media.address().ip(), leg.media.id());
    Ok((negotiated.plan, body))
}

/// Returns the European ringing tone as 604 sends it: without the pauses, so that every packet of
/// it is audible.
fn ring_tone() -> Source {
    Source::Tone(Tone::steady(&[425.0], Tone::dbm0(-13.0)))
}
