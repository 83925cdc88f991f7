//! Digits as tones in the audio, on the way in.
//!
//! ITU-T Q.23 and Q.24: 40 ms of tone and 40 ms of pause are enough, frequencies may be off by 1.5 %, the
//! two may differ in level (twist). Windows of 12.75 ms every half window, eight resonators and a harmonic each.
//! A digit needs four windows in a row and ends after three without it; voices fail on the share of
//! power that two frequencies must hold, and on the harmonic that a tone lacks.

use std::time::Duration;

use super::event::Digit;
use super::inband::{HIGH, KEYPAD, LOW};
use crate::audio::{FULL_SCALE, Goertzels, squares};

/// Length of half a window, and time between two, in microseconds.
const HOP_US: u32 = 6375;
/// Windows that make a digit.
const START_WINDOWS: u32 = 4;
/// Windows without it that end a digit.
const END_WINDOWS: u32 = 3;
/// Weakest tone: −40 dBFS as mean square.
const FLOOR: f32 = (FULL_SCALE * 1e-4) as f32;
/// Share of the power that both tones must have.
const SHARE: f32 = 0.6;
/// How far a tone stands above its neighbors: 8 dB.
const PROMINENCE: f32 = 6.3;
/// High tone over low tone at most: 5 dB.
const TWIST: f32 = 3.2;
/// Low tone over high tone at most: 9 dB.
const REVERSE_TWIST: f32 = 8.0;
/// Second harmonic of the high tone against the tone at most: −10 dB.
const HARMONIC: f32 = 0.1;

/// A digit heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardDigit {
    /// The digit.
    pub digit: Digit,
    /// How long it sounded, to about 10 ms.
    pub duration: Duration,
}

/// Listens for digits.
#[derive(Debug, Clone)]
pub struct DigitDetector {
    rate: u32,
    /// Samples between windows, half of one.
    hop: usize,
    /// The four low frequencies, then the four high ones.
    tones: Goertzels<8>,
    high_harmonics: [Goertzels<1>; 4],
    samples: Vec<i16>,
    /// The digit of the last windows, and how many showed it.
    run: Option<(Digit, u32)>,
    missed: u32,
}

impl DigitDetector {
    /// Makes a detector that has heard nothing, for sound of `rate` samples a second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let [a, b, c, d] = LOW;
        let [e, f, g, h] = HIGH;
        Self {
            rate,
            hop: (u64::from(rate) * u64::from(HOP_US) / 1_000_000) as usize,
            tones: Goertzels::new([a, b, c, d, e, f, g, h], rate),
            high_harmonics: HIGH.map(|hertz| Goertzels::new([2.0 * hertz], rate)),
            samples: Vec::new(),
            run: None,
            missed: 0,
        }
    }

    /// Takes samples and adds the digits that end in them to `heard`.
    pub fn push(&mut self, audio: &[i16], heard: &mut Vec<HeardDigit>) {
        self.samples.extend_from_slice(audio);
        let samples = std::mem::take(&mut self.samples);
        let mut start = 0;
        while let Some(window) = samples.get(start..start + 2 * self.hop) {
            let found = self.examine(window);
            heard.extend(self.follow(found));
            start += self.hop.max(1);
        }
        self.samples = samples;
        self.samples.drain(..start);
    }

    fn follow(&mut self, found: Option<Digit>) -> Option<HeardDigit> {
        let Some((digit, windows)) = self.run else {
            self.run = found.map(|digit| (digit, 1));
            return None;
        };
        if found == Some(digit) {
            self.run = Some((digit, windows + 1 + std::mem::take(&mut self.missed)));
            return None;
        }
        let is_digit = windows >= START_WINDOWS;
        if is_digit && self.missed + 1 < END_WINDOWS {
            self.missed += 1;
            return None;
        }
        self.run = found.map(|digit| (digit, 1));
        self.missed = 0;
        is_digit.then(|| HeardDigit { digit, duration: self.duration(windows) })
    }

    fn examine(&self, window: &[i16]) -> Option<Digit> {
        let total = squares(window) as f32 / window.len() as f32;
        // Quiet windows, which are most, need no resonator.
        if total < FLOOR {
            return None;
        }
        let [a, b, c, d, e, f, g, h] = self.tones.powers(window);
        let (row, low) = strongest([a, b, c, d])?;
        let (column, high) = strongest([e, f, g, h])?;
        if low < FLOOR || high < FLOOR || low + high < SHARE * total {
            return None;
        }
        if high > TWIST * low || low > REVERSE_TWIST * high {
            return None;
        }
        // The overtones of the low group lie next to tones of the high group, too near to be told apart.
        let [overtone] = self.high_harmonics.get(column)?.powers(window);
        if overtone > HARMONIC * high {
            return None;
        }
        KEYPAD.get(row).and_then(|keys| keys.get(column)).copied().and_then(Digit::from_char)
    }

    /// Each end of the run reaches about half a hop into windows that only touch the tone.
    fn duration(&self, windows: u32) -> Duration {
        let samples = (u64::from(windows) * 2 + 1) * self.hop as u64 / 2;
        Duration::from_micros(samples * 1_000_000 / u64::from(self.rate.max(1)))
    }
}

/// Returns the strongest of four powers, if it stands out.
fn strongest(powers: [f32; 4]) -> Option<(usize, f32)> {
    let (index, top) = powers.iter().copied().enumerate().max_by(|left, right| left.1.total_cmp(&right.1))?;
    let alone = powers.iter().enumerate().all(|(other, power)| other == index || power * PROMINENCE < top);
    alone.then_some((index, top))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Tone, ToneGenerator};
    use crate::codec::{ulaw_decode, ulaw_encode};
    use crate::dtmf::InbandSender;
    use crate::testkit::speech;
    use offhook_seed::Seed;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn heard(audio: &[i16]) -> Vec<HeardDigit> {
        let (mut detector, mut digits) = (DigitDetector::new(8000), Vec::new());
        audio.chunks(160).for_each(|frame| detector.push(frame, &mut digits));
        digits
    }

    fn text(audio: &[i16]) -> String {
        heard(audio).iter().map(|heard| heard.digit.as_char()).collect()
    }

    fn dial(digits: &str, tone: u64, pause: u64) -> Vec<i16> {
        let mut sender = InbandSender::new(8000);
        digits.chars().for_each(|key| sender.push(Digit::from_char(key).unwrap(), MS(tone), MS(pause)));
        let mut audio = vec![0; digits.len() * (tone + pause) as usize * 8 + 1600];
        // An odd start, so that no window fits by luck.
        sender.fill(&mut audio[37..]);
        audio
    }

    /// One key with free frequencies and levels, between silences.
    fn key(low: (f64, f64), high: (f64, f64), milliseconds: usize, offset: usize) -> Vec<i16> {
        let mut audio = vec![0i16; 2400];
        let end = offset + milliseconds * 8;
        for (hz, level) in [low, high] {
            let mut part = vec![0; end - offset];
            ToneGenerator::new(&Tone::steady(&[hz], level), 8000).fill(&mut part);
            audio[offset..end].iter_mut().zip(&part).for_each(|(sum, sample)| *sum += sample);
        }
        audio
    }

    const ALL: &str = "1234567890*#ABCD";

    #[test]
    fn every_digit_of_40_ms_with_40_ms_pause_is_heard() {
        assert_eq!(text(&dial(ALL, 40, 40)), ALL);
        assert_eq!(text(&dial(ALL, 100, 60)), ALL);
    }

    #[test]
    fn wideband_sound_has_the_same_digits() {
        let mut sender = InbandSender::new(16_000);
        ALL.chars().for_each(|key| sender.push(Digit::from_char(key).unwrap(), MS(50), MS(50)));
        let (mut detector, mut digits) = (DigitDetector::new(16_000), Vec::new());
        let mut audio = vec![0; 16 * 1600 + 3200];
        sender.fill(&mut audio[37..]);
        audio.chunks(320).for_each(|frame| detector.push(frame, &mut digits));
        assert_eq!(digits.iter().map(|heard| heard.digit.as_char()).collect::<String>(), ALL);
    }

    #[test]
    fn equal_digits_in_a_row_are_two() {
        assert_eq!(text(&dial("5555", 50, 45)), "5555");
    }

    #[test]
    fn digits_survive_companding_and_noise() {
        let mut seed = Seed::new(9);
        let noisy: Vec<i16> = dial(ALL, 60, 50)
            .iter()
            .map(|sample| sample + (seed.next_u16() as i16) / 64)
            .map(|sample| ulaw_decode(ulaw_encode(sample)))
            .collect();
        assert_eq!(text(&noisy), ALL);
    }

    #[test]
    fn the_duration_is_right_within_ten_milliseconds() {
        for length in [50u64, 100, 200, 500] {
            let digits = heard(&dial("5", length, 50));
            let measured = digits[0].duration.as_millis() as i64;
            assert!((measured - length as i64).abs() <= 10, "{length}: {measured}");
        }
    }

    #[test]
    fn frequencies_one_and_a_half_percent_off_are_heard_and_four_percent_are_not() {
        for (row, low) in LOW.iter().enumerate() {
            for (column, high) in HIGH.iter().enumerate() {
                let expected = KEYPAD[row][column].to_string();
                for (down, up) in [(0.985, 0.985), (1.015, 1.015), (0.985, 1.015), (1.015, 0.985)] {
                    let audio = key((low * down, -12.0), (high * up, -12.0), 60, 100);
                    assert_eq!(text(&audio), expected, "{down} {up}");
                }
                let audio = key((low * 0.96, -12.0), (high * 1.04, -12.0), 60, 100);
                assert_eq!(text(&audio), "", "{expected} off by 4 %");
            }
        }
    }

    #[test]
    fn twist_within_the_recommendation_is_accepted_and_more_is_not() {
        let with = |low: f64, high: f64| text(&key((770.0, low), (1336.0, high), 60, 100));
        assert_eq!(with(-14.0, -10.0), "5");
        assert_eq!(with(-10.0, -18.0), "5");
        assert_eq!(with(-17.0, -10.0), "");
        assert_eq!(with(-10.0, -21.0), "");
    }

    #[test]
    fn quiet_digits_are_heard_and_very_quiet_ones_are_not() {
        let at = |level: f64| text(&key((941.0, level), (1477.0, level), 60, 100));
        assert_eq!(at(-35.0), "#");
        assert_eq!(at(-46.0), "");
    }

    #[test]
    fn tones_shorter_than_23_ms_are_no_digits() {
        for offset in 100..160 {
            assert_eq!(text(&key((770.0, -10.0), (1336.0, -10.0), 22, offset)), "", "offset {offset}");
            assert_eq!(text(&key((770.0, -10.0), (1336.0, -10.0), 40, offset)), "5", "offset {offset}");
        }
    }

    #[test]
    fn a_short_drop_does_not_split_a_digit() {
        let mut audio = key((770.0, -10.0), (1336.0, -10.0), 120, 100);
        audio[500..570].fill(0);
        assert_eq!(text(&audio), "5");
    }

    #[test]
    fn single_tones_speech_and_noise_have_no_digits() {
        for hz in LOW.into_iter().chain(HIGH).chain([425.0, 1004.0]) {
            let mut audio = vec![0; 8000];
            ToneGenerator::new(&Tone::steady(&[hz], -6.0), 8000).fill(&mut audio);
            assert_eq!(text(&audio), "", "{hz}");
        }
        for tone in [Tone::dial_us(), Tone::busy_us(), Tone::ringback_us()] {
            let mut audio = vec![0; 16_000];
            ToneGenerator::new(&tone, 8000).fill(&mut audio);
            assert_eq!(text(&audio), "");
        }
        let mut seed = Seed::new(4);
        let noise: Vec<i16> = (0..480_000).map(|_| seed.next_u16() as i16 / 4).collect();
        assert_eq!(text(&noise), "");
        // Two minutes of speech-like sound.
        assert_eq!(text(&speech(11, 960_000)), "");
    }
}
