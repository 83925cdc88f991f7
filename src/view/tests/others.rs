//! Messages, signaling index, runs, timelines, counters and descriptions.

use std::time::Duration;

use super::*;
use crate::{
    event::{EndCause, Ending, Party, RunEvent, Verdict},
    id::RunId,
};

fn text(from: &str) -> PhoneEvent {
    PhoneEvent::MessageReceived {
        from: from.into(),
        to: "sip:a@example.com".into(),
        body: "hi".into(),
        content_type: "text/plain".into(),
    }
}

#[test]
fn an_inbox_keeps_the_newest_hundred_and_starts_again_with_the_phone() {
    let given = given();
    for n in 0..101 {
        given.phone(a(), text(&format!("sip:{n}@example.com")));
    }
    given.phone(b(), text("sip:x@example.com"));
    let inbox = given.views.messages(&a());
    assert_eq!((inbox.len(), inbox[0].from.as_str()), (100, "sip:1@example.com"));
    given.phone(a(), PhoneEvent::Added { spec: spec("a") });
    assert_eq!((given.views.messages(&a()).len(), given.views.messages(&b()).len()), (0, 1));
}

#[test]
fn sip_messages_are_indexed_by_phone_and_by_call() {
    let given = given();
    let register = given.sip(a(), true, "REGISTER", None, "reg");
    let invite = given.sip(a(), true, "INVITE", None, "x");
    let at_the_other = given.sip(b(), false, "INVITE", None, "x");
    given.placed(a(), 0, "x");
    given.incoming(b(), 1, "x");
    assert_eq!(given.views.sip_messages_of_phone(&a()), [register, invite]);
    assert_eq!(given.views.sip_messages_of_call(CallId(0)), [invite]);
    assert_eq!(given.views.sip_messages_of_call(CallId(1)), [at_the_other]);
    assert_eq!(given.views.sip_messages_of_call(CallId(2)), []);
    assert_eq!(given.views.sip_thread(&b(), "x").unwrap().invite_received, Some(at_the_other));
}

#[tokio::test]
async fn a_run_is_counted_and_its_timeline_has_its_phones_events_only() {
    let given = given();
    let run = RunId(1);
    assert_eq!(given.views.next_run_id(), run);
    let says = |event: RunEvent| given.journal.append(Subject::run(run), Cause::Start, event);
    given.placed(a(), 0, "before");
    says(RunEvent::Started {
        name: "basic".into(),
        phones: vec!["a".into()],
        source: None,
        tags: Vec::new(),
    });
    given.placed(a().in_run(run), 1, "inside");
    given.placed(a(), 2, "of another phone of that name");
    given.placed(a().in_run(RunId(2)), 3, "of another run");
    given.sip(a().in_run(run), true, "INVITE", None, "inside");
    says(RunEvent::ExpectationMet { expectation: "rings".into(), at: None, by: None });
    says(RunEvent::Finished {
        verdict: Verdict::Passed,
        reason: "all held".into(),
        elapsed_ms: 12,
        ending: Some(Ending::StepsDone),
        idle_hooks: vec!["never".into()],
        left_over: Vec::new(),
    });
    given.placed(a(), 4, "after");

    let view = given.views.run(run).unwrap();
    assert_eq!((view.held.len(), view.failures.len(), &view.calls), (1, 0, &vec![CallId(1)]));
    let end = view.end.as_ref().unwrap();
    assert_eq!(
        (end.verdict, end.elapsed, &end.idle_hooks[0]),
        (Verdict::Passed, Duration::from_millis(12), &"never".to_owned())
    );
    assert_eq!(given.views.next_run_id(), RunId(2));
    let rows = given.views.timeline(Scope::Run(run)).await.unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, ["run.started", "call.placed", "phone.bound", "run.expectation_met", "run.finished"]);
    assert_eq!(rows[0].offset, Duration::ZERO);
    assert_eq!(rows[4].text, "passed: all held, after 0.012 s");
}

#[tokio::test]
async fn a_calls_timeline_tells_its_story() {
    let given = given();
    given.placed(a(), 0, "x");
    given.call(a(), 0, CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false });
    let over = CallEvent::Ended {
        by: Party::Remote,
        cause: EndCause::Rejected,
        status: Some(486),
        reason: "Busy Here".into(),
        duration_ms: 0,
    };
    given.call(a(), 0, over);
    let rows = given.views.timeline(Scope::Call(CallId(0))).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| format!("{} {}", row.kind, row.text)).collect();
    assert_eq!(
        told,
        [
            "call.placed to sip:600@example.com",
            "call.ringing 180 Ringing",
            "call.ended rejected, by the other side: 486 Busy Here, after 0.000 s",
        ]
    );
    assert_eq!(given.views.counters().calls_ended(EndCause::Rejected), 1);
    assert_eq!(given.views.counters().calls_ended(EndCause::Normal), 0);
}

#[test]
fn a_peers_text_cannot_forge_a_line() {
    let event = Event::from(PhoneEvent::Crashed { reason: "a\r\nb\u{1b}[2J".into() });
    assert_eq!(describe(&event), r"a\r\nb\u{1b}[2J");
}

#[test]
fn views_attached_late_know_the_past() {
    let given = given();
    given.placed(a(), 0, "x");
    let late = Views::attach(&given.journal);
    assert_eq!(late.call(CallId(0)), given.views.call(CallId(0)));
    assert_eq!(late.counters(), given.views.counters());
}
