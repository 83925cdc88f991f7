//! A call's recording: opened with media or on demand, closed with either.
//!
//! A segment that is closed gets its description beside it.

use std::path::Path;

use super::actor::Shell;
use crate::{
    artifact::{RecordingName, Recordings},
    event::{Cause, MediaEvent},
    media::{Recorder, RecordingError},
};

impl Shell {
    /// Starts or ends the recording; says so when it cannot.
    pub(super) fn set_recording(&mut self, on: bool, cause: &Cause) {
        match (on, self.state.recording.is_some()) {
            (true, false) => self.start_recording(cause),
            (false, true) => self.stop_recording(cause),
            (true, true) | (false, false) => {}
        }
    }

    fn start_recording(&mut self, cause: &Cause) {
        let name = RecordingName { phone: self.phone.clone(), call: self.id, at: self.journal.wall().now() };
        let path = self.recordings.path(&name);
        match Recorder::create(&path) {
            Ok(recorder) => {
                self.media.leg.record(Some(recorder));
                self.append(MediaEvent::RecordingStarted { path: path.display().to_string() }, cause);
            }
            Err(error) => self.recording_failed(&path, &error, cause),
        }
    }

    fn stop_recording(&mut self, cause: &Cause) {
        let Some(recorder) = self.media.leg.record(None) else { return };
        let path = recorder.path().to_owned();
        match recorder.close() {
            Ok(duration_ms) => {
                let path = path.display().to_string();
                self.append(MediaEvent::RecordingStopped { path, duration_ms }, cause);
            }
            Err(error) => self.recording_failed(&path, &error, cause),
        }
    }

    fn recording_failed(&mut self, path: &Path, error: &RecordingError, cause: &Cause) {
        tracing::warn!(call = %self.id, path = %path.display(), %error, "recording failed");
        let failed =
            MediaEvent::RecordingFailed { path: path.display().to_string(), reason: error.to_string() };
        self.append(failed, cause);
    }
}

/// Where a call's recordings go; shared by all calls of a process.
pub(crate) type RecordingPlace = std::sync::Arc<Recordings>;
