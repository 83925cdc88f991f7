//! A recording: two channels of 16-bit PCM at 8 kHz.
//!
//! Left is what was received, right what was sent, so that each direction can be measured on its own.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use offhook_media::{
    audio::{RecordingLayout, WavError, WavRecorder},
    session::RecordFrame,
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
    pub(crate) fn create(path: &Path) -> Result<Self, RecordingError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let writer = WavRecorder::new(BufWriter::new(File::create(path)?), RecordingLayout::Stereo)?;
        Ok(Self { writer, path: path.to_owned(), failure: None })
    }

    /// Returns the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes 20 ms of both directions.
    pub(super) fn write(&mut self, frame: &RecordFrame) {
        if self.failure.is_none() {
            self.failure = self.writer.write(&frame.received, &frame.sent).err();
        }
    }

    /// Completes the file and returns its length in milliseconds.
    pub(crate) fn close(self) -> Result<u64, RecordingError> {
        let duration_ms = self.writer.frames() * 20;
        match self.failure {
            Some(error) => Err(error.into()),
            None => Ok(self.writer.finish().map(|()| duration_ms)?),
        }
    }
}

/// A recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    /// The folder or the file cannot be made.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The medium failed later.
    #[error(transparent)]
    Write(#[from] WavError),
}
