//! What a session makes of the audio it hears.
//!
//! The sum of squares of a frame is computed once: level, silence and the sound heard are all
//! derived from it. Detectors that the configuration does not name do not exist, and those that
//! exist skip quiet sound.

use std::time::Duration;

use super::config::SessionConfig;
use super::output::Fact;
use crate::audio::{
    FRAME, FULL_SCALE, Frame, LevelMeter, SAMPLE_RATE, SilenceChange, SilenceDetector, ToneChange,
    ToneDetector, squares,
};
use crate::codec::Codec;
use crate::dtmf::{Digit, DigitDetector, DigitMethod, EventChange, HeardDigit};
use crate::jitter::FrameKind;

/// Level, detectors and the digits heard.
#[derive(Debug)]
pub(super) struct Listener {
    codec: Option<Codec>,
    /// Mean square from which a frame is loud.
    threshold: f64,
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
            threshold: FULL_SCALE * 10f64.powf(config.silence.threshold_dbfs / 10.0),
            level: LevelMeter::default(),
            played: Duration::ZERO,
            sounding: Duration::ZERO,
            silence: config.detectors.silence.then(|| SilenceDetector::new(config.silence.duration)),
            tone: config.detectors.tone.then(|| ToneDetector::new(SAMPLE_RATE)),
            inband: config.detectors.inband_dtmf.then(|| DigitDetector::new(SAMPLE_RATE)),
            heard: Vec::new(),
            digits: String::new(),
        }
    }

    /// Listens to sound of another rate from now on; a tone that is sounding is detected anew.
    pub(super) fn set_rate(&mut self, rate: u32) {
        self.tone = self.tone.take().map(|_| ToneDetector::new(rate));
        self.inband = self.inband.take().map(|_| DigitDetector::new(rate));
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

    /// Takes a telephone event; events that are not digits are ignored.
    pub(super) fn event(&mut self, change: EventChange) -> Option<Fact> {
        let method = DigitMethod::Rfc4733;
        Some(match change {
            EventChange::Started(event) => Fact::DigitStarted { digit: Digit::from_event(event)?, method },
            EventChange::Ended(event) => self.digit(Digit::from_event(event.event)?, event.duration, method),
        })
    }

    /// Takes the next frame.
    pub(super) fn frame(&mut self, kind: FrameKind, frame: &Frame, tell: &mut impl FnMut(Fact)) {
        let squares = squares(frame);
        // Digital silence is never loud, whatever the threshold.
        let loud = squares > 0 && squares as f64 >= self.threshold * frame.len() as f64;
        if kind == FrameKind::Received {
            self.level.add_squares(squares, frame.len());
            self.played += FRAME;
            if loud {
                self.sounding += FRAME;
            }
        }
        match self.silence.as_mut().and_then(|silence| silence.push(loud)) {
            Some(SilenceChange::Started) => tell(Fact::SilenceStarted),
            Some(SilenceChange::Ended { quiet }) => tell(Fact::SilenceEnded { quiet }),
            None => {}
        }
        match self.tone.as_mut().and_then(|tone| tone.push(frame)) {
            Some(ToneChange::Started { hz, level_dbfs }) => {
                tell(Fact::ToneStarted { hz, level: level_dbfs });
            }
            Some(ToneChange::Ended { hz, duration }) => tell(Fact::ToneEnded { hz, duration }),
            None => {}
        }
        if let Some(inband) = &mut self.inband {
            let mut heard = std::mem::take(&mut self.heard);
            inband.push(frame, &mut heard);
            for HeardDigit { digit, duration } in heard.drain(..) {
                // The detector reports a digit only when it is over.
                tell(Fact::DigitStarted { digit, method: DigitMethod::InBand });
                tell(self.digit(digit, duration, DigitMethod::InBand));
            }
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
