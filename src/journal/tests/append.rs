//! Append, fold, reader and query on a journal in memory.

use super::*;
use crate::event::SystemEvent;

#[test]
fn a_fold_has_seen_the_past_and_every_append_that_returned_whenever_it_is_read() {
    let journal = with_lines(2);
    let seen = journal.attach(Seen::default());
    assert_eq!(seen.read(Seen::all), [1, 2]);
    let seq = placed(&journal, 0);
    assert_eq!(seen.read(Seen::all), [1, 2, seq.0]);
    lines(&journal, 0, 5_000);
    assert_eq!(seen.clone().read(Seen::all), (1..=5_003).collect::<Vec<_>>());
}

#[test]
fn no_read_is_behind_a_reply_while_others_append_and_read() {
    let journal = Journal::in_memory_with_capacity(Wall::system(), room_for(3));
    let seen = journal.attach(Seen::default());
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for n in 0..2_000 {
                    let seq = placed(&journal, n);
                    let newest = seen.read(|seen| seen.0.last().copied().unwrap_or_default());
                    assert!(newest >= seq.0, "{newest} is behind {seq}");
                }
            });
        }
    });
    assert_eq!(seen.read(Seen::all), (1..=8_000).collect::<Vec<_>>(), "each once, in order");
}

#[test]
fn what_a_fold_has_not_seen_stays_in_memory_and_nobody_needs_to_read_for_it_to_go() {
    let journal = Journal::in_memory_with_capacity(Wall::system(), room_for(3));
    let seen = journal.attach(Seen::default());
    lines(&journal, 0, 10_000);
    let kept = journal.inner.shared.lock().memory.after(Seq(0), usize::MAX).count();
    assert!(kept < 1_000, "{kept} events wait for a fold that nobody reads");
    assert_eq!(seen.read(Seen::all), (1..=10_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn four_readers_and_a_late_one_get_every_event_of_a_burst_in_order() {
    const BURST: u64 = 10_000;
    let journal = Journal::in_memory(Wall::system());
    let read = |journal: &Journal| {
        let mut reader = journal.reader(Seq(0));
        tokio::spawn(async move {
            for expected in 1..=BURST {
                assert_eq!(reader.next().await.unwrap().seq, Seq(expected));
            }
            reader.position()
        })
    };
    let early: Vec<_> = (0..4).map(|_| read(&journal)).collect();
    tokio::task::yield_now().await;
    let writer = journal.clone();
    tokio::task::spawn_blocking(move || lines(&writer, 0, BURST)).await.unwrap();
    let late = read(&journal);
    for task in early.into_iter().chain([late]) {
        assert_eq!(task.await.unwrap(), Seq(BURST));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_wakes_and_a_canceled_wait_loses_nothing() {
    let journal = with_lines(1);
    let mut reader = journal.reader(Seq(1));
    let gave_up = tokio::time::timeout(std::time::Duration::from_secs(1), reader.next()).await;
    assert!(gave_up.is_err());
    let writer = journal.clone();
    let (got, ()) = tokio::join!(reader.next(), async move { lines(&writer, 1, 1) });
    assert_eq!(got.unwrap().seq, Seq(2));
    assert_eq!(reader.try_next().await.unwrap(), None);
    assert_eq!(reader.position(), Seq(2));
}

#[tokio::test]
async fn a_reader_behind_a_full_memory_is_told_and_goes_on_at_the_oldest() {
    let journal = Journal::in_memory_with_capacity(Wall::system(), room_for(3));
    lines(&journal, 0, 5);
    let mut reader = journal.reader(Seq(0));
    assert_eq!(reader.try_next().await, Err(Gone { oldest: Seq(3) }));
    assert_eq!(reader.try_next().await.unwrap().unwrap().seq, Seq(3));
    assert_eq!(journal.reader(Seq(2)).try_next().await.unwrap().unwrap().seq, Seq(3));
    assert_eq!(journal.get(Seq(2)).await, None);
}

#[test]
fn time_never_runs_backwards_along_the_journal() {
    let journal = Journal::in_memory(Wall::system());
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| lines(&journal, 0, 500));
        }
    });
    let all = journal.query_blocking(&Query::default()).unwrap();
    assert_eq!(all.len(), 2000);
    assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(seqs(&all), (1..=2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_query_selects_by_subject_kind_place_and_text() {
    let journal = with_lines(3);
    placed(&journal, 7);
    journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    let ask = |query: Query| seqs(&journal.query_blocking(&query).unwrap());
    assert_eq!(ask(Query::of_call(CallId(7))), [4]);
    assert_eq!(ask(Query::of_phone("a".parse().unwrap())), [4]);
    assert_eq!(ask(Query { run: Some(RunId(1)), ..Query::default() }), [1, 2, 3]);
    assert_eq!(ask(Query::of_kinds(&["call.*", "system.stopped"])), [4, 5]);
    assert_eq!(ask(Query::of_kinds(&["call.banana"])), [0; 0]);
    assert_eq!(ask(Query { after: Some(Seq(2)), before: Some(Seq(5)), ..Query::default() }), [3, 4]);
    assert_eq!(ask(Query { limit: Some(2), ..Query::default() }), [1, 2]);
    assert_eq!(ask(Query { limit: Some(2), newest_first: true, ..Query::default() }), [5, 4]);
    assert_eq!(ask(Query { text: Some("b@example".into()), ..Query::default() }), [4]);
    let placed_at = journal.get(Seq(4)).await.unwrap().at;
    assert!(ask(Query { since: Some(placed_at), ..Query::default() }).contains(&4));
    assert!(!ask(Query { until: Some(placed_at), ..Query::default() }).contains(&4));
}

#[test]
fn text_is_found_in_the_letters_of_the_message_not_of_its_json() {
    let journal = Journal::in_memory(Wall::system());
    let message = "say \"hi\"\r\nthere".to_owned();
    journal.append(Subject::run(RunId(1)), Cause::Start, RunEvent::Log { message });
    for text in ["\"hi\"", "\r\nthere"] {
        assert_eq!(
            journal.query_blocking(&Query { text: Some(text.into()), ..Query::default() }).unwrap().len(),
            1
        );
    }
}
