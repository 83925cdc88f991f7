//! Captures: everything that passes the sockets of a phone, in pcap files, from its first packet on
//! and without privileges.
//!
//! A tap sees what is sent and read (`net::Tap`) and turns it into packets in the memory of its
//! phone's stream (`stream`); turns on the threads for files write them (`file`). A file is begun by
//! the first packet and gets the name of the first call in it. When its last call is over the file
//! ends, and what comes next begins another. Only what is on the disk becomes a fact.

pub mod analysis;
mod captures;
mod file;
mod stream;

use std::sync::Arc;

pub(crate) use captures::{CapturedCall, Captures};
pub use offhook_capture::write::Format as CaptureFormat;

use crate::{artifact::ArtifactFolder, config::Pool, journal::Journal, media::Writers};

/// How captures are written, and where.
#[derive(Clone, Debug)]
pub struct CaptureOptions {
    /// Where they go; their extension follows the format.
    pub folder: ArtifactFolder,
    /// Their form.
    pub form: CaptureForm,
}

/// Format and size of captures.
#[derive(Clone, Copy, Debug)]
pub struct CaptureForm {
    /// The format.
    pub format: CaptureFormat,
    /// Size in bytes at which a file ends and another goes on.
    pub most_bytes: u64,
    /// How many files of that size the captures of a phone may take; the oldest are removed.
    pub most_files: usize,
}

impl Default for CaptureForm {
    /// Classic pcap in files of 100 MB, ten of them for each phone.
    fn default() -> Self {
        Self { format: CaptureFormat::Pcap, most_bytes: 100_000_000, most_files: 10 }
    }
}

impl CaptureOptions {
    /// Captures of the default form in `folder`.
    #[must_use]
    pub fn under(folder: ArtifactFolder) -> Self {
        Self { folder, form: CaptureForm::default() }
    }
}

/// What all streams share.
struct Common {
    options: CaptureOptions,
    journal: Journal,
    pool: Pool,
    writers: Arc<Writers>,
}
