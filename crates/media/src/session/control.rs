//! Commands to a session.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::media_session::MediaSession;
use super::output::Fact;
use super::source::{Player, Source};
use crate::audio::Frame;
use crate::codec::Codec;
use crate::dtmf::{Digit, DigitMethod, EventReceiver, EventSender};
use crate::negotiate::MediaPlan;

/// Why digits cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendDigitsError {
    /// A character that is not a digit.
    #[error("{character:?} is no digit")]
    InvalidDigit {
        /// The character.
        character: char,
    },
    /// No digit was given.
    #[error("no digits to send")]
    Empty,
    /// The peer does not know telephone events, or not this one.
    #[error("telephone events are not negotiated")]
    NotNegotiated,
    /// There is no plan, or it does not let us send.
    #[error("the stream does not send")]
    NotSending,
}

/// Digits under way, a batch for each command.
#[derive(Debug, Default)]
pub(super) struct DigitBatches {
    waiting: VecDeque<(DigitMethod, String)>,
}

impl DigitBatches {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the batches of a method whose queue has run out.
    pub(super) fn finished(&mut self, method: DigitMethod) -> Vec<Fact> {
        let done = self.take(method);
        done.map(|digits| Fact::DigitsSent { digits, method }).collect()
    }

    /// Takes the batches of a method that cannot be sent any more.
    fn aborted(&mut self, method: DigitMethod) -> Vec<Fact> {
        let cut = self.take(method);
        cut.map(|digits| Fact::DigitsCut { digits, method }).collect()
    }

    fn take(&mut self, method: DigitMethod) -> impl Iterator<Item = String> + use<> {
        let (taken, rest): (VecDeque<_>, VecDeque<_>) =
            self.waiting.drain(..).partition(|(batch, _)| *batch == method);
        self.waiting = rest;
        taken.into_iter().map(|(_, digits)| digits)
    }
}

impl MediaSession {
    /// Follows a plan from now on: the first one, or that of a re-INVITE.
    ///
    /// Source, sequence numbers and timestamps continue, whatever changes. Ticks that nobody asked
    /// for before the first plan are not made up for.
    pub fn set_plan(&mut self, now: Instant, plan: MediaPlan) {
        let codec_changes = self
            .plan
            .as_ref()
            .is_none_or(|old| (old.codec, old.send_payload_type) != (plan.codec, plan.send_payload_type));
        if codec_changes || !plan.direction.sends() {
            // Sound from before goes out by the old plan, as far as it fills packets.
            self.release_packets(now, true);
            self.packetizer.clear();
            self.sender.pause();
        }
        if self.codec != plan.codec {
            self.tune(plan.codec);
        }
        if !plan.direction.sends() || plan.telephone_event.is_none() {
            self.events_out.stop();
            let cut = self.batches.aborted(DigitMethod::Rfc4733);
            self.facts(cut);
        }
        if !plan.direction.sends() {
            self.tones_out.stop();
            let cut = self.batches.aborted(DigitMethod::InBand);
            self.facts(cut);
        }
        self.reporting.start(now, &mut self.seed);
        if self.plan.is_none() {
            // Before the first plan there was nothing to say, so there is nothing to make up for.
            self.next_tick = self.next_tick.map(|tick| tick.max(now));
        }
        self.peer.negotiate(&plan);
        self.plan = Some(plan);
    }

    /// Changes to the clock, rate and state of another codec.
    fn tune(&mut self, codec: Codec) {
        if codec.rtp_clock != self.codec.rtp_clock {
            self.events_out = EventSender::new(codec.rtp_clock);
            self.events_in = EventReceiver::new(codec.rtp_clock);
            let cut = self.batches.aborted(DigitMethod::Rfc4733);
            self.facts(cut);
        }
        if codec.rate != self.codec.rate {
            self.heard = Frame::silence(codec.rate);
            self.said = Frame::silence(codec.rate);
            self.player.set_rate(codec.rate);
            self.tones_out.set_rate(codec.rate);
            self.listener.set_rate(codec.rate);
        }
        self.codec = codec;
        self.encoder = (codec.encoder)();
    }

    /// Plays `source` in place of what is playing.
    pub fn play(&mut self, source: Source) {
        self.player = Player::new(source, self.codec.rate);
    }

    /// Plays silence.
    pub fn stop(&mut self) {
        self.play(Source::Silence);
    }

    /// Says whether digits could be queued now; queues none.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_digits(&self, method: DigitMethod, digits: &str) -> Result<(), SendDigitsError> {
        self.parse_digits(method, digits).map(drop)
    }

    /// Queues digits after those under way.
    ///
    /// # Errors
    ///
    /// Fails as a whole, before the first digit is queued.
    pub fn send_digits(
        &mut self,
        method: DigitMethod,
        digits: &str,
        duration: Duration,
        gap: Duration,
    ) -> Result<(), SendDigitsError> {
        let parsed = self.parse_digits(method, digits)?;
        match method {
            DigitMethod::Rfc4733 => {
                parsed.iter().for_each(|digit| self.events_out.push(*digit, duration, gap));
            }
            DigitMethod::InBand => parsed.iter().for_each(|digit| self.tones_out.push(*digit, duration, gap)),
        }
        self.digits_sent += parsed.len() as u64;
        self.batches.waiting.push_back((method, parsed.iter().map(|digit| digit.as_char()).collect()));
        Ok(())
    }

    fn parse_digits(&self, method: DigitMethod, digits: &str) -> Result<Vec<Digit>, SendDigitsError> {
        let parse =
            |character| Digit::from_char(character).ok_or(SendDigitsError::InvalidDigit { character });
        let parsed: Vec<Digit> = digits.chars().map(parse).collect::<Result<_, _>>()?;
        if parsed.is_empty() {
            return Err(SendDigitsError::Empty);
        }
        let plan = self.plan.as_ref().filter(|plan| plan.direction.sends());
        let plan = plan.ok_or(SendDigitsError::NotSending)?;
        match method {
            DigitMethod::Rfc4733 => {
                let events = plan.telephone_event.ok_or(SendDigitsError::NotNegotiated)?.events;
                if !parsed.iter().all(|digit| events.contains(digit.event())) {
                    return Err(SendDigitsError::NotNegotiated);
                }
            }
            DigitMethod::InBand => {
                if let Some(flash) = parsed.iter().find(|digit| **digit == Digit::FLASH) {
                    return Err(SendDigitsError::InvalidDigit { character: flash.as_char() });
                }
            }
        }
        Ok(parsed)
    }

    /// Turns [`super::Output::RecordFrame`] on or off.
    pub const fn record(&mut self, on: bool) {
        self.recording = on;
    }

    /// Ends the session: digits under way are cut, RTCP BYE, last statistics, no more ticks.
    pub fn close(&mut self, now: Instant) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.next_tick = None;
        for method in [DigitMethod::Rfc4733, DigitMethod::InBand] {
            let cut = self.batches.aborted(method);
            self.facts(cut);
        }
        self.send_bye(now);
        let strangers = self.peer.tell_last_strangers();
        self.facts(strangers);
        let withheld = self.limits.tell();
        self.facts(withheld);
        let stats = Box::new(self.stats());
        self.fact(Fact::Statistics(stats));
    }
}
