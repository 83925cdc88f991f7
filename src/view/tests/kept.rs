//! Views that are saved and loaded again.

use std::{fs::File, io::BufReader, path::Path};

use super::*;
use crate::{
    event::{DigitMethod, EndCause, Envelope, MediaEvent, Party, RunEvent, SystemEvent},
    id::RunId,
    journal::{Fold, KeptFold, Query, import},
    view::handle::Folded,
};

/// Generates events that touch every view, in an order that only `state` determines.
fn any_event(state: &mut u64, calls: &mut u64) -> (Subject, Event) {
    let mut random = |below: u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % below
    };
    let phone: PhoneId = ["a", "b", "c"][random(3) as usize].parse().unwrap();
    let call = Subject::call(phone.clone(), CallId(calls.saturating_sub(random(4))));
    let status = 400 + random(3) as u16;
    match random(14) {
        0 => (Subject::phone(phone), PhoneEvent::Added { spec: spec("u") }.into()),
        1 => (Subject::phone(phone), PhoneEvent::Dropped {}.into()),
        2 => (Subject::phone(phone), PhoneEvent::Bound { local: ([127, 0, 0, 1], status).into() }.into()),
        3 => {
            let retry_in_ms = Some(random(9));
            let reason = "no".to_owned();
            (
                Subject::phone(phone),
                PhoneEvent::RegistrationFailed { status: Some(status), reason, retry_in_ms }.into(),
            )
        }
        4 => (Subject::phone(phone), message(random(99)).into()),
        5 | 6 => {
            *calls += 1;
            let placed = CallEvent::Placed {
                target: "sip:b".into(),
                local: "sip:a".into(),
                sip_call_id: format!("id-{}", *calls / 2),
            };
            (Subject::call(phone, CallId(*calls)), placed.into())
        }
        7 => (call, CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false }.into()),
        8 => {
            let (by, cause) = (Party::Remote, EndCause::Rejected);
            (
                call,
                CallEvent::Ended { by, cause, status: Some(status), reason: "x".into(), duration_ms: 1 }
                    .into(),
            )
        }
        9 => (
            call,
            MediaEvent::DigitReceived { digit: '5', method: DigitMethod::Rfc4733, duration_ms: 80, epoch: 1 }
                .into(),
        ),
        10 => {
            let summary = SipSummary {
                method: Some("INVITE".into()),
                sip_call_id: Some(format!("id-{}", *calls / 2)),
                ..SipSummary::default()
            };
            let (local, remote) = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
            let transport = Transport::Udp;
            let message = RawMessage::Text("x".into());
            (call, SipEvent::Received { transport, local, remote, summary, message }.into())
        }
        11 | 12 => of_a_run(random(5), random(2) == 0),
        _ => (Subject::system(), SystemEvent::Started { version: "1".into() }.into()),
    }
}

fn message(number: u64) -> PhoneEvent {
    PhoneEvent::MessageReceived {
        from: "sip:x".into(),
        to: "sip:y".into(),
        body: number.to_string(),
        content_type: "text/plain".into(),
    }
}

fn of_a_run(run: u64, begins: bool) -> (Subject, Event) {
    let event = if begins {
        RunEvent::Started { name: "n".into(), phones: vec!["a".into()], source: None, tags: Vec::new() }
    } else {
        RunEvent::HookFired { hook: "h".into(), by: Seq(1) }
    };
    (Subject::run(RunId(run)), event.into())
}

fn stream(seed: u64, length: u64) -> Vec<Envelope> {
    let (mut state, mut calls) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, 0);
    let at = "2026-01-02T03:04:05.123456789Z".parse::<jiff::Timestamp>().unwrap();
    let made = (1..=length).map(|seq| {
        let (subject, event) = any_event(&mut state, &mut calls);
        let at = at + std::time::Duration::from_nanos(seq * 1_234_567);
        let cause = if seq % 3 == 0 { Cause::Run { run: RunId(1), hook: "h".into() } } else { Cause::Start };
        Envelope { seq: Seq(seq), at, subject, cause, event }
    });
    made.collect()
}

fn kept(folded: &Folded) -> Folded {
    serde_json::from_slice(&serde_json::to_vec(folded).unwrap()).unwrap()
}

#[test]
fn views_that_were_kept_and_taken_up_at_any_place_are_those_of_all_events() {
    for seed in 0..30 {
        let events = stream(seed, 400);
        let mut whole = Folded::default();
        events.iter().for_each(|envelope| whole.apply(envelope));
        for cut in [0, 1, 7, 133, 399, 400] {
            let mut first = Folded::default();
            events[..cut].iter().for_each(|envelope| first.apply(envelope));
            let mut rest = kept(&first);
            assert_eq!(rest, first, "seed {seed}, kept at {cut}");
            events[cut..].iter().for_each(|envelope| rest.apply(envelope));
            assert_eq!(rest, whole, "seed {seed}, taken up at {cut}");
        }
    }
}

/// If this fails, the meaning or content of views has changed: raise `VERSION`, then accept.
#[test]
fn the_kept_form_has_not_changed_without_its_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journals/first.jsonl");
    let imported = import(BufReader::new(File::open(path).unwrap()), Wall::system()).unwrap();
    let mut folded = Folded::default();
    for envelope in imported.journal.query_blocking(&Query::default()).unwrap() {
        folded.apply(&envelope);
    }
    assert_eq!(kept(&folded), folded);
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(format!("kept_views_version_{}", Folded::VERSION), folded));
}

#[test]
fn dropped_phones_beyond_the_limit_are_forgotten_but_for_those_with_a_call() {
    let given = given();
    let phone = |n: u64| format!("p{n}").parse::<PhoneId>().unwrap();
    for n in 0..2_500 {
        given.phone(phone(n), PhoneEvent::Added { spec: spec("u") });
        if n == 3 {
            let placed =
                CallEvent::Placed { target: "sip:b".into(), local: "sip:a".into(), sip_call_id: "x".into() };
            given.call(phone(n), 0, placed);
        }
        given.phone(phone(n), PhoneEvent::Dropped {});
    }
    let left = given.views.phones_ever();
    assert!(left.len() <= 1_002, "{} phones are left", left.len());
    assert!(left.iter().any(|left| left.id == phone(3)), "its call still has to be ended");
    assert!(left.iter().any(|left| left.id == phone(2_499)) && !left.iter().any(|left| left.id == phone(4)));
    assert_eq!(given.views.dangling().len(), 1);
}

#[test]
fn digits_and_recordings_of_a_long_call_do_not_grow_without_end() {
    let given = given();
    let placed = CallEvent::Placed { target: "sip:b".into(), local: "sip:a".into(), sip_call_id: "x".into() };
    given.call(a(), 0, placed);
    for n in 0..1_200 {
        let digit = char::from_digit(n % 10, 10).unwrap();
        given.call(
            a(),
            0,
            MediaEvent::DigitReceived { digit, method: DigitMethod::Rfc4733, duration_ms: 80, epoch: 1 },
        );
        given.call(a(), 0, MediaEvent::RecordingStarted { path: n.to_string(), epoch: 1 });
    }
    let call = given.views.call(CallId(0)).unwrap();
    assert_eq!((call.digits_received.len(), call.recordings.len()), (1_000, 100));
    assert!(call.digits_received.ends_with("789") && call.open_recording() == Some("1199"));
}
