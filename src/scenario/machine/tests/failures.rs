//! What a failure says, and what is not waited for.

use super::{
    native::BASIC,
    world::{World, ended, established, incoming, setup},
};
use crate::{
    command::Code,
    event::{
        CallEvent, EndCause, MediaDirection, MediaEvent, MediaStatistics, Party, PhoneEvent, SipEvent,
        Verdict,
    },
};

fn placed_and(text: &str) -> String {
    format!(
        "phones: {{a: {{}}, b: {{}}}}\nsteps:\n  - make_call: {{phone: a, to: '${{b}}', as: out}}\n{text}"
    )
}

#[test]
fn a_failure_tells_of_the_calls_on_every_side_and_of_its_step() {
    let text = placed_and("  - expect: {event: call.held, phone: b, within: 1s}\n");
    let mut world = World::run(&text);
    let progress = CallEvent::TransferProgress { status: 500, reason: "Server Internal Error".into() };
    world.call("b", 9, incoming()).call("a", 1, established()).call("a", 1, progress).seconds(1);
    let failure = &world.run_view().failures[0];
    assert_eq!((failure.at.as_deref(), failure.step.as_deref()), (Some("4:5"), Some("steps[1]")));
    for told in [
        "nothing like it; the last was call.incoming of call-9 on b (from \"A\" <sip:6001@pbx>), event",
        "call-1 on a is established: call.established, event",
        "then call.transfer_progress (500 Server Internal Error), event",
        "call-9 on b is incoming: call.incoming (from",
    ] {
        assert!(failure.instead.contains(told), "{told} in {}", failure.instead);
    }
    let hooks = "phones: {a: {}}\nhooks:\n  - {when: call.ringing, then: [{log: x}]}\n  - {when: call.established, then: [{log: x}, {expect: {event: call.held, within: 1s}}]}\nsteps:\n  - make_call: '600'\n  - expect: {event: call.ended}\n";
    let mut world = World::run(hooks);
    world.call("a", 1, established()).seconds(1);
    assert_eq!(world.run_view().failures[0].step.as_deref(), Some("hooks[1].then[1]"));
}

#[test]
fn what_cannot_come_any_more_is_not_waited_for() {
    let refused = || ended(Party::Remote, EndCause::Rejected, Some(404));
    let gone = "it cannot come any more after call.ended of call-1 on a (rejected by the remote side, 404";
    let mut world = World::run(BASIC);
    world.call("a", 1, refused());
    assert!(world.verdict().contains(gone), "{}", world.verdict());
    assert!(world.verdict().contains("at steps[1], 7:5"), "{}", world.verdict());

    // A call that is named, so nothing else matters.
    let named = placed_and("  - expect: {event: call.established, call: $out, within: 9s}\n");
    let mut world = World::run(&named);
    world.call("b", 9, incoming()).call("a", 1, refused());
    assert!(world.verdict().contains(gone), "{}", world.verdict());

    // Digits come as long as media goes on, and no longer.
    let digits =
        placed_and("  - expect: {all: [{digits: '1', call: $out}, {event: call.ended}], within: 9s}\n");
    let mut world = World::run(&digits);
    let started = MediaEvent::Started {
        local: "1.1.1.1:1".into(),
        remote: None,
        codec: "PCMU".into(),
        direction: MediaDirection::Sendrecv,
        agreement: None,
        epoch: 1,
    };
    let stopped = MediaEvent::Stopped { statistics: MediaStatistics::default(), epoch: 1 };
    world.media("a", 1, started).call("a", 1, ended(Party::Remote, EndCause::Normal, None));
    assert_eq!(world.verdict(), "still running");
    world.media("a", 1, stopped);
    assert!(world.verdict().contains("it cannot come any more"), "{}", world.verdict());

    let phone = placed_and("  - expect: {event: call.incoming, phone: b, within: 9s}\n");
    let mut world = World::run(&phone);
    world.phone("b", PhoneEvent::Dropped {});
    assert!(
        world.verdict().contains("it cannot come any more after phone.dropped on b"),
        "{}",
        world.verdict()
    );
}

#[test]
fn what_may_still_come_is_waited_for() {
    let refused = || ended(Party::Remote, EndCause::Rejected, Some(404));
    for waits in [
        // The phone system may call back.
        "  - expect: {event: call.incoming, phone: b}\n",
        // Another step of a hook calls once the call is over.
        "  - expect: {event: call.established, phone: b}\nhooks: [{when: call.ended, then: [{wait: 1s}, {make_call: {phone: b, to: '600'}}]}]\n",
        // Expecting none means waiting until the time is over.
        "  - expect: {event: call.established, phone: b, count: '== 0', within: 2s}\n",
    ] {
        let mut world = World::run(&placed_and(waits));
        world.call("a", 1, refused());
        assert_eq!(world.verdict(), "still running", "{waits}");
    }
    // The call was up, and its end may cause another to begin; and here another is open.
    let text = placed_and("  - expect: {event: call.established, phone: b, within: 2s}\n");
    let mut world = World::run(&text);
    world.call("a", 1, established()).call("a", 1, ended(Party::Remote, EndCause::Normal, None));
    assert_eq!(world.verdict(), "still running");
    let mut world = World::run(&text);
    world.call("b", 9, incoming()).call("a", 1, refused());
    assert_eq!(world.verdict(), "still running");
    let older = serde_json::json!({
        "phones": ["a"],
        "initial_actions": [{"make_call": {"phone": "a", "to": "600"}}, {"wait_until": "call.state.confirmed"}],
        "stop_on": ["user.x"],
    });
    let mut world = World::older(&older, &["a"]);
    world.start();
    world.call("a", 1, refused());
    assert!(!world.told().iter().any(|told| told.starts_with("not ")), "{:?}", world.told());
}

#[test]
fn a_call_that_may_yet_be_kept_under_the_same_name_is_waited_for() {
    let refused = || ended(Party::Remote, EndCause::Rejected, Some(404));
    let waits = "  - expect: {event: call.established, call: $out, within: 9s}\n";
    // By a hook that has not fired, and by a step of one that has.
    for again in [
        "hooks: [{when: call.incoming, on_phone: a, as: out, then: [answer]}]\n",
        "hooks: [{when: call.ended, then: [{wait: 1s}, {make_call: {phone: a, to: '600', as: out}}]}]\n",
    ] {
        let mut world = World::run(&placed_and(&format!("{waits}{again}")));
        world.call("a", 1, refused());
        assert_eq!(world.verdict(), "still running", "{again}");
        let second = if again.contains("incoming") { 9 } else { 2 };
        if second == 9 {
            world.call("a", 9, incoming());
        }
        world.seconds(2).call("a", second, established());
        assert_eq!(world.verdict(), "passed: the expectation held", "{again}");
    }
    // A hook that has fired captures nothing any more, and neither does one that captures under
    // another name.
    for never in [
        "hooks: [{when: call.placed, as: out, then: [{log: x}]}]\n",
        "hooks: [{when: call.incoming, on_phone: a, as: other, then: [answer]}]\n",
    ] {
        let mut world = World::run(&placed_and(&format!("{waits}{never}")));
        world.call("a", 1, refused());
        assert!(world.verdict().contains("it cannot come any more"), "{never}: {}", world.verdict());
    }
}

#[test]
fn a_blocked_run_says_nothing_of_hooks_that_were_never_armed() {
    let mut world = World::given(BASIC, setup());
    world.obliging = false;
    world.start();
    world.accept().refuse(Code::Unavailable).seconds(20);
    let end = world.run_view().end.clone().unwrap();
    assert_eq!((end.verdict, end.idle_hooks.len()), (Verdict::Blocked, 0));
    let mut world = World::run(BASIC);
    world.seconds(31);
    assert_eq!(world.run_view().end.as_ref().unwrap().idle_hooks.len(), 1);
}

#[test]
fn cleaning_up_begins_after_what_was_to_be_found_out() {
    let mut world = World::run(BASIC);
    world.seconds(6);
    let told = world.told();
    let at = |what: &str| told.iter().position(|told| told.starts_with(what)).unwrap();
    assert!(at("not call.established") < at("run.cleaning_up"), "{told:?}");
    assert_eq!(at("run.cleaning_up") + 1, at("run.finished"));
}

#[test]
fn what_went_wrong_on_the_way_to_the_registrar_is_the_reason_of_a_blocked_run() {
    let mut world = World::given("phones: {a: {}}\nsteps: [{expect: phone.registered}]\n", setup());
    world.obliging = false;
    world.start();
    let what = "sending failed: Connection refused".to_owned();
    world.sip("a", SipEvent::anomaly(what, "192.0.2.1:5060".parse().unwrap()));
    let retry_in_ms = Some(30_000);
    world.phone(
        "a",
        PhoneEvent::RegistrationFailed { status: None, reason: "the transport failed".into(), retry_in_ms },
    );
    let why = "blocked: phone 'a' could not register at pbx: the transport failed (sending failed: Connection refused)";
    world.waiting.clear();
    world.seconds(10);
    assert_eq!(world.verdict(), why);
}
