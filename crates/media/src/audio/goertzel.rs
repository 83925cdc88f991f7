//! Power of some frequencies in a block of samples.

/// Second-order resonators, each tuned to one frequency, that run side by side.
///
/// One alone waits for its last result at every sample; several together fill that wait, and the
/// vector unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goertzels<const N: usize> {
    coefficients: [f32; N],
}

impl<const N: usize> Goertzels<N> {
    /// Tunes the resonators.
    pub(crate) fn new(hertz: [f64; N], rate: u32) -> Self {
        let turn = std::f64::consts::TAU / f64::from(rate);
        Self { coefficients: hertz.map(|hertz| (2.0 * (turn * hertz).cos()) as f32) }
    }

    /// Returns the mean square of the part of `block` at each frequency.
    pub(crate) fn powers(&self, block: &[i16]) -> [f32; N] {
        let (mut last, mut before) = ([0.0f32; N], [0.0f32; N]);
        for sample in block {
            let sample = f32::from(*sample);
            for ((last, before), coefficient) in last.iter_mut().zip(&mut before).zip(&self.coefficients) {
                let next = sample + coefficient * *last - *before;
                *before = *last;
                *last = next;
            }
        }
        let length = block.len().max(1) as f32;
        let mut powers = [0.0; N];
        let states = last.iter().zip(&before).zip(&self.coefficients);
        for (power, ((last, before), coefficient)) in powers.iter_mut().zip(states) {
            let squared = last * last + before * before - coefficient * last * before;
            // A sine of amplitude A has the squared magnitude (A · N / 2)² and the mean square A² / 2.
            *power = 2.0 * squared / (length * length);
        }
        powers
    }
}
