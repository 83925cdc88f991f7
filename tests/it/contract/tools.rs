//! One snapshot per MCP tool, the size of the whole list, and the generated reference.

use std::fmt::Write;

use offhook::mcp::PhoneTools;
use serde_json::{Value, json};

use crate::mcp::support::World;

/// About 10,000 tokens at four characters each.
const STATIC_LIST_BUDGET: usize = 40_000;

async fn listed(mode: PhoneTools) -> Vec<Value> {
    let world = World::new();
    let mut client = world.client(mode, "2025-11-25").await;
    client.add_phone("a").await;
    let list = client.request("tools/list", json!({})).await;
    list["result"]["tools"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn every_tool_is_as_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("tools");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for tool in listed(PhoneTools::Static).await {
        insta::assert_json_snapshot!(tool["name"].as_str().unwrap().to_owned(), tool);
    }
    let dynamic = listed(PhoneTools::Dynamic).await;
    let bound = dynamic.iter().find(|tool| tool["name"] == "a_make_call").unwrap();
    insta::assert_json_snapshot!("a_make_call", bound);
}

#[tokio::test(start_paused = true)]
async fn the_static_list_stays_within_its_budget() {
    let size = json!(listed(PhoneTools::Static).await).to_string().len();
    assert!(size <= STATIC_LIST_BUDGET, "{size} bytes");
}

#[tokio::test(start_paused = true)]
async fn every_tool_says_what_it_does_and_what_may_be_assumed() {
    for mode in [PhoneTools::Static, PhoneTools::Dynamic] {
        for tool in listed(mode).await {
            let name = tool["name"].as_str().unwrap();
            assert!(tool["description"].as_str().is_some_and(|about| about.ends_with('.')), "{name}");
            let hints = &tool["annotations"];
            for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
                assert!(hints[hint].is_boolean(), "{name} {hint}");
            }
            assert!(hints["title"].is_string(), "{name}");
            assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
            assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        }
    }
}

/// The arguments of the compatible surface: name, type, `*` for required, or the default.
const ARGUMENTS: &[(&str, &str)] = &[
    ("list_phones", ""),
    (
        "add_phone",
        "phone_id:string* domain:string* username:string* password:string* transport:string=\"udp\" local_port:integer=0 \
         codecs:[string]? auto_answer:boolean=false srtp:boolean=false realm:string? register:boolean=true \
         recording_enabled:boolean=false capture_enabled:boolean=false",
    ),
    ("drop_phone", "phone_id:string* hangup_calls:boolean=true"),
    ("get_phone", "phone_id:string*"),
    (
        "update_phone",
        "phone_id:string* auto_answer:boolean? codecs:[string]? password:string? realm:string? srtp:boolean? \
         recording_enabled:boolean? capture_enabled:boolean?",
    ),
    ("load_phones", "path:string=\"/config/phones.yaml\" merge:boolean=false"),
    (
        "get_sip_log",
        "last_n:integer? filter_text:string? phone_id:string? call_id:integer? method:string? direction:string? \
         status_code:integer? cseq:integer?",
    ),
    (
        "get_call_messages",
        "phone_id:string? call_id:integer? method:string? direction:string? status_code:integer? cseq:integer? last_n:integer?",
    ),
    ("list_recordings", "phone_id:string? call_id:integer?"),
    ("analyze_capture", "phone_id:string* call_id:integer?"),
    ("validate_scenario", "scenario:object*"),
    ("run_scenario", "scenario:object* timeout_ms:integer?"),
    ("a_make_call", "dest_uri:string* headers:object?"),
    ("a_answer_call", "call_id:integer? status_code:integer=200"),
    ("a_reject_call", "call_id:integer? status_code:integer=486"),
    ("a_hangup", "call_id:integer?"),
    ("a_get_call_info", "call_id:integer?"),
    ("a_list_calls", ""),
    ("a_get_active_calls", ""),
    ("a_get_call_history", "last_n:integer?"),
    ("a_hold", "call_id:integer* wait_ms:integer?"),
    ("a_unhold", "call_id:integer* wait_ms:integer?"),
    ("a_send_dtmf", "call_id:integer* digits:string*"),
    ("a_blind_transfer", "dest_uri:string* call_id:integer? wait_ms:integer?"),
    ("a_attended_transfer", "call_id:integer? dest_call_id:integer? wait_ms:integer?"),
    ("a_conference", "call_ids:[integer]*"),
    ("a_play_audio", "file_path:string* call_id:integer? loop:boolean=false"),
    ("a_stop_audio", "call_id:integer?"),
    ("a_get_recording", "call_id:integer?"),
    ("a_send_message", "dest_uri:string* body:string* wait_ms:integer?"),
    ("a_get_messages", "last_n:integer?"),
    ("a_get_registration_status", ""),
    ("a_unregister", "wait_ms:integer?"),
    ("a_register", ""),
];

fn described(tool: &Value) -> String {
    let schema = &tool["inputSchema"];
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut words = Vec::new();
    for (name, property) in schema["properties"].as_object().unwrap() {
        let nullable = property.get("anyOf").is_some();
        let kind = if nullable { &property["anyOf"][0] } else { property };
        let word = match kind["type"].as_str().unwrap() {
            "array" => format!("[{}]", kind["items"]["type"].as_str().unwrap()),
            other => other.to_owned(),
        };
        let mark = match property.get("default") {
            _ if nullable => "?".to_owned(),
            _ if required.contains(&name.as_str()) => "*".to_owned(),
            Some(default) => format!("={default}"),
            None => "?".to_owned(),
        };
        words.push(format!("{name}:{word}{mark}"));
    }
    words.join(" ")
}

#[tokio::test(start_paused = true)]
async fn the_compatible_tools_take_exactly_the_published_arguments() {
    let tools = listed(PhoneTools::Dynamic).await;
    let find =
        |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    for (name, arguments) in ARGUMENTS {
        let tool = find(name);
        assert_eq!(described(tool), *arguments, "{name}");
        let bare = name.strip_prefix("a_").unwrap_or(name);
        assert_eq!(tool["inputSchema"]["title"], format!("{bare}Arguments"));
        assert_eq!(
            tool["outputSchema"],
            json!({ "type": "object", "additionalProperties": true, "title": format!("{bare}DictOutput") })
        );
    }
    assert_eq!(tools.len(), ARGUMENTS.len() + 5, "five native tools beside them");
    for tool in listed(PhoneTools::Static).await.iter().skip(17) {
        let name = tool["name"].as_str().unwrap();
        let (_, arguments) = ARGUMENTS.iter().find(|(each, _)| *each == format!("a_{name}")).unwrap();
        assert_eq!(described(tool), format!("phone_id:string* {arguments}").trim_end(), "{name}");
    }
}

/// Writes the reference that ships with the program.
fn reference(tools: &[Value]) -> String {
    let mut text = String::from(
        "# MCP tools\n\nGenerated from the tool definitions; a test fails when it is out of date. The actions from `make_call` on \
         exist twice: as listed here with `phone_id`, and for each phone as `<phone_id>_<action>` without it \
         (`--phone-tools dynamic|static|auto` chooses what is listed; both names always work).\n",
    );
    for tool in tools {
        let hints = &tool["annotations"];
        let nature = match (&hints["readOnlyHint"], &hints["destructiveHint"]) {
            (Value::Bool(true), _) => "reads only",
            (_, Value::Bool(true)) => "ends or removes",
            _ => "changes something",
        };
        writeln!(
            text,
            "\n## `{}`\n\n{} ({nature})\n",
            tool["name"].as_str().unwrap(),
            tool["description"].as_str().unwrap()
        )
        .unwrap();
        let arguments = described(tool);
        if arguments.is_empty() {
            text.push_str("No arguments.\n");
            continue;
        }
        text.push_str("| argument | type | |\n|---|---|---|\n");
        for argument in arguments.split(' ') {
            let (name, kind) = argument.split_once(':').unwrap();
            let (kind, presence) = match kind.split_at(kind.find(['*', '?', '=']).unwrap_or(kind.len())) {
                (kind, "*") => (kind, "required; ".to_owned()),
                (kind, "?" | "") => (kind, String::new()),
                (kind, default) => (kind, format!("default `{}`; ", default.trim_start_matches('='))),
            };
            let about = tool["inputSchema"]["properties"][name]["description"].as_str().unwrap_or_default();
            writeln!(text, "| `{name}` | {kind} | {presence}{about} |").unwrap();
        }
    }
    text
}

#[tokio::test(start_paused = true)]
async fn the_reference_is_up_to_date() {
    let generated = reference(&listed(PhoneTools::Static).await);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/tools.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "docs/reference/tools.md is out of date; run with INSTA_UPDATE=always");
}
