//! The journal of runs that did not pass, kept although nobody asked for it: a rare failure may not
//! happen again.
//!
//! There is one file for each `offhook run` that needs one, in the user's state folder
//! (`$XDG_STATE_HOME`, otherwise `~/.local/state`), as JSON Lines that `offhook log --data FILE`
//! reads. Only the newest ones are kept.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{event::Envelope, node::fresh_folder, private, wall::Wall};

/// How many files are kept.
const NEWEST: usize = 10;
/// The ending of their names.
const END: &str = ".jsonl";

/// The file of this process, created when the first run needs it.
pub(super) struct Kept {
    folder: PathBuf,
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { folder: folder(env::var_os("XDG_STATE_HOME"), env::var_os("HOME")), file: None }
    }

    /// Saves the events of a run, which must come after those of the runs saved before; returns the
    /// file.
    pub(super) fn keep(&mut self, events: &[Arc<Envelope>]) -> io::Result<PathBuf> {
        let (path, file) = match &mut self.file {
            Some(file) => file,
            none => none.insert(create(&self.folder)?),
        };
        for envelope in events {
            serde_json::to_writer(&mut *file, envelope)?;
            file.write_all(b"\n")?;
        }
        file.flush()?;
        Ok(path.clone())
    }
}

/// Returns the state folder of a user with this environment; a new temporary one if there is none.
fn folder(state: Option<OsString>, home: Option<OsString>) -> PathBuf {
    let absolute = |path: &PathBuf| path.is_absolute();
    let state = state.map(PathBuf::from).filter(absolute);
    let home = home.map(PathBuf::from).filter(absolute);
    let state = state.or_else(|| home.map(|home| home.join(".local/state")));
    state.map_or_else(fresh_folder, |state| state.join("offhook")).join("failed")
}

fn create(folder: &Path) -> io::Result<(PathBuf, BufWriter<File>)> {
    private::create_folder(folder)?;
    retire(folder, NEWEST - 1)?;
    let at = Wall::system().now().strftime("%Y-%m-%dT%H-%M-%SZ");
    let path = folder.join(format!("{at}-{}{END}", std::process::id()));
    let file = private::create_file(&path)?;
    Ok((path, BufWriter::new(file)))
}

/// Removes all but the newest `most` files; their names begin with their time.
fn retire(folder: &Path, most: usize) -> io::Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(END)))
        .collect();
    files.sort();
    let old = files.len().saturating_sub(most);
    files.iter().take(old).try_for_each(std::fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_stay_and_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for second in 0..12 {
            std::fs::write(folder.path().join(format!("2026-01-02T03-04-{second:02}Z-1.jsonl")), "").unwrap();
        }
        std::fs::write(folder.path().join("0000.txt"), "").unwrap();
        let (path, _file) = create(folder.path()).unwrap();
        let mut left: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left.len(), NEWEST + 1, "{left:?}");
        assert_eq!((left[0].as_str(), left[1].as_str()), ("0000.txt", "2026-01-02T03-04-03Z-1.jsonl"));
        assert!(path.exists());
    }

    #[test]
    fn the_folder_is_the_users_own() {
        let folder = |state: &str, home: &str| folder(Some(state.into()), Some(home.into()));
        assert_eq!(folder("/s", "/h"), Path::new("/s/offhook/failed"));
        assert_eq!(folder("s", "/h"), Path::new("/h/.local/state/offhook/failed"));
        assert!(folder("", "").is_absolute());
    }
}
