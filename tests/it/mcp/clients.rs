//! Several clients of one node, with real phones and the lab on a simulated network: each owns what
//! it created.

use std::{sync::Arc, time::Duration};

use offhook::{
    event::{Cause, Event, PhoneEvent},
    id::{ClientId, Seq},
    journal::Query,
    lab::LabOptions,
    mcp::{McpServer, PhoneTools, ScenarioEngine, Services},
    node::{Node, NodeOptions},
    sim,
    wall::Wall,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::Wire;

const LIST_CHANGED: &str = "notifications/tools/list_changed";

async fn node() -> Node {
    let options = NodeOptions {
        network: Arc::new(sim::Network::new(1)),
        wall: Wall::starting_at("2026-01-02T03:04:05.678Z".parse().unwrap()),
        seed: 7,
        lab: Some(LabOptions { seed: Some(1), ..LabOptions::default() }),
        ..NodeOptions::system()
    };
    Node::start(options).await.unwrap()
}

fn server(node: &Node) -> McpServer {
    let board = Arc::new(node.switchboard().clone());
    let runs = ScenarioEngine {
        host: board.clone(),
        lease_wait: Duration::from_secs(30),
        profile: node.profile().cloned(),
    };
    let services = Services {
        execute: board,
        journal: node.journal().clone(),
        views: node.views().clone(),
        runs: Arc::new(runs),
        recordings: node.recordings().clone(),
        captures: node.captures().clone(),
        zone: jiff::tz::TimeZone::UTC,
        closing: CancellationToken::new(),
    };
    McpServer::new(services, PhoneTools::Auto)
}

async fn client(server: &McpServer) -> Wire {
    let mut client = Wire::to(server.clone());
    client.initialize("2025-06-18", "tester").await;
    client
}

/// Adds a phone with an account of the lab.
async fn add(client: &mut Wire, node: &Node, phone: &str, user: &str) {
    let domain = &node.profile().unwrap().domain;
    let arguments =
        json!({ "phone_id": phone, "domain": domain, "username": user, "password": format!("secret{user}") });
    let added = client.call("add_phone", arguments).await;
    assert_eq!(added["is_registered"], true, "{added}");
}

async fn established(client: &mut Wire, after: &Value) {
    let wanted = json!({ "events": ["call.established"], "after": after, "within_ms": 5000 });
    let seen = client.result("wait_for_event", wanted).await;
    assert_eq!(seen["structuredContent"]["found"], true, "{seen}");
}

async fn phones(client: &mut Wire) -> Vec<String> {
    let list = client.call("list_phones", json!({})).await;
    let phones = list["phones"].as_array().unwrap().iter();
    phones.map(|phone| phone["phone_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_what_it_made_and_nothing_else() {
    let node = node().await;
    let server = server(&node);
    let (mut first, mut second) = (client(&server).await, client(&server).await);
    add(&mut first, &node, "a", "6001").await;
    add(&mut second, &node, "b", "6002").await;
    // Both see both phones, and each is notified of the other's.
    assert_eq!(phones(&mut first).await, ["a", "b"]);
    assert_eq!(phones(&mut second).await, ["a", "b"]);
    for client in [&first, &second] {
        assert!(client.seen.iter().any(|message| message["method"] == LIST_CHANGED), "{:?}", client.seen);
    }

    for (client, phone) in [(&mut first, "a"), (&mut second, "b")] {
        let placed = client.call(&format!("{phone}_make_call"), json!({ "dest_uri": "600" })).await;
        established(client, &placed["seq"]).await;
    }
    second.seen.clear();
    first.close().await;

    let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
    assert!(node.views().phone(&a).is_none());
    assert!(node.views().phone(&b).unwrap().registration.registered);
    let calls = node.views().all_active_calls();
    assert_eq!(calls.iter().map(|call| call.phone.as_str()).collect::<Vec<_>>(), ["b"]);
    // The second client goes on, and has been notified.
    assert_eq!(phones(&mut second).await, ["b"]);
    assert!(second.seen.iter().any(|message| message["method"] == LIST_CHANGED), "{:?}", second.seen);
    let digits = second.call("b_send_dtmf", json!({ "call_id": calls[0].id.0, "digits": "1" })).await;
    assert_eq!(digits["status"], "ok", "{digits}");
    second.close().await;
    assert_eq!(node.views().phones().len(), 0);
    node.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_belongs_to_the_client_that_made_it_last_and_the_journal_says_who() {
    let node = node().await;
    let server = server(&node);
    let (mut first, mut second) = (client(&server).await, client(&server).await);
    add(&mut first, &node, "a", "6001").await;
    add(&mut second, &node, "a", "6002").await;
    first.close().await;
    assert_eq!(phones(&mut second).await, ["a"]);
    let added = Query::of_kinds(&["phone.added"]);
    let makers = node.journal().query(&added).await.unwrap();
    let makers = makers.iter().map(|envelope| {
        let Cause::Command { client, .. } = &envelope.cause else { panic!("{envelope:?}") };
        *client
    });
    assert_eq!(makers.collect::<Vec<_>>(), [Some(ClientId(1)), Some(ClientId(2))]);
    second.close().await;
    let dropped = Query::of_kinds(&["phone.dropped"]);
    let dropped = node.journal().query(&dropped).await.unwrap();
    assert!(matches!(dropped.last().unwrap().event, Event::Phone(PhoneEvent::Dropped {})));
    assert!(matches!(dropped.last().unwrap().cause, Cause::Command { client: Some(ClientId(2)), .. }));
    node.stop().await.unwrap();
}

/// A scenario that takes `ms`.
fn lasting(ms: u64) -> Value {
    json!({ "scenario": { "name": "lasting", "phones": ["b"], "timeout_ms": ms } })
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_with_the_client_that_started_it_and_no_other_does() {
    let node = node().await;
    let server = server(&node);
    let (mut first, mut second) = (client(&server).await, client(&server).await);
    add(&mut second, &node, "b", "6002").await;
    let began = Seq(0);
    let mut reader = node.journal().reader(began);
    let own =
        second.begin("tools/call", json!({ "name": "run_scenario", "arguments": lasting(60_000) })).await;
    first.begin("tools/call", json!({ "name": "run_scenario", "arguments": lasting(90_000) })).await;
    let mut started = 0;
    while started < 2 {
        started += usize::from(reader.next().await.unwrap().event.kind() == "run.started");
    }
    let since = tokio::time::Instant::now();
    first.close().await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let runs = node.views().runs();
    let over: Vec<bool> = runs.iter().map(|run| run.end.is_some()).collect();
    assert_eq!(over.iter().filter(|over| **over).count(), 1, "{runs:?}");
    let result = second.answer(own).await;
    assert_eq!(result["result"]["structuredContent"]["elapsed_ms"], 60_000, "{result}");
    second.close().await;
    node.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_has_a_bounded_number_of_tools_at_work() {
    let node = node().await;
    let server = server(&node);
    let mut client = client(&server).await;
    let wait =
        json!({ "name": "wait_for_event", "arguments": { "events": ["call.*"], "within_ms": 45_000 } });
    let mut waiting = Vec::new();
    for _ in 0..257 {
        waiting.push(client.begin("tools/call", wait.clone()).await);
    }
    let refused = client.receive().await;
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    assert!(refused["result"]["content"][0]["text"].as_str().unwrap().contains("256 tools are at work"));
    // Other clients are not affected, and a released place can be used again.
    let mut other = self::client(&server).await;
    assert_eq!(phones(&mut other).await.len(), 0);
    for id in waiting.into_iter().filter(|id| json!(id) != refused["id"]) {
        let ended = client.answer(id).await;
        assert_eq!(ended["result"]["structuredContent"]["found"], false, "{ended}");
    }
    assert_eq!(phones(&mut client).await.len(), 0);
    client.close().await;
    other.close().await;
    node.stop().await.unwrap();
}
