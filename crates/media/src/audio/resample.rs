//! Any sampling rate to any other: of files at once, and of streams as they come.
//!
//! Windowed-sinc interpolation, 32 zero crossings on each side; the kernel is widened when the rate
//! falls, so that what the lower rate cannot carry is filtered out.

use std::borrow::Cow;

use super::Frame;
use super::spectrum::windowed_sinc;

/// Zero crossings of the kernel on each side.
const CROSSINGS: f64 = 32.0;
/// Kernels kept at once; rates that need more share the nearest, 60 dB below the signal.
const MAX_KERNELS: u64 = 1024;
/// Part of the lower Nyquist frequency that passes.
const PASSBAND: f64 = 0.94;

/// Converts `samples` from `from` hertz to `to` hertz.
///
/// Returns them as they are when the rates agree, and nothing when one of them is zero.
#[must_use]
pub fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to {
        return samples.to_vec();
    }
    if from == 0 || to == 0 {
        return Vec::new();
    }
    let mut conversion = Conversion::new(from, to);
    let length = (samples.len() as u64 * conversion.phases).div_ceil(conversion.step);
    (0..length).map(|index| conversion.sample(samples, index, -conversion.half)).collect()
}

/// Sound that comes in parts, at another rate; each part is as long as it was.
///
/// What comes out is late by half a kernel, 4 ms of the lower rate. Where the rates agree it is what came in.
#[derive(Debug, Clone, Default)]
pub struct Converter {
    conversion: Option<Conversion>,
    /// The samples before the next part, then that part.
    samples: Vec<i16>,
}

impl Converter {
    /// Returns the next frame of a stream at another rate.
    pub fn convert<'a>(&mut self, frame: &'a Frame, rate: u32) -> Cow<'a, Frame> {
        if frame.rate() == rate {
            self.conversion = None;
            return Cow::Borrowed(frame);
        }
        let mut samples = Vec::with_capacity(frame.len());
        self.append(frame, frame.rate(), rate, &mut samples);
        Cow::Owned(Frame::of(rate, samples))
    }

    /// Appends the next samples of a stream at another rate.
    pub(crate) fn append(&mut self, samples: &[i16], from: u32, to: u32, out: &mut Vec<i16>) {
        if from == to || from == 0 || to == 0 {
            self.conversion = None;
            out.extend_from_slice(samples);
            return;
        }
        if self.conversion.as_ref().is_none_or(|known| (known.from, known.to) != (from, to)) {
            let conversion = Conversion::new(from, to);
            self.samples.clear();
            self.samples.resize(conversion.past(), 0);
            self.conversion = Some(conversion);
        }
        let Some(conversion) = &mut self.conversion else { return };
        self.samples.extend_from_slice(samples);
        let length = samples.len() as u64 * u64::from(to) / u64::from(from);
        out.extend((0..length).map(|index| conversion.sample(&self.samples, index, 0)));
        self.samples.drain(..samples.len());
    }
}

/// One rate to another.
#[derive(Debug, Clone)]
struct Conversion {
    from: u32,
    to: u32,
    /// Between two samples that come out lie `step` parts of one that goes in, which has `phases`.
    step: u64,
    phases: u64,
    cutoff: f64,
    reach: f64,
    half: i64,
    /// One kernel a phase, made when it is first needed.
    kernels: Vec<Option<Vec<f32>>>,
}

impl Conversion {
    /// Neither rate may be zero.
    fn new(from: u32, to: u32) -> Self {
        let divisor = gcd(from, to);
        let (step, phases) = (u64::from(from / divisor), u64::from(to / divisor));
        let cutoff = 0.5 * PASSBAND * (f64::from(to) / f64::from(from)).min(1.0);
        let reach = CROSSINGS / (2.0 * cutoff);
        let half = reach.ceil() as i64;
        let kernels = vec![None; phases.min(MAX_KERNELS) as usize];
        Self { from, to, step, phases, cutoff, reach, half, kernels }
    }

    /// Returns how many samples before the next one a kernel needs.
    const fn past(&self) -> usize {
        2 * self.half as usize + 1
    }

    /// Returns a sample that comes out; its kernel begins `shift` samples from where it lies.
    fn sample(&mut self, samples: &[i16], index: u64, shift: i64) -> i16 {
        let Self { step, phases, cutoff, reach, half, .. } = *self;
        let (whole, phase) = ((index * step / phases) as i64, index * step % phases);
        let count = self.kernels.len() as u64;
        let place = phase * count / phases;
        let offset = place as f64 / count as f64;
        let Some(slot) = self.kernels.get_mut(place as usize) else { return 0 };
        convolve(samples, whole + shift, slot.get_or_insert_with(|| kernel(half, offset, cutoff, reach)))
    }
}

/// Makes the kernel, of sum one, for an output that lies `offset` behind an input sample.
fn kernel(half: i64, offset: f64, cutoff: f64, reach: f64) -> Vec<f32> {
    let taps: Vec<f64> =
        (-half..=half + 1).map(|tap| windowed_sinc(tap as f64 - offset, cutoff, reach)).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

/// Weighs the samples from `start` on; those outside count as silence.
fn convolve(samples: &[i16], start: i64, kernel: &[f32]) -> i16 {
    let skipped = usize::try_from(-start).unwrap_or(0);
    let first = usize::try_from(start).unwrap_or(0);
    let inside = samples.get(first..).unwrap_or_default();
    let taps = kernel.get(skipped..).unwrap_or_default();
    let sum: f32 = inside.iter().zip(taps).map(|(sample, tap)| f32::from(*sample) * tap).sum();
    sum.round().clamp(-32_768.0, 32_767.0) as i16
}

const fn gcd(left: u32, right: u32) -> u32 {
    if right == 0 { left } else { gcd(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{LevelMeter, dominant_tone};

    fn sine(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..samples).map(|index| ((step * index as f64).sin() * 16_384.0).round() as i16).collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let mut meter = LevelMeter::default();
        meter.add(samples);
        meter.rms_dbfs().unwrap_or(-120.0)
    }

    #[test]
    fn tones_keep_frequency_and_level_from_every_rate() {
        for rate in [11_025u32, 16_000, 22_050, 32_000, 44_100, 48_000] {
            for hz in [300.0, 1000.0, 3000.0] {
                let out = resample(&sine(hz, rate, rate as usize), rate, 8000);
                assert_eq!(out.len(), 8000, "{rate}");
                let found = dominant_tone(&out[400..7600], 8000).unwrap();
                assert!((found.hz - hz).abs() < 0.5, "{rate} Hz, {hz}: {found:?}");
                assert!((found.level_dbfs + 6.02).abs() < 0.1, "{rate} Hz, {hz}: {found:?}");
                assert!(found.snr_db > 40.0, "{rate} Hz, {hz}: {found:?}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_filtered_out() {
        for (rate, hz) in [(16_000u32, 5000.0), (48_000, 7000.0), (44_100, 4400.0), (48_000, 15_000.0)] {
            let out = resample(&sine(hz, rate, rate as usize), rate, 8000);
            assert!(level(&out[400..7600]) < -60.0, "{hz} Hz at {rate}: {}", level(&out[400..7600]));
        }
    }

    #[test]
    fn going_up_adds_nothing() {
        let out = resample(&sine(1000.0, 8000, 8000), 8000, 48_000);
        assert_eq!(out.len(), 48_000);
        assert!((level(&out[2400..45_600]) + 6.02).abs() < 0.05);
    }

    #[test]
    fn a_stream_is_converted_as_the_whole_of_it_is() {
        for (from, to) in [(8000u32, 16_000u32), (16_000, 8000), (8000, 48_000)] {
            let whole = sine(1000.0, from, from as usize);
            let mut converter = Converter::default();
            let mut parts = Vec::new();
            // Parts of 20, 10 and 30 ms.
            for part in whole.chunks(from as usize * 60 / 1000) {
                let (first, rest) = part.split_at(part.len().min(from as usize / 50));
                let (second, third) = rest.split_at(rest.len().min(from as usize / 100));
                for part in [first, second, third] {
                    converter.append(part, from, to, &mut parts);
                }
            }
            let expected = resample(&whole, from, to);
            assert_eq!(parts.len(), expected.len());
            let late = (0..400)
                .find(|late| parts[*late..].iter().zip(&expected).take(4000).all(|(part, one)| part == one))
                .map(|late| late as u32 * 1000 / to);
            assert!(late.is_some_and(|ms| ms <= 5), "from {from} to {to}: {late:?} ms");
        }
    }

    #[test]
    fn a_stream_loses_what_the_lower_rate_cannot_carry_and_gains_nothing() {
        let mut converter = Converter::default();
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let high = sine(6000.0, 16_000, 16_000);
        high.chunks(320).for_each(|part| converter.append(part, 16_000, 8000, &mut down));
        assert!(level(&down[400..]) < -60.0, "{}", level(&down[400..]));
        let low = sine(2500.0, 8000, 8000);
        low.chunks(160).for_each(|part| converter.append(part, 8000, 16_000, &mut up));
        let found = dominant_tone(&up[400..], 16_000).unwrap();
        assert!((found.hz - 2500.0).abs() < 0.5 && (found.level_dbfs + 6.02).abs() < 0.1, "{found:?}");
        assert!(found.snr_db > 60.0, "no image at 5500 Hz: {found:?}");
    }

    #[test]
    fn equal_rates_and_impossible_ones_need_no_filter() {
        assert_eq!(resample(&[1, 2, 3], 8000, 8000), [1, 2, 3]);
        assert_eq!(resample(&[1, 2, 3], 0, 8000), []);
        assert_eq!(resample(&[], 48_000, 8000), []);
    }
}
