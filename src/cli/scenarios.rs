//! Finding, reading and checking scenario files, for `check` and `run` alike.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::config::{LARGEST_TEXT, read_given};
use crate::scenario::{self, Diagnostic, Known, Level, Reading, Scenario};

/// A scenario file after checking.
pub(super) struct Checked {
    /// Its path as given or found.
    pub(super) path: String,
    /// What was found.
    pub(super) findings: Vec<Diagnostic>,
    /// The scenario, if it can be run.
    pub(super) scenario: Option<Scenario>,
}

impl Checked {
    pub(super) fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Error)
    }
}

/// Lists the files that paths name: a folder stands for its `.yaml` and `.yml` files, including
/// those in subfolders.
pub(super) fn collect(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if std::fs::metadata(path).map_err(|error| named(path, &error))?.is_dir() {
            let mut found = Vec::new();
            walk(path, &mut found)?;
            found.sort();
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Reads and checks one file.
pub(super) fn check(path: &Path, known: &Known) -> io::Result<Checked> {
    let bytes = read_given(path, LARGEST_TEXT).map_err(|error| named(path, &error))?;
    // A byte that is not UTF-8 becomes a replacement character, which the checker then finds and
    // locates.
    let text = String::from_utf8_lossy(&bytes);
    let name = path.display().to_string();
    let mut reading: Reading = scenario::check_yaml(&text, Some(&name), known);
    scenario::check_sounds(&mut reading);
    let runnable = reading.is_runnable();
    Ok(Checked { path: name, findings: reading.findings, scenario: reading.scenario.filter(|_| runnable) })
}
