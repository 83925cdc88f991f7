//! What a session makes of the audio it hears.

use std::time::Duration;

use super::config::SessionConfig;
use super::media_session::TICK;
use super::output::Fact;
use crate::audio::{Frame, LevelMeter, SilenceChange, SilenceDetector, ToneChange, ToneDetector};
use crate::codec::Codec;
use crate::dtmf::{Digit, DigitDetector, DigitMethod, HeardDigit, ReceivedEvent};
use crate::jitter::FrameKind;

/// Level, detectors and the digits heard.
#[derive(Debug)]
pub(super) struct Listener {
    codec: Option<Codec>,
    threshold_dbfs: f64,
    level: LevelMeter,
    played: Duration,
    sounding: Duration,
    silence: Option<SilenceDetector>,
    tone: Option<ToneDetector>,
    inband: Option<DigitDetector>,
    heard: Vec<HeardDigit>,
    digits: String,
}

/// What the listener contributes to the statistics.
pub(super) struct Figures {
    pub(super) level: Option<f64>,
    pub(super) played: Duration,
    pub(super) sounding: Duration,
    pub(super) digits: String,
}

/// Digits kept for the statistics.
const MAX_DIGITS: usize = 1024;

impl Listener {
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self {
            codec: None,
            threshold_dbfs: config.silence.threshold_dbfs,
            level: LevelMeter::default(),
            played: Duration::ZERO,
            sounding: Duration::ZERO,
            silence: config.detectors.silence.then(|| SilenceDetector::new(config.silence)),
            tone: config.detectors.tone.then(ToneDetector::new),
            inband: config.detectors.inband_dtmf.then(DigitDetector::new),
            heard: Vec::new(),
            digits: String::new(),
        }
    }

    pub(super) const fn codec(&self) -> Option<Codec> {
        self.codec
    }

    pub(super) const fn set_codec(&mut self, codec: Codec) {
        self.codec = Some(codec);
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            level: self.level.rms_dbfs(),
            played: self.played,
            sounding: self.sounding,
            digits: self.digits.clone(),
        }
    }

    /// Takes a telephone event; events that are no digit are ignored.
    pub(super) fn event(&mut self, event: ReceivedEvent) -> Option<Fact> {
        let digit = Digit::from_event(event.event)?;
        Some(self.digit(digit, event.duration, DigitMethod::Rfc4733))
    }

    /// Takes the next 20 ms.
    pub(super) fn frame(&mut self, kind: FrameKind, frame: &Frame, facts: &mut Vec<Fact>) {
        if kind == FrameKind::Received {
            let mut meter = LevelMeter::default();
            meter.add(frame);
            self.level.add(frame);
            self.played += TICK;
            if meter.rms_dbfs().is_some_and(|level| level >= self.threshold_dbfs) {
                self.sounding += TICK;
            }
        }
        match self.silence.as_mut().and_then(|silence| silence.push(frame)) {
            Some(SilenceChange::Started) => facts.push(Fact::SilenceStarted),
            Some(SilenceChange::Ended { quiet }) => facts.push(Fact::SilenceEnded { quiet }),
            None => {}
        }
        match self.tone.as_mut().and_then(|tone| tone.push(frame)) {
            Some(ToneChange::Started { hz, level_dbfs }) => {
                facts.push(Fact::ToneStarted { hz, level: level_dbfs });
            }
            Some(ToneChange::Ended { hz, duration }) => facts.push(Fact::ToneEnded { hz, duration }),
            None => {}
        }
        if let Some(inband) = &mut self.inband {
            let mut heard = std::mem::take(&mut self.heard);
            inband.push(frame, &mut heard);
            let digits = heard
                .drain(..)
                .map(|HeardDigit { digit, duration }| self.digit(digit, duration, DigitMethod::InBand));
            facts.extend(digits);
            self.heard = heard;
        }
    }

    fn digit(&mut self, digit: Digit, duration: Duration, method: DigitMethod) -> Fact {
        if self.digits.len() < MAX_DIGITS {
            self.digits.push(digit.as_char());
        }
        Fact::Digit { digit, duration_ms: duration.as_millis() as u64, method }
    }
}
