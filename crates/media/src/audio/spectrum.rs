//! Power over frequency, and the tone that stands out.
//!
//! Hann-windowed blocks through a Fourier transform, averaged over half-overlapping blocks (Welch).

use std::f64::consts::{PI, TAU};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::dbfs;

/// Longest block: at 8 kHz 512 ms, bins of 2 Hz.
const MAX_BLOCK: usize = 4096;
/// Shortest block that separates anything.
const MIN_BLOCK: usize = 256;
/// The first bins, next to direct current, which never count as a tone.
const LOWEST: usize = 2;
/// Bins on each side that belong to a peak when only one is looked for: main lobe and side lobes.
const WIDE_LOBE: usize = 5;

/// The strongest frequency of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DominantTone {
    /// Frequency in hertz.
    pub hz: f64,
    /// Level in dBFS, averaged over the recording.
    pub level_dbfs: f64,
    /// Power of the tone over that of everything else, in decibels.
    pub snr_db: f64,
}

/// Finds the strongest frequency in `samples`, which hold `rate` a second.
///
/// `None` for digital silence and for less than 256 samples. Any sound has a strongest frequency: look at
/// [`DominantTone::snr_db`] before calling it a tone.
#[must_use]
pub fn dominant_tone(samples: &[i16], rate: u32) -> Option<DominantTone> {
    let longest = samples.len().min(MAX_BLOCK);
    let block = if longest.is_power_of_two() { longest } else { longest.next_power_of_two() / 2 };
    if block < MIN_BLOCK {
        return None;
    }
    let mut analyzer = Spectrum::new(Arc::new(Tables::new(block)), rate, WIDE_LOBE);
    let mut start = 0;
    while let Some(part) = samples.get(start..start + block) {
        analyzer.add(part);
        start += block / 2;
    }
    let peak = analyzer.peak(None)?;
    let rest = (analyzer.total() - peak.power).max(peak.power * 1e-12);
    Some(DominantTone {
        hz: peak.hz,
        level_dbfs: dbfs(peak.power)?,
        snr_db: 10.0 * (peak.power / rest).log10(),
    })
}

/// A local maximum with the power of its lobe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peak {
    pub(super) hz: f64,
    /// Mean square.
    pub(super) power: f64,
    bin: usize,
}

/// What all analyzers of one block size share.
pub(super) struct Tables {
    window: Vec<f32>,
    transform: Arc<dyn RealToComplex<f32>>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tables").field("size", &self.window.len()).finish_non_exhaustive()
    }
}

impl Tables {
    /// Makes the tables for blocks of `size` samples, an even number.
    pub(super) fn new(size: usize) -> Self {
        let place = |index: usize| index as f64 / size as f64;
        Self {
            window: (0..size).map(|index| (0.5 - 0.5 * (TAU * place(index)).cos()) as f32).collect(),
            transform: RealFftPlanner::new().plan_fft_forward(size),
        }
    }
}

/// Averaged power spectrum.
#[derive(Debug, Clone)]
pub(super) struct Spectrum {
    rate: u32,
    lobe: usize,
    tables: Arc<Tables>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Sum of the powers of all blocks, half a spectrum.
    bins: Vec<f32>,
    blocks: f64,
}

impl Spectrum {
    /// Makes an analyzer for blocks of the tables' size; a peak is `lobe` bins wide on each side.
    pub(super) fn new(tables: Arc<Tables>, rate: u32, lobe: usize) -> Self {
        let transform = &tables.transform;
        Self {
            rate,
            lobe,
            input: transform.make_input_vec(),
            output: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            bins: vec![0.0; tables.window.len() / 2],
            blocks: 0.0,
            tables,
        }
    }

    pub(super) fn clear(&mut self) {
        self.bins.fill(0.0);
        self.blocks = 0.0;
    }

    /// Adds one block of exactly the size of the analyzer.
    pub(super) fn add(&mut self, block: &[i16]) {
        for ((place, sample), factor) in self.input.iter_mut().zip(block).zip(&self.tables.window) {
            *place = f32::from(*sample) * factor;
        }
        let transform = &self.tables.transform;
        let done = transform.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch);
        // It fails only for vectors of a wrong length, and these are the transform's own.
        if done.is_ok() {
            for (bin, value) in self.bins.iter_mut().zip(&self.output) {
                *bin += value.re * value.re + value.im * value.im;
            }
            self.blocks += 1.0;
        }
    }

    /// Returns the mean square of everything above direct current.
    pub(super) fn total(&self) -> f64 {
        self.scaled(self.bins.get(LOWEST..).unwrap_or_default())
    }

    /// Returns the strongest peak, or the strongest away from `other`.
    pub(super) fn peak(&self, other: Option<Peak>) -> Option<Peak> {
        let all = self.bins.len();
        let (below, above) = match other {
            Some(other) => (
                LOWEST..other.bin.saturating_sub(2 * self.lobe),
                (other.bin + 2 * self.lobe + 1).max(LOWEST)..all,
            ),
            None => (LOWEST..all, all..all),
        };
        let bin = match (self.strongest(below), self.strongest(above)) {
            (Some(left), Some(right)) => {
                if right.1 > left.1 {
                    right.0
                } else {
                    left.0
                }
            }
            (Some((bin, _)), None) | (None, Some((bin, _))) => bin,
            (None, None) => return None,
        };
        let lobe =
            self.bins.get(bin.saturating_sub(self.lobe).max(LOWEST)..(bin + self.lobe + 1).min(all))?;
        Some(Peak { hz: self.refined(bin) * self.bin_width(), power: self.scaled(lobe), bin })
    }

    /// Returns the highest bin of a range and its height, unless all are empty.
    fn strongest(&self, range: Range<usize>) -> Option<(usize, f32)> {
        let first = range.start;
        let bins = self.bins.get(range)?;
        // The maximum of many at once, then its place, is much faster than finding both in one
        // pass.
        let (chunks, rest) = bins.as_chunks::<8>();
        let mut tops = [0.0f32; 8];
        for chunk in chunks {
            for (top, bin) in tops.iter_mut().zip(chunk) {
                *top = if *bin > *top { *bin } else { *top };
            }
        }
        let top = tops.iter().chain(rest).copied().fold(0.0, f32::max);
        let place = bins.iter().position(|bin| *bin == top)?;
        (top > 0.0).then_some((first + place, top))
    }

    fn bin_width(&self) -> f64 {
        f64::from(self.rate) / self.tables.window.len() as f64
    }

    /// Places a peak between bins, by a parabola through the logarithms of three.
    fn refined(&self, bin: usize) -> f64 {
        let log = |index: usize| f64::from(self.bins.get(index).copied().unwrap_or(0.0)).max(1e-9).ln();
        let (left, middle, right) = (log(bin.saturating_sub(1)), log(bin), log(bin + 1));
        let bend = left - 2.0 * middle + right;
        let shift = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
        bin as f64 + shift.clamp(-0.5, 0.5)
    }

    /// Turns bins into a mean square: both halves of the spectrum, window power 3/8.
    fn scaled(&self, bins: &[f32]) -> f64 {
        let (chunks, rest) = bins.as_chunks::<8>();
        let mut lanes = [0.0f32; 8];
        for chunk in chunks {
            for (lane, bin) in lanes.iter_mut().zip(chunk) {
                *lane += bin;
            }
        }
        let sum: f64 = lanes.iter().chain(rest).map(|part| f64::from(*part)).sum();
        let size = self.tables.window.len() as f64;
        2.0 * sum / (self.blocks.max(1.0) * size * size * 0.375)
    }
}

/// Cutoff low-pass kernel value at `distance` samples from its middle, for the resampler.
///
/// `cutoff` is in cycles a sample; `reach` is where the window ends.
pub(super) fn windowed_sinc(distance: f64, cutoff: f64, reach: f64) -> f64 {
    if distance.abs() >= reach {
        return 0.0;
    }
    let angle = TAU * cutoff * distance;
    let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
    // Blackman: side lobes 74 dB down.
    let place = PI * distance / reach;
    let window = 0.42 + 0.5 * place.cos() + 0.08 * (2.0 * place).cos();
    2.0 * cutoff * sinc * window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Tone, ToneGenerator};

    fn tone(frequencies: &[f64], level: f64, samples: usize) -> Vec<i16> {
        let mut audio = vec![0; samples];
        ToneGenerator::new(&Tone::steady(frequencies, level), 8000).fill(&mut audio);
        audio
    }

    #[test]
    fn a_pure_tone_is_found_with_its_frequency_and_level() {
        for (hz, level) in [(425.0, -16.0), (1004.0, -3.0), (697.3, -30.0), (3399.0, -10.0), (61.7, -20.0)] {
            let found = dominant_tone(&tone(&[hz], level, 8000), 8000).unwrap();
            assert!((found.hz - hz).abs() < 0.3, "{hz}: {found:?}");
            assert!((found.level_dbfs - level).abs() < 0.1, "{hz}: {found:?}");
            assert!(found.snr_db > 30.0, "{hz}: {found:?}");
        }
    }

    #[test]
    fn a_short_recording_still_shows_its_tone() {
        let found = dominant_tone(&tone(&[440.0], -10.0, 400), 8000).unwrap();
        assert!((found.hz - 440.0).abs() < 2.0, "{found:?}");
        assert_eq!(dominant_tone(&tone(&[440.0], -10.0, 255), 8000), None);
    }

    #[test]
    fn silence_has_no_tone_and_noise_a_bad_one() {
        assert_eq!(dominant_tone(&[0; 4096], 8000), None);
        let mut seed = offhook_seed::Seed::new(5);
        let noise: Vec<i16> = (0..8000).map(|_| (seed.next_u16() as i16) / 8).collect();
        assert!(dominant_tone(&noise, 8000).unwrap().snr_db < 0.0);
    }
}
