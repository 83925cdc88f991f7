//! Any sampling rate to any other.
//!
//! Windowed-sinc interpolation, 32 zero crossings on each side; the kernel is widened when the rate
//! falls, so that what the lower rate cannot carry is filtered out. For files, not for live streams.

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
    let divisor = gcd(from, to);
    let (step, phases) = (u64::from(from / divisor), u64::from(to / divisor));
    let cutoff = 0.5 * PASSBAND * (f64::from(to) / f64::from(from)).min(1.0);
    let reach = CROSSINGS / (2.0 * cutoff);
    let half = reach.ceil() as i64;
    let length = (samples.len() as u64 * phases).div_ceil(step);
    // One kernel a phase, made when it is first needed.
    let count = phases.min(MAX_KERNELS);
    let mut kernels: Vec<Option<Vec<f32>>> = vec![None; count as usize];
    let mut out = Vec::with_capacity(length as usize);
    for index in 0..length {
        let (whole, phase) = ((index * step / phases) as i64, index * step % phases);
        let place = phase * count / phases;
        let offset = place as f64 / count as f64;
        let Some(slot) = kernels.get_mut(place as usize) else { break };
        let kernel = slot.get_or_insert_with(|| kernel(half, offset, cutoff, reach));
        out.push(convolve(samples, whole - half, kernel));
    }
    out
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
    fn equal_rates_and_impossible_ones_need_no_filter() {
        assert_eq!(resample(&[1, 2, 3], 8000, 8000), [1, 2, 3]);
        assert_eq!(resample(&[1, 2, 3], 0, 8000), []);
        assert_eq!(resample(&[], 48_000, 8000), []);
    }
}
