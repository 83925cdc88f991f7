//! Retiring the oldest calls and runs.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use rusqlite::Connection;

use super::*;
use crate::{
    event::{EndCause, Envelope, Party, RunEvent, SystemEvent, Verdict},
    id::RunId,
    journal::{Asker, Gone, PruneError, Pruned, Query},
};

/// Enough bytes for only a few events.
const LITTLE: usize = 4_000;

fn open(folder: &Path) -> Journal {
    Journal::open(folder, Wall::system()).unwrap()
}

fn raw(folder: &Path) -> Connection {
    Connection::open(folder.join("journal.db")).unwrap()
}

fn ended() -> CallEvent {
    let (by, cause, reason) = (Party::Remote, EndCause::Normal, "Normal".to_owned());
    CallEvent::Ended { by, cause, status: None, reason, duration_ms: 1 }
}

fn finished() -> RunEvent {
    let (verdict, reason) = (Verdict::Passed, "all held".to_owned());
    RunEvent::Finished {
        verdict,
        reason,
        elapsed_ms: 1,
        ending: None,
        idle_hooks: Vec::new(),
        left_over: Vec::new(),
    }
}

fn added() -> PhoneEvent {
    PhoneEvent::Added { spec: spec("u") }
}

fn placing(call: u64) -> CallEvent {
    let (target, local) = ("sip:b@example.com".into(), "sip:a@example.com".into());
    CallEvent::Placed { target, local, sip_call_id: format!("id-{call}") }
}

fn placed(journal: &Journal, call: u64) -> Seq {
    journal.append(Subject::call(a(), CallId(call)), Cause::Start, placing(call))
}

/// Appends a complete call of phone `a`, with `lines` facts between its first and last, in a run or
/// in none.
fn call(journal: &Journal, call: u64, run: Option<u64>, lines: u64) {
    let subject = Subject { run: run.map(RunId), ..Subject::call(a(), CallId(call)) };
    journal.append(subject.clone(), Cause::Start, placing(call));
    for _ in 0..lines {
        journal.append(subject.clone(), Cause::Start, CallEvent::Trying {});
    }
    journal.append(subject, Cause::Start, ended());
}

fn says(journal: &Journal, run: u64, phone: Option<&str>, event: impl Into<Event>) -> Seq {
    let phone = phone.map(|phone| phone.parse().unwrap());
    journal.append(Subject { phone, ..Subject::run(RunId(run)) }, Cause::Start, event)
}

/// A journal with calls 0 to 9, which are over, call 10, which is up, run 1, which is over (with
/// call 11 and a phone of its own), and run 2, which is still going on (with call 12, which is
/// over); call 13 is over, and the newest.
fn busy(folder: &Path) -> Journal {
    let journal = open(folder);
    journal.append(Subject::phone(a()), Cause::Start, added());
    for number in 0..10 {
        call(&journal, number, None, 3);
    }
    placed(&journal, 10);
    let phones = vec!["p".to_owned(), "a".to_owned()];
    says(&journal, 1, None, RunEvent::Started { name: "n".into(), phones, source: None, tags: Vec::new() });
    says(&journal, 1, Some("p"), added());
    says(&journal, 1, Some("a"), PhoneEvent::Registering { registrar: "sip:r".into() });
    call(&journal, 11, Some(1), 1);
    says(&journal, 1, Some("p"), PhoneEvent::Dropped {});
    says(&journal, 1, None, finished());
    says(
        &journal,
        2,
        None,
        RunEvent::Started { name: "n".into(), phones: Vec::new(), source: None, tags: Vec::new() },
    );
    call(&journal, 12, Some(2), 1);
    call(&journal, 13, None, 1);
    journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    journal
}

fn all(journal: &Journal) -> Vec<Arc<Envelope>> {
    journal.query_blocking(&Query::default()).unwrap()
}

fn pruned(journal: &Journal) -> Vec<Arc<Envelope>> {
    journal.query_blocking(&Query::of_kinds(&["journal.pruned"])).unwrap()
}

/// Returns how many events each call has.
fn calls(events: &[Arc<Envelope>]) -> BTreeMap<u64, usize> {
    let mut calls = BTreeMap::new();
    for call in events.iter().filter_map(|envelope| envelope.subject.call) {
        *calls.entry(call.0).or_default() += 1;
    }
    calls
}

#[test]
fn whole_calls_and_runs_that_are_over_go_and_whatever_still_counts_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    let views = Views::attach(&journal);
    let before = all(&journal);
    let counters = views.counters();
    let until = journal.wall().now();
    let told = journal.prune_blocking(until, Asker::Prune).unwrap();
    let after = all(&journal);
    assert_eq!(
        calls(&after).into_keys().collect::<Vec<_>>(),
        [10, 12, 13],
        "up, of a run that goes on, the newest"
    );
    assert_eq!((told.calls, told.runs), (11, 1));
    assert_eq!(told.events as usize, before.len() + 1 - after.len());
    let left: Vec<_> = after.iter().map(|envelope| envelope.event.kind()).collect();
    assert_eq!(left.iter().filter(|kind| **kind == "phone.registering").count(), 1, "phone a still exists");
    assert_eq!(left.iter().filter(|kind| **kind == "phone.added").count(), 1, "phone p went with its run");
    let Event::System(SystemEvent::Pruned { from, to, count, by, calls, runs }) =
        &after.last().unwrap().event
    else {
        panic!("{after:?}")
    };
    assert_eq!((from.0, *count, by.as_str()), (2, told.events, "prune"));
    assert_eq!((calls.as_slice(), runs.as_slice()), ([[0, 9], [11, 11]].as_slice(), [[1, 1]].as_slice()));
    assert!(before.iter().filter(|was| !after.contains(was)).all(|was| (*from..=*to).contains(&was.seq)));

    assert!(views.call(CallId(3)).is_none() && views.call(CallId(11)).is_none(), "views forget them too");
    assert!(
        views.call(CallId(10)).is_some() && views.call(CallId(13)).is_some() && views.run(RunId(1)).is_none()
    );
    assert_eq!(views.counters().of_kind("call.ended"), counters.of_kind("call.ended"), "counts go on");
    assert_eq!((views.next_call_id(), views.next_run_id()), (CallId(14), RunId(3)));
    assert_eq!(
        journal.prune_blocking(until, Asker::Prune).unwrap(),
        Pruned::default(),
        "nothing is left to do"
    );
    assert_eq!(pruned(&journal).len(), 1);
    journal.close_blocking().unwrap();
    drop((journal, views));

    let journal = open(folder.path());
    assert_eq!(all(&journal), after);
    let views = Views::attach(&journal);
    assert_eq!(views.counters().of_kind("call.ended"), counters.of_kind("call.ended"));
    assert_eq!((views.next_call_id(), views.next_run_id()), (CallId(14), RunId(3)));
    assert!(views.call(CallId(3)).is_none());
    drop((journal, views));
    std::fs::remove_file(folder.path().join("journal.views")).unwrap();
    let views = Views::attach(&open(folder.path()));
    assert_eq!(
        (views.next_call_id(), views.next_run_id()),
        (CallId(14), RunId(3)),
        "numbers are never used again"
    );
}

#[test]
fn what_is_young_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    let before = all(&journal);
    let long_ago = before[0].at;
    assert_eq!(journal.prune_blocking(long_ago, Asker::Keep).unwrap(), Pruned::default());
    assert_eq!(all(&journal), before);
}

#[tokio::test]
async fn readers_are_told_from_memory_and_file_and_go_on_where_nothing_is_missing() {
    for capacity in [LITTLE, usize::MAX] {
        let folder = tempfile::tempdir().unwrap();
        let journal = busy(folder.path());
        // More than a reader takes from the file at once.
        (20..220).for_each(|number| call(&journal, number, None, 3));
        journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
        drop(journal);
        let journal = Journal::open_with_capacity(folder.path(), Wall::system(), capacity).unwrap();
        let mut paging = journal.reader(Seq(0));
        for expected in 1..=20 {
            assert_eq!(paging.next().await.unwrap().seq, Seq(expected));
        }
        let mut live = journal.reader(journal.head());
        assert_eq!(live.try_next().await.unwrap(), None);
        journal.prune(journal.wall().now(), Asker::Keep).await.unwrap();
        let told = pruned(&journal)[0].clone();
        let Event::System(SystemEvent::Pruned { to, .. }) = &told.event else { panic!("{told:?}") };
        let oldest = Seq(to.0 + 1);
        // What it had already read is complete; then it is told, once, that events are gone.
        let gone = loop {
            if let Err(gone) = paging.next().await {
                break gone;
            }
        };
        assert_eq!(gone, Gone { oldest });
        assert_eq!(journal.reader(Seq(0)).next().await, Err(Gone { oldest }));
        let rest = Query { after: Some(*to), ..Query::default() };
        for expected in journal.query(&rest).await.unwrap() {
            assert_eq!(paging.next().await.unwrap(), expected);
        }
        assert_eq!(live.next().await.unwrap(), told, "a reader that keeps up notices nothing");
        assert_eq!(journal.get_many(&[Seq(1), Seq(2)]).await.len(), 1);
    }
}

#[test]
fn one_task_alone_may_remove() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    let lock = File::create(folder.path().join("journal.retention.lock")).unwrap();
    lock.lock().unwrap();
    let until = journal.wall().now();
    assert!(matches!(journal.prune_blocking(until, Asker::Keep), Err(PruneError::Busy)));
    assert!(matches!(prune_beside(folder.path(), until, Asker::Prune), Err(PruneError::Busy)));
    drop(lock);
    let before = all(&journal).len();
    let both: Vec<_> = std::thread::scope(|threads| {
        let tasks: Vec<_> =
            (0..2).map(|_| threads.spawn(|| journal.prune_blocking(until, Asker::Keep))).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    let removed: u64 =
        both.iter().filter_map(|pruned| pruned.as_ref().ok()).map(|pruned| pruned.events).sum();
    assert_eq!(all(&journal).len() as u64, before as u64 + 1 - removed);
    assert_eq!(pruned(&journal).len(), 1, "{both:?}");
}

#[test]
fn another_process_may_remove_and_the_one_that_writes_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    let views = Views::attach(&journal);
    assert!(views.call(CallId(3)).is_some());
    journal.flush_blocking().unwrap();
    let told = prune_beside(folder.path(), journal.wall().now(), Asker::Prune).unwrap();
    assert_eq!((told.calls, told.runs), (11, 1));
    placed(&journal, 14);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while pruned(&journal).is_empty() {
        assert!(std::time::Instant::now() < patience, "not told");
        journal.flush_blocking().unwrap();
    }
    assert_eq!(calls(&all(&journal)).into_keys().collect::<Vec<_>>(), [10, 12, 13, 14]);
    assert!(views.call(CallId(3)).is_none());
    journal.close_blocking().unwrap();
    drop((journal, views));
    assert_eq!(pruned(&open(folder.path())).len(), 1, "it is told once");
}

#[test]
fn what_a_process_that_died_left_half_removed_is_finished_and_told_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    let big = 20;
    call(&journal, big, None, 2_500);
    call(&journal, 21, None, 0);
    journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    journal.close_blocking().unwrap();
    drop(journal);
    raw(folder.path())
        .execute_batch(
            "INSERT INTO retired (call, first, last, count, whole, asker)
             SELECT call, min(seq), max(seq), 1000, 0, 'keep' FROM events WHERE call = 20;
             DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE call = 20 ORDER BY seq LIMIT 1000)",
        )
        .unwrap();
    let journal = open(folder.path());
    let events = all(&journal);
    assert_eq!(calls(&events).get(&big), None);
    let Event::System(SystemEvent::Pruned { count, calls, .. }) = &events.last().unwrap().event else {
        panic!("{:?}", events.last())
    };
    assert_eq!((*count, calls.as_slice()), (2_502, [[big, big]].as_slice()));
}

#[test]
fn a_disk_that_refuses_cuts_no_call_and_the_next_try_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    journal.flush_blocking().unwrap();
    raw(folder.path())
        .execute_batch(
            "CREATE TRIGGER full BEFORE DELETE ON events WHEN OLD.call = 5
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
        )
        .unwrap();
    let error = journal.prune_blocking(journal.wall().now(), Asker::Keep).unwrap_err();
    assert!(error.to_string().ends_with("database or disk is full"), "{error}");
    let left = calls(&all(&journal));
    assert!(
        (0..10).all(|call| left.get(&call).is_none_or(|events| *events == 5)),
        "no call is cut: {left:?}"
    );
    assert_eq!(left.get(&5), Some(&5));
    assert_eq!(pruned(&journal).len(), 0, "nothing went, so nothing is told");
    raw(folder.path()).execute_batch("DROP TRIGGER full").unwrap();
    journal.prune_blocking(journal.wall().now(), Asker::Keep).unwrap();
    assert_eq!(calls(&all(&journal)).into_keys().collect::<Vec<_>>(), [10, 12, 13]);
    assert_eq!(pruned(&journal).len(), 1);
}

#[test]
fn views_that_cannot_be_kept_keep_everything() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    let _views = Views::attach(&journal);
    // A folder where the file should be.
    std::fs::create_dir_all(folder.path().join("journal.views/x")).unwrap();
    let before = all(&journal);
    let error = journal.prune_blocking(journal.wall().now(), Asker::Keep).unwrap_err();
    assert!(matches!(error, PruneError::NotKept(_)), "{error}");
    assert_eq!(all(&journal), before);
}

#[test]
fn a_call_of_a_run_stays_until_its_run_goes_and_nothing_else_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = busy(folder.path());
    says(&journal, 3, None, RunEvent::Log { message: "newer".into() });
    says(&journal, 2, None, finished());
    call(&journal, 14, None, 0);
    journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    journal.prune_blocking(journal.wall().now(), Asker::Keep).unwrap();
    assert_eq!(calls(&all(&journal)).into_keys().collect::<Vec<_>>(), [10, 14], "call 12 went with run 2");
    for sql in
        ["DELETE FROM events", "DELETE FROM events WHERE call = 10", "DELETE FROM events WHERE call = 3"]
    {
        let deleted = raw(folder.path()).execute(sql, []);
        assert!(matches!(deleted, Ok(0) | Err(_)), "{sql}: {deleted:?}");
    }
}
