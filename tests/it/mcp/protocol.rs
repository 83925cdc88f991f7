//! The protocol itself: revisions, lists and their changes, invalid calls, the end.

use std::time::Duration;

use offhook::mcp::PhoneTools;
use serde_json::{Value, json};

use super::support::{Wire, World, keys};

const STATIC_TOOLS: [&str; 12] = [
    "list_phones",
    "add_phone",
    "drop_phone",
    "get_phone",
    "update_phone",
    "load_phones",
    "get_sip_log",
    "get_call_messages",
    "list_recordings",
    "analyze_capture",
    "validate_scenario",
    "run_scenario",
];
const ACTIONS: [&str; 22] = [
    "make_call",
    "answer_call",
    "reject_call",
    "hangup",
    "get_call_info",
    "list_calls",
    "get_active_calls",
    "get_call_history",
    "hold",
    "unhold",
    "send_dtmf",
    "blind_transfer",
    "attended_transfer",
    "conference",
    "play_audio",
    "stop_audio",
    "get_recording",
    "send_message",
    "get_messages",
    "get_registration_status",
    "unregister",
    "register",
];
const NATIVE: [&str; 5] =
    ["wait_for_event", "query_events", "call_snapshot", "server_status", "conference_calls"];
const LIST_CHANGED: &str = "notifications/tools/list_changed";

/// Request metadata that revision 2026-07-28 requires in every request.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "tester", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

#[tokio::test(start_paused = true)]
async fn every_revision_with_a_handshake_is_spoken() {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let world = World::new();
        let mut client = world.connect(PhoneTools::Auto);
        let welcome = client.initialize(revision, "tester").await;
        assert_eq!(welcome["protocolVersion"], revision);
        assert_eq!(welcome["serverInfo"]["name"], "offhook");
        assert_eq!(
            welcome["capabilities"],
            json!({ "tools": { "listChanged": true } }),
            "and nothing that is not there"
        );
        assert!(welcome["instructions"].as_str().unwrap().contains("wait_for_event"));
        assert!(welcome.get("resultType").is_none());
        for (method, key) in [("prompts/list", "prompts"), ("resources/list", "resources")] {
            let empty = client.request(method, json!({})).await;
            assert_eq!(empty["result"][key], json!([]), "{method}");
        }
        client.add_phone("a").await;
        client.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_revision_is_answered_with_one_that_both_may_know() {
    let world = World::new();
    let mut client = world.connect(PhoneTools::Auto);
    let welcome = client.initialize("1999-01-01", "tester").await;
    assert_eq!(welcome["protocolVersion"], "2025-11-25");
}

#[tokio::test(start_paused = true)]
async fn the_newest_revision_is_discovered_and_needs_no_handshake() {
    let world = World::new();
    let mut client = world.connect(PhoneTools::Auto);
    let discovered = client.request("server/discover", json!({ "_meta": meta() })).await;
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(
        versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2024-11-05")),
        "{discovered}"
    );

    let list = client.request("tools/list", json!({ "_meta": meta() })).await;
    let result = &list["result"];
    assert_eq!(result["tools"].as_array().unwrap().len(), 12 + 5 + 22, "the actions once, with phone_id");
    assert_eq!(result["resultType"], "complete");
    assert!(result["ttlMs"].as_u64().unwrap() > 0, "the list never changes: {}", result["ttlMs"]);

    let arguments = json!({ "phone_id": "a", "domain": "h", "username": "u", "password": "p" });
    let call = json!({ "name": "add_phone", "arguments": arguments, "_meta": meta() });
    let added = client.request("tools/call", call).await;
    assert_eq!(added["result"]["structuredContent"]["status"], "ok", "{added}");
    assert!(client.seen.is_empty(), "nothing unasked: {:?}", client.seen);

    let unknown = client.request("tools/call", json!({ "name": "nope", "_meta": meta() })).await;
    assert_eq!(unknown["error"]["code"], -32602);
    let capabilities = &discovered["result"]["capabilities"];
    assert_eq!(keys(capabilities), ["tools"], "{discovered}");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_of_the_newest_revision_hears_of_list_changes() {
    let world = World::new();
    let mut client = world.connect(PhoneTools::Dynamic);
    let filter = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta() });
    let subscription = client.begin("subscriptions/listen", filter).await;
    let acknowledged = client.receive().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");

    let arguments = json!({ "phone_id": "a", "domain": "h", "username": "u", "password": "p" });
    let call = json!({ "name": "add_phone", "arguments": arguments, "_meta": meta() });
    let added = client.request("tools/call", call).await;
    assert_eq!(added["result"]["structuredContent"]["status"], "ok", "{added}");
    assert_eq!(methods(&client), [LIST_CHANGED]);
    let of = &client.seen[0]["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(of.to_string().trim_matches('"'), subscription.to_string());
    let rest = client.close().await;
    assert!(rest.iter().all(|line| line.get("jsonrpc").is_some()));
}

fn methods(client: &Wire) -> Vec<&str> {
    client.seen.iter().map(|message| message["method"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn dynamic_lists_grow_by_twenty_two_a_phone_in_the_published_order() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    let mut expected: Vec<String> = STATIC_TOOLS.iter().chain(&NATIVE).map(ToString::to_string).collect();
    let actions = ACTIONS.map(ToString::to_string);
    assert_eq!(
        client.tool_names().await,
        [&expected[..], &actions].concat(),
        "until it has followed a change"
    );
    for phone in ["z", "a"] {
        client.add_phone(phone).await;
        expected.extend(ACTIONS.iter().map(|action| format!("{phone}_{action}")));
        assert_eq!(client.tool_names().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_list_again_keeps_the_static_names() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    client.add_phone("a").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let expected: Vec<&str> = STATIC_TOOLS.iter().chain(&NATIVE).chain(&ACTIONS).copied().collect();
    assert_eq!(client.tool_names().await, expected);
}

#[tokio::test(start_paused = true)]
async fn static_lists_show_every_action_once_and_never_change() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Static, "2025-11-25").await;
    let expected: Vec<&str> = STATIC_TOOLS.iter().chain(&NATIVE).chain(&ACTIONS).copied().collect();
    assert_eq!(client.tool_names().await, expected);
    client.add_phone("a").await;
    assert_eq!(client.tool_names().await, expected);
    assert!(client.seen.is_empty());
}

#[tokio::test(start_paused = true)]
async fn list_changed_comes_before_the_result_and_only_when_phones_come_or_go() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2024-11-05").await;
    let changes = |client: &mut Wire| std::mem::take(&mut client.seen).len();
    client.add_phone("a").await;
    assert_eq!(methods(&client), [LIST_CHANGED]);
    assert!(client.seen[0].get("params").is_none());
    assert_eq!(changes(&mut client), 1);
    client.add_phone("a").await;
    assert_eq!(changes(&mut client), 1, "replaced");
    client.call("update_phone", json!({ "phone_id": "a", "password": "x" })).await;
    client.call("a_register", json!({})).await;
    client.call("load_phones", json!({ "path": "/nowhere.yaml" })).await;
    client
        .call("add_phone", json!({ "phone_id": "B", "domain": "h", "username": "u", "password": "p" }))
        .await;
    assert_eq!(changes(&mut client), 0);
    client.call("drop_phone", json!({ "phone_id": "ghost" })).await;
    assert_eq!(changes(&mut client), 1, "even for a phone that is not there");
    client.call("drop_phone", json!({ "phone_id": "a" })).await;
    assert_eq!(changes(&mut client), 1);
}

#[tokio::test(start_paused = true)]
async fn wrong_calls_are_results_with_plain_text() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    client.add_phone("a").await;
    for (tool, arguments, beginning) in [
        ("nope", json!({}), "Unknown tool: nope"),
        ("a_dance", json!({}), "Unknown tool: a_dance"),
        ("a_make_cal", json!({}), "Unknown tool: a_make_cal (did you mean 'a_make_call'?)"),
        ("a_call", json!({}), "Unknown tool: a_call (did you mean 'a_make_call'?)"),
        ("hangpu", json!({}), "Unknown tool: hangpu (did you mean 'hangup'?)"),
        ("wait_for_events", json!({}), "Unknown tool: wait_for_events (did you mean 'wait_for_event'?)"),
        (
            "get_phone",
            json!({}),
            "Error executing tool get_phone: 1 validation error\nphone_id\n  Field required",
        ),
        (
            "a_send_dtmf",
            json!({ "call_id": 0, "digits": 12 }),
            "Error executing tool a_send_dtmf: 1 validation error\ndigits",
        ),
        ("hold", json!({ "phone_id": "a" }), "Error executing tool hold: 1 validation error\ncall_id"),
        (
            "run_scenario",
            json!({ "scenario": "not json" }),
            "Error executing tool run_scenario: 1 validation error\nscenario",
        ),
    ] {
        let result = client.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}");
        assert!(result.get("structuredContent").is_none(), "{tool}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with(beginning), "{tool}: {text}");
    }
    let long = client.result(&"x".repeat(100_000), json!({})).await;
    assert_eq!(long["content"][0]["text"], format!("Unknown tool: {}", "x".repeat(100)));
    let unknown = client.request("tools/dance", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32601);
    let malformed = client.request("tools/call", json!({ "nome": "x" })).await;
    assert_eq!(malformed["error"]["code"], -32602, "{malformed}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_tool_costs_that_call_only() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    client.add_phone("a").await;
    *world.exchange.broken.lock().unwrap() = true;
    let result = client.result("a_make_call", json!({ "dest_uri": "sip:1@h" })).await;
    assert_eq!(result["isError"], true);
    assert!(
        result["content"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("Error executing tool a_make_call: internal")
    );
    let placed = client.call("a_make_call", json!({ "dest_uri": "sip:1@h" })).await;
    assert_eq!(placed["status"], "ok");
}

#[tokio::test(start_paused = true)]
async fn other_calls_are_answered_while_one_waits_and_a_canceled_one_is_not() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    let waiting =
        json!({ "name": "wait_for_event", "arguments": { "events": ["call.*"], "within_ms": 45000 } });
    let waiting = client.begin("tools/call", waiting).await;
    let status = client.result("server_status", json!({})).await;
    assert_eq!(status["isError"], false);
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": waiting } });
    client.send(&cancel).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    client.result("server_status", json!({})).await;
    assert!(client.seen.iter().all(|message| message["id"] != json!(waiting)), "{:?}", client.seen);
}

#[tokio::test(start_paused = true)]
async fn garbage_between_requests_is_answered_and_survived() {
    let world = World::new();
    let mut client = world.connect(PhoneTools::Auto);
    client.send_raw("hello?\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n").await;
    let refusal = client.receive().await;
    assert_eq!((&refusal["error"]["code"], &refusal["id"]), (&json!(-32700), &Value::Null));
    client.initialize("2025-06-18", "tester").await;
    client.send_raw("{\"jsonrpc\":\"2.0\",\"id\":77}\n").await;
    assert_eq!(client.receive().await["error"]["code"], -32600);
    client.add_phone("a").await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_stops_waits_hangs_up_and_unregisters() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    let waiting =
        json!({ "name": "wait_for_event", "arguments": { "events": ["run.*"], "within_ms": 45000 } });
    let waiting = client.begin("tools/call", waiting).await;
    client.request("ping", json!({})).await;
    let before = tokio::time::Instant::now();
    let rest = client.close().await;
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert!(rest.iter().any(|message| message["id"] == json!(waiting)), "the wait was answered");
    assert!(world.exchange.views.all_active_calls().is_empty());
    // A phone that is dropped unregisters first.
    assert!(world.exchange.views.phones().is_empty());
    let last = world.exchange.commands.lock().unwrap().last().cloned().unwrap();
    assert!(last.contains("DropPhone") && last.contains("hang_up: true"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_at_once_is_no_failure() {
    assert!(World::new().connect(PhoneTools::Auto).close().await.is_empty());
    let world = World::new();
    let mut client = world.connect(PhoneTools::Auto);
    client.request("server/discover", json!({ "_meta": meta() })).await;
    client.close().await;
}
