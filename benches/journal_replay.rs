//! How long a start takes on a journal of a million events: with the views that were kept, and
//! without.
//!
//! Run with `cargo bench --bench journal_replay`; under `cargo test` a short journal shows that it still works.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports to a terminal")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use offhook::{
    event::{CallEvent, Cause, EndCause, Event, Party, RawMessage, SipEvent, SipSummary, Subject, Transport},
    id::{CallId, PhoneId, Seq},
    journal::{Journal, Query},
    view::Views,
    wall::Wall,
};

/// Events of one call.
const OF_CALL: u64 = 10;

/// Makes the n-th fact of a journal of calls that come, are answered and end.
fn event(n: u64) -> Event {
    let call = n / OF_CALL;
    let text = |text: &str| text.to_owned();
    match n % OF_CALL {
        0 => CallEvent::Placed {
            target: text("sip:600@127.0.0.1:5070"),
            local: text("sip:6001@127.0.0.1:5070"),
            sip_call_id: format!("{call}@127.0.0.1"),
        }
        .into(),
        3 => CallEvent::Ringing { status: 180, reason: text("Ringing"), early_media: false }.into(),
        5 => CallEvent::Answered { by: Party::Remote, status: 200, reason: text("OK") }.into(),
        6 => CallEvent::Established { contact: None }.into(),
        9 => CallEvent::Ended {
            by: Party::Local,
            cause: EndCause::Normal,
            status: None,
            reason: text("Normal"),
            duration_ms: 1_000,
        }
        .into(),
        _ => SipEvent::Sent {
            transport: Transport::Udp,
            local: ([127, 0, 0, 1], 5071).into(),
            remote: ([127, 0, 0, 1], 5070).into(),
            summary: SipSummary {
                method: Some(text("INVITE")),
                sip_call_id: Some(format!("{call}@127.0.0.1")),
                cseq: Some(1),
                ..SipSummary::default()
            },
            retransmission: false,
            message: RawMessage::Text("x".repeat(400)),
        }
        .into(),
    }
}

fn fill(folder: &Path, events: u64) {
    let journal = Journal::open(folder, Wall::system()).unwrap();
    let _views = Views::attach(&journal);
    let phone: PhoneId = "a".parse().unwrap();
    for n in 0..events {
        journal.append(
            Subject::call(phone.clone(), CallId(n / OF_CALL)),
            Cause::Event { seq: Seq(n) },
            event(n),
        );
        if n % 50_000 == 0 {
            journal.flush_blocking().unwrap();
        }
    }
    journal.close_blocking().unwrap();
}

/// Opens the journal and attaches the views, as a start does.
fn start(folder: &Path, events: u64) -> Duration {
    let started = Instant::now();
    let journal = Journal::open(folder, Wall::system()).unwrap();
    let views = Views::attach(&journal);
    let next = views.next_call_id();
    let spent = started.elapsed();
    assert_eq!(next, CallId(events / OF_CALL));
    let newest = Query { newest_first: true, limit: Some(1), ..Query::default() };
    let newest = journal.query_blocking(&newest).unwrap();
    assert_eq!(newest.first().map(|newest| newest.seq), Some(Seq(events)));
    spent
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, events) = if is_bench { (5, 1_000_000) } else { (1, 5_000) };
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), events);
    let kept = folder.path().join("journal.views");
    let size = std::fs::metadata(&kept).unwrap().len();
    let best = (0..rounds).map(|_| start(folder.path(), events)).min().unwrap_or_default();
    std::fs::remove_file(&kept).unwrap();
    let whole = start(folder.path(), events);
    println!("bench: start on {events} events, views kept = {:.3} s", best.as_secs_f64());
    println!("bench: start on {events} events, views made anew = {:.3} s", whole.as_secs_f64());
    println!(
        "bench: replay = {:.0} events/s",
        f64::from(u32::try_from(events).unwrap()) / whole.as_secs_f64()
    );
    println!("bench: views kept in = {:.1} MB", size as f64 / 1e6);
}
