//! Where recordings go, and how their paths are shown outside a container.

use std::{
    fs::{self, File},
    path::{Component, Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};

use crate::id::{CallId, PhoneId};

/// Where recordings go in containers, and where users of per-phone tools look for them.
const CONTAINER_ROOT: &str = "/recordings";

/// Where recordings go.
#[derive(Clone, Debug)]
pub struct Recordings {
    root: PathBuf,
    host_root: Option<PathBuf>,
    zone: TimeZone,
}

/// The parts of a recording's name.
#[derive(Clone, Debug)]
pub struct RecordingName {
    /// The phone.
    pub phone: PhoneId,
    /// The call.
    pub call: CallId,
    /// When the segment began.
    pub at: Timestamp,
}

/// A path leads outside the recordings folder.
#[derive(Debug, thiserror::Error)]
#[error("{} is not inside {}", path.display(), root.display())]
pub struct OutsideError {
    /// The path as given.
    pub path: PathBuf,
    /// The recordings folder.
    pub root: PathBuf,
}

impl Recordings {
    /// Puts recordings under `root`, named by UTC; paths are shown unchanged.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        Self { root: root.to_owned(), host_root: None, zone: TimeZone::UTC }
    }

    /// Puts recordings in the right place for this process: `asked`, otherwise the container's
    /// folder if it is writable, otherwise beside the data or in the working directory. They are
    /// named by local time and their paths shown unchanged.
    #[must_use]
    pub fn of_process(asked: Option<&Path>, data: Option<&Path>) -> Self {
        let container = Path::new(CONTAINER_ROOT);
        let root = match (asked, data) {
            (Some(asked), _) => asked.to_owned(),
            (None, _) if can_be_written(container) => container.to_owned(),
            (None, Some(data)) => data.join("recordings"),
            (None, None) => PathBuf::from("recordings"),
        };
        Self { root, host_root: None, zone: TimeZone::system() }
    }

    /// Shows paths below the folder as paths below `host_root`.
    #[must_use]
    pub fn shown_under(mut self, host_root: Option<PathBuf>) -> Self {
        self.host_root = host_root;
        self
    }

    /// Names recordings by the local time in `zone`.
    #[must_use]
    pub fn named_by(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Returns the recordings folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of a segment: `<root>/<phone>/call_<id>_<date>_<time>_<microseconds>.wav`.
    #[must_use]
    pub fn path(&self, name: &RecordingName) -> PathBuf {
        let at = name.at.to_zoned(self.zone.clone());
        let stamp = at.strftime("%Y%m%d_%H%M%S_%6f");
        self.root.join(name.phone.as_str()).join(format!("call_{}_{stamp}.wav", name.call.0))
    }

    /// Returns the path as the host sees it; a path outside the folder is returned unchanged.
    #[must_use]
    pub fn shown(&self, path: &Path) -> PathBuf {
        let relative = self.host_root.as_ref().zip(path.strip_prefix(&self.root).ok());
        relative.map_or_else(|| path.to_owned(), |(host_root, relative)| host_root.join(relative))
    }

    /// Resolves `path`, provided that it stays inside the folder; relative paths start there.
    ///
    /// # Errors
    /// [`OutsideError`] for a path with `..`, or one that leads outside, even through a symbolic
    /// link.
    pub fn inside(&self, path: &Path) -> Result<PathBuf, OutsideError> {
        let outside = || OutsideError { path: path.to_owned(), root: self.root.clone() };
        let whole = self.root.join(path);
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if climbs || !whole.starts_with(&self.root) {
            return Err(outside());
        }
        // A path that does not exist yet is judged by the nearest existing folder above it.
        let root = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        let existing = whole.ancestors().find_map(|part| fs::canonicalize(part).ok());
        match existing {
            Some(real) if real.starts_with(&root) || root.starts_with(&real) => Ok(whole),
            Some(_) | None => Err(outside()),
        }
    }
}

/// Returns whether a folder exists and is writable; on a read-only mount permissions alone do not
/// tell.
fn can_be_written(folder: &Path) -> bool {
    let probe = folder.join(format!(".offhook-{}", std::process::id()));
    let written = folder.is_dir() && File::create_new(&probe).is_ok();
    written && fs::remove_file(&probe).is_ok()
}
