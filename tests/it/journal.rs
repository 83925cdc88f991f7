//! The journal across processes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use offhook::{
    event::{CallEvent, Cause, EndCause, Event, Party, RunEvent, Subject, SystemEvent},
    id::{CallId, RunId, Seq},
    journal::{Asker, Journal, JournalError, Query},
    wall::Wall,
};

const FOLDER: &str = "OFFHOOK_TEST_APPEND_INTO";
const NAME: &str = "journal::nothing_that_was_flushed_is_lost_when_the_process_is_killed";

/// The child's part: appends and reports what is durable until it is killed.
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
        // Append more without flushing, so that the kill hits an unfinished group.
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

const REMOVING: &str = "OFFHOOK_TEST_REMOVE_FROM";
const REMOVING_NAME: &str =
    "journal::a_process_killed_while_it_removes_leaves_whole_calls_and_the_next_tells_it";

/// Fills a folder with finished calls of six facts each.
fn fill_with_calls(folder: &Path, calls: u64) {
    let journal = Journal::open(folder, Wall::system()).unwrap();
    for number in 0..calls {
        let subject = Subject::call("a".parse().unwrap(), CallId(number));
        let (target, local, sip_call_id) = ("sip:b".to_owned(), "sip:a".to_owned(), number.to_string());
        journal.append(subject.clone(), Cause::Start, CallEvent::Placed { target, local, sip_call_id });
        for _ in 0..4 {
            journal.append(subject.clone(), Cause::Start, CallEvent::Trying {});
        }
        let (by, cause, reason) = (Party::Local, EndCause::Normal, "Normal".to_owned());
        let ended = CallEvent::Ended { by, cause, status: None, reason, duration_ms: 1 };
        journal.append(subject, Cause::Start, ended);
    }
    journal.close_blocking().unwrap();
}

#[test]
fn a_process_killed_while_it_removes_leaves_whole_calls_and_the_next_tells_it() {
    const CALLS: u64 = 5_000;
    if let Some(folder) = env::var_os(REMOVING) {
        let journal = Journal::open(Path::new(&folder), Wall::system()).unwrap();
        journal.prune_blocking(journal.wall().now(), Asker::Keep).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fill_with_calls(folder.path(), CALLS);
    let mut child = Command::new(env::current_exe().unwrap())
        .args([REMOVING_NAME, "--exact", "--test-threads=1"])
        .env(REMOVING, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let database = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    let count =
        || -> i64 { database.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap() };
    while count() > 25_000 {
        assert!(child.try_wait().unwrap().is_none(), "it was through before it could be killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = Journal::open(folder.path(), Wall::system()).unwrap();
    let events = journal.query_blocking(&Query::default()).unwrap();
    let mut calls = std::collections::BTreeMap::<CallId, u64>::new();
    for call in events.iter().filter_map(|envelope| envelope.subject.call) {
        *calls.entry(call).or_default() += 1;
    }
    assert!(calls.values().all(|facts| *facts == 6), "a call is cut: {calls:?}");
    let gone = CALLS - calls.len() as u64;
    let told = |envelope: &std::sync::Arc<offhook::event::Envelope>| match &envelope.event {
        Event::System(SystemEvent::Pruned { count, .. }) => *count,
        Event::Phone(_)
        | Event::Call(_)
        | Event::Media(_)
        | Event::Capture(_)
        | Event::Sip(_)
        | Event::Run(_)
        | Event::System(_) => 0,
    };
    assert!((CALLS / 6..CALLS - 1).contains(&gone), "{gone}");
    assert_eq!(events.iter().map(told).sum::<u64>(), gone * 6);
}
