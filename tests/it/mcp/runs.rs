//! Scenario tools over a stand-in for the engine.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use offhook::{
    event::{CallEvent, Cause, Ending, RunEvent, Subject, Verdict},
    id::{CallId, RunId},
    journal::Journal,
    mcp::{Document, NotStarted, PhoneTools, Runs, Validation},
    suite::Attempt,
    view::Views,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::{World, keys};

/// Runs documents of the form `{name, seconds, verdict}`: waits, then ends.
struct Script(Journal);

fn checked(document: &Document) -> Validation {
    let Document::Object(document) = document else { panic!("not an object") };
    let scenario_name = document.get("name").and_then(Value::as_str).unwrap_or("<parse-failed>").to_owned();
    let issue = json!({ "kind": "parse", "msg": "a scenario needs a name" });
    let issues = if document.contains_key("name") { Vec::new() } else { vec![issue] };
    Validation { scenario_name, issues, warnings: Vec::new(), left_out: 0 }
}

impl Runs for Script {
    fn validate(&self, document: Document) -> Pin<Box<dyn Future<Output = Validation> + Send + '_>> {
        Box::pin(async move { checked(&document) })
    }

    fn start(
        &self,
        document: Document,
        timeout: Option<Duration>,
        _: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Attempt, NotStarted>> + Send + '_>> {
        Box::pin(async move {
            let validation = checked(&document);
            let Document::Object(document) = document else { panic!("not an object") };
            if !validation.issues.is_empty() {
                return Err(NotStarted::Mistakes(validation));
            }
            let (run, after, cancel) = (RunId(3), self.0.head(), CancellationToken::new());
            let planned = Duration::from_secs(document["seconds"].as_u64().unwrap());
            let (journal, canceled) = (self.0.clone(), cancel.clone());
            let finished = async move {
                let of_run = |event: RunEvent| journal.append(Subject::run(run), Cause::Start, event);
                let (name, phones) = ("demo".into(), vec!["a".into()]);
                of_run(RunEvent::Started { name, phones, source: None, tags: Vec::new() });
                let (hook, at) = ("<init>".to_owned(), None);
                let args = json!({ "phone_id": "a", "dest_uri": "sip:600@h" });
                of_run(RunEvent::ActionStarted {
                    action: "make_call".into(),
                    args: args.clone(),
                    hook: hook.clone(),
                    at: at.clone(),
                });
                let call = Subject::call("a".parse().unwrap(), CallId(0)).during(Some(run));
                let placed = CallEvent::Placed {
                    target: "sip:600@h".into(),
                    local: "sip:a@h".into(),
                    sip_call_id: "x".into(),
                };
                journal.append(call, Cause::Run { run, hook: hook.clone() }, placed);
                let time = timeout.unwrap_or(planned).min(planned);
                let (verdict, reason, ending) = tokio::select! {
                    () = tokio::time::sleep(time) => if time < planned {
                        (Verdict::Failed, format!("timeout after {}ms", time.as_millis()), Ending::TimedOut)
                    } else {
                        (Verdict::Passed, "stop_on matched".into(), Ending::StopMatched)
                    },
                    () = canceled.cancelled() => (Verdict::Error, "canceled".to_owned(), Ending::Canceled),
                };
                of_run(RunEvent::ActionFailed {
                    action: "hangup".into(),
                    args,
                    hook,
                    at,
                    error: "no call".into(),
                    step: None,
                });
                of_run(RunEvent::Finished {
                    verdict,
                    reason,
                    elapsed_ms: 1234,
                    ending: Some(ending),
                    idle_hooks: Vec::new(),
                    left_over: Vec::new(),
                });
            };
            let task = tokio::spawn(finished);
            let finished = async move { task.await.unwrap() };
            let views = Views::attach(&self.0);
            Ok(Attempt::of(&self.0, &views, (run, after), move |_| cancel.cancel(), finished))
        })
    }
}

fn world() -> World {
    World::with_runs(|journal| Arc::new(Script(journal.clone())))
}

#[tokio::test(start_paused = true)]
async fn a_check_tells_name_and_issues() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let good = client.call("validate_scenario", json!({ "scenario": "{\"name\": \"x\"}" })).await;
    assert_eq!(good, json!({ "status": "ok", "issues": [], "scenario_name": "x" }));
    let bad = client.call("validate_scenario", json!({ "scenario": {} })).await;
    assert_eq!(keys(&bad), ["status", "issues", "scenario_name"]);
    assert_eq!(bad["status"], "error");
}

#[tokio::test(start_paused = true)]
async fn a_run_answers_with_the_published_result() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let result = client.call("run_scenario", json!({ "scenario": { "name": "demo", "seconds": 2 } })).await;
    assert_eq!(
        keys(&result),
        [
            "status",
            "reason",
            "elapsed_ms",
            "timeline",
            "errors",
            "artifacts",
            "verdict",
            "verdict_reason",
            "run_id"
        ]
    );
    assert_eq!((&result["status"], &result["reason"]), (&json!("ok"), &json!("stop_on matched")));
    assert_eq!((&result["verdict"], &result["elapsed_ms"]), (&json!("passed"), &json!(1234)));
    assert_eq!(result["artifacts"], json!({ "a": null }));
    assert_eq!(result["errors"][0]["error"], "no call");
    let timeline = result["timeline"].as_array().unwrap();
    let told: Vec<String> = timeline
        .iter()
        .map(|entry| format!("{} {}", entry["kind"], entry["type"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "meta scenario.started",
            "event scenario.started",
            "action make_call",
            "event call.state.calling",
            "meta action.failed",
            "event scenario.stopped",
            "meta scenario.stopped"
        ]
    );
    for entry in timeline {
        assert_eq!(
            keys(entry),
            ["kind", "ts", "ts_offset_ms", "type", "phone_id", "call_id", "data", "hook_id", "pattern_name"]
        );
    }
    assert_eq!(
        (&timeline[2]["hook_id"], &timeline[2]["pattern_name"]),
        (&json!("<init>"), &json!("<scenario>"))
    );
    assert_eq!((&timeline[3]["phone_id"], &timeline[3]["call_id"]), (&json!("a"), &json!(0)));
    assert_eq!(timeline[3]["data"]["direction"], "outbound");
    assert_eq!(timeline[4]["ts_offset_ms"], 2000.0);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_told_and_a_mistake_ends_before_the_start() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let arguments = json!({ "scenario": { "name": "demo", "seconds": 60 }, "timeout_ms": "500" });
    let result = client.call("run_scenario", arguments).await;
    assert_eq!((&result["status"], &result["reason"]), (&json!("timeout"), &json!("timeout after 500ms")));
    let refused = client.call("run_scenario", json!({ "scenario": {} })).await;
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!("error"), &json!("pre-flight validation failed"))
    );
    assert_eq!(refused["errors"][0]["stage"], "validation");
    assert_eq!(refused["artifacts"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn progress_is_reported_to_those_who_ask() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let params = json!({
        "name": "run_scenario",
        "arguments": { "scenario": { "name": "demo", "seconds": 1 } },
        "_meta": { "progressToken": "p1" },
    });
    client.request("tools/call", params).await;
    let told: Vec<&Value> =
        client.seen.iter().filter(|each| each["method"] == "notifications/progress").collect();
    assert!(told.len() >= 3, "{:?}", client.seen);
    assert!(told.iter().all(|each| each["params"]["progressToken"] == "p1"));
    let counts: Vec<f64> = told.iter().map(|each| each["params"]["progress"].as_f64().unwrap()).collect();
    assert!(counts.windows(2).all(|pair| pair[0] < pair[1]), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_canceled_request_ends_its_run() {
    let world = world();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let arguments = json!({ "scenario": { "name": "demo", "seconds": 3600 } });
    let id = client.begin("tools/call", json!({ "name": "run_scenario", "arguments": arguments })).await;
    client.result("server_status", json!({})).await;
    client
        .send(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }),
        )
        .await;
    let over = json!({ "events": ["run.finished"], "after": 0, "within_ms": 10000 });
    let over = client.result("wait_for_event", over).await;
    assert_eq!(over["structuredContent"]["event"]["data"]["reason"], "canceled");
}
