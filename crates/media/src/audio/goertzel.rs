//! Power of one frequency in a block of samples.

use super::SAMPLE_RATE;

/// Second-order resonator tuned to one frequency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goertzel {
    coefficient: f32,
}

impl Goertzel {
    pub(crate) fn new(hertz: f64) -> Self {
        let angle = std::f64::consts::TAU * hertz / f64::from(SAMPLE_RATE);
        Self { coefficient: (2.0 * angle.cos()) as f32 }
    }

    /// Returns the mean square of the part of `block` at this frequency.
    pub(crate) fn power(self, block: &[i16]) -> f32 {
        let (mut last, mut before) = (0.0f32, 0.0f32);
        for sample in block {
            let next = f32::from(*sample) + self.coefficient * last - before;
            before = last;
            last = next;
        }
        let squared = last * last + before * before - self.coefficient * last * before;
        let length = block.len().max(1) as f32;
        // A sine of amplitude A has the squared magnitude (A · N / 2)² and the mean square A² / 2.
        2.0 * squared / (length * length)
    }
}

/// Returns the mean square of a block.
pub(crate) fn mean_square(block: &[i16]) -> f32 {
    let sum: i64 = block.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    sum as f32 / block.len().max(1) as f32
}
