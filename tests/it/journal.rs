//! The journal across processes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use offhook::{
    event::{Cause, Event, RunEvent, Subject},
    id::{RunId, Seq},
    journal::{Journal, JournalError, Query},
    wall::Wall,
};

const FOLDER: &str = "OFFHOOK_TEST_APPEND_INTO";
const NAME: &str = "journal::nothing_that_was_flushed_is_lost_when_the_process_is_killed";

/// The child's part: appends and says what is durable until it is killed.
fn append_for_ever(folder: &Path) -> ! {
    let journal = Journal::open(folder, Wall::system()).unwrap();
    let mut said = std::io::stdout();
    loop {
        for _ in 0..37 {
            let message = format!("line {}", journal.head().0 + 1);
            journal.append(Subject::run(RunId(1)), Cause::Start, RunEvent::Log { message });
        }
        let head = journal.head();
        journal.flush_blocking().unwrap();
        // More that is appended and not flushed, so that the kill meets an unfinished group.
        journal.append(Subject::run(RunId(1)), Cause::Start, RunEvent::Log { message: "unflushed".into() });
        writeln!(said, "flushed {}", head.0).unwrap();
    }
}

#[test]
fn nothing_that_was_flushed_is_lost_when_the_process_is_killed() {
    if let Some(folder) = env::var_os(FOLDER) {
        append_for_ever(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut promised = 0;
    for _ in 0..3 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let flushed =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("flushed ")?.parse().ok());
        promised = flushed.take(20).last().expect("the child says what is durable");
        let refused = Journal::open(folder.path(), Wall::system()).unwrap_err();
        assert!(matches!(refused, JournalError::InUse { .. }), "{refused}");
        child.kill().unwrap();
        child.wait().unwrap();

        let journal = Journal::open(folder.path(), Wall::system()).unwrap();
        let found = journal.query_blocking(&Query::default()).unwrap();
        assert!(journal.head() >= Seq(promised), "{} is missing up to {promised}", journal.head());
        for (envelope, expected) in found.iter().zip(1..) {
            assert_eq!(envelope.seq, Seq(expected));
            let Event::Run(RunEvent::Log { message }) = &envelope.event else { panic!("{envelope:?}") };
            assert!(*message == format!("line {expected}") || message == "unflushed", "{message}");
        }
        assert_eq!(found.len() as u64, journal.head().0);
    }
    assert!(promised >= 3 * 20 * 37, "{promised}");
}
