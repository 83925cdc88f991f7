//! Folds that are saved with the journal.

use std::{fs, path::Path};

use super::*;

impl KeptFold for Seen {
    const NAME: &'static str = "seen";
    const VERSION: u32 = 1;
}

/// The same fold in a newer program, which cannot use what was saved.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Later(Seen);

impl Fold for Later {
    fn apply(&mut self, envelope: &Envelope) {
        self.0.apply(envelope);
    }
}

impl KeptFold for Later {
    const NAME: &'static str = "seen";
    const VERSION: u32 = 2;
}

fn open(folder: &Path) -> Journal {
    Journal::open(folder, Wall::system()).unwrap()
}

/// A folder whose journal has `count` events and a saved fold.
fn with_kept(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let _seen = journal.attach_kept::<Seen>();
    lines(&journal, 0, count);
    journal.close_blocking().unwrap();
    folder
}

/// Marks the saved fold, so that a fold loaded from it shows the mark.
fn mark(folder: &Path, change: impl Fn(String) -> String) {
    let file = folder.join("journal.seen");
    let content = fs::read_to_string(&file).unwrap();
    fs::write(file, change(content)).unwrap();
}

fn read(folder: &Path) -> Vec<u64> {
    open(folder).attach_kept::<Seen>().read(Seen::all)
}

#[test]
fn a_fold_is_kept_at_the_end_and_shown_only_what_came_after() {
    let folder = with_kept(3_000);
    let kept = fs::read_to_string(folder.path().join("journal.seen")).unwrap();
    assert!(kept.starts_with(r#"{"fold":"seen","version":1,"seq":3000,"#), "{kept:.80}");
    // The first 3,000 events are gone: a reader that needs them would miss them.
    let raw = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    raw.execute_batch("DROP TRIGGER no_delete; DELETE FROM events WHERE seq < 3000").unwrap();
    drop(raw);
    let journal = open(folder.path());
    let seen = journal.attach_kept::<Seen>();
    assert_eq!(seen.read(Seen::all), (1..=3_000).collect::<Vec<_>>());
    lines(&journal, 0, 2);
    assert_eq!(seen.read(Seen::all), (1..=3_002).collect::<Vec<_>>());
}

#[test]
fn a_short_journal_keeps_no_folds() {
    let folder = with_kept(100);
    assert!(!folder.path().join("journal.seen").exists());
}

#[test]
fn what_does_not_fit_is_made_anew() {
    let all = (1..=3_000).collect::<Vec<_>>();
    let folder = with_kept(3_000);
    let good = fs::read(folder.path().join("journal.seen")).unwrap();
    let damages: [&dyn Fn(String) -> String; 7] = [
        &|text| text.replacen("[1,2,", "[9,2,", 1),
        &|text| text.replacen("[1,2,3", "[1,2", 1),
        &|text| text.replacen(r#""version":1"#, r#""version":7"#, 1),
        &|text| text.replacen(r#""fold":"seen""#, r#""fold":"sewn""#, 1),
        &|text| text.chars().take(400).collect(),
        &|text| text.replace('\n', " "),
        &|_| String::new(),
    ];
    for damage in damages {
        fs::write(folder.path().join("journal.seen"), &good).unwrap();
        mark(folder.path(), damage);
        assert_eq!(read(folder.path()), all);
    }
    fs::write(folder.path().join("journal.seen"), &good).unwrap();
    assert_eq!(open(folder.path()).attach_kept::<Later>().read(|later| later.0.all()), all);
}

#[test]
fn a_fold_of_another_journal_is_not_used() {
    let (folder, other) = (with_kept(3_000), with_kept(3_001));
    fs::copy(other.path().join("journal.seen"), folder.path().join("journal.seen")).unwrap();
    assert_eq!(read(folder.path()).len(), 3_000, "it is ahead of this journal");
    let journal = open(folder.path());
    lines(&journal, 0, 10);
    journal.close_blocking().unwrap();
    fs::copy(other.path().join("journal.seen"), folder.path().join("journal.seen")).unwrap();
    assert_eq!(read(folder.path()).len(), 3_010, "its newest event is another one");
}

#[test]
fn folds_are_kept_while_the_journal_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let seen = journal.attach_kept::<Seen>();
    lines(&journal, 0, 210_000);
    journal.flush_blocking().unwrap();
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !folder.path().join("journal.seen").exists() {
        assert!(std::time::Instant::now() < patience, "nothing is kept");
        std::thread::yield_now();
    }
    assert_eq!(seen.read(|seen| seen.0.len()), 210_000);
}
