//! Tones: one or several frequencies, with a cadence.
//!
//! Call-progress tones of ITU-T E.180 (European values of ETSI TR 101 041) and of North America.

use std::time::Duration;

/// On and off times, repeated for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cadence {
    /// Alternating times, beginning with sound; empty for sound without pause.
    pub steps: Vec<Duration>,
}

impl Cadence {
    /// Makes a cadence of milliseconds.
    #[must_use]
    pub fn of(milliseconds: &[u64]) -> Self {
        Self { steps: milliseconds.iter().copied().map(Duration::from_millis).collect() }
    }
}

/// What a tone sounds like.
#[derive(Debug, Clone, PartialEq)]
pub struct Tone {
    /// Frequencies in hertz, sounding together.
    pub frequencies: Vec<f64>,
    /// Level of each frequency in dBFS (zero is a full-scale sine).
    pub level_dbfs: f64,
    /// On and off times.
    pub cadence: Cadence,
}

impl Tone {
    /// Makes a tone without pause.
    #[must_use]
    pub fn steady(frequencies: &[f64], level_dbfs: f64) -> Self {
        Self { frequencies: frequencies.to_vec(), level_dbfs, cadence: Cadence::default() }
    }

    /// Converts dBm0 to dBFS; the overload point of A-law is +3.14 dBm0.
    #[must_use]
    #[expect(clippy::approx_constant, reason = "a level of the recommendation, not the circle")]
    pub const fn dbm0(level: f64) -> f64 {
        level - 3.14
    }

    fn progress(frequencies: &[f64], milliseconds: &[u64]) -> Self {
        let cadence = Cadence::of(milliseconds);
        Self { frequencies: frequencies.to_vec(), level_dbfs: Self::dbm0(-13.0), cadence }
    }

    /// Returns the European ringback tone.
    #[must_use]
    pub fn ringback_eu() -> Self {
        Self::progress(&[425.0], &[1000, 4000])
    }

    /// Returns the European busy tone.
    #[must_use]
    pub fn busy_eu() -> Self {
        Self::progress(&[425.0], &[500, 500])
    }

    /// Returns the European congestion tone.
    #[must_use]
    pub fn congestion_eu() -> Self {
        Self::progress(&[425.0], &[250, 250])
    }

    /// Returns the European dial tone.
    #[must_use]
    pub fn dial_eu() -> Self {
        Self::progress(&[425.0], &[])
    }

    /// Returns the North American ringback tone.
    #[must_use]
    pub fn ringback_us() -> Self {
        Self::progress(&[440.0, 480.0], &[2000, 4000])
    }

    /// Returns the North American busy tone.
    #[must_use]
    pub fn busy_us() -> Self {
        Self::progress(&[480.0, 620.0], &[500, 500])
    }

    /// Returns the North American reorder tone.
    #[must_use]
    pub fn congestion_us() -> Self {
        Self::progress(&[480.0, 620.0], &[250, 250])
    }

    /// Returns the North American dial tone.
    #[must_use]
    pub fn dial_us() -> Self {
        Self::progress(&[350.0, 440.0], &[])
    }
}

/// Samples that an oscillator makes at once.
const BLOCK: usize = 8;

/// One sine, made by rotating a vector.
///
/// A whole block is computed from one position by fixed angles, so that its samples do not wait for
/// each other.
#[derive(Debug, Clone, Copy)]
struct Oscillator {
    cosine: f64,
    sine: f64,
    /// Cosine and sine of zero to seven steps.
    cosines: [f64; BLOCK],
    sines: [f64; BLOCK],
    /// Cosine and sine of eight steps.
    block: (f64, f64),
}

impl Oscillator {
    fn new(frequency: f64, rate: u32) -> Self {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        let angles = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].map(|steps| steps * step);
        let (sine, cosine) = (step * BLOCK as f64).sin_cos();
        Self {
            cosine: 1.0,
            sine: 0.0,
            cosines: angles.map(f64::cos),
            sines: angles.map(f64::sin),
            block: (cosine, sine),
        }
    }

    /// Adds the values of the next eight samples, and moves on by `count` of them.
    fn add(&mut self, sums: &mut [f64; BLOCK], count: usize) {
        let (cosine, sine) = (self.cosine, self.sine);
        for ((sum, turn_cosine), turn_sine) in sums.iter_mut().zip(&self.cosines).zip(&self.sines) {
            *sum += sine * turn_cosine + cosine * turn_sine;
        }
        let part = self.cosines.get(count).zip(self.sines.get(count));
        let (turn_cosine, turn_sine) = part.map_or(self.block, |(cosine, sine)| (*cosine, *sine));
        self.cosine = cosine * turn_cosine - sine * turn_sine;
        self.sine = sine * turn_cosine + cosine * turn_sine;
    }

    /// Pulls the vector back to unit length; rounding would let it drift over hours.
    fn renormalize(&mut self) {
        let length = self.cosine.hypot(self.sine);
        self.cosine /= length;
        self.sine /= length;
    }
}

/// Makes the samples of a tone.
#[derive(Debug, Clone)]
pub struct ToneGenerator {
    oscillators: Vec<Oscillator>,
    amplitude: f64,
    /// Cadence in samples.
    steps: Vec<u64>,
    step: usize,
    left: u64,
}

impl ToneGenerator {
    /// Starts a tone, at `rate` samples a second; of frequencies that this rate cannot carry nothing is heard.
    #[must_use]
    pub fn new(tone: &Tone, rate: u32) -> Self {
        let samples = |duration: &Duration| duration.as_millis() as u64 * u64::from(rate) / 1000;
        let steps: Vec<u64> = tone.cadence.steps.iter().map(samples).collect();
        // A cadence without any length would never move on.
        let steps = if steps.iter().sum::<u64>() == 0 { Vec::new() } else { steps };
        let left = steps.first().copied().unwrap_or(u64::MAX);
        // They would be heard as others.
        let carried = tone.frequencies.iter().filter(|hertz| **hertz * 2.0 < f64::from(rate));
        Self {
            oscillators: carried.map(|hertz| Oscillator::new(*hertz, rate)).collect(),
            amplitude: 32_767.0 * 10f64.powf(tone.level_dbfs / 20.0),
            steps,
            step: 0,
            left,
        }
    }

    /// Fills `out` with the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        let mut rest = out;
        while !rest.is_empty() {
            while self.left == 0 {
                self.step = (self.step + 1) % self.steps.len().max(1);
                self.left = self.steps.get(self.step).copied().unwrap_or(u64::MAX);
            }
            let length = rest.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= length as u64;
            let (stretch, behind) = rest.split_at_mut(length);
            self.turn(stretch);
            rest = behind;
        }
        self.oscillators.iter_mut().for_each(Oscillator::renormalize);
    }

    /// Makes the samples of one step of the cadence; oscillators turn in pauses too.
    fn turn(&mut self, out: &mut [i16]) {
        let amplitude = if self.step.is_multiple_of(2) { self.amplitude } else { 0.0 };
        for block in out.chunks_mut(BLOCK) {
            let mut sums = [0.0; BLOCK];
            self.oscillators.iter_mut().for_each(|oscillator| oscillator.add(&mut sums, block.len()));
            for (sample, sum) in block.iter_mut().zip(sums) {
                *sample = rounded(sum * amplitude);
            }
        }
    }
}

/// Rounds and clips.
///
/// Above 2^52 a double has no bits for fractions, so adding that much rounds, without a call into
/// the library.
fn rounded(value: f64) -> i16 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let shifted = value.clamp(-32_768.0, 32_767.0) + SHIFT;
    shifted.to_bits() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rate_cannot_carry_is_not_heard_as_something_else() {
        let mut audio = [0; 800];
        ToneGenerator::new(&Tone::steady(&[6000.0], -10.0), 8000).fill(&mut audio);
        assert_eq!(audio, [0; 800]);
        ToneGenerator::new(&Tone::steady(&[6000.0], -10.0), 16_000).fill(&mut audio);
        assert!(audio.iter().any(|sample| *sample > 8000));
    }

    #[test]
    fn a_tone_is_its_sine_whatever_the_lengths_asked_for() {
        for lengths in [[160usize; 5], [1, 7, 8, 9, 15], [37, 3, 160, 2, 598]] {
            let mut generator = ToneGenerator::new(&Tone::steady(&[440.0, 1333.0], -12.0), 16_000);
            let mut audio = Vec::new();
            for length in lengths {
                let mut part = vec![0; length];
                generator.fill(&mut part);
                audio.extend(part);
            }
            for (index, sample) in audio.iter().enumerate() {
                let turn = std::f64::consts::TAU * index as f64 / 16_000.0;
                let exact = 32_767.0 * 10f64.powf(-0.6) * ((440.0 * turn).sin() + (1333.0 * turn).sin());
                assert!((f64::from(*sample) - exact).abs() <= 0.51, "{index}: {sample} {exact}");
            }
        }
    }

    #[test]
    fn what_is_too_loud_is_clipped_and_halves_are_rounded_to_even() {
        let cases = [(1e9, 32_767), (-1e9, -32_768), (0.4, 0), (0.6, 1), (-0.6, -1), (-7.0, -7), (2.5, 2)];
        for (value, expected) in cases {
            assert_eq!(rounded(value), expected, "{value}");
        }
    }

    #[test]
    fn a_cadence_sounds_and_pauses_for_its_times() {
        let tone = Tone { cadence: Cadence::of(&[10, 30]), ..Tone::steady(&[1000.0], -10.0) };
        let mut audio = vec![0; 640];
        ToneGenerator::new(&tone, 8000).fill(&mut audio);
        for (index, part) in audio.chunks(80).enumerate() {
            assert_eq!(part.iter().any(|sample| *sample != 0), index % 4 == 0, "{index}");
        }
    }
}
