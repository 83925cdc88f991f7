//! Twenty milliseconds of sound.

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

    /// Creates a frame from samples, padded with silence to the number its rate needs.
    pub(super) fn of(rate: u32, mut samples: Vec<i16>) -> Self {
        samples.resize(samples_in(rate), 0);
        Self { rate, samples }
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

const fn samples_in(rate: u32) -> usize {
    (rate as u64 * FRAME.as_millis() as u64 / 1000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_twenty_milliseconds_at_every_rate() {
        let lengths = [8000, 16_000, 44_100, 48_000].map(|rate| Frame::silence(rate).len());
        assert_eq!(lengths, [160, 320, 882, 960]);
    }
}
