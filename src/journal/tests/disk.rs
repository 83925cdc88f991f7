//! The journal on disk.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::*;
use crate::event::{EventPattern, RawMessage, SipEvent, SipSummary, SystemEvent, Transport};

fn open(folder: &Path) -> Journal {
    Journal::open(folder, Wall::system()).unwrap()
}

/// A journal on disk that keeps only three events in memory.
fn forgetful(folder: &Path) -> Journal {
    Journal::open_with_capacity(folder, Wall::system(), room_for(3)).unwrap()
}

fn raw(folder: &Path) -> Connection {
    Connection::open(folder.join("journal.db")).unwrap()
}

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = open(folder.path());
    lines(&before, 0, 1200);
    placed(&before, 3);
    before.close_blocking().unwrap();
    let written = before.query_blocking(&Query::default()).unwrap();

    let after = open(folder.path());
    assert_eq!(after.head(), Seq(1201));
    assert_eq!(after.query_blocking(&Query::default()).unwrap(), written);
    let seen = after.attach(Seen::default());
    assert_eq!(seen.read(Seen::all), (1..=1201).collect::<Vec<_>>());
    assert_eq!(placed(&after, 4), Seq(1202), "positions go on where they ended");
    assert_eq!(seen.read(Seen::all).last(), Some(&1202));
}

#[tokio::test]
async fn a_reader_and_a_query_reach_back_to_the_file_without_a_seam() {
    let folder = tempfile::tempdir().unwrap();
    let journal = forgetful(folder.path());
    lines(&journal, 0, 1500);
    journal.flush().await.unwrap();
    lines(&journal, 1500, 1);
    let mut reader = journal.reader(Seq(0));
    for expected in 1..=1501 {
        assert_eq!(reader.next().await.unwrap().seq, Seq(expected));
    }
    assert_eq!(reader.try_next().await.unwrap(), None);
    assert_eq!(journal.get(Seq(2)).await.unwrap().seq, Seq(2));
    assert_eq!(journal.get(Seq(0)).await, None);
    assert_eq!(journal.get(Seq(1502)).await, None);
    let ask = |query: Query| seqs(&journal.query_blocking(&query).unwrap());
    assert_eq!(ask(Query::default()), (1..=1501).collect::<Vec<_>>());
    assert_eq!(ask(Query { newest_first: true, ..Query::default() }), (1..=1501).rev().collect::<Vec<_>>());
    assert_eq!(
        ask(Query { newest_first: true, limit: Some(5), ..Query::default() }),
        [1501, 1500, 1499, 1498, 1497]
    );
    assert_eq!(ask(Query { limit: Some(2), ..Query::default() }), [1, 2]);
    let around = Query { after: Some(Seq(1497)), before: Some(Seq(1501)), ..Query::default() };
    assert_eq!(ask(around.clone()), [1498, 1499, 1500]);
    assert_eq!(ask(Query { newest_first: true, limit: Some(2), ..around }), [1500, 1499]);
}

#[tokio::test]
async fn the_file_answers_every_query_as_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Journal::in_memory(Wall::starting_at("2026-01-01T00:00:00Z".parse().unwrap()));
    let fill = |journal: &Journal| {
        lines(journal, 0, 3);
        placed(journal, 7);
        let message = "say \"hi\"\r\nthere".to_owned();
        journal.append(Subject::run(RunId(2)), Cause::Sip { seq: Seq(1) }, RunEvent::Log { message });
        journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    };
    fill(&memory);
    {
        let journal = open(folder.path());
        fill(&journal);
        journal.close_blocking().unwrap();
    }
    let disk = open(folder.path());
    let at = disk.get(Seq(4)).await.unwrap().at;
    let queries = [
        Query::of_call(CallId(7)),
        Query::of_phone("a".parse().unwrap()),
        Query { run: Some(RunId(1)), ..Query::default() },
        Query::of_kinds(&["call.*", "system.stopped"]),
        Query::of_kinds(&["call.banana"]),
        Query { text: Some("\"hi\"\r\n".into()), ..Query::default() },
        Query { text: Some("%".into()), ..Query::default() },
        Query {
            text: Some("b@example".into()),
            kinds: vec![EventPattern::new("call.*")],
            ..Query::default()
        },
    ];
    for query in queries {
        assert_eq!(
            seqs(&disk.query_blocking(&query).unwrap()),
            seqs(&memory.query_blocking(&query).unwrap()),
            "{query:?}"
        );
    }
    let since = disk.query_blocking(&Query { since: Some(at), ..Query::default() }).unwrap();
    assert!(
        since.iter().all(|envelope| envelope.at >= at) && since.iter().any(|envelope| envelope.seq == Seq(4))
    );
    let until = disk.query_blocking(&Query { until: Some(at), ..Query::default() }).unwrap();
    assert_eq!(since.len() + until.len(), 6);
}

#[test]
fn a_journal_in_use_is_refused_and_a_closed_one_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let refused = Journal::open(folder.path(), Wall::system()).unwrap_err();
    assert!(refused.to_string().ends_with("the journal is in use by another process"), "{refused}");
    lines(&first, 0, 10);
    first.close_blocking().unwrap();
    let second = open(folder.path());
    assert_eq!(second.head(), Seq(10));
    drop(second);
    assert_eq!(open(folder.path()).head(), Seq(10), "the last handle gives the folder back");
}

#[test]
fn after_close_events_stay_in_memory_and_flush_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 5);
    journal.close_blocking().unwrap();
    journal.close_blocking().unwrap();
    lines(&journal, 5, 1);
    assert_eq!(seqs(&journal.query_blocking(&Query::default()).unwrap()), [1, 2, 3, 4, 5, 6]);
    let refused = journal.flush_blocking().unwrap_err();
    assert_eq!(refused.to_string(), "events after 5 are not on disk: the journal is closed");
    assert_eq!((journal.health().durable, journal.health().writing), (Some(Seq(5)), false));
}

#[test]
fn the_log_is_brought_into_the_database_while_the_journal_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 40_000);
    journal.flush_blocking().unwrap();
    let patience = Instant::now() + Duration::from_secs(20);
    // Only a checkpoint makes the database grow; it runs on a thread apart from the writer.
    while fs::metadata(folder.path().join("journal.db")).unwrap().len() < 500_000 {
        assert!(Instant::now() < patience, "no checkpoint");
        std::thread::yield_now();
    }
    journal.close_blocking().unwrap();
    assert_eq!(seqs(&journal.query_blocking(&Query::default()).unwrap()).len(), 40_000);
}

#[test]
fn a_copy_of_the_database_has_what_was_written_a_moment_ago() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let copied = || {
        let copy = folder.path().join("copy.db");
        fs::copy(folder.path().join("journal.db"), &copy).unwrap();
        let copy = Connection::open(copy).unwrap();
        // Before the first checkpoint not even the table is there.
        copy.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, u32>(0)).unwrap_or_default()
    };
    for written in [3, 7] {
        lines(&journal, 0, if written == 3 { 3 } else { 4 });
        journal.flush_blocking().unwrap();
        let patience = Instant::now() + Duration::from_secs(5);
        while copied() < written {
            assert!(Instant::now() < patience, "{} of {written} events are in the file", copied());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

#[test]
fn what_is_written_while_the_log_is_brought_in_lets_nothing_after_it_wait() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let in_the_file = |events: u32| {
        let patience = Instant::now() + Duration::from_secs(5);
        let (file, copy) = (folder.path().join("journal.db"), folder.path().join("copy.db"));
        loop {
            fs::copy(&file, &copy).unwrap();
            let read = Connection::open(&copy).unwrap();
            let count = read.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, u32>(0));
            if count.is_ok_and(|count| count >= events) {
                return;
            }
            assert!(Instant::now() < patience, "{events} events are not in the file");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    };
    lines(&journal, 0, 1);
    journal.flush_blocking().unwrap();
    in_the_file(1);
    // Another pass follows 200 ms after the first; it moves this without being asked.
    lines(&journal, 1, 1);
    journal.flush_blocking().unwrap();
    in_the_file(2);
    // And a third, after which nobody looks any more.
    std::thread::park_timeout(Duration::from_millis(700));
    lines(&journal, 2, 1);
    journal.flush_blocking().unwrap();
    in_the_file(3);
}

#[test]
fn a_log_that_a_reader_kept_is_brought_in_once_the_reader_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let size = || fs::metadata(folder.path().join("journal.db")).unwrap().len();
    let reader = raw(folder.path());
    reader.execute_batch("BEGIN; SELECT * FROM events").unwrap();
    // The last checkpoint is requested well before the last event is written.
    lines(&journal, 0, 28_000);
    journal.flush_blocking().unwrap();
    assert!(size() < 500_000, "the reader does not hold the log: {}", size());
    reader.execute_batch("COMMIT").unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    while size() < 500_000 {
        assert!(Instant::now() < patience, "no further checkpoint");
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_in_the_middle_of_something_does_not_hold_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 3);
    journal.flush_blocking().unwrap();
    let reader = raw(folder.path());
    let mut rows = reader.prepare("SELECT seq FROM events").unwrap();
    let mut rows = rows.query([]).unwrap();
    rows.next().unwrap().unwrap();
    let since = Instant::now();
    journal.close_blocking().unwrap();
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[test]
fn a_closed_journal_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 3);
    journal.close_blocking().unwrap();
    // The handle still reading keeps its connection; what counts is that the log next to the file
    // is empty.
    let log = fs::metadata(folder.path().join("journal.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
    fs::copy(folder.path().join("journal.db"), folder.path().join("copy.db")).unwrap();
    let copy = Connection::open(folder.path().join("copy.db")).unwrap();
    let count: u32 = copy.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 3);
}

#[test]
fn stored_events_can_be_neither_changed_nor_removed_nor_slipped_in() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 2);
    journal.close_blocking().unwrap();
    let raw = raw(folder.path());
    for sql in [
        "UPDATE events SET kind = 'x'",
        "DELETE FROM events",
        "INSERT INTO events VALUES (2, 0, NULL, NULL, NULL, 'x', '{}', '{}')",
        "INSERT OR REPLACE INTO events VALUES (1, 0, NULL, NULL, NULL, 'x', '{}', '{}')",
    ] {
        let error = raw.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("the journal is append-only"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_named_and_a_reader_is_told_and_goes_on_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 2);
    journal.close_blocking().unwrap();
    raw(folder.path())
        .execute_batch("INSERT INTO events VALUES (3, 0, 'A-1', NULL, NULL, 'run.log', '\"start\"', '{}')")
        .unwrap();
    drop(journal);
    let journal = open(folder.path());
    lines(&journal, 3, 1);
    let mut reader = journal.reader(Seq(1));
    assert_eq!(reader.try_next().await.unwrap().unwrap().seq, Seq(2));
    assert_eq!(reader.try_next().await, Err(Gone { oldest: Seq(4) }));
    assert_eq!(reader.try_next().await.unwrap().unwrap().seq, Seq(4));
    let error = journal.query_blocking(&Query::default()).unwrap_err().to_string();
    assert!(error.starts_with("event 3: 'A-1' is no name of a phone"), "{error}");
    assert_eq!(journal.attach(Seen::default()).read(Seen::all), [1, 2, 4]);
}

#[test]
fn events_that_somebody_deleted_are_told_to_be_missing_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 20);
    journal.close_blocking().unwrap();
    drop(journal);
    let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'";
    let file = raw(folder.path());
    let names: Vec<String> = file
        .prepare(triggers)
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    names.iter().for_each(|name| file.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
    file.execute_batch("DELETE FROM events WHERE seq BETWEEN 8 AND 12").unwrap();
    drop(file);
    for start in 0..2 {
        let journal = open(folder.path());
        drop(journal.attach(Seen::default()));
        let told = journal.query_blocking(&Query::of_kinds(&["journal.missing"])).unwrap();
        let told: Vec<_> = told.iter().map(|envelope| envelope.event.data()).collect();
        assert_eq!(told, [serde_json::json!({ "after": 7, "count": 5 })], "start {start}");
        journal.close_blocking().unwrap();
    }
}

#[test]
fn a_file_of_another_layout_or_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close_blocking().unwrap();
    raw(folder.path()).execute_batch("PRAGMA user_version = 9").unwrap();
    let error = Journal::open(folder.path(), Wall::system()).unwrap_err().to_string();
    assert!(error.ends_with("the journal has layout 9, this program knows 3"), "{error}");

    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("journal.db"), "not a database, but long enough to be looked at ".repeat(40))
        .unwrap();
    assert!(matches!(Journal::open(other.path(), Wall::system()), Err(JournalError::Sqlite { .. })));
    assert!(matches!(
        Journal::open(&other.path().join("journal.db"), Wall::system()),
        Err(JournalError::Folder { .. })
    ));
}

#[test]
fn a_disk_failure_is_remembered_and_the_events_stay_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let journal = forgetful(folder.path());
    lines(&journal, 0, 5);
    journal.flush_blocking().unwrap();
    // Somebody else's events take the positions that ours would have had.
    raw(folder.path())
        .execute_batch(
            "INSERT INTO events VALUES (9, 0, NULL, NULL, NULL, 'system.stopped', '\"start\"', '{}')",
        )
        .unwrap();
    lines(&journal, 5, 4);
    let error = journal.flush_blocking().unwrap_err().to_string();
    assert_eq!(error, "events after 5 are not on disk: the journal is append-only");
    assert_eq!(journal.health().failure.as_deref(), Some("the journal is append-only"));
    assert_eq!(
        seqs(&journal.query_blocking(&Query::default()).unwrap()),
        (1..=9).collect::<Vec<_>>(),
        "nothing is lost"
    );
    let error = journal.close_blocking().unwrap_err();
    assert!(matches!(error, JournalError::NotDurable { durable: Seq(5), .. }), "{error}");
}

#[tokio::test]
async fn secrets_and_bytes_that_are_no_text_survive_the_file_as_they_should() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let received = |message| SipEvent::Received {
        transport: Transport::Udp,
        local: "127.0.0.1:1".parse().unwrap(),
        remote: "127.0.0.1:2".parse().unwrap(),
        summary: SipSummary { method: Some("REGISTER".into()), ..SipSummary::default() },
        message,
    };
    let secret = RawMessage::Text("X\r\nAuthorization: Digest response=\"hunter2\"\r\n\r\n".into());
    journal.append(Subject::phone("a".parse().unwrap()), Cause::Network, received(secret));
    journal.append(
        Subject::phone("a".parse().unwrap()),
        Cause::Network,
        received(redact(b"X\r\n\r\n\xff\0")),
    );
    journal.close_blocking().unwrap();
    let journal = open(folder.path());
    let Event::Sip(SipEvent::Received { message, .. }) = &journal.get(Seq(2)).await.unwrap().event else {
        panic!()
    };
    assert_eq!(*message, RawMessage::Base64("WA0KDQr/AA==".into()));
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    }
}
