//! Files that runs and calls leave behind: naming and places.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::id::{CallId, PhoneId};

/// Where recordings go.
#[derive(Clone, Debug)]
pub struct Recordings {
    root: PathBuf,
}

/// What the name of a recording says.
#[derive(Clone, Debug)]
pub struct RecordingName {
    /// The phone.
    pub phone: PhoneId,
    /// The call.
    pub call: CallId,
    /// When the segment began.
    pub at: Timestamp,
}

impl Recordings {
    /// Puts recordings under `root`.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns where a segment goes: `<root>/<phone>/call_<id>_<date>_<time>_<microseconds>.wav`.
    #[must_use]
    pub fn path(&self, name: &RecordingName) -> PathBuf {
        let stamp = name.at.strftime("%Y%m%d_%H%M%S_%6f");
        self.root.join(name.phone.as_str()).join(format!("call_{}_{stamp}.wav", name.call.0))
    }
}
