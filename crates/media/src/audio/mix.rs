//! Adding voices.

use super::Frame;

/// Sums frames of one rate; the result is clipped and never wraps.
///
/// It stands between [`crate::session::MediaSession::hear`] and [`crate::session::MediaSession::say`]: add what each
/// member of a conference hears, then let each say what the others added.
#[derive(Debug, Clone, Default)]
pub struct Mixer {
    sums: Vec<i32>,
}

impl Mixer {
    /// Forgets all voices.
    pub fn clear(&mut self) {
        self.sums.clear();
    }

    /// Adds a voice.
    pub fn add(&mut self, frame: &Frame) {
        self.sums.resize(self.sums.len().max(frame.len()), 0);
        for (sum, sample) in self.sums.iter_mut().zip(&**frame) {
            *sum += i32::from(*sample);
        }
    }

    /// Replaces the voice in `others` with the sum of all other voices.
    pub fn take_away(&self, others: &mut Frame) {
        for (sample, sum) in others.iter_mut().zip(&self.sums) {
            *sample = clip(sum - i32::from(*sample));
        }
    }
}

/// Adds `other` to `frame`, clipped.
pub fn mix(frame: &mut [i16], other: &[i16]) {
    for (sample, other) in frame.iter_mut().zip(other) {
        *sample = sample.saturating_add(*other);
    }
}

fn clip(sum: i32) -> i16 {
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(sample: i16) -> Frame {
        let mut frame = Frame::silence(8000);
        frame.fill(sample);
        frame
    }

    #[test]
    fn voices_add_and_clip_instead_of_wrapping() {
        let mut mixer = Mixer::default();
        mixer.add(&voice(30_000));
        mixer.add(&voice(5000));
        let mut all = voice(0);
        mixer.take_away(&mut all);
        assert_eq!(all, voice(32_767));
        // Removing the loud voice leaves the soft one whole: the sum was never clipped inside.
        let mut own = voice(30_000);
        mixer.take_away(&mut own);
        assert_eq!(own, voice(5000));
        let mut sum = voice(-30_000);
        mix(&mut sum, &voice(-5000));
        assert_eq!(sum, voice(-32_768));
    }
}
