//! Tones: one or several frequencies, with a cadence.
//!
//! Call-progress tones of ITU-T E.180 (European values of ETSI TR 101 041) and of North America.

use std::time::Duration;

use super::SAMPLE_RATE;

/// On and off times, repeated for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cadence {
    /// Alternating times, beginning with sound; empty sounds without pause.
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

/// One sine, made by rotating a vector.
#[derive(Debug, Clone, Copy)]
struct Oscillator {
    cosine: f64,
    sine: f64,
    step_cosine: f64,
    step_sine: f64,
}

impl Oscillator {
    fn new(frequency: f64) -> Self {
        let (step_sine, step_cosine) = (std::f64::consts::TAU * frequency / f64::from(SAMPLE_RATE)).sin_cos();
        Self { cosine: 1.0, sine: 0.0, step_cosine, step_sine }
    }

    fn next(&mut self) -> f64 {
        let value = self.sine;
        let cosine = self.cosine * self.step_cosine - self.sine * self.step_sine;
        self.sine = self.sine * self.step_cosine + self.cosine * self.step_sine;
        self.cosine = cosine;
        value
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
    /// Starts a tone.
    #[must_use]
    pub fn new(tone: &Tone) -> Self {
        let samples = |duration: &Duration| duration.as_millis() as u64 * u64::from(SAMPLE_RATE) / 1000;
        let steps: Vec<u64> = tone.cadence.steps.iter().map(samples).collect();
        // A cadence without any length would never move on.
        let steps = if steps.iter().sum::<u64>() == 0 { Vec::new() } else { steps };
        let left = steps.first().copied().unwrap_or(u64::MAX);
        Self {
            oscillators: tone.frequencies.iter().map(|hertz| Oscillator::new(*hertz)).collect(),
            amplitude: 32_767.0 * 10f64.powf(tone.level_dbfs / 20.0),
            steps,
            step: 0,
            left,
        }
    }

    /// Fills `out` with the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out.iter_mut() {
            while self.left == 0 {
                self.step = (self.step + 1) % self.steps.len().max(1);
                self.left = self.steps.get(self.step).copied().unwrap_or(u64::MAX);
            }
            self.left -= 1;
            let sum: f64 = self.oscillators.iter_mut().map(Oscillator::next).sum();
            let sounding = self.step.is_multiple_of(2);
            let value = if sounding { (sum * self.amplitude).round() } else { 0.0 };
            *sample = value.clamp(-32_768.0, 32_767.0) as i16;
        }
        self.oscillators.iter_mut().for_each(Oscillator::renormalize);
    }
}
