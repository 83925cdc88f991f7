//! Tools that add, show, change and remove phones.

use offhook::{
    command::{CommandKind, Refused, Rejection},
    mcp::PhoneTools,
};
use serde_json::{Value, json};

use super::support::{World, keys};

const LEGACY: &str = "2025-06-18";
const REGISTRATION: [&str; 4] = ["is_registered", "status_code", "reason", "expires"];

#[tokio::test(start_paused = true)]
async fn arguments_that_a_tool_does_not_have_are_told_back() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let given = json!({ "phone_id": "a", "domain": "h", "username": "u", "password": "p", "expires": 20 });
    let added = client.call("add_phone", given).await;
    assert_eq!((&added["status"], &added["ignored"]), (&json!("ok"), &json!(["expires"])));
    assert!(
        added["hint"].as_str().unwrap().starts_with("there is no argument 'expires'; known are: phone_id,")
    );
    let digits = json!({ "phone_id": "a", "call_id": 0, "digits": "1", "method": "info" });
    assert_eq!(client.call("send_dtmf", digits).await["ignored"], json!(["method"]));
    let missing = client.result("a_make_call", json!({ "dest": "sip:x@h" })).await;
    let text = missing["content"][0]["text"].as_str().unwrap();
    assert!(
        text.ends_with(
            "there is no argument 'dest' (did you mean 'dest_uri'?); known are: dest_uri, headers"
        ),
        "{text}"
    );
    let fine = client.call("get_phone", json!({ "phone_id": "a" })).await;
    assert_eq!((fine.get("ignored"), fine.get("hint")), (None, None));
}

#[tokio::test(start_paused = true)]
async fn add_phone_registers_and_answers_with_the_published_keys() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    let added = client.add_phone("a").await;
    let mut expected = vec![
        "status",
        "phone_id",
        "domain",
        "username",
        "auto_answer",
        "transport",
        "transport_id",
        "codecs",
        "recording_enabled",
        "capture_enabled",
        "tools_registered",
    ];
    expected.extend(REGISTRATION);
    expected.push("seq");
    assert_eq!(keys(&added), expected);
    assert_eq!((&added["status"], &added["tools_registered"]), (&json!("ok"), &json!(22)));
    assert_eq!((&added["is_registered"], &added["expires"]), (&json!(true), &json!(300)));
}

#[tokio::test(start_paused = true)]
async fn a_refused_registration_is_still_an_added_phone() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    let arguments = json!({ "phone_id": "a", "domain": "pbx.test", "username": "a", "password": "wrong" });
    let added = client.call("add_phone", arguments).await;
    assert_eq!(added["status"], "ok");
    assert_eq!((&added["is_registered"], &added["status_code"]), (&json!(false), &json!(403)));
    assert_eq!(added["reason"], "Forbidden");
}

#[tokio::test(start_paused = true)]
async fn a_successor_is_waited_for_and_not_taken_for_its_predecessor() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    let again = json!({ "phone_id": "a", "domain": "pbx.test", "username": "a", "password": "slow" });
    let added = client.call("add_phone", again).await;
    assert_eq!((&added["is_registered"], &added["status_code"]), (&json!(true), &json!(200)), "{added}");
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_does_not_register_is_not_waited_for() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    let before = tokio::time::Instant::now();
    let arguments = json!({
        "phone_id": "a", "domain": "h:5070", "username": "u", "password": "p", "register": false, "transport": "UDP"
    });
    let added = client.call("add_phone", arguments).await;
    assert!(before.elapsed().as_millis() < 500);
    assert_eq!((&added["transport"], &added["status_code"]), (&json!("UDP"), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn wrong_names_and_transports_are_business_errors() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    let mut arguments = json!({ "phone_id": "A-1", "domain": "h", "username": "u", "password": "p" });
    let refused = client.call("add_phone", arguments.clone()).await;
    assert_eq!(keys(&refused), ["status", "error", "phone_id"]);
    assert_eq!(refused["error"], "phone_id 'A-1' invalid — must match ^[a-z0-9_]{1,32}$");
    arguments["phone_id"] = json!("a");
    arguments["transport"] = json!("carrier pigeon");
    let refused = client.call("add_phone", arguments.clone()).await;
    assert_eq!(refused["error"], "Unsupported transport: 'carrier pigeon' (use udp/tcp)");
    arguments["transport"] = json!("x".repeat(100_000));
    let refused = client.call("add_phone", arguments).await;
    assert!(refused["error"].as_str().unwrap().ends_with("xxx..."), "{refused}");
    let path = json!({ "path": "/".to_owned() + &"x".repeat(100_000) });
    for refused in [refused, client.call("load_phones", path).await] {
        assert!((1_000..3_000).contains(&refused.to_string().len()), "{}", refused.to_string().len());
    }
    assert!(client.seen.is_empty(), "a refused phone changes no list");
}

#[tokio::test(start_paused = true)]
async fn a_refused_command_tells_code_and_what_is_possible() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    let refusal = Rejection::from(Refused::Calls(2)).or_try([CommandKind::Resume, CommandKind::HangUp]);
    *world.exchange.refusal.lock().unwrap() = Some(refusal);
    let refused = client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    assert_eq!(
        refused,
        json!({ "status": "error", "error": "there are 2 calls already: hang one up first", "phone_id": "a", "code": "limit_reached", "legal": ["unhold", "hangup"] })
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_roster_is_shown_in_part_and_its_tools_whole() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    for number in 0..100 {
        client.add_phone(&format!("p{number}")).await;
    }
    let list = client.call("list_phones", json!({})).await;
    assert_eq!(keys(&list), ["total_count", "phones"]);
    for number in 100..120 {
        client.add_phone(&format!("p{number}")).await;
    }
    let list = client.call("list_phones", json!({})).await;
    assert_eq!(keys(&list), ["total_count", "phones", "more"]);
    assert_eq!((&list["total_count"], list["phones"].as_array().unwrap().len()), (&json!(120), 100));
    assert_eq!(list["more"], "20 more; get_phone shows one by its phone_id");
    // The list is written in pieces; what is requested meanwhile does not come between them.
    let tools = client.begin("tools/list", json!({})).await;
    let ping = client.begin("ping", json!({})).await;
    let tools = client.answer(tools).await;
    let names = tools["result"]["tools"].as_array().unwrap();
    assert_eq!(names.len(), 12 + 5 + 120 * 22);
    assert_eq!(names.last().unwrap()["name"], "p119_register");
    assert_eq!(client.answer(ping).await["result"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn list_phones_and_get_phone_show_settings_but_never_a_password() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    let list = client.call("list_phones", json!({})).await;
    assert_eq!(list["total_count"], 2);
    let phone = &list["phones"][0];
    let mut expected = vec![
        "phone_id",
        "domain",
        "username",
        "auto_answer",
        "transport",
        "local_port",
        "transport_id",
        "recording_enabled",
        "capture_enabled",
    ];
    expected.extend(REGISTRATION);
    expected.extend(["active_call_count", "tools"]);
    assert_eq!(keys(phone), expected);
    assert_eq!((&phone["active_call_count"], &phone["transport_id"]), (&json!(1), &json!(0)));
    assert_eq!(phone["tools"].as_array().unwrap().len(), 22);
    assert_eq!((&phone["tools"][0], &phone["tools"][21]), (&json!("a_make_call"), &json!("a_register")));

    let details = client.call("get_phone", json!({ "phone_id": "a" })).await;
    let mut expected = vec![
        "phone_id",
        "domain",
        "username",
        "realm",
        "srtp",
        "auto_answer",
        "transport",
        "local_port",
        "transport_id",
        "codecs",
        "recording_enabled",
        "capture_enabled",
        "active_calls",
        "tools",
    ];
    expected.extend(REGISTRATION);
    assert_eq!(keys(&details), expected);
    assert_eq!((&details["realm"], &details["codecs"]), (&json!("*"), &Value::Null));
    assert_eq!(
        keys(&details["active_calls"][0]),
        ["phone_id", "call_id", "state", "remote_uri", "duration", "codec"]
    );
    assert!(!format!("{list}{details}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn unknown_phones_are_named_in_the_words_that_clients_know() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    for tool in ["get_phone", "update_phone", "drop_phone"] {
        let refused = client.call(tool, json!({ "phone_id": "ghost" })).await;
        let hint = "there are no phones: add_phone first";
        let expected = json!({ "status": "error", "error": "Phone 'ghost' not registered", "hint": hint });
        assert_eq!(refused, expected, "{tool}");
    }
    let refused = client.call("hold", json!({ "phone_id": "ghost", "call_id": 1 })).await;
    assert_eq!(keys(&refused), ["status", "error", "phone_id", "hint"]);
    assert_eq!(refused["error"], "Phone 'ghost' not found — add_phone first");
    for phone in ["alice", "bob"] {
        client.add_phone(phone).await;
    }
    let there_are = "there are: alice, bob (did you mean 'alice'?)";
    for (tool, arguments) in [
        ("get_phone", json!({ "phone_id": "alcie" })),
        ("hold", json!({ "phone_id": "alcie", "call_id": 1 })),
        ("get_registration_status", json!({ "phone_id": "alcie" })),
        ("list_calls", json!({ "phone_id": "Alcie" })),
        ("alcie_make_call", json!({ "dest_uri": "sip:600@h" })),
        ("alcie_get_registration_status", json!({})),
    ] {
        assert_eq!(client.call(tool, arguments).await["hint"], there_are, "{tool}");
    }
    let both = client.call("get_phone", json!({ "phone_id": "alcie", "verbose": true })).await;
    let hint = format!("{there_are}; there is no argument 'verbose'; known are: phone_id");
    assert_eq!((&both["ignored"], &both["hint"]), (&json!(["verbose"]), &json!(hint)));
    let long = client.call("get_phone", json!({ "phone_id": "x".repeat(100_000) })).await;
    assert_eq!(long["error"], format!("Phone '{}' not registered", "x".repeat(40)));
    let refused = client.call("list_calls", json!({ "phone_id": "No Phone" })).await;
    assert_eq!(refused["error"], "Phone 'No Phone' not found — add_phone first");
}

#[tokio::test(start_paused = true)]
async fn codecs_that_are_not_available_are_listed() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    let phone = json!({ "phone_id": "a", "domain": "pbx.test", "username": "a", "password": "p",
                        "codecs": ["opus", "PCMA", "G722", "G729"] });
    let added = client.call("add_phone", phone).await;
    assert_eq!(added["codecs_unavailable"], json!(["opus", "G729"]));
    for (codecs, unavailable) in [(json!(["G729", "PCMU"]), json!(["G729"])), (json!(["PCMU"]), Value::Null)]
    {
        let updated = client.call("update_phone", json!({ "phone_id": "a", "codecs": codecs })).await;
        assert_eq!(updated["codecs_unavailable"], unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn update_phone_echoes_only_what_was_asked_for() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    client.call("b_answer_call", json!({})).await;

    let plain = client.call("update_phone", json!({ "phone_id": "a", "auto_answer": true })).await;
    let mut expected =
        vec!["status", "phone_id", "reregistered", "codecs", "recording_enabled", "capture_enabled"];
    expected.extend(REGISTRATION);
    expected.push("seq");
    assert_eq!(keys(&plain), expected);
    assert_eq!(plain["reregistered"], false);

    let media = json!({ "phone_id": "a", "recording_enabled": true, "codecs": [] });
    let media = client.call("update_phone", media).await;
    assert_eq!((&media["affected_call_ids"], &media["codec_reinvited_call_ids"]), (&json!([0]), &json!([0])));
    assert_eq!(media["codecs"], json!([]));

    let password = client.call("update_phone", json!({ "phone_id": "a", "password": "wrong" })).await;
    assert_eq!((&password["reregistered"], &password["is_registered"]), (&json!(true), &json!(false)));
}

#[tokio::test(start_paused = true)]
async fn dropping_a_phone_removes_its_tools_and_keeps_its_history() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    let dropped = client.call("drop_phone", json!({ "phone_id": "a" })).await;
    assert_eq!(keys(&dropped), ["status", "phone_id", "tools_removed", "seq"]);
    assert_eq!(dropped["tools_removed"], 22);
    assert!(client.tool_names().await.iter().all(|name| !name.starts_with("a_")));
    assert_eq!(world.exchange.views.history(None, 10).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_phones_file_replaces_or_joins_the_roster() {
    let world = World::new();
    let file = world.recordings.path().join("phones.yaml");
    let text = "defaults: {domain: pbx.test, password: p}\nphones:\n- {phone_id: x, username: x}\n\
                - {phone_id: 77, username: 77, auto_answer: true}\n- {phone_id: Bad, username: y}\n";
    std::fs::write(&file, text).unwrap();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    client.seen.clear();

    let merged = client.call("load_phones", json!({ "path": file, "merge": true })).await;
    assert_eq!(keys(&merged), ["status", "path", "mode", "dropped", "added", "errors", "seq"]);
    assert_eq!(
        (&merged["status"], &merged["mode"], &merged["dropped"]),
        (&json!("partial"), &json!("merge"), &json!([]))
    );
    assert_eq!(merged["errors"][0]["phone_id"], "Bad");
    let added = merged["added"].as_array().unwrap();
    assert_eq!(
        (added.len(), &added[0]["phone_id"], &added[1]["auto_answer"]),
        (2, &json!("x"), &json!(true))
    );
    assert!(added[0].get("status").is_none());
    assert_eq!(client.seen.len(), 1, "one change of the list: {:?}", client.seen);

    let replaced = client.call("load_phones", json!({ "path": file })).await;
    assert_eq!((&replaced["mode"], &replaced["dropped"]), (&json!("replace"), &json!(["a", "x", "77"])));
    let names: Vec<String> = world.exchange.views.phones().iter().map(|phone| phone.id.to_string()).collect();
    assert_eq!(names, ["x", "77"]);
}

#[tokio::test(start_paused = true)]
async fn a_phones_file_that_cannot_be_used_changes_nothing() {
    let world = World::new();
    let file = world.recordings.path().join("phones.yaml");
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    client.seen.clear();
    for (text, word) in [
        ("phones: []", "empty"),
        ("phones: [{phone_id: a, domain: h, username: u}]", "password"),
        ("phones: [{phone_id: a, domain: h, username: u, password: p, colour: red}]", "unknown"),
        (
            "phones: [{phone_id: a, domain: h, username: u, password: p}, {phone_id: a, domain: h, username: u, password: p}]",
            "duplicate",
        ),
        ("- a", "mapping"),
    ] {
        std::fs::write(&file, text).unwrap();
        let refused = client.call("load_phones", json!({ "path": file })).await;
        assert_eq!(keys(&refused), ["status", "error", "path"]);
        assert!(refused["error"].as_str().unwrap().to_lowercase().contains(word), "{refused}");
    }
    let missing = client.call("load_phones", json!({ "path": "/nowhere/phones.yaml" })).await;
    assert!(
        missing["error"].as_str().unwrap().starts_with("Profile not found: /nowhere/phones.yaml"),
        "{missing}"
    );
    assert!(client.seen.is_empty());
    assert_eq!(world.exchange.views.phones().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_password_of_another_type_is_refused_and_not_shown() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, LEGACY).await;
    client.add_phone("a").await;
    for wrong in [
        json!(12_345_678),
        json!(12_345_678.5),
        json!(["hunter2"]),
        json!([["hunter2", 12_345_678]]),
        json!({ "hunter2": 12_345_678 }),
    ] {
        let add = json!({ "phone_id": "b", "domain": "d", "username": "u", "password": wrong });
        let update = json!({ "phone_id": "a", "password": wrong });
        for (tool, arguments) in [("add_phone", add), ("update_phone", update)] {
            let refused = client.result(tool, arguments).await;
            let said = refused.to_string();
            assert_eq!(refused["isError"], true, "{tool}: {said}");
            assert!(said.contains("password"), "{tool}: {said}");
            assert!(!said.contains("hunter2") && !said.contains("12345678"), "{tool}: {said}");
        }
    }
    assert_eq!(world.exchange.commands.lock().unwrap().len(), 1, "only the phone that was added first");
}
