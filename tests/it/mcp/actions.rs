//! Phone actions, under both of their names.

use offhook::{
    command::Refused,
    event::{CallEvent, EndCause, Party, PhoneEvent},
    id::CallId,
    journal::Query,
    mcp::PhoneTools,
};
use serde_json::{Value, json};

use super::support::{Wire, World, keys};

const LEGACY: &str = "2025-11-25";

async fn two_phones(world: &World) -> Wire {
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    client
}

/// Connects a to b; a has call 0, b has call 1.
async fn connected(world: &World) -> Wire {
    let mut client = two_phones(world).await;
    let placed = client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    assert_eq!(keys(&placed), ["status", "phone_id", "call_id", "state", "seq"]);
    assert_eq!((&placed["call_id"], &placed["state"]), (&json!(0), &json!("CALLING")));
    let answered = client.call("b_answer_call", json!({})).await;
    assert_eq!(keys(&answered), ["status", "phone_id", "call_id", "state", "seq"]);
    assert_eq!((&answered["call_id"], &answered["state"]), (&json!(1), &json!("CONFIRMED")));
    client
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_answered_with_a_refusal_is_not_said_to_ring_on() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    let refused = client.call("b_answer_call", json!({ "status_code": 404 })).await;
    assert_eq!((&refused["call_id"], &refused["state"]), (&json!(1), &json!("DISCONNECTED")));
    // The caller has not heard of it yet.
    let calling = client.call("a_list_calls", json!({})).await;
    assert_eq!(calling["calls"][0]["state"], "CALLING", "{calling}");
}

#[tokio::test(start_paused = true)]
async fn a_call_with_digits_and_hang_up() {
    let world = World::new();
    let mut client = connected(&world).await;
    let sent = client.call("a_send_dtmf", json!({ "call_id": 0, "digits": "12#" })).await;
    assert_eq!(keys(&sent), ["status", "phone_id", "call_id", "digits", "seq"]);
    let digit =
        json!({ "events": ["dtmf.received"], "phone_id": "b", "match": { "digit": "#" }, "after": 0 });
    let digit = client.result("wait_for_event", digit).await;
    assert_eq!(digit["structuredContent"]["found"], true);
    assert_eq!(digit["structuredContent"]["event"]["data"]["digit"], "#");
    let hung_up = client.call("a_hangup", json!({})).await;
    assert_eq!(hung_up["call_id"], Value::Null, "the argument is echoed");
    assert_eq!(keys(&hung_up), ["status", "phone_id", "call_id", "seq"]);
    let gone = client.call("a_get_call_info", json!({ "call_id": 0 })).await;
    assert_eq!(keys(&gone), ["status", "error", "phone_id", "story"]);
    assert_eq!((&gone["error"], &gone["phone_id"]), (&json!("Call 0 not found"), &json!("a")));
    let story = gone["story"].as_str().unwrap();
    assert!(story.starts_with("call 0 of a ended 0.0 s ago, by local: normal ("), "{story}");
    // Who names none means the last one.
    let none = client.call("a_hold", json!({ "call_id": 0 })).await;
    assert_eq!(none["story"], gone["story"]);
    let none = client.call("b_hangup", json!({})).await;
    assert_eq!(none["error"], "No active call found for phone 'b'");
    let story = none["story"].as_str().unwrap();
    assert!(story.starts_with("call 1 of b ended 0.0 s ago, by remote: normal ("), "{story}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_was_is_answered_with_those_that_are() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    let never = client.call("a_hangup", json!({ "call_id": 3 })).await;
    assert_eq!(keys(&never), ["status", "error", "phone_id", "hint"]);
    assert_eq!(never["hint"], "'a' has no call now: make_call places one");
    assert_eq!(client.call("a_hangup", json!({})).await["hint"], never["hint"]);
    for _ in 0..2 {
        client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    }
    let never = client.call("a_hangup", json!({ "call_id": 3 })).await;
    assert_eq!(
        (&never["error"], &never["hint"]),
        (&json!("Call 3 not found"), &json!("calls of 'a' now: 0, 1"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_phone_whose_calls_do_not_ring_is_not_said_to_have_none() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    for tool in ["a_answer_call", "a_reject_call"] {
        *world.exchange.refusal.lock().unwrap() = Some(Refused::NoCallOf("a".parse().unwrap()).into());
        let refused = client.call(tool, json!({})).await;
        assert_eq!(keys(&refused), ["status", "error", "phone_id", "code", "hint"]);
        assert_eq!(
            (&refused["error"], &refused["code"]),
            (&json!("No ringing call found for phone 'a'"), &json!("not_found"))
        );
        assert_eq!(refused["hint"], "calls of 'a' now: 0", "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_and_an_inbox_are_bounded_and_counted() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    for _ in 0..101 {
        client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
        client.call("a_hangup", json!({})).await;
    }
    for number in 0..101 {
        let message = json!({ "dest_uri": "sip:b@pbx.test", "body": number.to_string() });
        client.call("a_send_message", message).await;
    }
    let newest = client.call("a_get_call_history", json!({})).await;
    assert_eq!(keys(&newest), ["phone_id", "total_count", "history", "more"]);
    assert_eq!((newest["history"].as_array().unwrap().len(), &newest["total_count"]), (100, &json!(101)));
    assert_eq!(newest["more"], "1 older ones are left out; give last_n (0 for all)");
    let all = client.call("a_get_call_history", json!({ "last_n": 0 })).await;
    assert_eq!(keys(&all), ["phone_id", "total_count", "history"]);
    assert_eq!(all["history"].as_array().unwrap()[1..], newest["history"].as_array().unwrap()[..]);
    // An inbox keeps no more.
    let inbox = client.call("b_get_messages", json!({})).await;
    assert_eq!(keys(&inbox), ["phone_id", "total_count", "messages"]);
    assert_eq!((&inbox["total_count"], &inbox["messages"][0]["body"]), (&json!(100), &json!("1")));
    for tool in ["a_get_call_history", "b_get_messages"] {
        let wrong = client.call(tool, json!({ "last_n": -1 })).await;
        assert_eq!(
            wrong["error"], "last_n -1 is negative: give how many of the newest, or 0 for all",
            "{tool}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_tone_is_refused_by_name() {
    let world = World::new();
    let mut client = connected(&world).await;
    let before = world.exchange.commands.lock().unwrap().len();
    let refused = client.result("a_play_audio", json!({ "call_id": 0, "tone": 1000 })).await;
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert_eq!(refused["isError"], true, "{text}");
    assert!(text.ends_with("there is no argument 'tone'; known are: file_path, call_id, loop"), "{text}");
    assert_eq!(world.exchange.commands.lock().unwrap().len(), before, "nothing is played");
    let played = client.call("a_play_audio", json!({ "file_path": "/x.wav", "tone": 1000 })).await;
    assert_eq!((&played["ignored"], &played["playing_file"]), (&json!(["tone"]), &json!("/x.wav")));
}

#[tokio::test(start_paused = true)]
async fn both_names_do_the_same_in_every_mode() {
    for mode in [PhoneTools::Dynamic, PhoneTools::Static] {
        let world = World::new();
        let mut client = world.client(mode, LEGACY).await;
        client.add_phone("a").await;
        let bound = client.call("a_get_registration_status", json!({})).await;
        let general = client.call("get_registration_status", json!({ "phone_id": "a" })).await;
        assert_eq!(bound, general);
        assert_eq!(keys(&bound), ["phone_id", "is_registered", "status_code", "reason", "expires"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_incoming_call_that_waits_has_the_status_100() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    world.exchange.ring(&"a".parse().unwrap(), "<sip:x@h>");
    let info = client.call("a_get_call_info", json!({})).await;
    assert_eq!(
        (&info["state"], &info["last_status"], &info["last_status_text"]),
        (&json!("INCOMING"), &json!(100), &json!("Trying"))
    );
}

#[tokio::test(start_paused = true)]
async fn call_information_has_the_published_keys() {
    let world = World::new();
    let mut client = connected(&world).await;
    let info = client.call("a_get_call_info", json!({})).await;
    assert_eq!(
        keys(&info),
        [
            "phone_id",
            "state",
            "state_text",
            "remote_uri",
            "last_status",
            "last_status_text",
            "duration",
            "codec",
            "recording_file",
            "playing_file",
            "call_id",
            "remote_contact",
            "local_contact",
            "held_by_local",
            "held_by_remote",
            "rtp"
        ]
    );
    assert_eq!(
        keys(&info["rtp"]),
        [
            "tx_packets",
            "tx_bytes",
            "rx_packets",
            "rx_bytes",
            "rx_loss",
            "rx_dup",
            "rx_reorder",
            "rx_discard",
            "rx_jitter_usec",
            "rtt_usec"
        ]
    );
    assert_eq!((&info["rtp"]["rx_jitter_usec"], &info["codec"]), (&json!(1500), &json!("PCMA")));
    assert_eq!(info["remote_contact"], "<sip:pbx@127.0.0.1:5060>");
    assert_eq!(info["local_contact"], "<sip:a@127.0.0.1:5061>");
    tokio::time::advance(std::time::Duration::from_secs(7)).await;
    let list = client.call("a_list_calls", json!({})).await;
    assert_eq!((&list["total_count"], &list["calls"][0]["duration"]), (&json!(1), &json!(7)));
    let active = client.call("a_get_active_calls", json!({})).await;
    assert_eq!((&active["active_count"], active.get("total_count")), (&json!(1), None));
    assert_eq!(active["calls"][0]["duration"], 7);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_call_has_no_media_object() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    let info = client.call("a_get_call_info", json!({})).await;
    assert!(info.get("rtp").is_none());
    assert_eq!((&info["state"], &info["codec"]), (&json!("CALLING"), &json!("")));
}

#[tokio::test(start_paused = true)]
async fn rejecting_echoes_the_argument_and_the_history_keeps_the_real_code() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    let rejected = client.call("b_reject_call", json!({ "status_code": "603" })).await;
    assert_eq!(keys(&rejected), ["status", "phone_id", "call_id", "status_code", "seq"]);
    assert_eq!((&rejected["call_id"], &rejected["status_code"]), (&Value::Null, &json!(603)));
    let history = client.call("a_get_call_history", json!({ "last_n": 0 })).await;
    assert_eq!(keys(&history), ["phone_id", "total_count", "history"]);
    let row = &history["history"][0];
    for key in [
        "phone_id",
        "remote_uri",
        "duration",
        "last_status",
        "last_status_text",
        "codec",
        "recording_file",
        "timestamp",
    ] {
        assert!(row.get(key).is_some(), "{key}");
    }
    assert_eq!((&row["last_status"], &row["timestamp"]), (&json!(603), &json!("2026-01-02T03:04:05.678000")));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_answered_has_the_status_that_this_counts_as() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    for (cause, status) in [(EndCause::TransportFailed, 503), (EndCause::TimedOut, 408)] {
        let call =
            client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await["call_id"].as_u64();
        let reason = "no way there".to_owned();
        let ended = CallEvent::Ended { by: Party::Local, cause, status: None, reason, duration_ms: 0 };
        world.exchange.on_call(CallId(call.unwrap()), ended);
        let history = client.call("a_get_call_history", json!({ "last_n": 1 })).await;
        let row = &history["history"][0];
        assert_eq!((&row["last_status"], &row["last_status_text"]), (&json!(status), &json!("no way there")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_wrong_call_is_refused_in_the_published_words() {
    let world = World::new();
    let mut client = connected(&world).await;
    for (tool, arguments, error) in [
        ("a_hold", json!({ "call_id": 7 }), "Call 7 not found"),
        ("a_hold", json!({ "call_id": 1 }), "call_id 1 belongs to phone_id 'b', not 'a'"),
        ("a_attended_transfer", json!({}), "[a] Need at least 2 active calls for attended transfer"),
        (
            "a_conference",
            json!({ "call_ids": [0] }),
            "[a] Need at least 2 calls with active audio for conference",
        ),
        ("a_get_recording", json!({}), "No recording currently active for this call"),
    ] {
        let refused = client.call(tool, arguments).await;
        assert_eq!((&refused["status"], &refused["error"]), (&json!("error"), &json!(error)), "{tool}");
        assert_eq!(refused["phone_id"], "a");
    }
    client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    let refusal = Refused::TooFewToConfer(Some("a".parse().unwrap()));
    *world.exchange.refusal.lock().unwrap() = Some(refusal.into());
    let refused = client.call("a_conference", json!({ "call_ids": [0, 2] })).await;
    let error = "[a] Need at least 2 calls with active audio for conference";
    assert_eq!(refused["error"], error, "{refused}");
    let refused = client.call("a_conference", json!({ "call_ids": [0, 1] })).await;
    assert_eq!(refused["error"], "call_id 1 belongs to phone_id 'b', not 'a'", "{refused}");
    client.call("a_hangup", json!({ "call_id": 2 })).await;
    client.call("a_hangup", json!({ "call_id": 0 })).await;
    let refused = client.call("b_hangup", json!({})).await;
    assert_eq!(refused["error"], "No active call found for phone 'b'");
}

#[tokio::test(start_paused = true)]
async fn hold_play_and_transfer_echo_their_arguments() {
    let world = World::new();
    let mut client = connected(&world).await;
    for (tool, arguments, expected) in [
        ("a_hold", json!({ "call_id": 0 }), json!({ "call_id": 0, "outcome": "done" })),
        ("a_unhold", json!({ "call_id": "call-0" }), json!({ "call_id": 0, "outcome": "done" })),
        (
            "a_play_audio",
            json!({ "file_path": "/x.wav" }),
            json!({ "call_id": null, "playing_file": "/x.wav", "loop": false }),
        ),
        ("a_stop_audio", json!({ "call_id": 0 }), json!({ "call_id": 0 })),
        (
            "a_blind_transfer",
            json!({ "dest_uri": "sip:c@h" }),
            json!({ "call_id": null, "transfer_to": "sip:c@h", "outcome": "pending" }),
        ),
    ] {
        let done = client.call(tool, arguments).await;
        let mut keys_expected = vec!["status", "phone_id"];
        keys_expected.extend(keys(&expected));
        keys_expected.push("seq");
        assert_eq!(keys(&done), keys_expected, "{tool}");
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&done[key], value, "{tool} {key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_calls_are_transferred_to_each_other_or_mixed() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    for _ in 0..2 {
        client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    }
    let mixed = client.call("a_conference", json!({ "call_ids": "[0, 1]" })).await;
    assert_eq!((&mixed["call_ids"], &mixed["participants"]), (&json!([0, 1]), &json!(2)));
    let transferred = client.call("a_attended_transfer", json!({})).await;
    // Nobody answers the stand-in's REFER.
    assert_eq!((&transferred["transferred"], &transferred["outcome"]), (&json!(false), &json!("pending")));
    let commands = world.exchange.commands.lock().unwrap().join("\n");
    assert!(
        commands.contains("call: Some(CallId(0)) }, AttendedTransfer { target: Some(CallId(1)) }"),
        "older away, newer stays: {commands}"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_the_inbox_and_registration_can_be_renewed() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    let sent =
        client.call("a_send_message", json!({ "dest_uri": "sip:b@pbx.test", "body": "grüß dich" })).await;
    assert_eq!(keys(&sent), ["status", "phone_id", "dest_uri", "outcome", "seq"]);
    let inbox = client.call("b_get_messages", json!({ "last_n": 5 })).await;
    assert_eq!((&inbox["total_count"], &inbox["messages"][0]["body"]), (&json!(1), &json!("grüß dich")));
    assert_eq!(keys(&inbox["messages"][0]), ["from", "to", "body", "content_type", "timestamp"]);

    let gone = client.call("a_unregister", json!({})).await;
    assert_eq!(keys(&gone), ["status", "phone_id", "outcome", "seq"]);
    assert_eq!(client.call("a_get_registration_status", json!({})).await["is_registered"], false);
    let back = client.call("a_register", json!({})).await;
    assert_eq!(
        keys(&back),
        ["status", "phone_id", "is_registered", "status_code", "reason", "expires", "seq"]
    );
    assert_eq!(back["is_registered"], true);
}

#[tokio::test(start_paused = true)]
async fn of_two_messages_to_one_address_each_is_answered_with_its_own_outcome() {
    for expected in [["done", "refused"], ["refused", "done"]] {
        let world = World::new();
        let mut client = two_phones(&world).await;
        let to = "sip:x@pbx.test";
        let ask = |body: &str| {
            let arguments = json!({ "dest_uri": to, "body": body, "wait_ms": 5_000 });
            json!({ "name": "a_send_message", "arguments": arguments })
        };
        let asked =
            [client.begin("tools/call", ask("one")).await, client.begin("tools/call", ask("two")).await];
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let sent = world.exchange.journal.query_blocking(&Query::of_kinds(&["message.sent"])).unwrap();
        let bodies: Vec<_> = sent.iter().map(|envelope| envelope.event.data()["body"].clone()).collect();
        assert_eq!(bodies, ["one", "two"]);
        // The second one first.
        for (outcome, sent) in expected.into_iter().zip(&sent).rev() {
            let (to, sent) = (to.to_owned(), Some(sent.seq));
            let event = match outcome {
                "done" => PhoneEvent::MessageDelivered { to, status: 200, sent },
                _ => PhoneEvent::MessageFailed { to, status: Some(404), reason: "Not Found".into(), sent },
            };
            world.exchange.on_phone(&"a".parse().unwrap(), event);
        }
        let answers = [client.receive().await, client.receive().await];
        let outcomes = asked.map(|id| {
            let answer = answers.iter().find(|answer| answer["id"] == json!(id)).unwrap();
            answer["result"]["structuredContent"]["outcome"].clone()
        });
        assert_eq!(outcomes, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_is_refused_is_told_with_the_status_of_its_refer() {
    let world = World::new();
    let mut client = two_phones(&world).await;
    for _ in 0..2 {
        client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    }
    let refused = || CallEvent::TransferRefused { status: Some(603), reason: "Decline".into() };
    for (tool, call, arguments) in [
        ("a_blind_transfer", 0, json!({ "call_id": 0, "dest_uri": "sip:c@h", "wait_ms": 5_000 })),
        ("a_attended_transfer", 1, json!({ "call_id": 1, "dest_call_id": 0, "wait_ms": 5_000 })),
    ] {
        let asked = client.begin("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.exchange.on_call(CallId(call), refused());
        let answer = client.answer(asked).await["result"]["structuredContent"].clone();
        let outcome = (&answer["outcome"], &answer["outcome_status"], &answer["outcome_reason"]);
        assert_eq!(outcome, (&json!("refused"), &json!(603), &json!("Decline")), "{tool}: {answer}");
        // Only the attended one says whether it is done in a key of its own.
        assert_ne!(answer["transferred"], true, "{tool}");
    }
    let snapshot = client.result("call_snapshot", json!({ "call_id": 0 })).await;
    let transfer = &snapshot["structuredContent"]["transfer"];
    assert_eq!((&transfer["status"], &transfer["refused"]), (&json!(603), &json!(true)), "{transfer}");
}
