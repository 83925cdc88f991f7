//! Reports of a small recorded run.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    event::{Cause, Envelope, Event, RawMessage, SipEvent, SipSummary, Subject, Transport},
    id::CallId,
};

fn sip(
    seq: u64,
    ms: i64,
    phone: &str,
    sent: bool,
    method: &str,
    status: Option<u16>,
    again: bool,
) -> Arc<Envelope> {
    let summary = SipSummary {
        method: Some(method.into()),
        status,
        reason: status.map(|status| if status == 200 { "OK".into() } else { "Ringing".into() }),
        sdp: method == "INVITE" && status.is_none_or(|status| status == 200),
        ..SipSummary::default()
    };
    let transport = Transport::Udp;
    let (local, remote) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    let message = RawMessage::Text(String::new());
    let event = if sent {
        SipEvent::Sent { transport, local, remote, summary, retransmission: again, message }
    } else {
        SipEvent::Received { transport, local, remote, summary, message }
    };
    let at: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    Arc::new(Envelope {
        seq: Seq(seq),
        at: at + jiff::SignedDuration::from_millis(ms),
        subject: Subject::call(phone.parse().unwrap(), CallId(1)),
        cause: Cause::Start,
        event: Event::Sip(event),
    })
}

fn call() -> Vec<Arc<Envelope>> {
    vec![
        sip(1, 0, "a", true, "REGISTER", None, false),
        sip(2, 5, "a", true, "INVITE", None, false),
        sip(3, 505, "a", true, "INVITE", None, true),
        sip(4, 510, "b", false, "INVITE", None, false),
        sip(5, 520, "b", true, "INVITE", Some(180), false),
        sip(6, 530, "a", false, "INVITE", Some(180), false),
        sip(7, 600, "c", false, "BYE", None, false),
        sip(8, 601, "c", true, "BYE", Some(200), false),
    ]
}

fn phones() -> Vec<crate::id::PhoneId> {
    ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec()
}

#[test]
fn a_ladder_has_a_column_for_each_phone_and_marks_retransmissions() {
    let ladder = Ladder::draw(&call(), &phones(), Selection::WithoutRegistrations);
    insta::assert_snapshot!(ladder.text());
    assert_eq!(ladder.excerpt(Some(Seq(3)), 3).lines().count(), 4);
    assert!(Ladder::draw(&[], &phones(), Selection::Everything).is_empty());
    let registers = Ladder::draw(&call()[..1], &phones(), Selection::WithoutRegistrations);
    assert!(registers.text().contains("REGISTER"), "alone, a registration is what there is to see");
}

#[test]
fn a_column_says_over_what_its_messages_went_unless_that_is_udp() {
    let over = |transport: Transport, phone: &str| {
        let mut envelope = (*sip(1, 0, phone, true, "INVITE", None, false)).clone();
        let Event::Sip(SipEvent::Sent { transport: of, .. }) = &mut envelope.event else {
            panic!("not sent")
        };
        *of = transport;
        Arc::new(envelope)
    };
    let (udp, tcp) = (Transport::Udp, Transport::Tcp);
    let events = [over(tcp, "a"), over(udp, "b"), over(tcp, "c"), over(udp, "c")];
    let ladder = Ladder::draw(&events, &phones(), Selection::Everything).text();
    let heads: Vec<&str> =
        ladder.lines().next().unwrap().split("  ").map(str::trim).filter(|head| !head.is_empty()).collect();
    assert_eq!(heads, ["a (tcp)", "pbx", "b", "c (tcp, udp)"], "{ladder}");
}

fn report(verdict: Verdict) -> RunReport {
    let ladder = Ladder::draw(&call(), &phones(), Selection::WithoutRegistrations);
    let failed = verdict == Verdict::Failed;
    let failure = FailureReport {
        step: Some("steps[3]".into()),
        place: "s.yaml:7:5".into(),
        list: "steps".into(),
        expected: "call.established on <b>".into(),
        instead: "call.ended \"487\" & \u{1}nothing".into(),
        by: Some(Seq(6)),
        planes: vec!["b: sip sent 180 to INVITE last; call ringing; rtp nothing received".into()],
    };
    RunReport {
        name: "A & B".into(),
        source: "dir/s.yaml".into(),
        tags: vec!["smoke".into()],
        run: RunId(1),
        verdict,
        reason: "because <it> did".into(),
        elapsed: Duration::from_millis(1234),
        held: 2,
        failures: if failed { vec![failure] } else { Vec::new() },
        notes: vec!["never fired: hook-1".into()],
        ladder: ladder.text(),
        excerpt: ladder.excerpt(Some(Seq(6)), 4),
        look: vec!["offhook log --data d --run run-1".into()],
    }
}

#[test]
fn a_failed_run_answers_four_questions() {
    insta::assert_snapshot!(verdict_block(&report(Verdict::Failed), false));
    insta::assert_snapshot!(verdict_block(&report(Verdict::Blocked), false));
}

#[test]
fn a_passed_run_takes_one_line_without_its_ladder() {
    let text = verdict_block(&RunReport { notes: Vec::new(), ..report(Verdict::Passed) }, false);
    assert_eq!(text, "✓ passed  A & B (dir/s.yaml, 1.2 s, 2 expectations held)");
}

#[test]
fn junit_is_escaped_and_counts_blocked_as_an_error() {
    let all = [Verdict::Passed, Verdict::Failed, Verdict::Blocked, Verdict::Skipped].map(report);
    insta::assert_snapshot!(junit(&all));
}

#[test]
fn the_last_lines_count_every_verdict() {
    let all = [Verdict::Passed, Verdict::Passed, Verdict::Failed].map(report);
    let line = summary_line(&all, Duration::from_secs(3));
    assert_eq!(line, "3 scenarios: 2 passed, 1 failed in 3.0 s");
    let suite = suite_line(&all, 1);
    assert_eq!(suite["verdicts"], serde_json::json!({"passed": 2, "failed": 1}));
    assert_eq!(result_line(&all[2])["failures"][0]["at"], "s.yaml:7:5");
}

#[test]
fn a_ladder_fits_its_terminal_or_becomes_a_list() {
    let ladder = Ladder::draw(&call(), &phones(), Selection::WithoutRegistrations);
    for width in [200, 80, 60, 50, 40, 20] {
        let text = ladder.clone().within(Some(width)).text();
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= width, "{longest} of {width}\n{text}");
        assert!(text.contains("INV"), "{text}");
        assert_eq!(text.contains('│'), width >= 60, "{text}");
    }
    assert_eq!(ladder.clone().within(Some(200)).text(), ladder.text());
}
