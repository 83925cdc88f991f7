//! The SDK's own client against the server, in process: both lifecycles, every tool.

use offhook::mcp::PhoneTools;
use rmcp::{
    ClientHandler, ClientServiceExt,
    model::{CallToolRequestParams, ClientConfig, ProtocolVersion},
    service::ClientLifecycleMode,
};
use serde_json::{Value, json};

use super::support::World;

#[derive(Clone, Default)]
struct Tester;

impl ClientHandler for Tester {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }
}

/// Arguments that each tool accepts when phone a has call 0 to phone b's call 1.
const CALLS: &[(&str, &str)] = &[
    ("list_phones", "{}"),
    ("get_phone", r#"{"phone_id":"a"}"#),
    ("answer_call", r#"{"phone_id":"b"}"#),
    ("get_call_info", r#"{"phone_id":"a"}"#),
    ("list_calls", r#"{"phone_id":"a"}"#),
    ("get_active_calls", r#"{"phone_id":"a"}"#),
    ("hold", r#"{"phone_id":"a","call_id":0}"#),
    ("unhold", r#"{"phone_id":"a","call_id":0}"#),
    ("send_dtmf", r#"{"phone_id":"a","call_id":0,"digits":"5"}"#),
    ("play_audio", r#"{"phone_id":"a","file_path":"x.wav"}"#),
    ("stop_audio", r#"{"phone_id":"a"}"#),
    ("get_recording", r#"{"phone_id":"a"}"#),
    ("blind_transfer", r#"{"phone_id":"a","dest_uri":"sip:c@h"}"#),
    ("attended_transfer", r#"{"phone_id":"a"}"#),
    ("conference", r#"{"phone_id":"a","call_ids":[0]}"#),
    ("send_message", r#"{"phone_id":"a","dest_uri":"sip:b@h","body":"x"}"#),
    ("get_messages", r#"{"phone_id":"b"}"#),
    ("get_registration_status", r#"{"phone_id":"a"}"#),
    ("call_snapshot", r#"{"call_id":0}"#),
    ("wait_for_event", r#"{"events":["dtmf.*"],"after":0}"#),
    ("query_events", "{}"),
    ("server_status", "{}"),
    ("conference_calls", r#"{"call_ids":[0,1]}"#),
    ("get_sip_log", "{}"),
    ("get_call_messages", "{}"),
    ("list_recordings", "{}"),
    ("analyze_capture", r#"{"phone_id":"a"}"#),
    ("validate_scenario", r#"{"scenario":{}}"#),
    ("run_scenario", r#"{"scenario":{}}"#),
    ("hangup", r#"{"phone_id":"a"}"#),
    ("reject_call", r#"{"phone_id":"b"}"#),
    ("get_call_history", r#"{"phone_id":"a"}"#),
    ("update_phone", r#"{"phone_id":"a","auto_answer":true}"#),
    ("unregister", r#"{"phone_id":"a"}"#),
    ("register", r#"{"phone_id":"a"}"#),
    ("load_phones", r#"{"path":"/nowhere"}"#),
    ("drop_phone", r#"{"phone_id":"a"}"#),
];

/// Tools of `CALLS` whose business answer is an error in this world.
const REFUSED: &[&str] = &[
    "get_recording",
    "attended_transfer",
    "conference",
    "validate_scenario",
    "run_scenario",
    "reject_call",
    "load_phones",
];

fn request(tool: &str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.as_object().unwrap().clone())
}

#[tokio::test(start_paused = true)]
async fn every_tool_answers_the_sdk_client_in_both_lifecycles() {
    for (lifecycle, listed) in [
        (ClientLifecycleMode::Initialize, 12 + 5 + 22),
        (
            ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
            12 + 5 + 22,
        ),
    ] {
        let world = World::new();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(theirs);
        let served = tokio::spawn(world.server(PhoneTools::Auto).serve(input, output));
        let client = Tester.serve_with_lifecycle(ours, lifecycle).await.unwrap();
        assert_eq!(client.list_all_tools().await.unwrap().len(), listed);
        for phone in ["a", "b"] {
            let arguments = json!({ "phone_id": phone, "domain": "h", "username": phone, "password": "p" });
            client.call_tool(request("add_phone", arguments)).await.unwrap();
        }
        let placed = json!({ "phone_id": "a", "dest_uri": "sip:b@h" });
        client.call_tool(request("make_call", placed)).await.unwrap();
        for (tool, arguments) in CALLS {
            let result =
                client.call_tool(request(tool, serde_json::from_str(arguments).unwrap())).await.unwrap();
            assert_eq!(result.is_error, Some(false), "{tool}: {result:?}");
            let structured = result.structured_content.unwrap();
            assert_eq!(structured["status"] == "error", REFUSED.contains(tool), "{tool}: {structured}");
        }
        client.cancel().await.unwrap();
        served.await.unwrap().unwrap();
    }
}
