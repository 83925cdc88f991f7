//! Documents of the older form: hooks, initial actions, stop conditions, inheritance.

use serde_json::json;

use super::world::{World, ended, established, incoming};
use crate::{
    command::Code,
    event::{EndCause, MediaEvent, Party, RunEvent, Subject},
    id::RunId,
    scenario::machine::Ending,
};

#[test]
fn a_stop_ends_the_run_and_nothing_stays_armed() {
    let document = json!({
        "phones": ["a", "b"],
        "hooks": [
            {"when": "call.state.incoming", "on_phone": "b", "then": ["answer"]},
            {"when": "call.state.confirmed", "on_phone": "b",
             "then": [{"wait": "2s"}, {"make_call": {"phone_id": "a", "to": "sip:late@pbx"}}]},
        ],
        "initial_actions": [{"make_call": {"phone_id": "a", "to": "sip:b@pbx"}}],
        "stop_on": [{"event": "call.state.disconnected", "match": {"last_status": 200}}],
    });
    let mut world = World::older(&document, &["a", "b"]);
    world.start();
    world.call("b", 9, incoming());
    let answered = crate::event::CallEvent::Answered { by: Party::Local, status: 200, reason: "OK".into() };
    world.call("b", 9, answered).call("b", 9, established()).seconds(1);
    world.call("b", 9, ended(Party::Remote, EndCause::Normal, None)).seconds(120);
    assert_eq!(world.verdict(), "passed: stop_on matched");
    assert_eq!(world.commands, ["a calls sip:b@pbx", "answer call-9 200", "hang up call-1"]);
}

#[test]
fn a_failed_action_fails_the_run_even_when_the_stop_comes() {
    let document = json!({
        "phones": ["a"],
        "hooks": [{"when": "call.state.confirmed", "then": [{"send_dtmf": "1"}, {"log": "not reached"}]}],
        "initial_actions": [{"make_call": {"to": "sip:b@pbx"}}],
        "stop_on": [{"event": "call.state.disconnected"}],
    });
    let mut world = World::older(&document, &["a"]);
    world.obliging = false;
    world.start();
    world.accept();
    world.call("a", 1, established()).refuse(Code::WrongState);
    world.call("a", 1, ended(Party::Remote, EndCause::Normal, None));
    let run = world.run_view();
    assert_eq!((run.outcome().ending, run.failures.len()), (Some(Ending::StopMatched), 1));
    assert!(world.verdict().starts_with(
        "failed: expected 'send_dtmf' to work at hooks[0].then[0]; instead: that cannot be done (wrong_state)"
    ));
    assert!(!world.told().iter().any(|told| told.contains("not reached")));
}

#[test]
fn without_a_stop_the_run_takes_its_time_and_shows_nothing() {
    let document =
        json!({"phones": ["a"], "initial_actions": [{"make_call": {"to": "600"}}], "timeout_ms": 1500});
    let mut world = World::older(&document, &["a"]);
    world.start();
    world.seconds(1);
    assert_eq!(world.verdict(), "still running");
    world.seconds(1);
    assert_eq!(world.run_view().outcome().ending, Some(Ending::FullDuration));
    assert!(world.verdict().starts_with("failed: nothing was expected"), "{}", world.verdict());
}

#[test]
fn a_stop_that_never_comes_is_a_timeout() {
    let document = json!({"stop_on": [{"event": "im.received"}], "timeout_ms": 700});
    let mut world = World::older(&document, &["a"]);
    world.start();
    world.seconds(1);
    assert_eq!(world.verdict(), "failed: timeout after 700ms");
    assert_eq!(world.run_view().outcome().ending, Some(Ending::TimedOut));
}

#[test]
fn a_hook_reacts_once_unless_told_otherwise() {
    let document = json!({
        "hooks": [
            {"when": "dtmf.in", "then": [{"log": "once"}]},
            {"when": "dtmf.in", "once": false, "match": {"digit": ["1", "3"]}, "then": [{"log": "again"}]},
        ],
        "stop_on": [{"event": "dtmf.in", "match": {"digit": "#"}}],
    });
    let mut world = World::older(&document, &["a"]);
    world.start();
    world.digits("a", 1, "123#");
    let logs: Vec<_> = world.told().into_iter().filter(|told| told.starts_with("log")).collect();
    assert_eq!(logs, ["log once", "log again", "log again"]);
    assert_eq!(world.verdict(), "passed: stop_on matched");
}

#[test]
fn a_family_of_older_names_comes_once_an_event_and_one_of_newer_names_as_it_is() {
    let document = json!({
        "hooks": [
            {"when": "dtmf.*", "once": false, "match": {"digit": "1"}, "then": [{"log": "digit"}]},
            {"when": "media.*", "once": false, "then": [{"log": "media"}]},
        ],
        "stop_on": [{"event": "dtmf.in", "match": {"digit": "#"}}],
    });
    let mut world = World::older(&document, &["a"]);
    world.start();
    world.digits("a", 1, "1");
    world.media("a", 1, MediaEvent::SilenceStarted { epoch: 1 });
    world.digits("a", 1, "#");
    let logs: Vec<_> = world.told().into_iter().filter(|told| told.starts_with("log")).collect();
    assert_eq!(logs, ["log digit", "log media"]);
}

#[test]
fn phone_and_call_are_inherited_unless_said() {
    let document = json!({
        "phones": ["a", "b"],
        "hooks": [{"when": "call.state.incoming", "then": [
            "answer",
            {"hangup": {"phone_id": "a"}},
            {"hold": {"call_id": 4}},
            {"hangup": {"call_id": null}},
            {"hangup": {"phone_id": null, "call_id": null}},
        ]}],
        "stop_on": [{"event": "user.never"}],
    });
    let mut world = World::older(&document, &["a", "b"]);
    world.start();
    world.call("b", 9, incoming());
    assert_eq!(world.commands, ["answer call-9 200", "hang up any of a", "hold call-4", "hang up any of b"]);
    let told = world.told();
    assert!(
        told.contains(&"failed hangup: phone_id is required — multiple phones registered".to_owned()),
        "{told:?}"
    );
}

#[test]
fn registrations_and_the_start_are_replayed_to_hooks() {
    let document = json!({
        "phones": ["a"],
        "hooks": [
            {"when": "reg.success", "match": {"synthetic": true, "status_code": "2xx"}, "then": [{"log": "registered"}]},
            {"when": "scenario.started", "match": {"name": "x"}, "then": [{"log": "started"}, {"emit": "go"}]},
            {"when": "user.go", "then": [{"log": "went"}]},
        ],
        "name": "x",
        "stop_on": [{"event": "user.go"}],
    });
    let mut world = World::older(&document, &["a"]);
    world.start();
    let logs: Vec<_> = world.told().into_iter().filter(|told| told.starts_with("log")).collect();
    assert_eq!(logs, ["log registered", "log started", "log went"]);
    assert_eq!(world.verdict(), "passed: stop_on matched");
}

#[test]
fn waiting_takes_the_next_event_of_the_phone_or_of_nobody() {
    let document = json!({
        "phones": ["a"],
        "initial_actions": [
            {"wait_until": {"event": "call.state.*", "phone_id": "a", "timeout_ms": 5000}}, {"log": "first"},
            {"wait_until": {"event": "dtmf.in", "timeout_ms": 1000}}, {"log": "not reached"},
        ],
        "stop_on": [{"event": "user.x"}],
        "timeout_ms": 8000,
    });
    let mut world = World::older(&document, &["a"]);
    world.start();
    world.call("z", 3, incoming());
    assert!(!world.told().contains(&"log first".to_owned()));
    world.call("a", 4, incoming());
    assert!(world.told().contains(&"log first".to_owned()));
    world.seconds(9);
    assert!(!world.told().contains(&"log not reached".to_owned()));
    assert!(world.verdict().contains("expected dtmf.in within 1s"), "{}", world.verdict());
}

#[test]
fn signals_of_other_runs_are_not_ours() {
    let document = json!({"stop_on": [{"event": "user.go"}], "timeout_ms": 500});
    let mut world = World::older(&document, &["a"]);
    world.start();
    world.append(Subject::run(RunId(2)), RunEvent::Signal { name: "go".into(), data: json!({}) });
    assert_eq!(world.verdict(), "still running");
    world.append(Subject::run(RunId(1)), RunEvent::Signal { name: "go".into(), data: json!({}) });
    world.seconds(0);
    assert_eq!(world.verdict(), "still running", "outputs are taken by the next input");
    world.phone("a", crate::event::PhoneEvent::Dropped {});
    assert_eq!(world.verdict(), "passed: stop_on matched");
}

#[test]
fn hooks_that_feed_each_other_are_stopped() {
    let document = json!({
        "hooks": [
            {"when": "user.ping", "once": false, "then": [{"emit": "pong"}]},
            {"when": "user.pong", "once": false, "then": [{"emit": "ping"}]},
        ],
        "initial_actions": [{"emit": "ping"}],
        "stop_on": [{"event": "call.state.disconnected"}],
    });
    let mut world = World::older(&document, &["a"]);
    world.start();
    assert!(world.verdict().starts_with("error: hooks reacted more than"), "{}", world.verdict());
}

#[test]
fn a_conference_of_the_older_form_has_calls_of_one_phone() {
    let document = json!({
        "phones": ["a", "b"],
        "hooks": [{"when": "call.state.confirmed", "on_phone": "a", "then": [{"conference": [1, 2]}]}],
        "initial_actions": [{"make_call": {"phone_id": "a", "to": "600"}}],
        "stop_on": [{"event": "call.state.disconnected"}],
    });
    let mut world = World::older(&document, &["a", "b"]);
    world.start();
    world.call("a", 1, established());
    assert_eq!(world.commands, ["a calls 600", "confer [call-1 call-2] of a"]);
}
