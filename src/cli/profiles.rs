//! Checking PBX profiles and phones files, which are kept beside scenarios and look like them.

use std::path::Path;

use serde_json::Value;

use super::reasons;
use crate::{
    config::{PbxProfile, PhonesProfile, read_given_text, yaml},
    scenario::{Diagnostic, Level, Position, Rule},
};

/// Keys that only a PBX profile has.
const OF_A_PBX: &[&str] = &["domain", "accounts", "numbers", "realm"];
/// Keys that only a scenario has.
const OF_A_SCENARIO: &[&str] = &["steps", "hooks", "initial_actions", "stop_on", "patterns"];

/// Returns the findings of a file that is a profile; `None` if it is something else or cannot be
/// read.
pub(super) fn check(path: &Path) -> Option<Vec<Diagnostic>> {
    let text = read_given_text(path).ok()?;
    let whole: Value = yaml(&text).ok()?;
    let keys = whole.as_object()?;
    let has = |names: &[&str]| names.iter().any(|name| keys.contains_key(*name));
    if has(OF_A_SCENARIO) {
        return None;
    }
    let is_phone = |entry: &Value| entry.is_object();
    let phones = keys.get("phones").and_then(Value::as_array).is_some_and(|all| all.iter().any(is_phone));
    let found = if phones || has(&["defaults"]) {
        match PhonesProfile::parse(&text, path) {
            Ok(profile) => {
                let each = profile.errors.into_iter();
                each.map(|entry| format!("phone '{}': {}", entry.phone_id, entry.error)).collect()
            }
            Err(error) => vec![reasons(&error)],
        }
    } else if has(OF_A_PBX) {
        match PbxProfile::load(path) {
            Ok(_) => Vec::new(),
            Err(error) => vec![reasons(&error)],
        }
    } else {
        return None;
    };
    let named = format!("{}: ", path.display());
    let finding = |text: String| Diagnostic {
        level: Level::Error,
        rule: Rule::BadProfile,
        at: Position::default(),
        path: Vec::new(),
        // The loader's message begins with the file, as every finding already does.
        text: text.strip_prefix(&named).map(ToOwned::to_owned).unwrap_or(text),
        suggestion: None,
    };
    Some(found.into_iter().map(finding).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Option<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.yaml");
        std::fs::write(&path, text).unwrap();
        check(&path).map(|findings| findings.iter().map(|finding| finding.line("f.yaml")).collect())
    }

    #[test]
    fn profiles_are_known_by_their_keys_and_a_slip_is_named_once() {
        assert_eq!(lines("domain: pbx\naccounts: [{username: a, password: b}]\n"), Some(Vec::new()));
        assert_eq!(lines("steps: []\n"), None);
        assert_eq!(lines("phones: [a, b]\nsteps: []\n"), None);
        let found = |text: &str| lines(text).unwrap().join("\n");
        let top = found("domian: pbx\naccounts: []\n");
        assert!(top.starts_with("f.yaml: error[bad-profile]: unknown field `domian`"), "{top}");
        assert!(top.ends_with("(did you mean 'domain'?)"), "{top}");
        assert_eq!(top.matches("domian").count(), 1);
        let inner = found("domain: pbx\naccounts: [{username: a, pasword: hunter2}]\n");
        assert!(inner.ends_with("(did you mean 'password'?)") && !inner.contains("hunter2"), "{inner}");
        let phones = found("phones: [{phone_id: a, domain: d, username: u, password: p, codec: []}]\n");
        assert!(
            phones.contains("unknown key 'codec'") && phones.ends_with("(did you mean 'codecs'?)"),
            "{phones}"
        );
        let transport =
            found("phones: [{phone_id: a, domain: d, username: u, password: p, transport: tls}]\n");
        assert!(transport.contains("phone 'a': Unsupported transport: 'tls'"), "{transport}");
    }
}
