//! Steps, expectations, phones that the run creates, verdicts.

use std::{collections::BTreeMap, time::Duration};

use super::world::{World, ended, established, incoming, setup, tone};
use crate::{
    command::{Code, Outcome},
    event::{EndCause, Event, MediaEvent, MediaStatistics, Party, PhoneEvent, RunEvent, Verdict},
    id::Seq,
    scenario::machine::Ending,
};

pub(super) const BASIC: &str = r##"
phones: {a: {}, b: {}}
timeout: 30s
hooks: [{when: call.incoming, on_phone: b, then: [{answer: 180}, {wait: 500ms}, answer]}]
steps:
  - make_call: {phone: a, to: "${b}", as: out}
  - expect: {event: call.established, phone: b, within: 5s}
  - send_dtmf: {call: $out, digits: "12#"}
  - expect: {digits: "12#", phone: b}
  - hold_for: 2s
  - hangup: {call: $out}
  - expect: {ended: $out, cause: normal, by: local, within: 3s}
"##;

#[test]
fn a_basic_call_passes_and_leaves_nothing_behind() {
    let mut world = World::run(BASIC);
    world.call("b", 9, incoming()).pass(Duration::from_millis(500));
    world.call("a", 1, established()).call("b", 9, established());
    world.digits("b", 9, "12#").seconds(1);
    assert_eq!(world.verdict(), "still running");
    world.seconds(1);
    assert_eq!(world.verdict(), "passed: all 4 expectations held");
    assert_eq!(
        world.commands,
        [
            "add a 6001@pbx secret6001",
            "add b 6002@pbx secret6002",
            "a calls sip:6002@pbx",
            "answer call-9 180",
            "answer call-9 200",
            "digits call-1 12#",
            "hang up call-1",
            "hang up call-9",
            "drop a",
            "drop b",
        ]
    );
    assert_eq!(world.machine.deadline(), None);
    assert_eq!(world.told().last().map(String::as_str), Some("run.finished"));
}

#[test]
fn an_expectation_that_does_not_come_true_says_where_and_what_came_instead() {
    let mut world = World::run(BASIC);
    world.call("b", 9, incoming()).seconds(1);
    world.call("b", 9, ended(Party::Remote, EndCause::Canceled, Some(487))).seconds(5);
    let failure = &world.run_view().failures[0];
    assert_eq!((failure.at.as_deref(), failure.list.as_str()), (Some("7:5"), "steps"));
    assert_eq!(failure.expected, "call.established on b within 5s");
    assert!(
        failure.instead.contains("the last was call.ended of call-9 on b (canceled by the remote side, 487"),
        "{failure:?}"
    );
    assert!(
        world
            .verdict()
            .starts_with("failed: expected call.established on b within 5s at steps[1], 7:5; instead:")
    );
    assert!(world.commands.contains(&"hang up call-1".to_owned()));
}

#[test]
fn any_event_means_every_kind_but_the_notes_of_the_run_itself() {
    let text = r##"
phones: {a: {}}
hooks: [{when: "*", match: {kind: media.tone_started}, then: [{emit: heard}]}]
steps:
  - make_call: {phone: a, to: "600"}
  - expect: {event: user.heard}
"##;
    let mut world = World::run(text);
    world.call("a", 1, established());
    assert_eq!(world.verdict(), "still running");
    world.media("a", 1, tone(1000.0)).seconds(1);
    assert_eq!(world.verdict(), "passed: the expectation held");

    let own = r##"
phones: {a: {}}
hooks: [{when: "*", match: {kind: run.action_started}, then: [{emit: noted}]}]
steps:
  - make_call: {phone: a, to: "600"}
  - expect: {event: user.noted, within: 1s}
"##;
    let mut world = World::run(own);
    world.seconds(2);
    assert!(world.verdict().starts_with("failed"), "{}", world.verdict());
}

#[test]
fn an_event_since_the_last_command_counts_and_an_earlier_one_does_not() {
    let text = r##"
phones: {a: {}}
steps:
  - make_call: {phone: a, to: "600", as: out}
  - expect: {event: call.established, phone: a}
  - expect: {event: media.first_packet, phone: a}
  - send_dtmf: {call: $out, digits: "1"}
  - expect: {event: media.first_packet, phone: a, within: 1s}
"##;
    let mut world = World::run(text);
    let packet = MediaEvent::FirstPacket { source: "x".into(), ssrc: 1, payload_type: 0, epoch: 1 };
    world.media("a", 1, packet).call("a", 1, established());
    assert!(
        world.told().iter().any(|told| told.starts_with("held media.first_packet")),
        "{:?}",
        world.told()
    );
    world.seconds(2);
    assert!(
        world.verdict().starts_with("failed: expected media.first_packet on a within 1s"),
        "{}",
        world.verdict()
    );
}

#[test]
fn the_same_expectation_twice_needs_two_events() {
    let text = r##"
phones: {a: {}}
steps:
  - make_call: {phone: a, to: "600"}
  - expect: {event: dtmf.received, match: {digit: "1"}}
  - expect: {event: dtmf.received, match: {digit: "1"}}
"##;
    let mut world = World::run(text);
    world.digits("a", 1, "1").seconds(10);
    assert!(world.verdict().starts_with("failed"), "{}", world.verdict());
    let mut world = World::run(text);
    world.digits("a", 1, "11");
    assert_eq!(world.verdict(), "passed: all 2 expectations held");
}

#[test]
fn an_event_on_its_way_can_meet_the_next_expectation_too() {
    let text = r##"
phones: {a: {}}
steps:
  - make_call: {phone: a, to: "600", as: out}
  - expect: {event: call.ended, phone: a}
  - expect: {ended: $out, status: 486}
"##;
    let mut world = World::run(text);
    world.call("a", 1, ended(Party::Remote, EndCause::Rejected, Some(486)));
    assert_eq!(world.verdict(), "passed: all 2 expectations held");
}

#[test]
fn a_wrong_digit_fails_at_once() {
    let text = "phones: {a: {}}\nsteps: [{make_call: {phone: a, to: '603'}}, {expect: {digits: '1234#', phone: a}}]\n";
    let mut world = World::run(text);
    world.digits("a", 1, "125");
    assert!(world.verdict().contains("instead: the digits 125 came; call-1 on a is"), "{}", world.verdict());
}

#[test]
fn a_tone_that_sounds_already_is_heard_and_one_that_ended_is_not() {
    let text = r##"
phones: {a: {}}
steps:
  - make_call: {phone: a, to: "${tone}", as: out}
  - expect: {event: call.established, phone: a}
  - send_dtmf: {call: $out, digits: "1"}
  - expect: {tone: 1000, phone: a, within: 1s}
"##;
    let mut world = World::run(text);
    world.media("a", 1, tone(1004.0)).call("a", 1, established());
    assert_eq!(world.verdict(), "passed: all 2 expectations held");
    assert!(world.commands.contains(&"a calls 601".to_owned()));
    let mut world = World::run(text);
    world.media("a", 1, tone(1004.0)).media(
        "a",
        1,
        MediaEvent::ToneEnded { hz: 1004.0, duration_ms: 5, epoch: 1 },
    );
    world.call("a", 1, established()).media("a", 1, tone(425.0)).seconds(2);
    assert!(world.verdict().contains("media.tone_started of call-1 on a (425 Hz)"), "{}", world.verdict());
}

#[test]
fn media_figures_are_judged_and_an_unmeasured_one_is_not_good() {
    let text = r##"
phones: {a: {}}
steps:
  - make_call: {phone: a, to: "600", as: out}
  - expect: {phone: a, audio: present, packets: ">= 40", lost: "<= 2", mos: ">= 4.0", within: 6s}
"##;
    let figures = |mos| MediaEvent::Statistics {
        statistics: MediaStatistics {
            received_packets: 50,
            level_dbfs: Some(-20.0),
            mos,
            mos_absent_because: Some("too short".into()),
            ..MediaStatistics::default()
        },
        epoch: 1,
    };
    let mut world = World::run(text);
    world.media("a", 1, figures(None)).media("a", 1, figures(Some(4.3)));
    assert_eq!(world.verdict(), "passed: the expectation held");
    let mut world = World::run(text);
    world.media("a", 1, figures(None)).seconds(7);
    assert!(
        world.verdict().contains("instead: mos was not measured (too short); call-1 on a is"),
        "{}",
        world.verdict()
    );
}

#[test]
fn groups_wait_for_all_any_or_an_order() {
    let text = |group: &str| {
        format!(
            "phones: {{a: {{}}}}\nsteps: [{{make_call: {{phone: a, to: '600'}}}}, {{expect: {{{group}: [{{event: call.ringing}}, {{event: call.answered}}], within: 1s}}}}]\n"
        )
    };
    let ringing =
        || crate::event::CallEvent::Ringing { status: 180, reason: String::new(), early_media: false };
    let answered =
        || crate::event::CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() };
    for (group, forwards, backwards, one) in
        [("all", true, true, false), ("any", true, true, true), ("in_order", true, false, false)]
    {
        let passes = |events: Vec<crate::event::CallEvent>| {
            let mut world = World::run(&text(group));
            for event in events {
                world.call("a", 1, event);
            }
            world.seconds(2).verdict().starts_with("passed")
        };
        assert_eq!(passes(vec![ringing(), answered()]), forwards, "{group} forwards");
        assert_eq!(passes(vec![answered(), ringing()]), backwards, "{group} backwards");
        assert_eq!(passes(vec![ringing()]), one, "{group} one");
    }
}

#[test]
fn a_count_is_met_exceeded_or_judged_at_the_end() {
    let text = |count: &str| {
        format!(
            "phones: {{a: {{}}}}\nsteps: [{{make_call: {{phone: a, to: '600'}}}}, {{expect: {{event: dtmf.received, count: '{count}', within: 1s}}}}]\n"
        )
    };
    for (count, digits, passes) in [
        ("2", "11", true),
        ("2", "1", false),
        ("== 2", "111", false),
        ("== 2", "11", true),
        ("<= 1", "", true),
    ] {
        let mut world = World::run(&text(count));
        world.digits("a", 1, digits).seconds(2);
        assert_eq!(world.verdict().starts_with("passed"), passes, "{count} {digits}: {}", world.verdict());
    }
}

#[test]
fn what_must_not_happen_fails_the_run_when_it_does() {
    let text = r##"
phones: {a: {}}
steps:
  - make_call: {phone: a, to: "600", as: out}
  - expect: {event: call.established, phone: a}
  - never: {event: call.ended, phone: a, during: 2s}
"##;
    let mut world = World::run(text);
    world.call("a", 1, established()).seconds(2);
    assert_eq!(world.verdict(), "passed: all 2 expectations held");
    let mut world = World::run(text);
    world.call("a", 1, established()).seconds(1);
    world.call("a", 1, ended(Party::Remote, EndCause::Normal, None));
    assert!(
        world.verdict().starts_with("failed: expected never call.ended on a during 2s at steps[2], 6:5"),
        "{}",
        world.verdict()
    );
}

#[test]
fn a_forbidden_event_ends_the_run_at_any_time() {
    let text = "phones: {a: {}}\nnever: [{event: call.crashed}]\nsteps: [{make_call: {phone: a, to: '600'}}, {expect: call.ended}]\n";
    let mut world = World::run(text);
    world.call("a", 1, crate::event::CallEvent::Crashed { reason: "x".into() });
    assert!(world.verdict().starts_with("failed: expected never call.crashed"), "{}", world.verdict());
    assert_eq!(world.run_view().outcome().ending, Some(Ending::Forbidden));
}

#[test]
fn a_call_that_must_stay_up_fails_when_it_drops_or_never_was() {
    let text = "phones: {a: {}}\nsteps: [{make_call: {phone: a, to: '600'}}, {expect: call.established}, {hold_for: 2s}]\n";
    let mut world = World::run(text);
    world.call("a", 1, established()).seconds(1);
    world.call("a", 1, ended(Party::Remote, EndCause::Normal, None));
    assert!(world.verdict().contains("expected the call to stay up for 2s"), "{}", world.verdict());
    let text = "phones: {a: {}}\nsteps: [{make_call: {phone: a, to: '600'}}, {hold_for: 2s}]\n";
    assert!(World::run(text).verdict().contains("no call is up"));
}

#[test]
fn a_phone_that_cannot_register_blocks_the_run() {
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.accept();
    world.waiting.clear();
    let refused =
        PhoneEvent::RegistrationFailed { status: Some(403), reason: "Forbidden".into(), retry_in_ms: None };
    world.phone("b", refused).seconds(10);
    assert_eq!(world.verdict(), "blocked: phone 'b' could not register at pbx: 403 Forbidden");
    assert!(world.commands.contains(&"drop a".to_owned()), "{:?}", world.commands);
    assert!(!world.commands.iter().any(|command| command.contains("calls")));
}

#[test]
fn a_registration_that_is_tried_again_too_late_blocks_the_run_at_once() {
    let failed = |retry_in_ms| PhoneEvent::RegistrationFailed {
        status: None,
        reason: "cannot resolve 'pbx.invalid': the name has no address".into(),
        retry_in_ms: Some(retry_in_ms),
    };
    let why = "phone 'b' could not register: cannot resolve 'pbx.invalid': the name has no address";
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.accept();
    world.waiting.clear();
    world.phone("b", failed(32_000)).seconds(10);
    assert_eq!(world.verdict(), format!("blocked: {why}"));
    // A failure that a retry may mend is waited out, and then the verdict says why it did not.
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.accept();
    world.waiting.clear();
    world.phone("b", failed(3_000)).seconds(40);
    assert_eq!(world.verdict(), format!("blocked: not ready in time: phone b; {why}"));
}

#[test]
fn silence_from_the_registrar_blocks_the_run_in_bounded_time() {
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.seconds(40);
    assert_eq!(world.verdict(), "blocked: not ready in time: phone a, b");
    let text = "phones: {a: {}}\nsteps: [{expect: phone.registered}]\n";
    let mut world = World::given(text, setup());
    world.obliging = false;
    world.start();
    let (step, _) = world.waiting.pop_front().unwrap();
    let outcome = Outcome { seq: Seq(1), call: None, calls: Vec::new() };
    world.machine.on_outcome(world.now, step, Ok(outcome));
    world.seconds(40);
    assert_eq!(world.verdict(), "blocked: not ready in time: phone a; no answer from pbx until then");
}

#[test]
fn too_few_accounts_and_missing_phones_block_the_run() {
    let three = "phones: {a: {}, b: {}, c: {}}\nsteps: [{expect: phone.registered}]\n";
    assert_eq!(
        World::run(three).verdict(),
        "blocked: phone 'c' needs an account, and the PBX profile has only 2"
    );
    let missing = "phones: [zed]\nsteps: [{expect: call.incoming}]\n";
    let mut world = World::given(missing, crate::scenario::machine::Setup { profile: None, ..setup() });
    world.start();
    assert_eq!(world.verdict(), "blocked: phone 'zed' does not exist");
}

#[test]
fn a_phone_that_is_only_listed_is_made_from_the_profile_where_it_does_not_exist() {
    for phones in ["[a]", "{a: {}}"] {
        let world = World::run(&format!("phones: {phones}\nsteps: [{{expect: call.incoming}}]\n"));
        assert_eq!(world.commands, ["add a 6001@pbx secret6001"], "{phones}");
    }
}

#[test]
fn a_scenario_may_look_at_a_refused_registration_itself() {
    let text = r##"
phones: {a: {password: wrong, registration: start}}
steps: [{expect: {event: phone.registration_failed, phone: a, match: {status: [401, 403]}}}]
"##;
    let mut world = World::given(text, setup());
    world.obliging = false;
    world.start();
    assert_eq!(world.commands, ["add a 6001@pbx wrong"]);
    world.accept();
    let refused =
        PhoneEvent::RegistrationFailed { status: Some(403), reason: "Forbidden".into(), retry_in_ms: None };
    world.phone("a", refused);
    world.accept();
    assert_eq!(world.verdict(), "passed: the expectation held");
}

#[test]
fn accounts_named_by_a_phone_are_not_given_to_another() {
    let text =
        "phones: {a: {}, b: {account: '6001'}}\nsteps: [{expect: {event: phone.registered, phone: b}}]\n";
    let world = World::run(text);
    assert_eq!(world.commands[..2], ["add a 6002@pbx secret6002", "add b 6001@pbx secret6001"]);
    assert_eq!(world.verdict(), "passed: the expectation held");
}

#[test]
fn a_scenario_that_must_fail_passes_only_by_failing() {
    let text = "phones: {a: {}}\nexpect_verdict: failed\nsteps: [{make_call: {phone: a, to: '606'}}, {expect: {event: call.established, within: 1s}}]\n";
    let mut world = World::run(text);
    world.seconds(2);
    assert!(world.verdict().starts_with("passed: failed as it must: expected call.established within 1s at"));
    let mut world = World::run(text);
    world.call("a", 1, established());
    assert_eq!(world.verdict(), "failed: must be failed but is passed: the expectation held");
    // A failure elsewhere proves nothing.
    let text = text.replace("expect_verdict: failed", "expect_failure: digits 99");
    let mut world = World::run(&text);
    world.seconds(2);
    assert!(
        world.verdict().starts_with("failed: must fail at 'digits 99' but: expected call.established"),
        "{}",
        world.verdict()
    );
}

#[test]
fn a_refusal_can_be_what_is_expected() {
    let text = |refused: &str| {
        format!("phones: {{a: {{}}}}\nsteps: [{{make_call: {{phone: a, to: '600', refused: {refused}}}}}]\n")
    };
    for (refused, code, verdict) in [
        ("true", Code::Unavailable, "passed"),
        ("wrong_state", Code::WrongState, "passed"),
        ("wrong_state", Code::NotFound, "failed"),
    ] {
        let mut world = World::given(&text(refused), setup());
        world.start();
        // The call was accepted although a refusal was wanted.
        assert!(world.verdict().starts_with("failed"), "{}", world.verdict());
        let mut world = World::given(&text(refused), setup());
        world.obliging = false;
        world.start();
        world.accept().refuse(code);
        world.accept();
        assert!(world.verdict().starts_with(verdict), "{refused} {code}: {}", world.verdict());
    }
}

#[test]
fn a_canceled_run_ends_what_it_started_even_a_call_still_being_placed() {
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.accept().accept();
    assert_eq!(world.commands.last().unwrap(), "a calls sip:6002@pbx");
    world.machine.cancel(world.now, "interrupted");
    world.accept();
    assert_eq!(world.commands.last().unwrap(), "hang up call-1", "{:?}", world.commands);
    world.accept();
    assert_eq!(world.commands[world.commands.len() - 2..], ["drop a", "drop b"]);
    world.accept().accept();
    assert_eq!(world.verdict(), "skipped: interrupted");
    assert_eq!(world.machine.deadline(), None);
}

#[test]
fn cleaning_up_is_bounded_when_nothing_answers() {
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.accept().accept().accept();
    world.machine.cancel(world.now, "interrupted");
    world.seconds(7);
    assert_eq!(world.verdict(), "skipped: interrupted");
    assert_eq!(world.run_view().outcome().left_over.len(), 1);
}

#[test]
fn a_hook_that_still_expects_something_keeps_the_run_open() {
    let text = r##"
phones: {a: {}, b: {}}
hooks: [{when: call.incoming, on_phone: b, then: [answer, {expect: {digits: "7", within: 3s}}]}]
steps:
  - make_call: {phone: a, to: "${b}"}
  - expect: {event: call.incoming, phone: b}
"##;
    let mut world = World::run(text);
    world.call("b", 9, incoming());
    assert_eq!(world.verdict(), "still running");
    world.seconds(4);
    assert!(
        world.verdict().starts_with("failed: expected digits 7 within 3s at hooks[0].then[1], 3:"),
        "{}",
        world.verdict()
    );
    let mut world = World::run(text);
    world.call("b", 9, incoming()).digits("b", 9, "7");
    assert_eq!(world.verdict(), "passed: all 2 expectations held");
}

#[test]
fn the_run_time_bounds_everything() {
    let text = "phones: {a: {}}\ntimeout: 2s\nsteps: [{make_call: {phone: a, to: '605'}}, {expect: {event: call.established, within: 60s}}]\n";
    let mut world = World::run(text);
    world.seconds(3);
    assert!(world.verdict().contains("the run's time of 2s was over"), "{}", world.verdict());
    assert_eq!(world.run_view().outcome().ending, Some(Ending::TimedOut));
}

#[test]
fn a_skipped_scenario_does_nothing() {
    let world = World::run("skip: not on this site\nphones: {a: {}}\nsteps: [{expect: phone.registered}]\n");
    assert_eq!(world.run_view().outcome().verdict, Verdict::Skipped);
    assert!(world.commands.is_empty());
}

#[test]
fn phones_of_other_runs_do_not_matter() {
    let mut world = World::run(BASIC);
    world.call("stranger", 5, incoming()).call("b", 9, incoming());
    assert!(world.commands.contains(&"answer call-9 180".to_owned()));
    assert!(!world.commands.iter().any(|command| command.contains("call-5")), "{:?}", world.commands);
}

#[test]
fn a_checkpoint_moves_where_events_count_from() {
    let text = r##"
phones: {a: {}}
steps:
  - checkpoint: here
  - make_call: {phone: a, to: "600", as: out}
  - expect: call.established
  - send_dtmf: {call: $out, digits: "1"}
  - expect: {event: call.established, since: here, within: 1s}
  - expect: {event: call.placed, since: start, within: 1s}
"##;
    let mut world = World::run(text);
    world.call("a", 1, established());
    assert_eq!(world.verdict(), "passed: all 3 expectations held");
}

#[test]
fn the_end_of_each_action_names_its_beginning_and_where_its_command_left_the_journal() {
    let mut world = World::run(
        "phones: {a: {}, b: {}}\nsteps: [{make_call: {phone: a, to: '${b}', as: out}}, {expect: {event: call.placed, within: 5s}}, {wait: 1s}, {hangup: $out}, {hangup: {call: call-99, refused: true}}]\n",
    );
    world.obliging = false;
    world.seconds(2).accept().refuse(Code::NotFound);
    let (mut open, mut joined) = (BTreeMap::new(), Vec::new());
    for envelope in &world.journal {
        if let Event::Run(RunEvent::ActionStarted { action, .. }) = &envelope.event {
            open.insert(envelope.seq, (action.clone(), envelope.subject.clone()));
        }
        let Event::Run(RunEvent::ActionFinished { action, started, succeeded, outcome }) = &envelope.event
        else {
            continue;
        };
        let begun = open.remove(started).expect("its beginning is before it, and ends once");
        assert_eq!(begun, (action.clone(), envelope.subject.clone()));
        let of_command = |end: Seq| {
            let between = world.journal.iter().filter(|fact| *started < fact.seq && fact.seq <= end);
            between.map(|fact| fact.event.kind()).collect::<Vec<_>>()
        };
        joined.push((action.clone(), *succeeded, outcome.map(of_command)));
    }
    assert!(open.is_empty(), "{open:?}");
    let done = |action: &str, facts: Option<Vec<&'static str>>| (action.to_owned(), true, facts);
    assert_eq!(
        joined,
        [
            done("make_call", Some(vec!["call.placed"])),
            done("expect", None),
            done("wait", None),
            done("hangup", Some(vec!["call.ended"])),
            done("hangup", None),
        ]
    );
}

#[test]
fn a_conference_may_have_calls_of_several_phones_unless_its_step_names_one() {
    let text = r##"
phones: {a: {}, b: {}}
steps:
  - make_call: {phone: a, to: "600", as: one}
  - make_call: {phone: b, to: "600", as: two}
  - conference: [$one, $two]
  - conference: {phone: a, call_ids: [$one, $two]}
  - conference: {phone: b, call_ids: auto}
  - expect: {event: call.established, phone: a}
"##;
    let mut world = World::run(text);
    world.call("a", 1, established());
    let confers: Vec<_> = world.commands.iter().filter(|command| command.starts_with("confer")).collect();
    assert_eq!(
        confers,
        ["confer [call-1 call-2] of any", "confer [call-1 call-2] of a", "confer [] of b"],
        "{}",
        world.verdict()
    );
}
