//! Readers that want only some events.

use super::*;
use crate::event::SystemEvent;

fn about(subject: About) -> Interest {
    Interest::everything().about(subject)
}

/// A reader that has seen everything so far.
async fn waiting(journal: &Journal, interest: Interest) -> Reader {
    let mut reader = journal.reader_of(journal.head(), interest);
    assert_eq!(reader.try_next().await.unwrap(), None);
    reader
}

/// Returns how many of the waiting readers an event wakes.
fn woken_by(journal: &Journal, subject: Subject, event: impl Into<Event>) -> usize {
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let envelope = Envelope { seq: Seq(9), at, subject, cause: Cause::Start, event: event.into() };
    journal.inner.shared.lock().watchers.happened(&envelope)
}

#[tokio::test]
async fn an_append_wakes_only_those_whom_it_concerns_and_each_only_once() {
    let journal = Journal::in_memory(Wall::system());
    let log = || RunEvent::Log { message: "x".into() };
    let mut readers = Vec::new();
    for run in 0..500 {
        readers.push(waiting(&journal, about(About::Run(RunId(run)))).await);
    }
    assert_eq!(woken_by(&journal, Subject::run(RunId(77)), log()), 1);
    assert_eq!(woken_by(&journal, Subject::run(RunId(77)), log()), 0, "it has not read on since");
    assert_eq!(woken_by(&journal, Subject::run(RunId(500)), log()), 0);
    assert_eq!(woken_by(&journal, Subject::system(), SystemEvent::Stopped {}), 0);
    let process = waiting(&journal, about(About::Process)).await;
    let any = waiting(&journal, Interest::everything()).await;
    let calls = waiting(&journal, Interest::of_kinds(&["call.*"])).await;
    let never = waiting(&journal, Interest::of_kinds(&["call.banana"])).await;
    let others = Interest { kinds: Kinds::of(&["run.*", "sip.*"]).except(), subjects: Vec::new() };
    let others = waiting(&journal, others).await;
    assert_eq!(woken_by(&journal, Subject::run(RunId(78)), log()), 2, "its own and the one of everything");
    assert_eq!(woken_by(&journal, Subject::system(), SystemEvent::Stopped {}), 2, "process and others");
    drop((process, any, calls, never, others));
    assert_eq!(woken_by(&journal, Subject::run(RunId(78)), log()), 0);
    drop(readers);
    assert_eq!(woken_by(&journal, Subject::run(RunId(79)), log()), 0);
}

#[tokio::test]
async fn what_concerns_a_phone_and_a_call_wakes_both_and_places_are_used_again() {
    let journal = Journal::in_memory(Wall::system());
    for _ in 0..3 {
        let mut phone = waiting(&journal, about(About::Phone("a".parse().unwrap()))).await;
        let mut call = waiting(&journal, about(About::Call(CallId(7)))).await;
        let mut other = waiting(&journal, about(About::Call(CallId(8)))).await;
        let seq = placed(&journal, 7);
        assert_eq!(phone.next().await.unwrap().seq, seq);
        assert_eq!(call.next().await.unwrap().seq, seq);
        assert_eq!(other.try_next().await.unwrap(), None);
        assert_eq!(other.position(), seq, "it knows that nothing before concerns it");
    }
    assert_eq!(journal.enter(Interest::everything()).0, 0);
}

#[tokio::test]
async fn what_does_not_concern_a_reader_may_leave_memory_without_it() {
    let journal = Journal::in_memory_with_capacity(Wall::system(), room_for(3));
    let mut calls = waiting(&journal, Interest::of_kinds(&["call.*"])).await;
    lines(&journal, 0, 100);
    let seq = placed(&journal, 1);
    assert_eq!(calls.next().await.unwrap().seq, seq);
    lines(&journal, 0, 1);
    placed(&journal, 2);
    lines(&journal, 0, 3);
    assert_eq!(calls.next().await, Err(Gone { oldest: Seq(104) }), "what concerned it left as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_gets_what_concerns_it_and_nothing_else_while_others_append() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = Journal::open_with_capacity(folder.path(), Wall::system(), room_for(50)).unwrap();
    for journal in [Journal::in_memory(Wall::system()), on_disk] {
        let interests = [
            Interest::everything(),
            about(About::Run(RunId(3))),
            about(About::Phone("a".parse().unwrap())),
            about(About::Call(CallId(5))),
            Interest {
                subjects: vec![About::Run(RunId(1)), About::Call(CallId(2))],
                ..Interest::everything()
            },
        ];
        let readers: Vec<_> = interests
            .into_iter()
            .map(|interest| {
                // Every reader wants the end, so that it knows when everything has been read.
                let mut wanted = interest;
                wanted.subjects.extend((!wanted.subjects.is_empty()).then_some(About::Process));
                let mut reader = journal.reader_of(Seq(0), wanted.clone());
                let task = tokio::spawn(async move {
                    let mut got = Vec::new();
                    loop {
                        let envelope = reader.next().await.unwrap();
                        got.push(envelope.seq.0);
                        if envelope.event.kind() == "system.stopped" {
                            return got;
                        }
                    }
                });
                (wanted, task)
            })
            .collect();
        let writers = (0..2).map(|thread| {
            let journal = journal.clone();
            tokio::task::spawn_blocking(move || {
                for n in 0..2_000 {
                    if n % 3 == thread {
                        placed(&journal, n % 11);
                    } else {
                        let event = RunEvent::Log { message: n.to_string() };
                        journal.append(Subject::run(RunId(n % 7)), Cause::Start, event);
                    }
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
        let all = journal.query(&Query::default()).await.unwrap();
        for (wanted, task) in readers {
            let expected: Vec<_> = all
                .iter()
                .filter(|envelope| wanted.concerns(envelope))
                .map(|envelope| envelope.seq.0)
                .collect();
            assert_eq!(task.await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn many_positions_are_fetched_at_once_in_their_order_from_memory_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open_with_capacity(folder.path(), Wall::system(), room_for(3)).unwrap();
    lines(&journal, 0, 10);
    journal.flush().await.unwrap();
    lines(&journal, 10, 1);
    let wanted = [11, 2, 99, 7, 0, 10, 2].map(Seq);
    assert_eq!(seqs(&journal.get_many(&wanted).await), [11, 2, 7, 10, 2]);
}
