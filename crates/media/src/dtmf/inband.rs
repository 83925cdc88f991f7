//! Digits as tones in the audio, on the way out.
//!
//! ITU-T Q.23: one of four low and one of four high frequencies together.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::Digit;
use crate::audio::{Tone, ToneGenerator};

/// Row frequencies in hertz.
pub(super) const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
/// Column frequencies in hertz.
pub(super) const HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keypad, row by row.
pub(super) const KEYPAD: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Level of each of the two frequencies.
const LEVEL: f64 = Tone::dbm0(-9.0);

/// Queue of digits that sound one after the other.
#[derive(Debug, Clone)]
pub struct InbandSender {
    rate: u32,
    queue: VecDeque<(Digit, Duration, Duration)>,
    current: Option<Sounding>,
}

#[derive(Debug, Clone)]
struct Sounding {
    generator: ToneGenerator,
    /// Samples of tone, then of pause, still to come.
    tone: u64,
    pause: u64,
}

impl InbandSender {
    /// Makes a sender that fills sound of `rate` samples a second.
    #[must_use]
    pub const fn new(rate: u32) -> Self {
        Self { rate, queue: VecDeque::new(), current: None }
    }

    /// Fills sound of another rate from now on; a digit that is sounding is cut off.
    pub fn set_rate(&mut self, rate: u32) {
        if self.rate != rate {
            self.rate = rate;
            self.current = None;
        }
    }

    /// Queues a digit; the hook flash has no tone and is skipped.
    pub fn push(&mut self, digit: Digit, duration: Duration, gap: Duration) {
        if frequencies(digit).is_some() {
            self.queue.push_back((digit, duration, gap));
        }
    }

    /// Forgets everything.
    pub fn stop(&mut self) {
        self.queue.clear();
        self.current = None;
    }

    /// Returns whether nothing is queued or sounding.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.current.is_none()
    }

    /// Fills `out` with tones and pauses; leaves its end untouched when the queue runs out.
    pub fn fill(&mut self, out: &mut [i16]) {
        let mut rest = out;
        while !rest.is_empty() {
            let Some(mut sounding) = self.current.take().or_else(|| self.start_next()) else { return };
            let sounds = sounding.tone > 0;
            let left = if sounds { &mut sounding.tone } else { &mut sounding.pause };
            let length = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= length as u64;
            let (head, tail) = rest.split_at_mut(length);
            if sounds {
                sounding.generator.fill(head);
            } else {
                head.fill(0);
            }
            rest = tail;
            self.current = (sounding.tone + sounding.pause > 0).then_some(sounding);
        }
    }

    fn start_next(&mut self) -> Option<Sounding> {
        let (digit, tone, pause) = self.queue.pop_front()?;
        let generator = ToneGenerator::new(&Tone::steady(&frequencies(digit)?, LEVEL), self.rate);
        Some(Sounding { generator, tone: self.samples(tone), pause: self.samples(pause) })
    }

    const fn samples(&self, duration: Duration) -> u64 {
        duration.as_millis() as u64 * self.rate as u64 / 1000
    }
}

/// Returns the two frequencies of a digit.
fn frequencies(digit: Digit) -> Option<[f64; 2]> {
    KEYPAD.iter().zip(LOW).find_map(|(row, low)| {
        let column = row.iter().position(|key| *key == digit.as_char())?;
        HIGH.get(column).map(|high| [low, *high])
    })
}
