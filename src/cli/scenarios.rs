//! Finding, reading and checking scenario files, for `check` and `run` alike.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::config::{LARGEST_TEXT, read_given};
use crate::{
    command::CommandKind,
    scenario::{self, Action, ArgumentTemplate, Diagnostic, Known, Level, Reading, Rule, Scenario, Step},
};

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
    if let Some(scenario) = &reading.scenario {
        reading.findings.extend(missing_sounds(scenario));
        reading.findings.sort_by_key(|finding| finding.at);
    }
    let runnable = reading.is_runnable();
    Ok(Checked { path: name, findings: reading.findings, scenario: reading.scenario.filter(|_| runnable) })
}

/// Finds sound files that do not exist, as seen from the directory this command is started in.
fn missing_sounds(scenario: &Scenario) -> Vec<Diagnostic> {
    let missing = |step: &Step| {
        let Action::Do { command, .. } = &step.action else { return None };
        let Some(ArgumentTemplate::Text(file)) = command.arguments.get("file") else { return None };
        if command.kind != CommandKind::Play || !file.is_literal() || Path::new(file.as_str()).is_file() {
            return None;
        }
        let text = format!("there is no file '{}'; it is looked for where the run is started", file.as_str());
        Some(Diagnostic {
            level: Level::Error,
            rule: Rule::MissingFile,
            at: step.at,
            path: Vec::new(),
            text,
            suggestion: None,
        })
    };
    scenario.lists().flat_map(|(_, steps)| steps).filter_map(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_that_is_not_where_a_run_would_look_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there.wav");
        std::fs::write(&there, "").unwrap();
        let file = folder.path().join("s.yaml");
        let text = format!(
            "phones: {{a: {{}}}}\nsteps:\n  - make_call: {{phone: a, to: '600'}}\n  - play: no/such.wav\n  - play: {}\n  - play: {{tone: 440}}\n  - expect: call.ended\n",
            there.display()
        );
        std::fs::write(&file, text).unwrap();
        let checked = check(&file, &Known::default()).unwrap();
        let lines: Vec<String> = checked.findings.iter().map(|finding| finding.line("s.yaml")).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].starts_with("s.yaml:4:5: error[missing-file]: there is no file 'no/such.wav'"),
            "{lines:?}"
        );
        assert!(checked.scenario.is_none());
    }
}
