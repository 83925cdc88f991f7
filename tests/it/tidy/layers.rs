//! The direction of dependencies: a module of the program uses only rows above its own
//! (ARCHITECTURE.md).

use super::Complaint;
use super::source::Source;

const RULE: &str = "layers";

/// Lowest layer first. Modules in one row do not know each other.
const LAYERS: [&[&str]; 13] = [
    &["id", "nearest", "private", "secret", "wall", "telemetry"],
    &["event"],
    &["command"],
    &["journal", "config", "artifact"],
    &["view", "net"],
    &["media"],
    &["capture", "pbx"],
    &["sim", "lab", "call", "scenario", "report"],
    &["phone", "suite"],
    &["switchboard"],
    &["node"],
    &["mcp", "http"],
    &["cli"],
];

/// Crates that only some modules may name; a crate that is not listed is open to all.
const CRATES: [(&str, &[&str]); 8] = [
    ("rmcp", &["mcp"]),
    ("axum", &["http", "mcp"]),
    ("clap", &["cli", "main"]),
    ("ractor", &["sim", "lab", "call", "pbx", "scenario", "report", "phone", "switchboard"]),
    ("hickory_resolver", &["net"]),
    ("offhook_capture", &["capture"]),
    ("offhook_sip", &["net", "sim", "lab", "call", "pbx", "report", "phone"]),
    ("offhook_media", &["media", "sim", "lab", "call", "pbx", "report"]),
];

/// The pure crates, and what their code must not name in addition to what clippy bans there.
const PURE: [(&str, &[&str]); 4] = [
    ("crates/seed/src/", &["tokio", "offhook", "offhook_sip", "offhook_media", "offhook_capture"]),
    ("crates/sip/src/", &["tokio", "offhook", "offhook_media", "offhook_capture"]),
    ("crates/media/src/", &["tokio", "offhook", "offhook_sip", "offhook_capture"]),
    ("crates/capture/src/", &["tokio", "offhook"]),
];

pub(super) fn check(file: &Source) -> Vec<Complaint> {
    let mut found = Vec::new();
    if let Some((_, banned)) = PURE.iter().find(|(folder, _)| file.path.starts_with(folder)) {
        for (line, code) in file.code() {
            for name in banned.iter().filter(|name| names_crate(&code, name)) {
                found.push(Complaint::new(
                    &file.path,
                    line,
                    RULE,
                    format!("a pure crate must not use {name}"),
                ));
            }
        }
        return found;
    }
    let Some(inside) = file.path.strip_prefix("src/") else { return found };
    let own = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
    if own == "lib" {
        return found;
    }
    if own != "main" && rank(own).is_none() {
        let text = format!("module {own} has no row in the layer table");
        found.push(Complaint::new(&file.path, 1, RULE, text));
    }
    for (line, module) in used_modules(file, depth(inside)) {
        if !allowed(own, &module) {
            found.push(Complaint::new(&file.path, line, RULE, format!("{own} must not use {module}")));
        }
    }
    for (line, code) in file.code() {
        for (name, open_to) in CRATES {
            if names_crate(&code, name) && !open_to.contains(&own) {
                found.push(Complaint::new(&file.path, line, RULE, format!("{own} must not use {name}")));
            }
        }
    }
    found
}

fn allowed(own: &str, used: &str) -> bool {
    match (rank(own), rank(used)) {
        (Some(own_rank), Some(used_rank)) => own == used || used_rank < own_rank,
        // main is above all; a name outside the table is not a module of ours.
        (None, _) | (_, None) => true,
    }
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// Returns the number of module segments of a file below src/.
fn depth(inside: &str) -> usize {
    let segments = inside.split('/').count();
    if inside.ends_with("/mod.rs") { segments - 1 } else { segments }
}

/// Returns whether code names a crate at the start of a path, or in an `extern` position.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + name.len()..).unwrap_or_default();
        let inside_path = before
            .is_some_and(|character| character == ':' || character == '_' || character.is_alphanumeric());
        !inside_path && after.starts_with("::")
    })
}

/// Returns the crate's own top-level modules that the code names, with their lines.
fn used_modules(file: &Source, depth: usize) -> Vec<(usize, String)> {
    // One text, because `use crate::{…}` may span lines; offsets lead back to the line.
    let mut text = String::new();
    let mut starts = Vec::new();
    for (line, code) in file.code() {
        starts.push((text.len(), line));
        text.push_str(&code);
        text.push('\n');
    }
    let to_root = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", to_root.as_str()] {
        for (at, _) in text.match_indices(prefix) {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            if before
                .is_some_and(|character| character == ':' || character == '_' || character.is_alphanumeric())
            {
                continue;
            }
            let rest = text.get(at + prefix.len()..).unwrap_or_default();
            for (offset, module) in heads(rest) {
                let position = at + prefix.len() + offset;
                let line =
                    starts.iter().rev().find(|(start, _)| *start <= position).map_or(0, |(_, line)| *line);
                found.push((line, module));
            }
        }
    }
    found
}

/// Returns the first segment of each path of `a::b` or `{a::b, c}`, with its offset.
fn heads(rest: &str) -> Vec<(usize, String)> {
    if !rest.starts_with('{') {
        return vec![(0, identifier(rest))];
    }
    let mut found = Vec::new();
    let mut nesting = 0_usize;
    let mut expected = false;
    for (at, character) in rest.char_indices() {
        match character {
            '{' => {
                nesting += 1;
                expected = nesting == 1;
            }
            '}' => {
                nesting -= 1;
                if nesting == 0 {
                    return found;
                }
            }
            ',' => expected = nesting == 1,
            _ if expected && (character == '_' || character.is_alphabetic()) => {
                found.push((at, identifier(rest.get(at..).unwrap_or_default())));
                expected = false;
            }
            _ => {}
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| *character == '_' || character.is_alphanumeric()).collect()
}
