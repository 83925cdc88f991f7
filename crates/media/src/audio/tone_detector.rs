//! Steady tones in a running stream: ringback, busy, dial and test tones.
//!
//! Windows of 128 ms every 32 ms. One or two frequencies must hold nine tenths of the power in three
//! windows in a row, which the shortest cadence in use (250 ms) gives and a voice does not.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::spectrum::{Peak, Spectrum, Tables};
use super::{FULL_SCALE, SAMPLE_RATE, dbfs, squares};

/// Length of a window.
const WINDOW: Duration = Duration::from_millis(128);
/// How many windows begin within the length of one.
const OVERLAP: usize = 4;
/// Bins on each side of a frequency: the main lobe, so that 440 and 480 Hz stay apart.
const LOBE: usize = 2;
/// Share of the power that the tone must have.
const SHARE: f64 = 0.9;
/// Quietest tone.
const FLOOR_DBFS: f64 = -45.0;
/// A second frequency weaker than this part of the first is not part of the tone.
const SECOND: f64 = 0.1;
/// Largest wander of the frequency from window to window.
const WANDER_HZ: f64 = 10.0;
/// Windows that make a tone.
const START_WINDOWS: u32 = 3;
/// Windows without it that end it.
const END_WINDOWS: u32 = 2;

/// How far the windowed level may lie above the plain one: the window counts its middle 8/3 times, 4.3 dB.
const WINDOW_GAIN_DB: f64 = 4.3;

thread_local! {
    /// Buffers and tables for the spectrum of one window of telephone sound. A window needs nothing
    /// from the one before, so all detectors of a thread share these, which then stay in the
    /// processor's cache.
    static ROOM: RefCell<Spectrum> =
        RefCell::new(Spectrum::new(Arc::new(Tables::new(window_at(SAMPLE_RATE))), SAMPLE_RATE, LOBE));
}

/// Beginning or end of a tone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ToneChange {
    /// A tone is heard.
    Started {
        /// Its strongest frequency.
        hz: f64,
        /// Its level in dBFS, all frequencies together.
        level_dbfs: f64,
    },
    /// It is over.
    Ended {
        /// The frequency it started with.
        hz: f64,
        /// How long it sounded, to about 30 ms.
        duration: Duration,
    },
}

/// Listens for tones.
#[derive(Debug, Clone)]
pub struct ToneDetector {
    rate: u32,
    /// Samples in a window.
    window: usize,
    /// Sum of squares of a window below which no tone can be loud enough.
    floor: f64,
    /// Buffers for the spectrum of sound at another rate, once there was any.
    wide: Option<Box<Spectrum>>,
    /// The last window, oldest sample first.
    samples: Vec<i16>,
    candidate: Option<Candidate>,
    /// The tone that was reported as started.
    sounding: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    hz: f64,
    windows: u32,
    missed: u32,
}

impl ToneDetector {
    /// Makes a detector that has heard nothing, for sound of `rate` samples a second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let window = window_at(rate);
        let floor = FULL_SCALE * 10f64.powf((FLOOR_DBFS - WINDOW_GAIN_DB) / 10.0) * window as f64;
        Self {
            rate,
            window,
            floor,
            wide: None,
            samples: Vec::with_capacity(window + window / OVERLAP),
            candidate: None,
            sounding: None,
        }
    }

    /// Takes samples, at most 32 ms at once, and tells what they change.
    pub fn push(&mut self, audio: &[i16]) -> Option<ToneChange> {
        self.samples.extend_from_slice(audio);
        let heard = self.measure(self.samples.len().checked_sub(self.window)?);
        self.samples.drain(..self.window / OVERLAP);
        self.follow(heard)
    }

    fn follow(&mut self, heard: Option<(f64, f64)>) -> Option<ToneChange> {
        if let Some((hz, level_dbfs)) = heard {
            match &mut self.candidate {
                Some(known) if (known.hz - hz).abs() <= WANDER_HZ => {
                    known.windows += known.missed + 1;
                    known.missed = 0;
                }
                Some(known) if self.sounding.is_some() => known.missed += 1,
                Some(_) | None => self.candidate = Some(Candidate { hz, windows: 1, missed: 0 }),
            }
            let known = self.candidate.as_ref()?;
            if self.sounding.is_none() && known.windows >= START_WINDOWS {
                self.sounding = Some(known.hz);
                return Some(ToneChange::Started { hz, level_dbfs });
            }
        } else if let Some(known) = &mut self.candidate {
            known.missed += 1;
        }
        let known = self.candidate.filter(|known| known.missed >= END_WINDOWS)?;
        self.candidate = None;
        let hz = self.sounding.take()?;
        // The outermost windows that show a tone are about three quarters full of it.
        let samples = self.window / 2 + self.window / OVERLAP * (known.windows.saturating_sub(1)) as usize;
        let duration = Duration::from_micros(samples as u64 * 1_000_000 / u64::from(self.rate));
        Some(ToneChange::Ended { hz, duration })
    }

    /// Returns frequency and level if the window that ends `more` samples before the end is a tone.
    fn measure(&mut self, more: usize) -> Option<(f64, f64)> {
        let window = self.samples.get(..self.samples.len() - more)?;
        // A window that is too quiet as a whole holds no tone that is loud enough: silence costs no
        // transform.
        if (squares(window) as f64) < self.floor {
            return None;
        }
        if self.rate == SAMPLE_RATE {
            return ROOM.with_borrow_mut(|spectrum| strongest_tone(spectrum, window));
        }
        let wide = || Box::new(Spectrum::new(Arc::new(Tables::new(self.window)), self.rate, LOBE));
        strongest_tone(self.wide.get_or_insert_with(wide), window)
    }
}

/// Returns frequency and level if a window is a tone.
fn strongest_tone(spectrum: &mut Spectrum, window: &[i16]) -> Option<(f64, f64)> {
    spectrum.clear();
    spectrum.add(window);
    let first = spectrum.peak(None)?;
    let second = spectrum.peak(Some(first)).filter(|second| second.power > SECOND * first.power);
    let power = first.power + second.map_or(0.0, |second: Peak| second.power);
    let level = dbfs(power).filter(|level| *level >= FLOOR_DBFS)?;
    (power >= SHARE * spectrum.total()).then_some((first.hz, level))
}

/// Returns the samples of a window, an even number.
const fn window_at(rate: u32) -> usize {
    (rate as u64 * WINDOW.as_millis() as u64 / 2000 * 2) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Tone, ToneGenerator};
    use crate::codec::{alaw_decode, alaw_encode};
    use crate::testkit::speech;
    use offhook_seed::Seed;

    fn changes(audio: &[i16]) -> Vec<ToneChange> {
        let mut detector = ToneDetector::new(8000);
        audio.chunks(160).filter_map(|frame| detector.push(frame)).collect()
    }

    fn sound(tone: &Tone, seconds: f64) -> Vec<i16> {
        let mut audio = vec![0; (seconds * 8000.0) as usize];
        ToneGenerator::new(tone, 8000).fill(&mut audio);
        audio.iter().map(|sample| alaw_decode(alaw_encode(*sample))).collect()
    }

    #[test]
    fn call_progress_tones_are_heard_in_their_cadence() {
        let cases = [
            (Tone::ringback_eu(), 6.0, 425.0, 1, 1000),
            (Tone::busy_eu(), 2.4, 425.0, 2, 500),
            (Tone::congestion_eu(), 2.4, 425.0, 5, 250),
            (Tone::ringback_us(), 7.0, 440.0, 1, 2000),
            (Tone::busy_us(), 2.4, 480.0, 2, 500),
        ];
        for (tone, seconds, expected, count, length) in cases {
            let heard = changes(&sound(&tone, seconds));
            let ended: Vec<_> = heard
                .iter()
                .filter_map(|change| {
                    if let ToneChange::Ended { hz, duration } = change {
                        Some((*hz, duration.as_millis()))
                    } else {
                        None
                    }
                })
                .collect();
            assert!(ended.len() >= count, "{tone:?}: {heard:?}");
            for (hz, duration) in ended {
                let second = tone.frequencies.last().copied().unwrap_or(expected);
                assert!((hz - expected).abs() < 3.0 || (hz - second).abs() < 3.0, "{tone:?}: {hz}");
                assert!((duration as i64 - length).abs() <= 40, "{tone:?}: {duration} ms");
            }
        }
    }

    #[test]
    fn a_tone_that_goes_on_has_a_start_and_no_end() {
        let heard = changes(&sound(&Tone::steady(&[1004.0], -16.0), 3.0));
        let [ToneChange::Started { hz, level_dbfs }] = heard.as_slice() else { panic!("{heard:?}") };
        assert!((hz - 1004.0).abs() < 1.0 && (level_dbfs + 16.0).abs() < 0.3);
    }

    #[test]
    fn a_tone_of_wideband_sound_is_heard_at_its_pitch() {
        let mut audio = vec![0; 16_000];
        ToneGenerator::new(&Tone::steady(&[5200.0], -12.0), 16_000).fill(&mut audio);
        let mut detector = ToneDetector::new(16_000);
        let heard: Vec<_> = audio.chunks(320).filter_map(|frame| detector.push(frame)).collect();
        let [ToneChange::Started { hz, level_dbfs }] = heard.as_slice() else { panic!("{heard:?}") };
        assert!((hz - 5200.0).abs() < 1.0 && (level_dbfs + 12.0).abs() < 0.3);
    }

    #[test]
    fn speech_noise_and_silence_are_no_tones() {
        let mut seed = Seed::new(1);
        let noise: Vec<i16> = (0..80_000).map(|_| (seed.next_u16() as i16) / 8).collect();
        assert_eq!(changes(&noise), []);
        assert_eq!(changes(&vec![0; 80_000]), []);
        assert_eq!(changes(&speech(7, 240_000)), []);
    }
}
