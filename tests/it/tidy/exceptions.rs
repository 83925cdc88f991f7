//! Places that may break a rule, each with its reason. The list may only shrink.

use super::Complaint;
use super::source::Source;

struct Exception {
    /// A file, or a folder with its slash.
    path: &'static str,
    rule: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception { path: "src/event/mod.rs", rule: "size", reason: "the one enum that every reader folds" },
    Exception { path: "src/net/signaling/mod.rs", rule: "size", reason: "ten lines over, all of one type" },
    Exception { path: "tests/it/tidy/", rule: "todo", reason: "names what the rule looks for" },
];

/// Removes the excepted complaints, and complains about exceptions that no longer except anything.
pub(super) fn apply(found: Vec<Complaint>, files: &[Source]) -> Vec<Complaint> {
    excepted(found, files, EXCEPTIONS)
}

fn excepted(found: Vec<Complaint>, files: &[Source], exceptions: &[Exception]) -> Vec<Complaint> {
    let covers = |exception: &Exception, complaint: &Complaint| {
        let inside = exception.path.ends_with('/') && complaint.path.starts_with(exception.path);
        exception.rule == complaint.rule && (inside || exception.path == complaint.path)
    };
    let stale: Vec<Complaint> = exceptions
        .iter()
        .filter(|exception| !found.iter().any(|complaint| covers(exception, complaint)))
        .map(|exception| {
            let text = format!("the exception `{}` is not needed any more: strike it", exception.reason);
            Complaint::new(exception.path, 1, exception.rule, text)
        })
        .collect();
    let mut left: Vec<Complaint> = found
        .into_iter()
        .filter(|complaint| !exceptions.iter().any(|exception| covers(exception, complaint)))
        .collect();
    // A list of files without a Rust file means a wrong root, not a tidy repository.
    if !files.iter().any(Source::is_rust) {
        left.push(Complaint::new(".", 0, "root", "no Rust file found"));
    }
    left.extend(stale);
    left
}

#[cfg(test)]
mod tests {
    use super::{Complaint, Exception, Source, excepted};

    const FILES: fn() -> Vec<Source> = || vec![Source::new("src/lib.rs", "//! a\n")];

    #[test]
    fn an_exception_covers_its_file_and_its_rule_only() {
        let exceptions = [Exception { path: "a.rs", rule: "size", reason: "r" }];
        let found = vec![Complaint::new("a.rs", 1, "size", ""), Complaint::new("a.rs", 1, "name", "")];
        assert_eq!(excepted(found, &FILES(), &exceptions), [Complaint::new("a.rs", 1, "name", "")]);
    }

    #[test]
    fn an_exception_that_excepts_nothing_is_itself_a_complaint() {
        let exceptions = [Exception { path: "a/", rule: "size", reason: "long table" }];
        let left = excepted(Vec::new(), &FILES(), &exceptions);
        assert!(
            left.iter().any(|complaint| complaint.text.contains("`long table` is not needed")),
            "{left:?}"
        );
    }

    #[test]
    fn an_empty_repository_is_not_tidy() {
        assert!(!excepted(Vec::new(), &[], &[]).is_empty());
    }
}
