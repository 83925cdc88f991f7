//! The JSON Schema and the tables of the reference, generated from the tables that the reader uses.

use serde_json::{Map, Value, json};

use super::{
    diagnostic::Rule,
    dialect::{ACTIONS, ActionShape, ArgShape},
    model::Metric,
};
use crate::event::{Event, Transport};

/// Returns the JSON Schema of scenario documents, for editors.
#[must_use]
pub fn schema() -> Value {
    let steps = json!({ "type": "array", "items": { "$ref": "#/$defs/step" } });
    let clauses = json!({ "type": "array", "items": { "$ref": "#/$defs/clause" } });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "offhook scenario",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string" },
            "description": { "type": "string" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "skip": { "type": "string", "description": "why it is not run" },
            "vars": { "type": "object", "description": "values for ${name}" },
            "phones": phones(),
            "timeout": duration("longest duration of the run; 60s"),
            "timeout_ms": milliseconds("the same under its older name, where a number counts milliseconds"),
            "hooks": { "type": "array", "items": { "$ref": "#/$defs/hook" } },
            "patterns": { "type": "array", "items": { "type": "object", "required": ["use"] } },
            "initial_actions": steps,
            "steps": steps,
            "never": clauses,
            "stop_on": { "type": "array" },
            "expect_verdict": { "enum": ["passed", "failed", "blocked", "skipped"] },
            "expect_failure": { "type": "string", "description": "words of the expectation that must fail" },
        },
        "$defs": {
            "hook": hook(&steps),
            "step": step(),
            "clause": clause(false),
            "expectation": clause(true),
            "event": event(),
        },
    })
}

fn duration(doc: &str) -> Value {
    json!({ "type": "string", "description": doc, "examples": ["500ms", "2s"] })
}

fn milliseconds(doc: &str) -> Value {
    json!({ "type": ["string", "number"], "description": doc, "examples": [500, "2s"] })
}

fn phones() -> Value {
    let settings = json!({
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "account": { "type": ["string", "number"], "description": "user of the PBX profile's account to take" },
            "username": { "type": ["string", "number"] },
            "password": { "type": "string" },
            "domain": { "type": "string" },
            "transport": { "enum": Transport::BUILT.map(Transport::name) },
            "auto_answer": { "type": "boolean" },
            "codecs": { "type": "array", "items": { "type": "string" } },
            "recording": { "type": "boolean" },
            "recording_enabled": { "type": "boolean" },
            "capture": { "type": "boolean" },
            "capture_enabled": { "type": "boolean" },
            "register": { "type": "boolean" },
            "registration": { "enum": ["wait", "start", "none"] },
        },
    });
    json!({
        "description": "a list names phones that exist; a mapping makes them for the run",
        "anyOf": [
            { "type": "array", "items": { "type": "string" } },
            { "type": "object", "propertyNames": { "pattern": "^[a-z0-9_]{1,32}$" }, "additionalProperties": settings },
        ],
    })
}

fn event() -> Value {
    json!({
        "description": "a name, prefix.* or user.<name>",
        "anyOf": [{ "enum": Event::kinds() }, { "type": "string" }],
    })
}

fn hook(steps: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["when"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string" },
            "when": { "anyOf": [{ "$ref": "#/$defs/event" }, { "type": "array", "items": { "$ref": "#/$defs/event" } }] },
            "on_phone": { "type": ["string", "null"] },
            "phone": { "type": ["string", "null"] },
            "call": { "type": ["string", "number"] },
            "match": { "type": "object" },
            "once": { "type": "boolean", "description": "whether it reacts only to the first match; true" },
            "as": { "type": "string", "description": "keeps the event's call under this name" },
            "then": steps,
        },
    })
}

fn step() -> Value {
    let names = ACTIONS.iter().flat_map(|shape| std::iter::once(&shape.name).chain(shape.aliases));
    let mut properties = Map::new();
    for shape in ACTIONS.iter() {
        for name in std::iter::once(&shape.name).chain(shape.aliases) {
            properties.insert((*name).to_owned(), value_of(shape));
        }
    }
    json!({
        "anyOf": [
            { "enum": names.collect::<Vec<_>>() },
            { "type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1, "additionalProperties": false },
            { "type": "object", "required": ["action"] },
        ],
    })
}

fn value_of(shape: &ActionShape) -> Value {
    match shape.name {
        "expect" => json!({ "$ref": "#/$defs/expectation", "description": shape.doc }),
        "never" => json!({
            "description": shape.doc,
            "allOf": [{ "type": "object", "required": ["during"] }],
        }),
        _ => {
            let mut properties = Map::new();
            for ArgShape { name, doc } in &shape.args {
                properties.insert((*name).to_owned(), json!({ "description": doc }));
            }
            if shape.on_phone {
                properties.insert("phone".to_owned(), json!({ "description": "which phone" }));
            }
            if shape.on_call {
                properties.insert("call".to_owned(), json!({ "description": "which call: $name or call-7" }));
            }
            json!({ "description": shape.doc, "properties": properties })
        }
    }
}

fn clause(outermost: bool) -> Value {
    let mut properties = Map::new();
    for name in ["event", "when"] {
        properties.insert(name.to_owned(), json!({ "$ref": "#/$defs/event" }));
    }
    for name in
        ["phone", "call", "match", "count", "digits", "tone", "tolerance", "ended", "cause", "by", "status"]
    {
        properties.insert(name.to_owned(), json!({}));
    }
    properties.insert("audio".to_owned(), json!({ "enum": ["present", "absent"] }));
    for (_, key) in Metric::ALL {
        properties.insert((*key).to_owned(), json!({ "description": "a bound such as '>= 40'" }));
    }
    for group in ["all", "any", "in_order"] {
        let items = json!({ "type": "array", "items": { "$ref": "#/$defs/clause" }, "minItems": 1 });
        properties.insert(group.to_owned(), items);
    }
    if outermost {
        properties.insert("within".to_owned(), duration("how long at most; 5s"));
        properties
            .insert("since".to_owned(), json!({ "description": "start, or the label of a checkpoint" }));
        properties
            .insert("as".to_owned(), json!({ "description": "keeps the event's call under this name" }));
    }
    json!({ "anyOf": [{ "$ref": "#/$defs/event" }, { "type": "array" }, { "type": "object", "properties": properties }] })
}

/// Returns the table of actions as Markdown.
#[must_use]
pub fn actions_table() -> String {
    let mut text = String::from("| Action | Also | Arguments | Does |\n|---|---|---|---|\n");
    for shape in ACTIONS.iter() {
        let also = shape.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>().join(" ");
        let mut args: Vec<String> = Vec::new();
        for arg in &shape.args {
            let bare = if shape.value == Some(arg.name) { " (or bare)" } else { "" };
            args.push(format!("`{}`{bare}: {}", arg.name, arg.doc));
        }
        if shape.on_phone {
            let bare = if shape.value == Some("phone") { " (or bare)" } else { "" };
            args.push(format!("`phone`{bare}"));
        }
        if shape.on_call {
            let bare = if shape.value == Some("call") { " (or bare)" } else { "" };
            args.push(format!("`call`{bare}"));
        }
        text.push_str(&format!("| `{}` | {also} | {} | {} |\n", shape.name, args.join("; "), shape.doc));
    }
    text
}

/// Returns the table of findings as Markdown.
#[must_use]
pub fn rules_table() -> String {
    let codes: Vec<_> = Rule::ALL.iter().map(|(_, code)| format!("`{code}`")).collect();
    codes.join(" ")
}
