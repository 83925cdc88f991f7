//! A call's recording: opened with media or on demand, closed with either.
//!
//! Two channels of 16-bit PCM at 8 kHz: left what was received, right what was sent, so that each direction can be
//! measured on its own. A segment that is closed gets its description beside it.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use hound::{SampleFormat, WavSpec, WavWriter};
use offhook_media::session::RecordFrame;

use super::actor::Shell;
use crate::{
    artifact::{RecordingName, Recordings},
    event::{Cause, MediaEvent},
};

/// Samples per second of a recording.
const RATE: u32 = 8000;

/// Takes frames on the media clock and writes them to a file.
pub(crate) struct Recorder {
    writer: WavWriter<BufWriter<File>>,
    path: PathBuf,
    samples: u64,
    /// The first failure to write; later frames are dropped and the closing says so.
    failure: Option<hound::Error>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Creates the file and the folders above it.
    fn create(path: &Path) -> Result<Self, hound::Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let spec =
            WavSpec { channels: 2, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let writer = WavWriter::create(path, spec)?;
        Ok(Self { writer, path: path.to_owned(), samples: 0, failure: None })
    }

    /// Takes 20 ms of both directions.
    pub(crate) fn write(&mut self, frame: &RecordFrame) {
        if self.failure.is_some() {
            return;
        }
        for (received, sent) in frame.received.iter().zip(&frame.sent) {
            let written = self.writer.write_sample(*received).and_then(|()| self.writer.write_sample(*sent));
            if let Err(error) = written {
                self.failure = Some(error);
                return;
            }
        }
        self.samples += frame.received.len() as u64;
        // A header that is true from time to time makes the file readable after a crash.
        if self.samples.is_multiple_of(u64::from(RATE)) {
            self.failure = self.writer.flush().err();
        }
    }

    /// Completes the file and returns its length in milliseconds.
    fn close(self) -> Result<u64, hound::Error> {
        let duration_ms = self.samples * 1000 / u64::from(RATE);
        match self.failure {
            Some(error) => Err(error),
            None => self.writer.finalize().map(|()| duration_ms),
        }
    }
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

    fn recording_failed(&mut self, path: &Path, error: &hound::Error, cause: &Cause) {
        tracing::warn!(call = %self.id, path = %path.display(), %error, "recording failed");
        let failed =
            MediaEvent::RecordingFailed { path: path.display().to_string(), reason: error.to_string() };
        self.append(failed, cause);
    }
}

/// Where a call's recordings go; shared by all calls of a process.
pub(crate) type RecordingPlace = std::sync::Arc<Recordings>;
