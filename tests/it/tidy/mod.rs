//! House rules as a test: what a reviewer would say twice is said here once.
//!
//! The repository's test and `cargo xtask precommit` run the same code. Rules only look at source
//! text, so that the whole check takes well under a second; the dependency rules ask `cargo tree`.

mod dependencies;
mod exceptions;
mod index;
mod layers;
mod order;
mod shape;
mod source;
#[cfg(test)]
mod tests;
mod text;

use source::Source;
use std::path::Path;

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    path: String,
    line: usize,
    rule: &'static str,
    text: String,
}

impl Complaint {
    fn new(path: &str, line: usize, rule: &'static str, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, text: text.into() }
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}: {} [{}]", self.path, self.line, self.text, self.rule)
    }
}

/// Returns everything that breaks a rule in the repository at `root`, except for the exceptions.
pub(crate) fn complaints(root: &Path) -> Vec<Complaint> {
    let files = source::read(root);
    let mut found = in_files(&files);
    found.extend(dependencies::check(root));
    exceptions::apply(found, &files)
}

/// Returns what breaks a rule in these files: every rule but those on dependencies.
fn in_files(files: &[Source]) -> Vec<Complaint> {
    let each = files.iter().flat_map(|file| {
        let mut found = text::check(file);
        if file.is_rust() {
            found.extend(layers::check(file));
            found.extend(order::check(file));
            found.extend(shape::check(file));
        }
        found
    });
    each.chain(index::check(files)).collect()
}
