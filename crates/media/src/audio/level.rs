//! How loud sound is.
//!
//! dBFS here: zero is a full-scale sine, as in AES17; digital silence is `None`. A tone of 0 dBm0 lies at
//! −3.14 (A-law) or −3.17 (µ-law) dBFS (ITU-T G.711 table 5 and 6 notes); see [`super::Tone::dbm0`].

/// Mean square of a full-scale sine.
pub(crate) const FULL_SCALE: f64 = 32_768.0 * 32_768.0 / 2.0;

/// Returns the level of a mean square, `None` for digital silence.
#[must_use]
pub fn dbfs(mean_square: f64) -> Option<f64> {
    (mean_square > 0.0).then(|| 10.0 * (mean_square / FULL_SCALE).log10())
}

/// Returns the sum of the squares of samples.
pub(crate) fn squares(samples: &[i16]) -> u64 {
    let square = |sample: &i16| {
        let wide = i32::from(*sample);
        (wide * wide).cast_unsigned()
    };
    // Three squares fit 32 bits; pairs halve the wide additions.
    let (pairs, rest) = samples.as_chunks::<2>();
    let sum: u64 = pairs.iter().map(|[left, right]| u64::from(square(left) + square(right))).sum();
    sum + rest.iter().map(|sample| u64::from(square(sample))).sum::<u64>()
}

/// Collects the root mean square over any stretch of audio.
#[derive(Debug, Clone, Copy, Default)]
pub struct LevelMeter {
    squares: f64,
    samples: u64,
}

impl LevelMeter {
    /// Adds samples.
    pub fn add(&mut self, samples: &[i16]) {
        self.add_squares(squares(samples), samples.len());
    }

    /// Adds samples whose sum of squares is known.
    pub(crate) fn add_squares(&mut self, squares: u64, samples: usize) {
        self.squares += squares as f64;
        self.samples += samples as u64;
    }

    /// Returns the level, `None` when nothing or only digital silence was added.
    #[must_use]
    pub fn rms_dbfs(&self) -> Option<f64> {
        if self.samples == 0 { None } else { dbfs(self.squares / self.samples as f64) }
    }
}
