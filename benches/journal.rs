//! Events per second into the journal, in memory and through to the disk, against plain `rusqlite` loops.
//!
//! The peers write the same rows with the same indexes and the same durability into a file of their own: once with
//! a transaction for each event, once with one for 500. Run with `cargo bench --bench journal`; under `cargo test`
//! one short round shows that it still works.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports to a terminal")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// The program's own allocator (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use offhook::{
    event::{
        CallEvent, Cause, Event, MediaEvent, Party, RawMessage, SipEvent, SipSummary, Subject, Transport,
    },
    id::{CallId, PhoneId, Seq},
    journal::Journal,
    view::Views,
    wall::Wall,
};
use rusqlite::{Connection, params};

const INVITE: &str = "INVITE sip:600@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK74bf9;rport\r\n\
    Max-Forwards: 70\r\nFrom: <sip:6001@127.0.0.1:5070>;tag=9fxced76sl\r\nTo: <sip:600@127.0.0.1:5070>\r\n\
    Call-ID: 3848276298220188511@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:6001@127.0.0.1:5071>\r\n\
    Content-Type: application/sdp\r\nContent-Length: 151\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=audio 4000 RTP/AVP 8 0 120\r\na=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\n";

/// Makes the n-th event of calls as they are: a third is signaling, the rest small facts.
fn event(n: u64, phone: &PhoneId) -> (Subject, Cause, Event) {
    let call = Subject::call(phone.clone(), CallId(n / 12));
    let event: Event = match n % 6 {
        0 | 3 => SipEvent::Sent {
            transport: Transport::Udp,
            local: "127.0.0.1:5071".parse().unwrap(),
            remote: "127.0.0.1:5070".parse().unwrap(),
            summary: SipSummary {
                method: Some("INVITE".into()),
                sip_call_id: Some(format!("{}@127.0.0.1", n / 12)),
                cseq: Some(1),
                sdp: true,
                ..SipSummary::default()
            },
            retransmission: false,
            message: RawMessage::Text(INVITE.into()),
        }
        .into(),
        1 => CallEvent::Trying {}.into(),
        2 => CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false }.into(),
        4 => CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() }.into(),
        _ => MediaEvent::FirstPacket { source: "127.0.0.1:4002".into(), ssrc: 7, payload_type: 8, epoch: 1 }
            .into(),
    };
    (call, Cause::Event { seq: Seq(n) }, event)
}

fn prepared(count: u64) -> Vec<(Subject, Cause, Event)> {
    let phone: PhoneId = "a".parse().unwrap();
    (0..count).map(|n| event(n, &phone)).collect()
}

fn append_all(journal: &Journal, events: Vec<(Subject, Cause, Event)>) -> Duration {
    let start = Instant::now();
    for (subject, cause, event) in events {
        black_box(journal.append(subject, cause, event));
    }
    start.elapsed()
}

fn per_second(count: u64, spent: Duration) -> f64 {
    Duration::from_secs(1).div_duration_f64(spent) * f64::from(u32::try_from(count).unwrap())
}

/// Inserts the same rows as the journal, `group` of them in a transaction; returns events per second.
fn plain_inserts(events: &[(Subject, Cause, Event)], group: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Connection::open(folder.path().join("plain.db")).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE events (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, phone TEXT, call INTEGER, run INTEGER,
                                  kind TEXT NOT NULL, cause TEXT NOT NULL, data TEXT NOT NULL) STRICT;
             CREATE INDEX of_phone ON events (phone) WHERE phone IS NOT NULL;
             CREATE INDEX of_call ON events (call) WHERE call IS NOT NULL;
             CREATE INDEX of_run ON events (run) WHERE run IS NOT NULL;
             CREATE INDEX of_kind ON events (kind);",
        )
        .unwrap();
    let wall = Wall::system();
    let mut seq = 0_i64;
    let start = Instant::now();
    for part in events.chunks(group) {
        let transaction = database.transaction().unwrap();
        let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6, ?7)";
        for (subject, cause, event) in part {
            seq += 1;
            transaction
                .prepare_cached(sql)
                .unwrap()
                .execute(params![
                    seq,
                    i64::try_from(wall.now().as_nanosecond()).unwrap(),
                    subject.phone.as_ref().map(PhoneId::as_str),
                    subject.call.map(|call| i64::try_from(call.0).unwrap()),
                    event.kind(),
                    serde_json::to_string(cause).unwrap(),
                    event.data().to_string(),
                ])
                .unwrap();
        }
        transaction.commit().unwrap();
    }
    per_second(u64::try_from(events.len()).unwrap(), start.elapsed())
}

/// Appends through to the disk; returns how long the appends took, and how long until all was durable.
fn through_to_disk(count: u64, with_views: bool) -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Wall::system()).unwrap();
    let views = with_views.then(|| Views::attach(&journal));
    let events = prepared(count);
    let start = Instant::now();
    let appending = append_all(&journal, events);
    journal.flush_blocking().unwrap();
    let durable = start.elapsed();
    drop(views);
    (appending, durable)
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, count, few) = if is_bench { (3, 200_000, 5_000) } else { (1, 2_000, 100) };
    let mut best_memory = 0.0_f64;
    let mut best_append = 0.0_f64;
    let mut best_disk = 0.0_f64;
    let mut best_views = 0.0_f64;
    let mut best_single = 0.0_f64;
    let mut best_grouped = 0.0_f64;
    for _ in 0..rounds {
        let memory = Journal::in_memory(Wall::system());
        best_memory = best_memory.max(per_second(count, append_all(&memory, prepared(count))));
        drop(memory);
        let (appending, durable) = through_to_disk(count, false);
        best_append = best_append.max(per_second(count, appending));
        best_disk = best_disk.max(per_second(count, durable));
        best_views = best_views.max(per_second(count, through_to_disk(count, true).1));
        best_single = best_single.max(plain_inserts(&prepared(few), 1));
        best_grouped = best_grouped.max(plain_inserts(&prepared(count), 500));
    }
    println!("bench: journal append, memory = {best_memory:.0} events/s");
    println!("bench: journal append, SQLite on (as the appender sees it) = {best_append:.0} events/s");
    println!("bench: journal append, SQLite on, until durable = {best_disk:.0} events/s");
    println!("bench: journal append, SQLite on, views attached, until durable = {best_views:.0} events/s");
    println!("bench: plain rusqlite inserts, one a transaction = {best_single:.0} events/s");
    println!("bench: plain rusqlite inserts, 500 a transaction = {best_grouped:.0} events/s");
    println!("bench: journal : plain, one a transaction = {:.1} times", best_disk / best_single);
    println!("bench: journal : plain, 500 a transaction = {:.2} times", best_disk / best_grouped);
}
