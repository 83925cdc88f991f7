//! What a capture says: reading files of any origin.

use std::{fs, io, path::Path};

pub use offhook_capture::analyze::{Analysis, Call, Ending, Party, RtpStream};

/// Analyzes a capture file; blocks while it reads.
///
/// # Errors
/// The file is not there, is not a regular file, or cannot be opened.
pub fn analyze(path: &Path) -> io::Result<Analysis> {
    // Opening a FIFO would wait for somebody who writes.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(offhook_capture::analyze::analyze(fs::File::open(path)?))
}
