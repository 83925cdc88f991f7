//! Twenty milliseconds of sound.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Duration of a frame, at every rate.
pub const FRAME: Duration = Duration::from_millis(20);

/// One frame of sound, one channel, at a rate of its own.
///
/// The default has no rate and no samples: it is what is left where a frame was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    rate: u32,
    samples: Vec<i16>,
}

impl Frame {
    /// Makes a silent frame.
    #[must_use]
    pub fn silence(rate: u32) -> Self {
        Self { rate, samples: vec![0; samples_in(rate)] }
    }

    /// Returns the samples a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Copies `other` into this frame, reusing its memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.rate = other.rate;
        self.samples.clone_from(&other.samples);
    }

    /// Returns the same sound at another rate.
    ///
    /// Linear interpolation: right in pitch and level, but lowering the rate aliases what the new
    /// rate cannot carry.
    #[must_use]
    pub fn at_rate(&self, rate: u32) -> Cow<'_, Self> {
        if rate == self.rate {
            return Cow::Borrowed(self);
        }
        let mut samples = Vec::with_capacity(samples_in(rate));
        stretch(&self.samples, self.rate, rate, &mut samples);
        samples.resize(samples_in(rate), 0);
        Cow::Owned(Self { rate, samples })
    }
}

impl Deref for Frame {
    type Target = [i16];

    fn deref(&self) -> &[i16] {
        &self.samples
    }
}

impl DerefMut for Frame {
    fn deref_mut(&mut self) -> &mut [i16] {
        &mut self.samples
    }
}

/// Appends `samples` at another rate, by linear interpolation.
pub(crate) fn stretch(samples: &[i16], from: u32, to: u32, out: &mut Vec<i16>) {
    let (from, to) = (u64::from(from.max(1)), u64::from(to));
    let length = samples.len() as u64 * to / from;
    out.extend((0..length).map(|index| {
        let (whole, part) = (index * from / to.max(1), index * from % to.max(1));
        let here = samples.get(whole as usize).copied().unwrap_or(0);
        let next = samples.get(whole as usize + 1).copied().unwrap_or(here);
        let rise = (i64::from(next) - i64::from(here)) * part as i64 / to.max(1) as i64;
        (i64::from(here) + rise) as i16
    }));
}

const fn samples_in(rate: u32) -> usize {
    (rate as u64 * FRAME.as_millis() as u64 / 1000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Tone, ToneGenerator, dominant_tone};

    #[test]
    fn a_frame_is_twenty_milliseconds_at_every_rate() {
        let lengths = [8000, 16_000, 44_100, 48_000].map(|rate| Frame::silence(rate).len());
        assert_eq!(lengths, [160, 320, 882, 960]);
    }

    #[test]
    fn another_rate_is_the_same_sound() {
        let mut frame = Frame::silence(8000);
        let mut generator = ToneGenerator::new(&Tone::steady(&[500.0], -10.0), 8000);
        let mut audio = Vec::new();
        for _ in 0..50 {
            generator.fill(&mut frame);
            let wide = frame.at_rate(16_000);
            assert_eq!((wide.len(), wide.rate()), (320, 16_000));
            assert_eq!(wide.at_rate(8000).as_ref(), &frame);
            audio.extend_from_slice(&wide);
        }
        let found = dominant_tone(&audio, 16_000).unwrap();
        assert!((found.hz - 500.0).abs() < 0.5 && (found.level_dbfs + 10.0).abs() < 0.3, "{found:?}");
    }
}
