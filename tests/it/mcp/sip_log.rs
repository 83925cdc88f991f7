//! SIP messages as text and structured; recordings and captures.

use std::{fs::File, path::Path, time::Duration};

use offhook::{
    event::{CaptureEvent, MediaEvent},
    id::CallId,
    mcp::PhoneTools,
};
use offhook_capture::{
    frame::Framer,
    write::{Format, Writer},
};
use serde_json::{Value, json};

use super::support::{Wire, World, keys};

async fn with_a_call(world: &World) -> Wire {
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    client
}

#[tokio::test(start_paused = true)]
async fn the_log_is_filtered_by_owner_and_fields() {
    let world = World::new();
    let mut client = with_a_call(&world).await;
    for (filter, count) in [
        (json!({}), 6),
        (json!({ "phone_id": "a" }), 3),
        (json!({ "method": "register" }), 4),
        (json!({ "direction": "rx" }), 3),
        (json!({ "direction": "TX", "phone_id": "a" }), 2),
        (json!({ "status_code": "200" }), 2),
        (json!({ "call_id": 0 }), 1),
        (json!({ "call_id": 1, "method": "INVITE", "cseq": 1 }), 1),
        (json!({ "cseq": 2 }), 0),
        (json!({ "filter_text": "INVITE sip:" }), 2),
        (json!({ "last_n": 2 }), 2),
    ] {
        let log = client.call("get_sip_log", filter.clone()).await;
        assert_eq!(keys(&log), ["total_count", "entries"], "{filter}");
        assert_eq!(log["total_count"], count, "{filter}");
        assert_eq!(log["entries"].as_array().unwrap().len(), count, "{filter}");
        if filter.get("filter_text").is_none() {
            let messages = client.call("get_call_messages", filter.clone()).await;
            assert_eq!(keys(&messages), ["phone_id", "total_count", "messages"], "{filter}");
            assert_eq!(messages["total_count"], count, "{filter}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_found_is_said_and_not_just_empty() {
    let world = World::new();
    let mut client = with_a_call(&world).await;
    for tool in ["get_sip_log", "get_call_messages"] {
        for phone in ["ghost", "NO PHONE"] {
            let found = client.call(tool, json!({ "phone_id": phone })).await;
            assert_eq!(found["total_count"], 0);
            let warning = format!("phone_id '{phone}' is unknown; there are: a, b");
            assert_eq!(found["warning"], warning, "{tool}");
        }
        for (wrong, error) in [
            (json!({ "direction": "sent" }), "direction 'sent' is neither TX (sent) nor RX (received)"),
            (json!({ "status_code": 0 }), "status_code 0 is no status of a response: from 100 to 699"),
            (json!({ "method": "200 OK" }), "method '200 OK' is no method such as INVITE or REGISTER"),
            (json!({ "cseq": -1 }), "cseq -1 is no CSeq number: from 0 to 4294967295"),
            (json!({ "last_n": -1 }), "last_n -1 is negative: give how many of the newest, or 0 for all"),
        ] {
            let answer = client.call(tool, wrong).await;
            assert_eq!((&answer["status"], &answer["error"]), (&json!("error"), &json!(error)), "{tool}");
        }
    }
    let none = client.call("list_recordings", json!({ "phone_id": "ghost" })).await;
    assert_eq!(none["warning"], "phone_id 'ghost' is unknown; there are: a, b");
    let none = client.call("list_recordings", json!({ "phone_id": "a" })).await;
    assert_eq!(none.get("warning"), None, "it only has none");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_nothing_narrows_is_bounded_and_counted() {
    let world = World::new();
    let mut client = with_a_call(&world).await;
    for _ in 0..12 {
        client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    }
    for (tool, list) in [("get_sip_log", "entries"), ("get_call_messages", "messages")] {
        let newest = client.call(tool, json!({})).await;
        let count = newest["total_count"].as_u64().unwrap();
        assert_eq!(newest[list].as_array().unwrap().len(), 20, "{tool}");
        assert!(newest["more"].as_str().unwrap().starts_with(&format!("{} older ones", count - 20)));
        let all = client.call(tool, json!({ "last_n": 0 })).await;
        assert_eq!(all["more"], Value::Null);
        let all = all[list].as_array().unwrap().clone();
        assert_eq!(all.len() as u64, count, "{tool}: all of them on request");
        assert_eq!(newest[list].as_array().unwrap()[..], all[all.len() - 20..], "the newest, in order");
    }
    for _ in 0..6 {
        client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    }
    let (a, of_one_call) = ("a".parse().unwrap(), "out-call-0");
    for cseq in 2..=200 {
        world.exchange.message(&a, true, "INVITE", cseq, None, of_one_call);
    }
    for (tool, list) in [("get_sip_log", "entries"), ("get_call_messages", "messages")] {
        for (filter, shown) in [
            (json!({ "phone_id": "b" }), 21),
            (json!({ "phone_id": "b", "method": "INVITE" }), 19),
            (json!({ "call_id": 0 }), 200),
        ] {
            let found = client.call(tool, filter.clone()).await;
            assert_eq!(found[list].as_array().unwrap().len(), shown, "{tool} {filter}");
            assert_eq!(
                (&found["total_count"], &found["more"]),
                (&json!(shown), &Value::Null),
                "{tool} {filter}"
            );
        }
    }
    world.exchange.message(&a, true, "INVITE", 201, None, of_one_call);
    let call = client.call("get_call_messages", json!({ "call_id": 0 })).await;
    assert_eq!((call["messages"].as_array().unwrap().len(), &call["total_count"]), (201, &json!(201)));
    assert_eq!(call["messages"][200]["cseq"], 201);
}

#[tokio::test(start_paused = true)]
async fn a_search_through_everything_says_how_far_it_looked() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    let a = "a".parse().unwrap();
    // Its REGISTER and the answer are the first two.
    for cseq in 2..5_000 {
        world.exchange.message(&a, true, "OPTIONS", cseq, None, "x");
    }
    let anywhere = json!({ "method": "REGISTER", "last_n": 0 });
    let of_phone = json!({ "method": "REGISTER", "last_n": 0, "phone_id": "a" });
    let of_call = json!({ "call_id": 0, "last_n": 1 });
    let looked_at = |most: usize| {
        json!(format!("only the newest {most} SIP events were looked at; query_events finds older ones"))
    };
    for tool in ["get_sip_log", "get_call_messages"] {
        let all = client.call(tool, anywhere.clone()).await;
        assert_eq!((&all["total_count"], all.get("warning")), (&json!(2), None), "{tool}");
    }
    world.exchange.message(&a, true, "OPTIONS", 5_000, None, "x");
    for tool in ["get_sip_log", "get_call_messages"] {
        for filter in [&anywhere, &of_phone] {
            let newest = client.call(tool, filter.clone()).await;
            assert_eq!(
                (&newest["total_count"], &newest["warning"]),
                (&json!(1), &looked_at(5_000)),
                "{tool} {filter}"
            );
        }
    }
    client.call("a_make_call", json!({ "dest_uri": "sip:600@pbx.test" })).await;
    assert_eq!(client.call("get_sip_log", of_call.clone()).await.get("warning"), None);
    for cseq in 2..=1_000 {
        world.exchange.message(&a, true, "INFO", cseq, None, "out-call-0");
    }
    assert_eq!(client.call("get_sip_log", of_call).await["warning"], looked_at(1_000));
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_the_message_between_its_envelope_and_its_end() {
    let world = World::new();
    let mut client = with_a_call(&world).await;
    let log = client.call("get_sip_log", json!({ "call_id": 0 })).await;
    let entry = &log["entries"][0];
    assert_eq!(keys(entry), ["level", "msg", "thread"]);
    assert_eq!(entry["level"], 4);
    let text = entry["msg"].as_str().unwrap();
    assert!(text.starts_with("03:04:05.678 "), "{text}");
    assert!(text.lines().next().unwrap().contains("Request msg INVITE/cseq=1"), "{text}");
    assert!(text.contains("\r\nCall-ID: out-call-0\r\n") && text.ends_with("\n--end msg--"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_call_is_a_warning_and_no_error() {
    let world = World::new();
    let mut client = with_a_call(&world).await;
    let log = client.call("get_sip_log", json!({ "call_id": 99 })).await;
    assert_eq!((&log["entries"], &log["total_count"]), (&json!([]), &json!(0)));
    assert_eq!(log["warning"], "no call 99 was ever made or received");
    let messages = client.call("get_call_messages", json!({ "call_id": 99, "phone_id": "a" })).await;
    assert_eq!(keys(&messages), ["phone_id", "messages", "total_count", "warning"]);
    let other = client.call("get_call_messages", json!({ "call_id": 0, "phone_id": "b" })).await;
    assert_eq!(other["warning"], "call_id 0 belongs to phone_id 'a', not 'b'");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_taken_apart() {
    let world = World::new();
    let mut client = with_a_call(&world).await;
    let messages = client.call("get_call_messages", json!({ "call_id": 0 })).await;
    let invite = &messages["messages"][0];
    assert_eq!(
        keys(invite),
        ["ts", "direction", "method", "cseq", "call_id", "from", "to", "sdp", "headers"]
    );
    assert_eq!((&invite["direction"], &invite["call_id"]), (&json!("TX"), &json!("out-call-0")));
    assert_eq!(invite["from"], "sip:a@pbx.test");
    assert_eq!(invite["headers"]["CSeq"], "1 INVITE");
    let audio = &invite["sdp"]["media"][0];
    assert_eq!(audio["payload_types"], json!([8, 101]));
    assert_eq!(audio["codecs"][1]["name"], "telephone-event");
    let responses =
        client.call("get_call_messages", json!({ "method": "REGISTER", "direction": "RX" })).await;
    assert_eq!(responses["messages"][0]["status_code"], 200);
    assert_eq!(responses["messages"][0]["sdp"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn recordings_are_listed_newest_name_first() {
    let world = World::new();
    let root = world.recordings.path();
    std::fs::create_dir(root.join("a")).unwrap();
    for name in [
        "a/call_0_20260102_030405_000001.wav",
        "a/call_3_20260102_030406_000001.wav",
        "call_b_9_x.wav",
        "a/note.txt",
    ] {
        std::fs::write(root.join(name), b"RIFF").unwrap();
    }
    std::fs::write(root.join("a/call_3_20260102_030406_000001.meta.json"), b"{}").unwrap();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let list = client.call("list_recordings", json!({})).await;
    assert_eq!(list["total_count"], 3);
    let rows = list["recordings"].as_array().unwrap();
    assert_eq!(keys(&rows[0]), ["filename", "file_path", "file_size", "phone_id", "call_id", "meta_path"]);
    let calls: Vec<&Value> = rows.iter().map(|row| &row["call_id"]).collect();
    assert_eq!(calls, [&json!(9), &json!(3), &json!(0)]);
    assert!(rows[1]["meta_path"].as_str().unwrap().ends_with(".meta.json"));
    assert_eq!((&rows[2]["meta_path"], &rows[2]["file_size"]), (&Value::Null, &json!(4)));
    let one = client.call("list_recordings", json!({ "phone_id": "a", "call_id": 3 })).await;
    assert_eq!(one["total_count"], 1);
    for call in 10..70 {
        std::fs::write(root.join(format!("a/call_{call}_20260102_030407_000001.wav")), b"RIFF").unwrap();
    }
    for (filter, shown, total, more) in [
        (json!({}), 50, 63, json!("13 more; give phone_id or call_id")),
        (json!({ "phone_id": "a" }), 62, 62, Value::Null),
    ] {
        let list = client.call("list_recordings", filter).await;
        assert_eq!((list["recordings"].as_array().unwrap().len(), &list["more"]), (shown, &more));
        assert_eq!(list["total_count"], total);
    }
    for call in 70..210 {
        std::fs::write(root.join(format!("a/call_{call}_20260102_030408_000001.wav")), b"RIFF").unwrap();
    }
    let list = client.call("list_recordings", json!({ "phone_id": "a" })).await;
    assert_eq!((list["recordings"].as_array().unwrap().len(), &list["total_count"]), (202, &json!(202)));
    assert_eq!(list["more"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn recordings_are_shown_where_the_host_has_them() {
    let mut world = World::new();
    world.host_root = Some("/host".into());
    let root = world.recordings.path().to_owned();
    std::fs::create_dir(root.join("a")).unwrap();
    let file = root.join("a/call_0_20260102_030405_000001.wav");
    std::fs::write(&file, b"RIFF").unwrap();
    std::fs::write(file.with_extension("meta.json"), b"{}").unwrap();
    let mut client = with_a_call(&world).await;
    let started = MediaEvent::RecordingStarted { path: file.display().to_string(), epoch: 1 };
    world.exchange.on_call(CallId(0), started);
    let shown = json!("/host/a/call_0_20260102_030405_000001.wav");
    let list = client.call("list_recordings", json!({})).await;
    assert_eq!(list["recordings"][0]["file_path"], shown);
    assert_eq!(list["recordings"][0]["meta_path"], "/host/a/call_0_20260102_030405_000001.meta.json");
    assert_eq!(client.call("a_get_call_info", json!({})).await["recording_file"], shown);
    let open = client.call("a_get_recording", json!({})).await;
    assert_eq!((&open["recording_file"], &open["file_size"]), (&shown, &json!(4)));
    assert_eq!(open["filename"], "call_0_20260102_030405_000001.wav");
    client.call("a_hangup", json!({})).await;
    let history = client.call("a_get_call_history", json!({})).await;
    assert_eq!(history["history"][0]["recording_file"], shown);
}

#[tokio::test(start_paused = true)]
async fn a_missing_capture_is_told_in_the_published_shape() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    let none = client.call("analyze_capture", json!({ "phone_id": "a", "call_id": 2 })).await;
    assert_eq!(
        keys(&none),
        [
            "phone_id",
            "call_id",
            "path",
            "error",
            "total_packets",
            "rtp_flows",
            "rtcp_flows",
            "phone_rtp_port",
            "phone_rtp_codecs_seen",
            "non_phone_codecs_on_phone_port"
        ]
    );
    assert!(none["error"].as_str().unwrap().starts_with("no capture for phone='a' call_id=2"));
}

/// Writes a capture of RTP from port 4000 to 4002 with these payload types.
fn write_capture(file: &Path, payload_types: &[u8]) {
    let mut writer = Writer::new(Vec::new(), Format::Pcap).unwrap();
    let (phone, mut framer) = (writer.interface("a").unwrap(), Framer::default());
    let ends = |from: &str, to: &str| (from.parse().unwrap(), to.parse().unwrap());
    for (number, payload_type) in (0..).zip(payload_types) {
        let (from, to) = ends("127.0.0.1:4000", "127.0.0.1:4002");
        let packet = [0x80, *payload_type, 0, number, 0, 0, 0, 160, 0, 0, 0, 7, 0xD5, 0xD5];
        let at = Duration::from_secs(1_767_225_600) + Duration::from_millis(20) * u32::from(number);
        writer.packet(at, phone, framer.udp(from, to, &packet).unwrap(), None).unwrap();
    }
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, writer.into_inner()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_capture_is_analyzed_in_the_published_shape() {
    let mut world = World::new();
    world.host_root = Some("/host".into());
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    client.add_phone("a").await;
    client.add_phone("b").await;
    client.call("update_phone", json!({ "phone_id": "a", "codecs": ["PCMA"] })).await;
    client.call("a_make_call", json!({ "dest_uri": "sip:b@pbx.test" })).await;
    client.call("b_answer_call", json!({})).await;
    let folder = world.recordings.path().join("captures/a");
    let file = folder.join("call_0_20260101_000000_000000.pcap");
    write_capture(&file, &[8, 8, 0, 101]);
    let held = CaptureEvent::CallAdded { path: file.display().to_string(), renamed_from: None };
    world.exchange.on_call(CallId(0), held);
    write_capture(&folder.join("call_7_20260101_000000_000000.pcap"), &[8]);
    // Written last, but it holds no call.
    let between = folder.join("capture_20260101_000001_000000.pcap");
    write_capture(&between, &[3]);
    let between = File::options().write(true).open(between).unwrap();
    let later = between.metadata().unwrap().modified().unwrap() + Duration::from_secs(60);
    between.set_modified(later).unwrap();
    let told = client.call("analyze_capture", json!({ "phone_id": "a", "call_id": 0 })).await;
    assert_eq!(
        keys(&told),
        [
            "phone_id",
            "call_id",
            "path",
            "linktype",
            "linktype_name",
            "total_packets",
            "rtp_flows",
            "rtcp_flows",
            "phone_rtp_port",
            "phone_rtp_codecs_seen",
            "non_phone_codecs_on_phone_port",
            "error",
            "calls",
            "other_streams"
        ]
    );
    assert_eq!(
        (&told["call_id"], &told["error"], &told["total_packets"]),
        (&json!(0), &Value::Null, &json!(4))
    );
    assert_eq!((&told["linktype"], &told["linktype_name"]), (&json!(101), &json!("RAW")));
    let flow = |payload_type: u8, codec: &str, count: u64| json!({ "src_port": 4000, "dst_port": 4002, "payload_type": payload_type, "codec": codec, "count": count });
    let flows = json!([flow(0, "PCMU", 1), flow(8, "PCMA", 2), flow(101, "telephone-event", 1)]);
    assert_eq!(told["rtp_flows"], flows);
    assert_eq!(told["phone_rtp_port"], 4000);
    assert_eq!(told["phone_rtp_codecs_seen"], json!(["PCMA", "PCMU", "telephone-event"]));
    assert_eq!(told["non_phone_codecs_on_phone_port"], json!(["PCMU"]), "digits are allowed");
    let stream = &told["other_streams"][0];
    assert_eq!(
        (&stream["from"], &stream["packets"], &stream["lost"]),
        (&json!("127.0.0.1:4000"), &json!(4), &json!(0))
    );
    // The newest capture with a call, if none is named.
    let newest = client.call("analyze_capture", json!({ "phone_id": "a" })).await;
    assert_eq!((&newest["call_id"], &newest["total_packets"]), (&json!(7), &json!(1)));
    assert_eq!(newest["phone_rtp_port"], Value::Null, "nothing is known of call 7");
}

#[tokio::test(start_paused = true)]
async fn a_capture_of_somebody_else_is_not_reached_by_a_path() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    write_capture(&world.recordings.path().join("captures/a/call_0_20260101_000000_000000.pcap"), &[8]);
    assert_ne!(client.call("analyze_capture", json!({ "phone_id": "a" })).await["path"], Value::Null);
    for phone in ["../a", "a/../a", "/captures/a", ""] {
        let none = client.call("analyze_capture", json!({ "phone_id": phone })).await;
        assert_eq!(none["path"], Value::Null, "{phone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_cannot_be_read_is_told_and_a_cut_one_is_read_as_far_as_it_goes() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Auto, "2025-06-18").await;
    let file = world.recordings.path().join("captures/a/call_0_20260101_000000_000000.pcap");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "hello").unwrap();
    let told = client.call("analyze_capture", json!({ "phone_id": "a", "call_id": 0 })).await;
    assert!(told["error"].as_str().unwrap().starts_with("unreadable pcap: "), "{told}");
    write_capture(&file, &[8, 8]);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    let told = client.call("analyze_capture", json!({ "phone_id": "a", "call_id": 0 })).await;
    assert_eq!(
        (&told["total_packets"], &told["cut"], &told["error"]),
        (&json!(1), &json!(true), &Value::Null)
    );
}
