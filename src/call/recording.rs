//! A call's recording: opened with media or on demand, closed with either.
//!
//! Two channels of 16-bit PCM at 8 kHz: left what was received, right what was sent, so that each direction can be
//! measured on its own. A segment that is closed gets its description beside it.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use offhook_media::{
    audio::{RecordingLayout, WavError, WavRecorder},
    session::RecordFrame,
};

use super::actor::Shell;
use crate::{
    artifact::{RecordingName, Recordings},
    event::{Cause, MediaEvent},
};

/// Takes frames on the media clock and writes them to a file.
pub(crate) struct Recorder {
    writer: WavRecorder<BufWriter<File>>,
    path: PathBuf,
    /// The first failure to write; later frames are dropped and the closing says so.
    failure: Option<WavError>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Creates the file and the folders above it.
    fn create(path: &Path) -> Result<Self, RecordingError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let writer = WavRecorder::new(BufWriter::new(File::create(path)?), RecordingLayout::Stereo)?;
        Ok(Self { writer, path: path.to_owned(), failure: None })
    }

    /// Takes 20 ms of both directions.
    pub(crate) fn write(&mut self, frame: &RecordFrame) {
        if self.failure.is_none() {
            self.failure = self.writer.write(&frame.received, &frame.sent).err();
        }
    }

    /// Completes the file and returns its length in milliseconds.
    fn close(self) -> Result<u64, RecordingError> {
        let duration_ms = self.writer.frames() * 20;
        match self.failure {
            Some(error) => Err(error.into()),
            None => Ok(self.writer.finish().map(|()| duration_ms)?),
        }
    }
}

/// A recording cannot be written.
#[derive(Debug, thiserror::Error)]
enum RecordingError {
    /// The folder or the file cannot be made.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The medium failed later.
    #[error(transparent)]
    Write(#[from] WavError),
}

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
        let path = recorder.path.clone();
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
