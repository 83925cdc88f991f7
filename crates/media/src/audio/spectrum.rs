//! Power over frequency, and the tone that stands out.
//!
//! Hann-windowed blocks through a radix-2 transform, averaged over half-overlapping blocks (Welch).

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use super::{SAMPLE_RATE, dbfs};

/// Longest block: 512 ms, bins of 2 Hz.
const MAX_BLOCK: usize = 4096;
/// Shortest block that separates anything.
const MIN_BLOCK: usize = 256;
/// Bins from direct current that are no tone.
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

/// Finds the strongest frequency in `samples` at 8 kHz.
///
/// `None` for digital silence and for less than 32 ms. Any sound has a strongest frequency: look at
/// [`DominantTone::snr_db`] before calling it a tone.
#[must_use]
pub fn dominant_tone(samples: &[i16]) -> Option<DominantTone> {
    let longest = samples.len().min(MAX_BLOCK);
    let block = if longest.is_power_of_two() { longest } else { longest.next_power_of_two() / 2 };
    if block < MIN_BLOCK {
        return None;
    }
    let mut analyzer = Spectrum::new(Arc::new(Tables::new(block)), WIDE_LOBE);
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
#[derive(Debug)]
pub(super) struct Tables {
    window: Vec<f64>,
    /// e^(−2πi·k/size), half a turn.
    twiddles: Vec<(f64, f64)>,
}

impl Tables {
    /// Makes the tables for blocks of `size` samples, a power of two.
    pub(super) fn new(size: usize) -> Self {
        let place = |index: usize| index as f64 / size as f64;
        Self {
            window: (0..size).map(|index| 0.5 - 0.5 * (TAU * place(index)).cos()).collect(),
            twiddles: (0..size / 2)
                .map(|index| (-TAU * place(index)).sin_cos())
                .map(|(sin, cos)| (cos, sin))
                .collect(),
        }
    }
}

/// Averaged power spectrum.
#[derive(Debug, Clone)]
pub(super) struct Spectrum {
    lobe: usize,
    tables: Arc<Tables>,
    /// Even samples as real, odd samples as imaginary parts: a real block needs only half a transform.
    work: Vec<(f64, f64)>,
    /// Sum of the powers of all blocks, half a spectrum.
    bins: Vec<f64>,
    blocks: f64,
}

impl Spectrum {
    /// Makes an analyzer for blocks of the tables' size; a peak is `lobe` bins wide on each side.
    pub(super) fn new(tables: Arc<Tables>, lobe: usize) -> Self {
        let half = tables.twiddles.len();
        Self { lobe, tables, work: vec![(0.0, 0.0); half], bins: vec![0.0; half], blocks: 0.0 }
    }

    pub(super) fn clear(&mut self) {
        self.bins.fill(0.0);
        self.blocks = 0.0;
    }

    /// Adds one block of exactly the size of the analyzer.
    pub(super) fn add(&mut self, block: &[i16]) {
        let bits = self.work.len().trailing_zeros();
        let pairs = block.as_chunks::<2>().0.iter().zip(self.tables.window.as_chunks::<2>().0);
        for (index, ([even, odd], [even_factor, odd_factor])) in pairs.enumerate() {
            let place = index.reverse_bits() >> (usize::BITS - bits);
            if let Some(slot) = self.work.get_mut(place) {
                *slot = (f64::from(*even) * even_factor, f64::from(*odd) * odd_factor);
            }
        }
        self.transform();
        self.add_powers();
        self.blocks += 1.0;
    }

    /// Takes the spectra of even and odd samples apart, joins them to that of the block, and adds its powers.
    fn add_powers(&mut self) {
        // The spectrum of the halves is periodic: what mirrors the first bin is the first bin.
        let mirrored = self.work.iter().take(1).chain(self.work.iter().skip(1).rev());
        let places = self.work.iter().zip(mirrored).zip(&self.tables.twiddles);
        for (bin, ((here, there), (cos, sin))) in self.bins.iter_mut().zip(places) {
            let even = (here.0 + there.0, here.1 - there.1);
            let odd = (here.1 + there.1, there.0 - here.0);
            let real = even.0 + odd.0 * cos - odd.1 * sin;
            let imaginary = even.1 + odd.0 * sin + odd.1 * cos;
            // Both halves are twice their size here.
            *bin += 0.25 * (real * real + imaginary * imaginary);
        }
    }

    /// Returns the mean square of everything above direct current.
    pub(super) fn total(&self) -> f64 {
        self.scaled(self.bins.iter().skip(LOWEST).sum())
    }

    /// Returns the strongest peak, or the strongest away from `other`.
    pub(super) fn peak(&self, other: Option<Peak>) -> Option<Peak> {
        let allowed = |bin: usize| other.is_none_or(|other| bin.abs_diff(other.bin) > 2 * self.lobe);
        let (bin, top) = self
            .bins
            .iter()
            .enumerate()
            .skip(LOWEST)
            .filter(|(bin, _)| allowed(*bin))
            .max_by(|left, right| left.1.total_cmp(right.1))?;
        if *top <= 0.0 {
            return None;
        }
        let lobe = self
            .bins
            .get(bin.saturating_sub(self.lobe).max(LOWEST)..(bin + self.lobe + 1).min(self.bins.len()))?;
        let power = self.scaled(lobe.iter().sum());
        Some(Peak { hz: self.refined(bin) * self.bin_width(), power, bin })
    }

    fn bin_width(&self) -> f64 {
        f64::from(SAMPLE_RATE) / self.tables.window.len() as f64
    }

    /// Places a peak between bins, by a parabola through the logarithms of three.
    fn refined(&self, bin: usize) -> f64 {
        let log = |index: usize| self.bins.get(index).map_or(f64::MIN_POSITIVE, |power| power.max(1e-9)).ln();
        let (left, middle, right) = (log(bin.saturating_sub(1)), log(bin), log(bin + 1));
        let bend = left - 2.0 * middle + right;
        let shift = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
        bin as f64 + shift.clamp(-0.5, 0.5)
    }

    /// Turns a sum of bins into a mean square: both halves of the spectrum, window power 3/8.
    fn scaled(&self, sum: f64) -> f64 {
        let size = self.tables.window.len() as f64;
        2.0 * sum / (self.blocks.max(1.0) * size * size * 0.375)
    }

    fn transform(&mut self) {
        let size = self.work.len();
        // The first step has no turn.
        for [left, right] in self.work.as_chunks_mut::<2>().0 {
            (*left, *right) = ((left.0 + right.0, left.1 + right.1), (left.0 - right.0, left.1 - right.1));
        }
        let mut span = 2;
        while span < size {
            // The tables go half round in `size` steps.
            let stride = size / span;
            for group in self.work.chunks_exact_mut(2 * span) {
                let (low, high) = group.split_at_mut(span);
                let factors = self.tables.twiddles.iter().step_by(stride);
                for ((left, right), (cos, sin)) in low.iter_mut().zip(high).zip(factors) {
                    let turned = (right.0 * cos - right.1 * sin, right.0 * sin + right.1 * cos);
                    *right = (left.0 - turned.0, left.1 - turned.1);
                    *left = (left.0 + turned.0, left.1 + turned.1);
                }
            }
            span *= 2;
        }
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
        ToneGenerator::new(&Tone::steady(frequencies, level)).fill(&mut audio);
        audio
    }

    #[test]
    fn a_pure_tone_is_found_with_its_frequency_and_level() {
        for (hz, level) in [(425.0, -16.0), (1004.0, -3.0), (697.3, -30.0), (3399.0, -10.0), (61.7, -20.0)] {
            let found = dominant_tone(&tone(&[hz], level, 8000)).unwrap();
            assert!((found.hz - hz).abs() < 0.3, "{hz}: {found:?}");
            assert!((found.level_dbfs - level).abs() < 0.1, "{hz}: {found:?}");
            assert!(found.snr_db > 30.0, "{hz}: {found:?}");
        }
    }

    #[test]
    fn a_short_recording_still_shows_its_tone() {
        let found = dominant_tone(&tone(&[440.0], -10.0, 400)).unwrap();
        assert!((found.hz - 440.0).abs() < 2.0, "{found:?}");
        assert_eq!(dominant_tone(&tone(&[440.0], -10.0, 255)), None);
    }

    #[test]
    fn silence_has_no_tone_and_noise_a_bad_one() {
        assert_eq!(dominant_tone(&[0; 4096]), None);
        let mut seed = offhook_seed::Seed::new(5);
        let noise: Vec<i16> = (0..8000).map(|_| (seed.next_u16() as i16) / 8).collect();
        assert!(dominant_tone(&noise).unwrap().snr_db < 0.0);
    }
}
