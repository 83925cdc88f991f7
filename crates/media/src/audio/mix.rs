//! Adding voices.

use super::{FRAME_SAMPLES, Frame};

/// Sums frames without wrap; what is too loud is clipped.
#[derive(Debug, Clone)]
pub struct Mixer {
    sums: [i32; FRAME_SAMPLES],
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// Starts with silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { sums: [0; FRAME_SAMPLES] }
    }

    /// Adds a voice.
    pub fn add(&mut self, frame: &Frame) {
        for (sum, sample) in self.sums.iter_mut().zip(frame) {
            *sum += i32::from(*sample);
        }
    }

    /// Returns the sum of all voices.
    #[must_use]
    pub fn mixed(&self) -> Frame {
        self.sums.map(clip)
    }

    /// Returns the sum of all voices but one: what its speaker shall hear.
    #[must_use]
    pub fn without(&self, own: &Frame) -> Frame {
        let mut others = *own;
        for (sample, sum) in others.iter_mut().zip(&self.sums) {
            *sample = clip(sum - i32::from(*sample));
        }
        others
    }
}

/// Returns the sum of two frames, clipped.
#[must_use]
pub fn mix(left: &Frame, right: &Frame) -> Frame {
    let mut sum = *left;
    for (sample, other) in sum.iter_mut().zip(right) {
        *sample = sample.saturating_add(*other);
    }
    sum
}

fn clip(sum: i32) -> i16 {
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_add_and_clip_instead_of_wrapping() {
        let mut mixer = Mixer::new();
        let (loud, soft) = ([30_000; FRAME_SAMPLES], [5000; FRAME_SAMPLES]);
        mixer.add(&loud);
        mixer.add(&soft);
        assert_eq!(mixer.mixed(), [32_767; FRAME_SAMPLES]);
        // Removing the loud voice leaves the soft one whole: the sum was never clipped inside.
        assert_eq!(mixer.without(&loud), soft);
        assert_eq!(mix(&[-30_000; FRAME_SAMPLES], &[-5000; FRAME_SAMPLES]), [-32_768; FRAME_SAMPLES]);
    }
}
