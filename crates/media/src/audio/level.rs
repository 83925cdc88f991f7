//! How loud it is.
//!
//! dBFS here: zero is a full-scale sine, as in AES17; digital silence is `None`. A tone of 0 dBm0 lies at
//! −3.14 (A-law) or −3.17 (µ-law) dBFS (ITU-T G.711 table 5 and 6 notes); see [`super::Tone::dbm0`].

/// Mean square of a full-scale sine.
const FULL_SCALE: f64 = 32_768.0 * 32_768.0 / 2.0;

/// Returns the level of a mean square, `None` for digital silence.
#[must_use]
pub fn dbfs(mean_square: f64) -> Option<f64> {
    (mean_square > 0.0).then(|| 10.0 * (mean_square / FULL_SCALE).log10())
}

/// Collects root mean square and peak over any stretch of audio.
#[derive(Debug, Clone, Copy, Default)]
pub struct LevelMeter {
    squares: f64,
    samples: u64,
    peak: u16,
}

impl LevelMeter {
    /// Adds samples.
    pub fn add(&mut self, samples: &[i16]) {
        let mut squares = 0u64;
        for sample in samples {
            let magnitude = sample.unsigned_abs();
            self.peak = self.peak.max(magnitude);
            squares += u64::from(magnitude) * u64::from(magnitude);
        }
        self.squares += squares as f64;
        self.samples += samples.len() as u64;
    }

    /// Returns the level, `None` when nothing or only digital silence was added.
    #[must_use]
    pub fn rms_dbfs(&self) -> Option<f64> {
        if self.samples == 0 { None } else { dbfs(self.squares / self.samples as f64) }
    }

    /// Returns the largest magnitude against full scale, `None` as for the level.
    #[must_use]
    pub fn peak_dbfs(&self) -> Option<f64> {
        (self.peak > 0).then(|| 20.0 * (f64::from(self.peak) / 32_768.0).log10())
    }

    /// Returns the samples added.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }
}
