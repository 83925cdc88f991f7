//! Concurrent runs in one process: each has its own accounts, phones and calls, and leaves the
//! others alone.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};

use offhook::{
    artifact::{ArtifactFolder, ArtifactKind},
    event::{Envelope, Event, PhoneEvent, Verdict},
    id::{PhoneId, RunId},
    journal::Query,
    mcp::{McpServer, PhoneTools, ScenarioEngine, Services},
    report::{RunReport, result_line},
    scenario::{RunHandle, Terms},
    suite::{Completed, Plan, Schedule, Watch},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    mcp::support::Wire,
    scenarios::{World, scenario_of},
};

/// a calls b, which answers and hangs up.
pub(crate) const PAIR: &str = "
name: pair
timeout: 20s
phones: {a: {}, b: {}}
hooks: [{when: call.incoming, on_phone: b, as: in, then: [answer]}]
steps:
  - make_call: {phone: a, to: '${b}', as: out}
  - expect: {all: [{event: call.established, phone: a}, {event: call.established, phone: b}], within: 5s}
  - hold_for: 1s
  - hangup: $in
  - expect: {ended: $out, cause: normal, by: remote}
";

impl World {
    /// Returns what happened, in order.
    async fn events(&self) -> Vec<Arc<Envelope>> {
        self.board.journal().query(&Query::default()).await.unwrap()
    }
}

/// Asserts that events on phones of runs have their run, and returns the accounts of the run's
/// phones.
fn accounts_of(events: &[Arc<Envelope>], run: RunId) -> BTreeSet<String> {
    let mut accounts = BTreeSet::new();
    for envelope in events {
        let phone = envelope.subject.phone.as_ref();
        if let Some(made_by) = phone.and_then(PhoneId::run) {
            assert_eq!(envelope.subject.run, Some(made_by), "{envelope:?}");
        }
        if let Event::Phone(PhoneEvent::Added { spec }) = &envelope.event
            && envelope.subject.run == Some(run)
        {
            accounts.insert(spec.username.clone());
        }
    }
    accounts
}

#[tokio::test(start_paused = true)]
async fn two_runs_of_one_file_at_the_same_moment_share_nothing() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.start(PAIR), world.start(PAIR));
    let (first, second) = (one.id(), two.id());
    assert_ne!(first, second);
    let (one, two) = tokio::join!(one.wait(), two.wait());
    for summary in [&one, &two] {
        assert_eq!(summary.verdict, Verdict::Passed, "{}", summary.reason);
        assert_eq!(summary.run.calls.len(), 2, "only its own calls: {:?}", summary.run);
    }
    assert!(one.run.calls.iter().all(|call| !two.run.calls.contains(call)));
    let events = world.events().await;
    let (ones, twos) = (accounts_of(&events, first), accounts_of(&events, second));
    assert_eq!((ones.len(), twos.len()), (2, 2));
    assert!(ones.is_disjoint(&twos), "{ones:?} {twos:?}");
    for run in [first, second] {
        let of_run = |envelope: &&Arc<Envelope>| envelope.subject.run == Some(run);
        let kinds: BTreeSet<&str> =
            events.iter().filter(of_run).map(|envelope| envelope.event.kind()).collect();
        for kind in ["phone.dropped", "call.established", "media.started", "sip.sent", "sip.received"] {
            assert!(kinds.contains(kind), "{kind} of {run}");
        }
    }
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_early_leaves_the_other_alone() {
    let world = World::new().await;
    let brief = PAIR.replace("hold_for: 1s", "hangup_all: {}").replace("hangup: $in", "checkpoint: over");
    let long = PAIR.replace("hold_for: 1s", "hold_for: 10s");
    let (brief, long) = tokio::join!(world.start(&brief), world.start(&long));
    let canceled = world.start(PAIR).await;
    canceled.canceler().cancel("enough");
    let (brief, long, canceled) = tokio::join!(brief.wait(), long.wait(), canceled.wait());
    assert_eq!(long.verdict, Verdict::Passed, "{}", long.reason);
    assert!(long.elapsed >= Duration::from_secs(10));
    assert!(brief.elapsed < Duration::from_secs(5), "{}: {}", brief.elapsed.as_secs(), brief.reason);
    assert_eq!(canceled.verdict, Verdict::Skipped);
    world.nothing_left();
}

/// Starts five runs, which take the lab's ten accounts for ten seconds.
async fn crowd(world: &World) -> Vec<RunHandle> {
    let long = PAIR.replace("hold_for: 1s", "hold_for: 10s");
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(world.start(&long).await);
    }
    runs
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_accounts_and_runs_are_served_in_order_of_arrival() {
    let world = World::new().await;
    let crowd = crowd(&world).await;
    let (second, third) = (world.start(PAIR).await, world.start(PAIR).await);
    let (second, third) = (second.id(), (third.id(), tokio::join!(second.wait(), third.wait())));
    let (third, (of_second, of_third)) = third;
    for summary in [&of_second, &of_third] {
        assert_eq!(summary.verdict, Verdict::Passed, "{}", summary.reason);
    }
    for run in crowd {
        assert_eq!(run.wait().await.verdict, Verdict::Passed);
    }
    let events = world.events().await;
    let added = |run: RunId| {
        let mut added = events.iter().filter(|envelope| envelope.event.kind() == "phone.added");
        added.find(|envelope| envelope.subject.run == Some(run)).unwrap().seq
    };
    assert!(added(second) < added(third));
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_blocked_and_told_who_has_what() {
    let mut world = World::new().await;
    world.lease_wait = Duration::from_secs(3);
    let crowd = crowd(&world).await;
    let first = crowd[0].id();
    let late = world.start(PAIR).await.wait().await;
    assert_eq!(late.verdict, Verdict::Blocked);
    assert!(late.reason.starts_with("waited 3s in vain: account 6001@10.0.0.1"), "{}", late.reason);
    assert!(late.reason.contains(&format!("is held by {first}")), "{}", late.reason);
    let events = world.events().await;
    let added = events.iter().filter(|envelope| envelope.event.kind() == "phone.added").count();
    assert_eq!(added, 10, "a blocked run makes no phone");
    for run in crowd {
        assert_eq!(run.wait().await.verdict, Verdict::Passed);
    }
}

#[tokio::test(start_paused = true)]
async fn leases_come_back_after_a_cancel_a_failure_and_a_time_over() {
    let world = World::new().await;
    let all = |steps: &str| {
        let phones: Vec<String> = (0..10).map(|number| format!("p{number}: {{}}")).collect();
        let call = "{make_call: {phone: p0, to: '${p1}'}}";
        format!("timeout: 8s\nphones: {{{}}}\nsteps: [{call}, {steps}]\n", phones.join(", "))
    };
    let canceled = world.start(&all("{expect: call.ended}")).await;
    canceled.canceler().cancel("enough");
    assert_eq!(canceled.wait().await.verdict, Verdict::Skipped);
    let failed = world.run(&all("{hangup: {phone: p0, call: call-99}}, {expect: call.ended}")).await;
    assert_eq!(failed.verdict, Verdict::Failed);
    let late = world.run(&all("{wait: 5s}, {expect: {event: call.ended, within: 5s}}")).await;
    assert_eq!(late.verdict, Verdict::Failed, "{}", late.reason);
    let before = tokio::time::Instant::now();
    let last = world.run(&all("{expect: call.incoming}")).await;
    assert_eq!(last.verdict, Verdict::Passed, "{}", last.reason);
    assert!(before.elapsed() < Duration::from_secs(2), "nothing had to be waited for");
}

/// Keeps what a schedule shows.
#[derive(Default)]
struct Seen(Vec<Completed>);

impl Watch for Seen {
    type Error = Infallible;

    fn saw(&mut self, run: RunId, envelope: &Envelope) -> Result<(), Infallible> {
        assert_eq!(envelope.subject.run, Some(run), "only what is the run's own");
        Ok(())
    }

    fn completed(&mut self, completed: Completed) -> Result<(), Infallible> {
        self.0.push(completed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn two_schedules_of_one_plan_at_the_same_moment_tell_of_their_own_runs_only() {
    let world = World::new().await;
    let plan = Plan { scenarios: vec![scenario_of(PAIR), scenario_of(PAIR)] };
    let of_one = |plan: Plan| {
        let schedule = Schedule::new(world.host(), world.terms(), CancellationToken::new());
        async move {
            let mut seen = Seen::default();
            schedule.run(plan, &mut seen).await.unwrap();
            seen.0
        }
    };
    let (one, two) = tokio::join!(of_one(plan.clone()), of_one(plan));
    let mut runs = BTreeSet::new();
    for completed in one.iter().chain(&two) {
        let outcome = completed.run.outcome();
        assert_eq!(outcome.verdict, Verdict::Passed, "{}", outcome.reason);
        assert_eq!(completed.run.calls.len(), 2);
        assert_eq!(completed.events.last().unwrap().event.kind(), "run.finished");
        let report = RunReport::of(&completed.run, &completed.events, Vec::new(), None);
        assert!(
            report.ladder.lines().next().unwrap().split_whitespace().eq(["a", "pbx", "b"]),
            "{}",
            report.ladder
        );
        // Without credentials, with them, and at the other phone.
        assert_eq!(report.ladder.matches("INVITE sdp").count(), 3, "{}", report.ladder);
        runs.insert(completed.run.id);
    }
    assert_eq!(runs.len(), 4);
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_schedule_cancels_its_run_and_begins_no_other() {
    let world = World::new().await;
    let interrupted = CancellationToken::new();
    let schedule = Schedule::new(world.host(), world.terms(), interrupted.clone());
    let plan = Plan { scenarios: vec![scenario_of(&PAIR.replace("1s", "15s")), scenario_of(PAIR)] };
    let mut seen = Seen::default();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        interrupted.cancel();
    };
    let (done, ()) = tokio::join!(schedule.run(plan, &mut seen), stop);
    done.unwrap();
    assert_eq!(seen.0.len(), 1);
    let outcome = seen.0[0].run.outcome();
    assert_eq!((outcome.verdict, outcome.reason.as_str()), (Verdict::Skipped, "interrupted"));
    world.nothing_left();
}

/// A world whose scenarios an MCP client runs.
fn client(world: &World) -> Wire {
    let Terms { profile, lease_wait, .. } = world.terms();
    let engine = ScenarioEngine { host: world.host(), lease_wait, profile };
    let services = Services {
        execute: Arc::new(world.board.clone()),
        journal: world.board.journal().clone(),
        views: world.board.views().clone(),
        runs: Arc::new(engine),
        recordings: ArtifactFolder::under(ArtifactKind::Recordings, std::path::Path::new("recordings")),
        captures: ArtifactFolder::under(ArtifactKind::Captures, std::path::Path::new("captures")),
        zone: jiff::tz::TimeZone::UTC,
        closing: CancellationToken::new(),
    };
    Wire::to(McpServer::new(services, PhoneTools::Dynamic))
}

fn pair_as_json() -> Value {
    json!({
        "name": "pair",
        "timeout": "20s",
        "phones": { "a": {}, "b": {} },
        "hooks": [{ "when": "call.incoming", "on_phone": "b", "as": "in", "then": ["answer"] }],
        "steps": [
            { "make_call": { "phone": "a", "to": "${b}", "as": "out" } },
            { "expect": { "event": "call.established", "phone": "a", "within": "5s" } },
            { "hold_for": "1s" },
            { "hangup": "$in" },
            { "expect": { "ended": "$out", "cause": "normal", "by": "remote" } },
        ],
    })
}

#[tokio::test(start_paused = true)]
async fn two_run_scenario_calls_at_the_same_moment_share_nothing() {
    let world = World::new().await;
    let mut client = client(&world);
    client.initialize("2025-06-18", "tester").await;
    let call = json!({ "name": "run_scenario", "arguments": { "scenario": pair_as_json() } });
    let (one, two) = (client.begin("tools/call", call.clone()).await, client.begin("tools/call", call).await);
    let (roster, tools) = (client.call("list_phones", json!({})).await, client.tool_names().await);
    assert_eq!(roster["total_count"], 0, "phones of runs are not in the roster: {roster}");
    assert!(tools.iter().all(|tool| !tool.contains("make_call")), "{tools:?}");
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let message = client.receive().await;
        if message["id"] == json!(one) || message["id"] == json!(two) {
            answers.push(message["result"]["structuredContent"].clone());
        }
    }
    let mut runs = BTreeSet::new();
    let mut calls = BTreeSet::new();
    for result in &answers {
        assert_eq!((&result["verdict"], &result["errors"]), (&json!("passed"), &json!([])), "{result}");
        assert_eq!(result["artifacts"], json!({ "a": null, "b": null }));
        runs.insert(result["run_id"].as_str().unwrap().to_owned());
        let mut own = BTreeSet::new();
        for entry in result["timeline"].as_array().unwrap() {
            let phone = entry["phone_id"].as_str();
            assert!(phone.is_none_or(|phone| phone == "a" || phone == "b"), "{entry}");
            own.extend(entry["call_id"].as_u64());
        }
        assert_eq!(own.len(), 2, "{result}");
        calls.extend(own);
    }
    assert_eq!((runs.len(), calls.len()), (2, 4));
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn mcp_and_the_report_of_the_command_line_tell_the_same() {
    let world = World::new().await;
    let text = "
timeout: 20s
phones: {a: {}, b: {}}
hooks:
  - {when: call.incoming, on_phone: b, then: [{hangup: {call: call-99}}]}
steps:
  - make_call: {phone: a, to: '${b}', as: out}
  - expect: {event: call.established, phone: a, within: 3s}
";
    let mut seen = Seen::default();
    let plan = Plan { scenarios: vec![scenario_of(text)] };
    Schedule::new(world.host(), world.terms(), CancellationToken::new()).run(plan, &mut seen).await.unwrap();
    let report = RunReport::of(&seen.0[0].run, &seen.0[0].events, Vec::new(), None);
    let told = result_line(&report);

    let mut client = client(&world);
    client.initialize("2025-06-18", "tester").await;
    let document: Value = serde_yaml::from_str(text).unwrap();
    let result = client.call("run_scenario", json!({ "scenario": document })).await;
    let places = regex::Regex::new(r"((, | at )\d+:\d+)|(call-\d+)|(event \d+)").unwrap();
    let plain = |text: &Value| places.replace_all(text.as_str().unwrap(), "").into_owned();
    assert_eq!(result["verdict"], told["verdict"]);
    assert_eq!(plain(&result["verdict_reason"]), plain(&told["reason"]));
    let (errors, failures) = (result["errors"].as_array().unwrap(), told["failures"].as_array().unwrap());
    assert_eq!(errors.len(), 2, "{result}");
    let errors: Vec<String> = errors.iter().map(|error| plain(&error["error"])).collect();
    let failures: Vec<String> = failures.iter().map(|failure| plain(&failure["instead"])).collect();
    assert_eq!(errors, failures);
}

#[tokio::test(start_paused = true)]
async fn two_runs_with_one_existing_phone_have_it_one_after_the_other() {
    let world = World::new().await;
    let mut client = client(&world);
    client.initialize("2025-06-18", "tester").await;
    let profile = world.lab.profile();
    let (domain, account) = (profile.domain.clone(), profile.accounts[0].clone());
    let phone = json!({ "phone_id": "desk", "domain": domain, "username": account.username, "password": account.password.reveal() });
    client.call("add_phone", phone).await;
    let text = "phones: [desk]\nsteps: [{make_call: {phone: desk, to: '${echo}', as: x}}, {expect: call.established}, {hold_for: 1s}, {hangup: $x}, {expect: {ended: $x}}]\n";
    let (one, two) = tokio::join!(world.start(text), world.start(text));
    let (first, second) = (one.id(), two.id());
    let (one, two) = tokio::join!(one.wait(), two.wait());
    assert_eq!(
        (one.verdict, two.verdict),
        (Verdict::Passed, Verdict::Passed),
        "{} {}",
        one.reason,
        two.reason
    );
    assert!(two.elapsed >= one.elapsed + Duration::from_millis(900), "{:?} {:?}", one.elapsed, two.elapsed);
    let events = world.events().await;
    let of = |run: RunId| events.iter().filter(move |envelope| envelope.subject.run == Some(run));
    let last = of(first).map(|envelope| envelope.seq).max().unwrap();
    let mut of_second = of(second).filter(|envelope| envelope.subject.phone.is_some());
    assert!(of_second.all(|envelope| envelope.seq > last), "no fact of the phone is of both");
    assert_eq!(world.board.views().phones().len(), 1, "the phone stays");
    assert!(world.board.pool().run_of(&"desk".parse().unwrap()).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_runs_holds_for_an_agent_and_for_the_command_line() {
    let world = World::new().await;
    let idle = "phones: []\ntimeout: 600s\nsteps: [{wait: 500s}, {expect: call.ended}]\n";
    let mut going = Vec::new();
    for _ in 0..64 {
        going.push(world.start(idle).await);
    }
    let mut client = client(&world);
    client.initialize("2025-06-18", "tester").await;
    let refused = client.call("run_scenario", json!({ "scenario": pair_as_json() })).await;
    assert_eq!(
        (&refused["status"], &refused["code"]),
        (&json!("error"), &json!("limit_reached")),
        "{refused}"
    );
    assert!(refused["error"].as_str().unwrap().contains("the limit of runs is 64"), "{refused}");
    let schedule = Schedule::new(world.host(), world.terms(), CancellationToken::new());
    let plan = Plan { scenarios: vec![scenario_of(PAIR)] };
    let error = schedule.run(plan.clone(), &mut Seen::default()).await.unwrap_err();
    assert!(error.to_string().contains("the limit of runs is 64"), "{error}");
    let one = going.pop().unwrap();
    one.canceler().cancel("enough");
    one.wait().await;
    let mut seen = Seen::default();
    schedule.run(plan, &mut seen).await.unwrap();
    assert_eq!(seen.0[0].run.outcome().verdict, Verdict::Passed);
}

#[tokio::test(start_paused = true)]
async fn an_agent_and_the_command_line_run_one_file_at_once_on_one_node() {
    let world = World::new().await;
    let mut client = client(&world);
    client.initialize("2025-06-18", "tester").await;
    let arguments = json!({ "scenario": pair_as_json() });
    let call = json!({ "name": "run_scenario", "arguments": arguments });
    let ids = [client.begin("tools/call", call.clone()).await, client.begin("tools/call", call).await];
    let schedule = Schedule::new(world.host(), world.terms(), CancellationToken::new());
    let mut seen = Seen::default();
    schedule.run(Plan { scenarios: vec![scenario_of(PAIR)] }, &mut seen).await.unwrap();
    let mut runs = BTreeSet::from([seen.0[0].run.id.to_string()]);
    assert_eq!(seen.0[0].run.outcome().verdict, Verdict::Passed);
    while runs.len() < 3 {
        let message = client.receive().await;
        if ids.iter().any(|id| message["id"] == json!(id)) {
            let result = &message["result"]["structuredContent"];
            assert_eq!(result["verdict"], "passed", "{result}");
            runs.insert(result["run_id"].as_str().unwrap().to_owned());
        }
    }
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_run_canceled_while_it_waits_for_accounts_leaves_its_place_to_the_next() {
    let world = World::new().await;
    let crowd = crowd(&world).await;
    let all = (0..10).map(|number| format!("p{number}: {{}}")).collect::<Vec<_>>().join(", ");
    // It waits for all ten, so that nobody behind it gets any.
    let greedy = world.start(&format!("phones: {{{all}}}\nsteps: [{{expect: phone.registered}}]\n")).await;
    let behind = world.start(PAIR).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = tokio::time::Instant::now();
    greedy.canceler().cancel("enough");
    let summary = greedy.wait().await;
    assert_eq!((summary.verdict, summary.reason.as_str()), (Verdict::Skipped, "enough"));
    assert!(before.elapsed() < Duration::from_secs(1), "nothing had to be ended");
    assert_eq!(behind.wait().await.verdict, Verdict::Passed);
    for run in crowd {
        assert_eq!(run.wait().await.verdict, Verdict::Passed);
    }
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_failure_tells_how_far_the_phones_were_before_their_calls_were_ended() {
    let world = World::new().await;
    let text = "
phones: {a: {}}
steps:
  - make_call: {phone: a, to: '${echo}', as: out}
  - expect: {event: call.established, phone: a}
  - expect: {ended: $out, within: 1s}
";
    let mut seen = Seen::default();
    let plan = Plan { scenarios: vec![scenario_of(text)] };
    Schedule::new(world.host(), world.terms(), CancellationToken::new()).run(plan, &mut seen).await.unwrap();
    let report = RunReport::of(&seen.0[0].run, &seen.0[0].events, Vec::new(), None);
    let failure = &report.failures[0];
    assert!(failure.planes[0].contains("sip sent ACK last; call up"), "{failure:?}");
    assert!(failure.instead.contains("call-0 on a is established"), "{failure:?}");
    assert_eq!(failure.step.as_deref(), Some("steps[2]"));
    let marked = report.ladder.lines().position(|line| line.ends_with("· cleaning up")).unwrap();
    let bye = report.ladder.lines().position(|line| line.contains("BYE")).unwrap();
    assert!(marked < bye, "{}", report.ladder);
}
