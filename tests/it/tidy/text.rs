//! What no line of a text file may contain.

use super::Complaint;
use super::source::Source;

/// Files whose bytes are data, not prose: spaces and tabs in them mean something.
const DATA_FOLDERS: [&str; 2] = ["/data/", "/snapshots/"];
const DATA_ENDS: [&str; 5] = [".snap", ".dat", ".lock", ".sip", ".jsonl"];
/// Folders of the machine on which the work was done, in two parts, because this file is checked
/// like any other.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/"), concat!("/ho", "me/")];
/// Where packages come from is a setting of the machine.
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("arti", "factory"),
    concat!("deb.", "debian.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!(".inter", "nal/"),
    concat!("files.python", "hosted.org"),
];

pub(super) fn check(file: &Source) -> Vec<Complaint> {
    if file.path == "Cargo.lock" || file.path.ends_with("/Cargo.lock") {
        return Vec::new();
    }
    let is_data = DATA_FOLDERS.iter().any(|folder| file.path.contains(folder))
        || DATA_ENDS.iter().any(|end| file.path.ends_with(end));
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let mut complain = |rule, text: String| found.push(Complaint::new(&file.path, at + 1, rule, text));
        if !is_data {
            if line.ends_with([' ', '\t']) {
                complain("space", "white space at the end of the line".to_owned());
            }
            if line.contains('\t') {
                complain("space", "a tab".to_owned());
            }
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| absolute(line, path)) {
            complain("machine", format!("`{path}` is a folder of some machine"));
        }
        if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(**host)) {
            complain("machine", format!("`{host}` is a setting of some machine"));
        }
        if let Some(text) = unfinished(line) {
            complain("todo", text.to_owned());
        }
    }
    found
}

/// Returns whether a path starts from the root of a file system here, and is not the end of a
/// longer one.
fn absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "._-/}>".contains(character))
    })
}

/// Unfinished work needs its reason: `TODO because …: what`.
fn unfinished(line: &str) -> Option<&'static str> {
    let word =
        |wanted: &str| line.split(|character: char| !character.is_alphanumeric()).any(|word| word == wanted);
    if word("FIXME") {
        return Some("a FIXME: mend it, or say TODO because …");
    }
    (word("TODO") && !line.contains("TODO because ")).then_some("a TODO without its reason: TODO because …")
}
