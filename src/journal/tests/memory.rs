//! The newest events: finding them by position.

use super::*;
use crate::{
    event::{PhoneEvent, RawMessage, SipEvent, SipSummary, SystemEvent, Transport},
    journal::memory::{Memory, weight},
};

#[test]
fn with_holes_or_without_every_stretch_is_what_a_search_finds() {
    for positions in [vec![], vec![1, 2, 3, 4], vec![5, 6, 9, 10, 14], vec![2, 4, 6, 8], vec![7, 20]] {
        let mut memory = Memory::new(100, Seq(0));
        for at in &positions {
            memory.push(Arc::new(Envelope { seq: Seq(*at), ..envelope() }), Seq(0));
        }
        for at in 0..=22 {
            let after: Vec<u64> = memory.after(Seq(at), 3).map(|event| event.seq.0).collect();
            let expected: Vec<u64> = positions.iter().copied().filter(|seq| *seq > at).take(3).collect();
            assert_eq!(after, expected, "after {at} in {positions:?}");
            let before: Vec<u64> = memory.before(Seq(at), 3).map(|event| event.seq.0).collect();
            let expected: Vec<u64> =
                positions.iter().copied().rev().filter(|seq| *seq < at).take(3).collect();
            assert_eq!(before, expected, "before {at} in {positions:?}");
            let found = memory.get(Seq(at)).map(|event| event.seq.0);
            assert_eq!(found, positions.iter().copied().find(|seq| *seq == at), "{at} in {positions:?}");
        }
    }
}

#[test]
fn bytes_bound_what_is_kept_and_long_texts_count() {
    let long = |n: u64| Envelope {
        seq: Seq(n),
        event: RunEvent::Log { message: "x".repeat(100_000) }.into(),
        ..envelope()
    };
    let mut memory = Memory::new(1_000_000, Seq(0));
    for n in 1..=100 {
        memory.push(Arc::new(long(n)), Seq(n));
    }
    let kept = memory.after(Seq(0), 1_000).count();
    assert_eq!((kept, memory.complete_after()), (9, Seq(91)));
    let mut memory = Memory::new(10, Seq(0));
    memory.push(Arc::new(long(1)), Seq(1));
    assert_eq!(memory.after(Seq(0), 10).count(), 1, "the newest stays, whatever its size");
}

#[test]
fn an_event_weighs_no_less_than_its_line() {
    let text = || "x".repeat(3_000);
    let message = || RawMessage::Text(text());
    let (local, remote) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    let transport = Transport::Udp;
    let events: Vec<Event> = vec![
        SystemEvent::Stopped {}.into(),
        SipEvent::Received { transport, local, remote, summary: SipSummary::default(), message: message() }
            .into(),
        RunEvent::Log { message: text() }.into(),
        RunEvent::Signal { name: "x".into(), data: serde_json::json!({ "a": [text(), text()], "b": 1 }) }
            .into(),
        RunEvent::ExpectationFailed { expectation: text(), at: None, instead: text(), by: None, step: None }
            .into(),
        PhoneEvent::MessageSent { to: "sip:a@b".into(), body: text(), content_type: "text/plain".into() }
            .into(),
    ];
    for event in events {
        let envelope = Envelope { event, ..envelope() };
        let line = serde_json::to_string(&envelope).unwrap();
        assert!(weight(&envelope) >= line.len(), "{} < {}: {line:.80}", weight(&envelope), line.len());
    }
}

fn envelope() -> Envelope {
    Envelope {
        seq: Seq(0),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        subject: Subject::system(),
        cause: Cause::Start,
        event: SystemEvent::Stopped {}.into(),
    }
}
