//! Which recordings or captures exist, and whose they are, judging by their names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{ArtifactFolder, ArtifactKind, sidecar_of};
use crate::id::PhoneId;

/// A recording or capture on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The phone, according to its folder or name.
    pub phone: Option<String>,
    /// The number of the call, according to its name.
    pub call: Option<u64>,
    /// Its sidecar, if there is one; only recordings have any.
    pub sidecar: Option<PathBuf>,
}

impl ArtifactFolder {
    /// Returns every file of its kind below the folder, sorted by path in descending order; none if the
    /// folder does not exist.
    ///
    /// Blocks while it walks. Symbolic links are not followed: they could lead outside or in a
    /// circle.
    ///
    /// # Errors
    /// A folder that exists cannot be read.
    pub fn list(&self) -> io::Result<Vec<ArtifactFile>> {
        let mut paths = Vec::new();
        collect(self.root(), self.kind().extensions(), &mut paths)?;
        paths.sort_unstable_by(|a, b| b.cmp(a));
        // A file removed since then is simply left out.
        Ok(paths.into_iter().filter_map(|path| describe(self.root(), self.kind(), path)).collect())
    }
}

fn collect(folder: &Path, extensions: &[&str], into: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() {
            collect(&path, extensions, into)?;
        } else if kind.is_file()
            && path.extension().is_some_and(|given| extensions.iter().any(|known| given == *known))
        {
            into.push(path);
        }
    }
    Ok(())
}

fn describe(root: &Path, kind: ArtifactKind, path: PathBuf) -> Option<ArtifactFile> {
    let size = fs::metadata(&path).ok()?.len();
    let (phone, call) = owner(root, &path, kind);
    let sidecar = Some(sidecar_of(&path)).filter(|sidecar| sidecar.is_file());
    Some(ArtifactFile { path, size, phone, call, sidecar })
}

/// Derives phone and call from `<phone>/call_<n>_….wav`, or from `call_<phone>_<n>_….wav` directly
/// in the root. A capture may have no call.
pub(super) fn owner(root: &Path, path: &Path, kind: ArtifactKind) -> (Option<String>, Option<u64>) {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut tokens = stem.split('_');
    let (call, first) = match (tokens.next(), tokens.next()) {
        (Some("call"), Some(first)) => (first.parse().ok(), first),
        (Some("capture"), Some(first)) if kind == ArtifactKind::Captures => (None, first),
        (_, _) => return (None, None),
    };
    let parent = path.parent();
    if parent == Some(root) && kind == ArtifactKind::Recordings {
        return (Some(first.to_owned()), tokens.next().and_then(|number| number.parse().ok()));
    }
    let folder = parent.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    // Phones of a run have their folders inside the run's folder.
    let inside = parent.and_then(|parent| parent.strip_prefix(root).ok()).map(Path::to_string_lossy);
    let of_run = inside.and_then(|inside| inside.parse::<PhoneId>().ok()).map(|phone| phone.to_string());
    (of_run.or(folder), call)
}
