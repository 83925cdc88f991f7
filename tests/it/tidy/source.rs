//! The files of the repository as the rules see them.

use std::fs;
use std::path::Path;

/// Folders that the rules do not apply to, by path from the root.
const SKIPPED: [&str; 7] =
    [".git", ".offhook", "target", "fuzz/target", "fuzz/artifacts", "fuzz/corpus", "node_modules"];

/// One file: its path from the root with forward slashes, and its text (empty for a binary one).
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns the name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Returns the folder, empty for the root.
    pub(super) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Returns whether the whole file is test code.
    pub(super) fn is_test(&self) -> bool {
        self.name() == "tests.rs"
            || self.path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz" | "testkit"))
    }

    /// Returns the number of lines before the file's own test module.
    pub(super) fn code_lines(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let start = lines.windows(2).position(|pair| {
            matches!(pair, [attribute, module]
                if attribute.starts_with("#[cfg(test)]") && module.starts_with("mod ") && module.ends_with('{'))
        });
        start.unwrap_or(lines.len())
    }

    /// Returns the numbered lines above the test module, without line comments and string literals.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        let limit = self.code_lines();
        self.text.lines().take(limit).enumerate().map(|(at, line)| (at + 1, bare(line)))
    }
}

/// Removes the line comment and the text in double quotes; enough for rules that look for paths.
fn bare(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut quoted = false;
    let mut escaped = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '/' && characters.peek() == Some(&'/') {
            break;
        } else if character == '\'' && characters.peek() == Some(&'"') {
            // The character literal '"' opens no string.
            characters.next();
        } else if character == '"' {
            quoted = true;
        } else {
            out.push(character);
        }
    }
    out
}

/// Reads every file below `root`, sorted by path.
pub(super) fn read(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    walk(root, "", &mut found);
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn walk(root: &Path, below: &str, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(root, &path, found),
            Ok(kind) if kind.is_file() => {
                let text = fs::read(root.join(&path)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                found.push(Source { path, text: text.unwrap_or_default() });
            }
            _ => {}
        }
    }
}
