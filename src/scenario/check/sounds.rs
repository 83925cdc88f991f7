//! Sound files that a scenario plays and a run would not find: the one finding that rests on the machine's disk.

use std::path::Path;

use super::super::{
    diagnostic::{Diagnostic, Level, Rule},
    dialect::Reading,
    model::{Action, ArgumentTemplate, Scenario, Step},
};
use crate::command::CommandKind;

/// Adds to a reading the sound files that are not there; it asks the disk, and so blocks.
pub fn check_sounds(reading: &mut Reading) {
    if let Some(scenario) = &reading.scenario {
        reading.findings.extend(missing(scenario));
        reading.findings.sort_by_key(|finding| finding.at);
    }
}

fn missing(scenario: &Scenario) -> Vec<Diagnostic> {
    let level = if scenario.lenient { Level::Warning } else { Level::Error };
    let missing = |step: &Step| {
        let Action::Do { command, .. } = &step.action else { return None };
        let Some(ArgumentTemplate::Text(file)) = command.arguments.get("file") else { return None };
        // A step that must be refused may want it to be missing.
        if command.kind != CommandKind::Play || step.refused.is_some() || !file.is_literal() {
            return None;
        }
        let path = Path::new(file.as_str());
        if path.is_file() {
            return None;
        }
        let looked = if path.is_absolute() { String::new() } else { looked_in() };
        let text = format!("there is no file '{}'{looked}", file.as_str());
        Some(Diagnostic {
            level,
            rule: Rule::MissingFile,
            at: step.at,
            path: Vec::new(),
            text,
            suggestion: None,
        })
    };
    scenario.lists().flat_map(|(_, steps)| steps).filter_map(missing).collect()
}

fn looked_in() -> String {
    let here = std::env::current_dir().map(|folder| format!(" in {}", folder.display()));
    format!("; it is looked for where the program was started{}", here.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Known, check_json, check_yaml};

    fn lines(mut reading: Reading) -> Vec<String> {
        check_sounds(&mut reading);
        reading.findings.iter().map(|finding| finding.line("s.yaml")).collect()
    }

    #[test]
    fn a_sound_that_is_not_where_a_run_would_look_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there.wav");
        std::fs::write(&there, "").unwrap();
        let text = format!(
            "phones: {{a: {{}}}}\nsteps:\n  - make_call: {{phone: a, to: '600'}}\n  - play: no/such.wav\n  - play: {}\n  \
             - play: {{tone: 440}}\n  - play: {{file: '/no/such.wav', refused: true}}\n  - expect: call.ended\n",
            there.display()
        );
        let mut reading = check_yaml(&text, None, &Known::default());
        check_sounds(&mut reading);
        assert!(!reading.is_runnable());
        let lines = lines(check_yaml(&text, None, &Known::default()));
        let here = std::env::current_dir().unwrap();
        let told = format!(
            "s.yaml:4:5: error[missing-file]: there is no file 'no/such.wav'; it is looked for where the program was \
             started in {}",
            here.display()
        );
        assert_eq!(lines, [told]);
    }

    #[test]
    fn in_the_older_form_a_missing_sound_is_a_warning() {
        let document = serde_json::json!({
            "phones": ["a"],
            "hooks": [{ "when": "call.state.confirmed", "then": [{ "play_audio": { "file_path": "/no/such.wav" } }] }],
            "stop_on": [{ "event": "call.state.disconnected" }],
        });
        let reading = check_json(&document, &Known::default());
        assert!(reading.is_runnable() && reading.findings.is_empty(), "{:?}", reading.findings);
        let lines = lines(reading);
        assert!(
            lines.len() == 1 && lines[0].contains("warning[missing-file]: there is no file '/no/such.wav'")
        );
    }
}
