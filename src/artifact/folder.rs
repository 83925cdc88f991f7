//! A folder of recordings or captures: how its files are named, and how their paths are shown
//! outside a container.

use std::{
    fs::{self, File},
    path::{Component, Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};

use crate::id::{CallId, PhoneId};

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactKind {
    /// Recordings of calls.
    Recordings,
    /// Captures of phones.
    Captures,
}

impl ArtifactKind {
    /// Returns the folder's name: in the data folder, and at the root of containers, where users of
    /// per-phone tools look for it.
    const fn name(self) -> &'static str {
        match self {
            Self::Recordings => "recordings",
            Self::Captures => "captures",
        }
    }

    /// Returns the extensions of its files; new ones get the first.
    pub(super) const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Recordings => &["wav"],
            Self::Captures => &["pcap", "pcapng"],
        }
    }
}

/// A folder of recordings or captures.
#[derive(Clone, Debug)]
pub struct ArtifactFolder {
    kind: ArtifactKind,
    root: PathBuf,
    host_root: Option<PathBuf>,
    zone: TimeZone,
}

/// The parts of a file's name.
#[derive(Clone, Debug)]
pub struct ArtifactName {
    /// The phone.
    pub phone: PhoneId,
    /// The call; a capture may begin before there is one.
    pub call: Option<CallId>,
    /// When its content began.
    pub at: Timestamp,
}

/// A path leads outside the folder.
#[derive(Debug, thiserror::Error)]
#[error("{} is not inside {}", path.display(), root.display())]
pub struct OutsideError {
    /// The path as given.
    pub path: PathBuf,
    /// The folder.
    pub root: PathBuf,
}

impl ArtifactFolder {
    /// Puts files under `root`, named by UTC; paths are shown unchanged.
    #[must_use]
    pub fn under(kind: ArtifactKind, root: &Path) -> Self {
        Self { kind, root: root.to_owned(), host_root: None, zone: TimeZone::UTC }
    }

    /// Puts files in the right place for this process: `asked`, otherwise the container's folder if
    /// it is writable, otherwise beside the data or in the working directory. They are named by
    /// local time and their paths shown unchanged.
    #[must_use]
    pub fn of_process(kind: ArtifactKind, asked: Option<&Path>, data: Option<&Path>) -> Self {
        let container = Path::new("/").join(kind.name());
        let root = match (asked, data) {
            (Some(asked), _) => asked.to_owned(),
            (None, _) if can_be_written(&container) => container,
            (None, Some(data)) => data.join(kind.name()),
            (None, None) => PathBuf::from(kind.name()),
        };
        Self { zone: TimeZone::system(), ..Self::under(kind, &root) }
    }

    /// Puts files of this kind into a data folder, named by UTC.
    #[must_use]
    pub fn in_data(kind: ArtifactKind, data: &Path) -> Self {
        Self::under(kind, &data.join(kind.name()))
    }

    /// Shows paths below the folder as paths below `host_root`.
    #[must_use]
    pub fn shown_under(mut self, host_root: Option<PathBuf>) -> Self {
        self.host_root = host_root;
        self
    }

    /// Names files by the local time in `zone`.
    #[must_use]
    pub fn named_by(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Returns what the folder holds.
    pub(super) const fn kind(&self) -> ArtifactKind {
        self.kind
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of a file: `<root>/<phone>/call_<id>_<date>_<time>_<microseconds>` with the
    /// extension of its kind, or `capture_<date>_…` without a call.
    #[must_use]
    pub fn path(&self, name: &ArtifactName) -> PathBuf {
        let at = name.at.to_zoned(self.zone.clone());
        let stamp = at.strftime("%Y%m%d_%H%M%S_%6f");
        let extension = self.kind.extensions().first().copied().unwrap_or_default();
        let file = match name.call {
            Some(call) => format!("call_{}_{stamp}.{extension}", call.0),
            None => format!("capture_{stamp}.{extension}"),
        };
        self.root.join(name.phone.as_str()).join(file)
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
