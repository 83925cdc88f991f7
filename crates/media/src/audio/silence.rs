//! When a stream falls silent, and when it is heard again.

use std::time::Duration;

use super::FRAME;

/// Loud frames in a row that end a silence; a single click does not.
const LOUD_FRAMES: u32 = 2;

/// What counts as silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SilenceConfig {
    /// Frames below this level are quiet.
    pub threshold_dbfs: f64,
    /// Quiet for this long is a silence.
    pub duration: Duration,
}

impl Default for SilenceConfig {
    /// Two seconds below −50 dBFS.
    fn default() -> Self {
        Self { threshold_dbfs: -50.0, duration: Duration::from_secs(2) }
    }
}

/// Change between sound and silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceChange {
    /// Quiet long enough to be called a silence.
    Started,
    /// Sound again, after this much quiet.
    Ended {
        /// How long it was quiet.
        quiet: Duration,
    },
}

/// Watches which frames are loud.
#[derive(Debug, Clone)]
pub struct SilenceDetector {
    duration: Duration,
    quiet: Duration,
    loud_frames: u32,
    silent: bool,
}

impl SilenceDetector {
    /// Starts in sound; quiet for `duration` is a silence.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self { duration, quiet: Duration::ZERO, loud_frames: 0, silent: false }
    }

    /// Takes the next frame, loud or not.
    pub fn push(&mut self, loud: bool) -> Option<SilenceChange> {
        if !loud {
            self.loud_frames = 0;
            self.quiet += FRAME;
            let starts = !self.silent && self.quiet >= self.duration;
            self.silent |= starts;
            return starts.then_some(SilenceChange::Started);
        }
        self.loud_frames += 1;
        if self.loud_frames < LOUD_FRAMES {
            return None;
        }
        let quiet = std::mem::take(&mut self.quiet);
        std::mem::take(&mut self.silent).then_some(SilenceChange::Ended { quiet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_reported_once_and_ends_with_sound() {
        let mut detector = SilenceDetector::new(Duration::from_millis(200));
        let mut changes = Vec::new();
        for index in 0..40 {
            // A click of one frame at 15 does not end the silence that began at 9.
            let loud = index == 15 || index >= 30;
            changes.extend(detector.push(loud).map(|change| (index, change)));
        }
        let ended = SilenceChange::Ended { quiet: Duration::from_millis(29 * 20) };
        assert_eq!(changes, [(9, SilenceChange::Started), (31, ended)]);
    }
}
