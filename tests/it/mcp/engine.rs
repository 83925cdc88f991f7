//! The scenario engine behind the scenario tools.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use offhook::{
    command::Rejection,
    mcp::{PhoneTools, ScenarioEngine},
    scenario::{Context, Host, RunActor, RunArguments, RunHandle, Scenario, Terms},
};
use serde_json::{Value, json};

use super::support::{Exchange, World, keys};

/// Runs scenarios on an exchange, without supervision.
struct Beside(Arc<Exchange>);

impl Host for Beside {
    fn start_run(
        &self,
        scenario: Scenario,
        terms: Terms,
    ) -> Pin<Box<dyn Future<Output = Result<RunHandle, Rejection>> + Send + '_>> {
        let context = Context {
            execute: self.0.clone(),
            journal: self.0.journal.clone(),
            views: self.0.views.clone(),
            pool: self.0.pool.clone(),
            terms,
        };
        let (arguments, handle) = RunArguments::new(scenario, context, None);
        Box::pin(async {
            ractor::Actor::spawn(None, RunActor, arguments).await.unwrap();
            Ok(handle)
        })
    }
}

fn world() -> World {
    World::with_engine(|exchange: &Arc<Exchange>| {
        Arc::new(ScenarioEngine {
            host: Arc::new(Beside(exchange.clone())),
            lease_wait: Duration::from_secs(30),
            profile: None,
        })
    })
}

/// Phone a calls b, b answers, a hangs up.
fn call() -> Value {
    json!({
        "name": "call",
        "phones": ["a", "b"],
        "timeout_ms": 5000,
        "hooks": [
            { "when": "call.state.incoming", "on_phone": "b", "then": [{ "wait": "300ms" }, "answer"] },
            { "when": "call.state.confirmed", "on_phone": "a", "then": [{ "send_dtmf": "4" }, "hangup"] },
        ],
        "initial_actions": [{ "make_call": { "from_phone": "a", "to": "sip:b@pbx.test" } }],
        "stop_on": [{ "event": "call.state.disconnected", "phone_id": "a" }],
    })
}

#[tokio::test(start_paused = true)]
async fn a_document_of_the_older_form_runs_with_phones_that_exist() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    let checked = client.call("validate_scenario", json!({ "scenario": call() })).await;
    assert_eq!((&checked["status"], &checked["issues"]), (&json!("ok"), &json!([])), "{checked}");
    let result = client.call("run_scenario", json!({ "scenario": call() })).await;
    assert_eq!((&result["status"], &result["reason"]), (&json!("ok"), &json!("stop_on matched")), "{result}");
    assert_eq!((&result["verdict"], &result["errors"]), (&json!("passed"), &json!([])));
    let of = |kind: &str| -> Vec<&str> {
        let entries = result["timeline"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind);
        entries.map(|entry| entry["type"].as_str().unwrap()).collect()
    };
    assert_eq!(of("action"), ["make_call", "wait", "answer", "send_dtmf", "hangup"]);
    for event in [
        "call.state.calling",
        "call.state.incoming",
        "call.state.confirmed",
        "dtmf.in",
        "call.state.disconnected",
    ] {
        assert!(of("event").contains(&event), "{event} in {:?}", of("event"));
    }
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_told_at_their_place_and_nothing_is_dialed() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let mut document = call();
    document["hooks"] = json!([{ "when": "call.banana", "then": ["answer", "fly"] }]);
    document["stop_on"] = json!([{ "event": "nope" }]);
    document["initial_actions"] = json!(["fly"]);
    let checked = client.call("validate_scenario", json!({ "scenario": document })).await;
    let issues = checked["issues"].as_array().unwrap();
    let find = |kind: &str| {
        issues.iter().find(|issue| issue["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {issues:?}"))
    };
    assert_eq!(find("hook")["index"], 0);
    assert_eq!(find("hook")["msg"], "unknown event type: 'call.banana'");
    assert_eq!((&find("action")["hook"], &find("action")["step"]), (&json!(0), &json!(1)));
    assert_eq!(find("action")["msg"], "unknown action: 'fly'");
    assert_eq!(find("stop_on")["index"], 0);
    assert_eq!(find("initial_action")["index"], 0);

    let refused = client.call("run_scenario", json!({ "scenario": document })).await;
    assert_eq!(refused["reason"], "pre-flight validation failed");
    assert_eq!(keys(&refused["errors"][0]).first(), Some(&"stage"));
    assert!(world.exchange.commands.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_document_may_be_text_whose_mistakes_have_a_line_and_a_column() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let text = "phones: {a: {}}\nsteps:\n  - make_cal: '600'\n  - expect: call.ended\n";
    for tool in ["validate_scenario", "run_scenario"] {
        let answer = client.call(tool, json!({ "scenario": text })).await;
        let issue = &answer[if tool == "run_scenario" { "errors" } else { "issues" }][0];
        assert_eq!(issue["msg"], "unknown action: 'make_cal'", "{answer}");
        assert_eq!((&issue["at"], &issue["suggestion"]), (&json!("3:5"), &json!("make_call")), "{answer}");
    }
    let mended =
        client.call("validate_scenario", json!({ "scenario": text.replace("make_cal", "make_call") })).await;
    assert_eq!(mended["status"], "ok", "{mended}");
}

#[tokio::test(start_paused = true)]
async fn of_many_mistakes_the_first_are_told_and_the_others_counted() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let call = "phones: {a: {}}\nsteps:\n  - make_call: '600'\n  - expect: call.ended\n";
    let steps = |count: usize| "  - fly: {}\n".repeat(count);
    let document = |count| format!("{call}{}", steps(count));
    for (tool, list) in [("validate_scenario", "issues"), ("run_scenario", "errors")] {
        let many = client.call(tool, json!({ "scenario": document(5_000) })).await;
        assert_eq!(many[list].as_array().unwrap().len(), 50, "{tool}");
        assert_eq!(many["more"], "4950 further findings are left out: mend these first", "{tool}");
        assert!(many.to_string().len() < 20_000, "{}", many.to_string().len());
        let few = client.call(tool, json!({ "scenario": document(50) })).await;
        assert_eq!((few[list].as_array().unwrap().len(), few.get("more")), (50, None), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sound_that_is_not_there_is_found_before_anything_is_dialed() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    let text = "phones: [a]\nsteps:\n  - make_call: {phone: a, to: '600'}\n  - play: /no/such.wav\n  - expect: call.ended\n";
    let told = "there is no file '/no/such.wav'";
    let checked = client.call("validate_scenario", json!({ "scenario": text })).await;
    assert_eq!(
        (&checked["status"], &checked["issues"][0]["msg"]),
        (&json!("error"), &json!(told)),
        "{checked}"
    );
    let before = world.exchange.commands.lock().unwrap().len();
    let refused = client.call("run_scenario", json!({ "scenario": text })).await;
    assert_eq!(
        (&refused["status"], &refused["errors"][0]["msg"]),
        (&json!("error"), &json!(told)),
        "{refused}"
    );
    assert_eq!(world.exchange.commands.lock().unwrap().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_run_without_any_time_is_refused_and_nothing_begins() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let refused = client.call("run_scenario", json!({ "scenario": call(), "timeout_ms": 0 })).await;
    assert_eq!((&refused["status"], &refused["code"]), (&json!("error"), &json!("invalid_argument")));
    let told = refused["error"].as_str().unwrap();
    assert!(told.starts_with("timeout_ms is 0, so the run would be over before it began"), "{told}");
    let begun = client.result("query_events", json!({ "events": ["run.*"] })).await;
    assert_eq!(begun["structuredContent"]["events"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nothing_stops_ends_with_its_time_and_leaves_no_call() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    let mut document = call();
    document["hooks"] = json!([]);
    let result = client.call("run_scenario", json!({ "scenario": document, "timeout_ms": 700 })).await;
    assert_eq!((&result["status"], &result["reason"]), (&json!("timeout"), &json!("timeout after 700ms")));
    assert_ne!(result["verdict"], "passed");
    assert!(world.exchange.views.all_active_calls().is_empty(), "the run hangs up what it placed");
}

#[tokio::test(start_paused = true)]
async fn the_status_says_how_a_run_stopped_in_the_published_words_and_the_verdict_stands_beside_it() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    client.add_phone("b").await;

    let mut endless = call();
    endless.as_object_mut().unwrap().remove("stop_on");
    let mut broken_hook = call();
    broken_hook["hooks"][0]["then"] = json!(["answer", { "hangup": { "call_id": 99 } }]);
    let unmet =
        json!({ "phones": ["a"], "steps": [{ "expect": { "event": "call.established", "within": "1s" } }] });
    let met = json!({ "phones": ["a"], "steps": [
        { "make_call": { "phone": "a", "to": "sip:b@pbx.test" } }, { "expect": "call.placed" }
    ] });
    for (document, status, reason, verdict) in [
        (endless, "ok", "full duration (no stop_on defined)", "failed"),
        (broken_hook, "ok", "stop_on matched", "failed"),
        (unmet, "error", "expected call.established", "failed"),
        (met, "ok", "the expectation held", "passed"),
    ] {
        let result = client.call("run_scenario", json!({ "scenario": document })).await;
        assert_eq!((&result["status"], &result["verdict"]), (&json!(status), &json!(verdict)), "{result}");
        assert!(result["reason"].as_str().unwrap().starts_with(reason), "{result}");
        assert!(result["verdict_reason"].is_string(), "{result}");
        let marks = result["timeline"].as_array().unwrap().iter();
        let stopped: Vec<&Value> = marks.filter(|entry| entry["type"] == "scenario.stopped").collect();
        assert!(stopped.iter().all(|entry| entry["data"]["status"] == status), "{stopped:?}");
        assert_eq!(stopped.len(), 2);
    }
}
