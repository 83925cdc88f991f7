//! Native tools: waiting for events, looking them up, one call in full, the server.

use offhook::{
    command::Refused,
    event::{CallEvent, EndCause, MediaEvent, Party},
    id::CallId,
    mcp::PhoneTools,
};
use serde_json::{Value, json};

use super::support::{Wire, World};

async fn client_with_phone(world: &World) -> Wire {
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    client.add_phone("a").await;
    client
}

#[tokio::test(start_paused = true)]
async fn a_wait_from_where_one_acted_sees_what_came_meanwhile() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    let placed = client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    let call = CallId(0);
    let ended = CallEvent::Ended {
        by: Party::Remote,
        cause: EndCause::Rejected,
        status: Some(486),
        reason: "Busy Here".into(),
        duration_ms: 0,
    };
    world.exchange.on_call(call, ended);
    let wait = json!({ "events": ["call.ended", "call.established"], "call_id": 0, "after": placed["seq"], "within_ms": 10 });
    let found = client.result("wait_for_event", wait).await;
    assert_eq!(found["structuredContent"]["event"]["data"]["status"], 486, "{found}");
    let text = found["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("a call-0 call.ended by=remote cause=rejected status=486 reason=Busy Here"),
        "{text}"
    );
    let wait = json!({ "events": ["call.ended"], "within_ms": 50 });
    let missed = client.result("wait_for_event", wait).await;
    assert_eq!(missed["structuredContent"]["found"], false, "from now on nothing came");
    assert_eq!(missed["isError"], false);
}

#[tokio::test(start_paused = true)]
async fn a_wait_wakes_when_the_event_comes() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    let wait = json!({ "events": ["call.incoming"], "phone_id": "a", "within_ms": 45000 });
    let id = client.begin("tools/call", json!({ "name": "wait_for_event", "arguments": wait })).await;
    client.result("server_status", json!({})).await;
    world.exchange.ring(&"a".parse().unwrap(), "<sip:x@h>");
    let found = client.answer(id).await;
    assert_eq!(found["result"]["structuredContent"]["event"]["call"], "call-0");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_cannot_be_is_refused_with_those_that_can() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    for tool in ["wait_for_event", "query_events"] {
        let refused = client.result(tool, json!({ "events": ["call.banana"] })).await;
        assert_eq!(refused["isError"], true);
        assert_eq!(refused["structuredContent"]["code"], "invalid_argument");
        assert!(refused["content"][0]["text"].as_str().unwrap().contains("call.established"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_means_by_match_what_a_scenario_means() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    let wait = |wanted: Value| json!({ "events": ["phone.registered"], "match": wanted, "after": 0, "within_ms": 1000 });
    for (wanted, found) in [
        (json!({ "status": "2xx" }), true),
        (json!({ "status": ">= 300" }), false),
        (json!({ "status": 200 }), true),
    ] {
        let result = client.result("wait_for_event", wait(wanted.clone())).await;
        assert_eq!(result["structuredContent"]["found"], found, "{wanted}: {result}");
    }
    for (impossible, why) in [
        (json!({ "banana": 1 }), "'banana' is not a field of phone.registered"),
        (json!({ "status": "200" }), "'status' is a number, never a text"),
    ] {
        let refused = client.result("wait_for_event", wait(impossible)).await;
        assert_eq!(refused["structuredContent"]["code"], "invalid_argument", "{refused}");
        assert!(refused["content"][0]["text"].as_str().unwrap().contains(why), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_looked_up_page_by_page() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    let mut after = json!(0);
    let mut kinds = Vec::new();
    loop {
        let page =
            client.result("query_events", json!({ "phone_id": "a", "after": after, "limit": 2 })).await;
        let page = &page["structuredContent"];
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 2);
        kinds.extend(events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()));
        after = page["cursor"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(
        kinds,
        ["phone.added", "phone.bound", "phone.registering", "sip.sent", "sip.received", "phone.registered"]
    );
    client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    let sip =
        client.result("query_events", json!({ "events": ["sip.*"], "newest_first": true, "limit": 1 })).await;
    let shown = sip["structuredContent"]["events"][0]["data"]["message"]["text"].as_str().unwrap();
    assert!(shown.ends_with("...") && shown.len() < 200, "{shown}");
    let whole = client
        .result("query_events", json!({ "events": ["sip.sent"], "full": true, "text": "REGISTER" }))
        .await;
    assert!(
        whole["structuredContent"]["events"][0]["data"]["message"]["text"].as_str().unwrap().contains("CSeq")
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_everything_and_what_is_possible() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    client.add_phone("b").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    let ringing = client.result("call_snapshot", json!({ "call_id": 1 })).await;
    assert_eq!(ringing["structuredContent"]["actions"], json!(["answer_call", "reject_call", "hangup"]));
    client.call("b_answer_call", json!({})).await;
    client.call("a_send_dtmf", json!({ "call_id": 0, "digits": "42" })).await;
    let up = client.result("call_snapshot", json!({ "call_id": "call-1" })).await;
    assert_eq!(up["structuredContent"]["digits_received"], "42");
    assert!(up["structuredContent"]["actions"].as_array().unwrap().contains(&json!("send_dtmf")));
    client.call("a_hangup", json!({})).await;
    let over = client.result("call_snapshot", json!({ "call_id": 1 })).await;
    assert_eq!(over["structuredContent"]["end"]["by"], "remote");
    let text = over["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("ended by remote: normal") && text.contains("mos 4.30"), "{text}");
    assert!(over.to_string().len() < 4 * 800, "at most 800 tokens: {}", over.to_string().len());
    let unknown = client.result("call_snapshot", json!({ "call_id": 9 })).await;
    assert_eq!(
        (&unknown["isError"], &unknown["structuredContent"]["code"]),
        (&json!(true), &json!("not_found"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_status_counts_phones_and_calls() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    let status = client.result("server_status", json!({})).await;
    let status = &status["structuredContent"];
    assert_eq!(
        (&status["phones"], &status["registered"], &status["active_calls"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(status.get("journal_failure"), None);
}

/// Every native answer matches the schema that the tool announces.
#[tokio::test(start_paused = true)]
async fn native_results_have_the_announced_fields() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    let list = client.request("tools/list", json!({})).await;
    for (tool, arguments) in [
        ("wait_for_event", json!({ "events": ["call.*"], "after": 0 })),
        ("query_events", json!({})),
        ("call_snapshot", json!({ "call_id": 0 })),
        ("server_status", json!({})),
    ] {
        let descriptor =
            list["result"]["tools"].as_array().unwrap().iter().find(|each| each["name"] == tool).unwrap();
        let schema = &descriptor["outputSchema"];
        let result = client.result(tool, arguments).await;
        let structured = result["structuredContent"].as_object().unwrap();
        for required in schema["required"].as_array().unwrap() {
            assert!(structured.contains_key(required.as_str().unwrap()), "{tool} {required}");
        }
        for (name, property) in schema["properties"].as_object().unwrap() {
            let Some(value) = structured.get(name) else { continue };
            let fits = match property["type"].as_str().unwrap() {
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64(),
                "string" => value.is_string(),
                "array" => value.is_array(),
                "object" => value.is_object(),
                other => panic!("{tool} {name}: {other}"),
            };
            assert!(fits, "{tool} {name} {value}");
        }
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(
            !text.is_empty() && !text.starts_with(['{', '[']),
            "{tool}: the structure is not said twice: {text}"
        );
        let inputs: &Value = &descriptor["inputSchema"];
        assert!(!inputs.to_string().contains("anyOf"), "{tool} has a union of types");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_for_what_never_was_is_an_error_with_what_there_is() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    client.add_phone("b").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    for (tool, arguments, words) in [
        ("wait_for_event", json!({ "events": [] }), "events is empty"),
        ("wait_for_event", json!({ "events": ["call.*"], "phone_id": "c" }), "there are: a, b"),
        ("wait_for_event", json!({ "events": ["call.*"], "call_id": 7 }), "no call 7 was ever made"),
        ("wait_for_event", json!({ "events": ["call.*"], "after": 100_000 }), "the journal is only at"),
        ("wait_for_event", json!({ "events": ["call.*"], "kind": 1 }), "there is no argument 'kind'"),
        ("query_events", json!({ "run_id": 4 }), "there was no run-4 yet"),
        ("query_events", json!({ "events": [] }), "events is empty"),
        ("query_events", json!({ "limit": 0 }), "limit is 0: give 1 to 500"),
        ("query_events", json!({ "after": 2, "before": 3 }), "there is nothing after 2 and before 3"),
        (
            "query_events",
            json!({ "call_id": 0, "phone_id": "b" }),
            "call_id 0 belongs to phone_id 'a', not 'b'",
        ),
        (
            "wait_for_event",
            json!({ "events": ["call.ended"], "call_id": 0, "phone_id": "b" }),
            "call_id 0 belongs to phone_id 'a', not 'b'",
        ),
        ("query_events", json!({ "phone": "a" }), "there is no argument 'phone' (did you mean 'phone_id'?)"),
        ("call_snapshot", json!({ "call_id": 7 }), "no call 7 was ever made"),
    ] {
        let answer = client.result(tool, arguments.clone()).await;
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert_eq!(answer["isError"], true, "{tool} {arguments}: {text}");
        assert!(text.contains(words), "{tool} {arguments}: {text}");
    }
    let between = client.result("query_events", json!({ "after": 2, "before": 4 })).await;
    assert_eq!(between["structuredContent"]["events"][0]["seq"], 3);
}

#[tokio::test(start_paused = true)]
async fn what_memory_let_go_is_said_to_be_gone() {
    let world = World::with_journal_of(4);
    let mut client = world.client(PhoneTools::Auto, "2025-11-25").await;
    for phone in ["a", "b", "c"] {
        client.add_phone(phone).await;
    }
    for tool in ["query_events", "wait_for_event"] {
        let answer = client.result(tool, json!({ "events": ["phone.*"], "after": 0 })).await;
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("are no longer kept: give after"), "{tool}: {text}");
    }
    let answer = client.result("query_events", json!({})).await;
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("are no longer kept"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_known_no_more_is_not_said_never_to_have_been() {
    // As many ended calls as are kept in memory, and one.
    const CALLS: u64 = 10_001;
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    let phone: offhook::id::PhoneId = "a".parse().unwrap();
    for number in 0..CALLS {
        let call = world.exchange.ring(&phone, "<sip:x@h>");
        assert_eq!(call.0, number);
        let ended = CallEvent::Ended {
            by: Party::Remote,
            cause: EndCause::Canceled,
            status: Some(487),
            reason: "Request Terminated".into(),
            duration_ms: 0,
        };
        world.exchange.on_call(call, ended);
    }
    for (call, words) in [(0, "call 0 is no longer kept"), (CALLS, "no call 10001 was ever made or received")]
    {
        let answer = client.result("call_snapshot", json!({ "call_id": call })).await;
        assert_eq!(answer["isError"], true, "{answer}");
        assert!(answer["content"][0]["text"].as_str().unwrap().contains(words), "{answer}");
    }
    let kept = client.result("call_snapshot", json!({ "call_id": 1 })).await;
    assert_eq!(kept["structuredContent"]["end"]["status"], 487, "{kept}");
}

#[tokio::test(start_paused = true)]
async fn calls_of_several_phones_confer_by_a_native_tool_and_a_snapshot_shows_it() {
    let world = World::new();
    let mut client = client_with_phone(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@h" })).await;
    let mixed = client.result("conference_calls", json!({ "call_ids": [0, "call-1"] })).await;
    assert_eq!(mixed["structuredContent"]["call_ids"], json!([0, 1]), "{mixed}");
    let commands = world.exchange.commands.lock().unwrap().join("\n");
    let command = "Node(Conference { phone: None, calls: [CallId(0), CallId(1)] })";
    assert!(commands.contains(command), "{commands}");
    let (members, hears) = ([0, 1].map(CallId).to_vec(), vec![CallId(1)]);
    let joined = MediaEvent::ConferenceJoined { members, hears, heard_by: vec![], epoch: 1 };
    world.exchange.on_call(CallId(0), joined);
    let shown = client.result("call_snapshot", json!({ "call_id": 0 })).await;
    let conference = &shown["structuredContent"]["conference"];
    assert_eq!(conference, &json!({ "members": [0, 1], "hears": [1], "heard_by": [] }));
    *world.exchange.refusal.lock().unwrap() = Some(Refused::TooFewToConfer(None).into());
    let refused = client.result("conference_calls", json!({ "call_ids": [0] })).await;
    assert_eq!(refused["isError"], true);
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("a conference needs two calls with audio"), "{refused}");
}
