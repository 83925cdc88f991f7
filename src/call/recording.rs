//! A call's recording: starts with media or on demand, ends with either.
//!
//! A thread of `media` writes and completes the file while the call goes on. Only the end of the
//! call waits for the file, for [`PATIENCE`] at most. Each closed segment gets a file with its
//! description next to it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{CallMessage, actor::Shell};
use crate::{
    artifact::{ArtifactFolder, ArtifactName},
    capture::Captures,
    event::{Cause, MediaEvent},
    id::{CallId, PhoneId},
    media::{Recorded, Recorder},
};

/// How long completing a recording may take; no call waits for a disk slower than this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The recordings of one call.
#[derive(Debug, Default)]
pub(super) struct CallRecordings {
    /// The file being recorded to.
    file: Option<PathBuf>,
    /// Recordings that have ended but are not complete yet.
    finishing: usize,
}

impl CallRecordings {
    /// Returns whether a recording is in progress.
    pub(super) const fn is_on(&self) -> bool {
        self.file.is_some()
    }

    /// Returns whether every recording that has ended is complete.
    pub(super) const fn are_complete(&self) -> bool {
        self.finishing == 0
    }
}

impl Shell {
    /// Starts or stops the recording; journals why if it cannot.
    pub(super) fn set_recording(&mut self, on: bool, cause: &Cause) {
        match (on, self.recorded.is_on()) {
            (true, false) => self.start_recording(cause),
            (false, true) => self.stop_recording(cause),
            (true, true) | (false, false) => {}
        }
    }

    fn start_recording(&mut self, cause: &Cause) {
        let path = self.recordings.path(&self.phone, self.id, self.journal.wall().now());
        match self.media.leg.start_recording(&path) {
            Ok(()) => {
                self.append(
                    MediaEvent::RecordingStarted {
                        path: path.display().to_string(),
                        epoch: self.state.epoch,
                    },
                    cause,
                );
                self.recorded.file = Some(path);
            }
            Err(error) => self.recording_failed(&path, &error.to_string(), cause),
        }
    }

    fn stop_recording(&mut self, cause: &Cause) {
        self.recorded.file = None;
        let Some(finishing) = self.media.leg.stop_recording().map(Recorder::finish) else { return };
        if finishing.lost_ms() > 0 {
            self.append_gap(finishing.path(), finishing.lost_ms(), cause);
        }
        self.recorded.finishing += 1;
        let (me, cause) = (self.me.clone(), cause.clone());
        tokio::task::spawn_blocking(move || {
            let recorded = finishing.wait(PATIENCE);
            // If the call has failed meanwhile, nobody is left to journal it.
            drop(me.cast(CallMessage::Recorded { recorded, cause }));
        });
    }

    /// Handles a recording that is complete, or never will be.
    pub(super) fn recorded(&mut self, recorded: Recorded, cause: &Cause) {
        self.recorded.finishing = self.recorded.finishing.saturating_sub(1);
        match recorded.result {
            Ok(duration_ms) => {
                let path = recorded.path.display().to_string();
                self.append(
                    MediaEvent::RecordingStopped { path, duration_ms, epoch: self.state.epoch },
                    cause,
                );
            }
            Err(error) => self.recording_failed(&recorded.path, &error.to_string(), cause),
        }
        self.leave_when_recorded();
    }

    /// Journals a gap once the disk accepts frames again.
    pub(super) fn recording_gap(&mut self, lost_ms: u64) {
        if let Some(path) = self.recorded.file.clone() {
            self.append_gap(&path, lost_ms, &Cause::Media);
        }
    }

    fn append_gap(&mut self, path: &Path, lost_ms: u64, cause: &Cause) {
        tracing::warn!(call = %self.id, path = %path.display(), lost_ms, "the disk was too slow for the recording");
        self.append(
            MediaEvent::RecordingGap { path: path.display().to_string(), lost_ms, epoch: self.state.epoch },
            cause,
        );
    }

    fn recording_failed(&mut self, path: &Path, reason: &str, cause: &Cause) {
        tracing::warn!(call = %self.id, path = %path.display(), reason, "recording failed");
        let failed = MediaEvent::RecordingFailed {
            path: path.display().to_string(),
            reason: reason.to_owned(),
            epoch: self.state.epoch,
        };
        self.append(failed, cause);
    }
}

/// Where a call's recordings go.
#[derive(Clone, Debug)]
pub(crate) struct RecordingPlace {
    pub(crate) folder: Arc<ArtifactFolder>,
    pub(crate) captures: Captures,
}

impl RecordingPlace {
    /// Returns the file of a segment: with the stem of the call's capture if no other segment has
    /// it.
    fn path(&self, phone: &PhoneId, call: CallId, at: Timestamp) -> PathBuf {
        let path = self.folder.path(&ArtifactName { phone: phone.clone(), call: Some(call), at });
        match self.captures.stem_for_recording(phone, call) {
            Some(stem) => path.with_file_name(stem).with_extension("wav"),
            None => path,
        }
    }
}
