//! Ready-made patterns: `patterns: [{use: name, …}]` expands to hooks and initial actions.

use serde_json::{Value, json};

use super::{
    super::{
        diagnostic::{Level, Rule, nearest},
        model::{Hook, Scenario},
        node::{Content, Node},
    },
    action, document,
    fields::{Fields, Lower},
    scalar,
};

/// The version of every pattern.
const VERSION: &str = "1.0.0";

/// The type of a parameter.
#[derive(Clone, Copy)]
enum Kind {
    Phone,
    Phones,
    Uri,
    Digits,
    Digit,
    Text,
    Bool,
    Milliseconds(u64, u64),
    Status(&'static [u64]),
    Statuses,
    Word(&'static [&'static str]),
}

/// One parameter; required if it has no default.
struct Parameter {
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
}

const fn needed(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, default: None }
}

const fn with(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
    Parameter { name, kind, default: Some(default) }
}

/// Expands a pattern, given its parameters as JSON.
type Expansion = fn(&Value) -> Expanded;

#[derive(Default)]
struct Expanded {
    hooks: Vec<Value>,
    initial: Vec<Value>,
}

struct Entry {
    name: &'static str,
    parameters: &'static [Parameter],
    expand: Expansion,
}

const LIBRARY: &[Entry] = &[
    Entry {
        name: "auto-answer",
        parameters: &[
            needed("phone_id", Kind::Phone),
            with("delay_ms", Kind::Milliseconds(0, 30_000), "0"),
            with("status_code", Kind::Status(&[200, 202]), "200"),
        ],
        expand: |p| {
            let then =
                json!([{ "wait": { "ms": p["delay_ms"] } }, { "answer": { "code": p["status_code"] } }]);
            hook(p, "call.state.incoming", json!({}), false, &then)
        },
    },
    Entry {
        name: "make-call-and-wait-confirmed",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("dest_uri", Kind::Uri),
            with("timeout_ms", Kind::Milliseconds(500, 60_000), "10000"),
        ],
        expand: |p| Expanded {
            initial: vec![json!({ "make_call": { "phone_id": p["phone_id"], "to": p["dest_uri"] } })],
            hooks: Vec::new(),
        },
    },
    Entry {
        name: "send-dtmf-on-confirmed",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("digits", Kind::Digits),
            with("initial_delay_ms", Kind::Milliseconds(0, 10_000), "100"),
        ],
        expand: |p| {
            confirmed(p, &json!([{ "wait": { "ms": p["initial_delay_ms"] } }, { "send_dtmf": p["digits"] }]))
        },
    },
    Entry {
        name: "hangup-after-duration",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("duration_ms", Kind::Milliseconds(100, 300_000)),
        ],
        expand: |p| confirmed(p, &json!([{ "wait": { "ms": p["duration_ms"] } }, "hangup"])),
    },
    Entry {
        name: "reject-on-incoming",
        parameters: &[
            needed("phone_id", Kind::Phone),
            with("status_code", Kind::Status(&[486, 480, 603, 403]), "486"),
        ],
        expand: |p| {
            let then = json!([{ "reject": p["status_code"] }]);
            hook(p, "call.state.incoming", json!({}), false, &then)
        },
    },
    Entry {
        name: "blind-transfer",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("transfer_to", Kind::Uri),
            with("after_ms", Kind::Milliseconds(0, 60_000), "2000"),
        ],
        expand: |p| {
            confirmed(
                p,
                &json!([{ "wait": { "ms": p["after_ms"] } }, { "blind_transfer": p["transfer_to"] }]),
            )
        },
    },
    Entry {
        name: "hold-and-resume",
        parameters: &[
            needed("phone_id", Kind::Phone),
            with("hold_start_delay_ms", Kind::Milliseconds(0, 60_000), "1000"),
            needed("hold_duration_ms", Kind::Milliseconds(100, 300_000)),
        ],
        expand: |p| {
            let (delay, duration) = (&p["hold_start_delay_ms"], &p["hold_duration_ms"]);
            confirmed(
                p,
                &json!([{ "wait": { "ms": delay } }, "hold", { "wait": { "ms": duration } }, "unhold"]),
            )
        },
    },
    Entry {
        name: "respond-to-dtmf",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("digit", Kind::Digit),
            with("response_action", Kind::Word(&["answer", "hangup", "hold", "unhold"]), "answer"),
        ],
        expand: |p| {
            let message = format!("digit {}", p["digit"].as_str().unwrap_or_default());
            let then = json!([{ "log": message }, p["response_action"]]);
            hook(p, "dtmf.in", json!({ "digit": p["digit"] }), true, &then)
        },
    },
    Entry {
        name: "play-audio-on-confirmed",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("audio_path", Kind::Text),
            with("loop", Kind::Bool, "false"),
        ],
        expand: |p| {
            let play = json!({ "file": p["audio_path"], "loop": p["loop"].as_str() == Some("true") });
            confirmed(p, &json!([{ "play_audio": play }]))
        },
    },
    Entry {
        name: "reinvite-codec-change",
        parameters: &[
            needed("phone_id", Kind::Phone),
            needed("new_codec", Kind::Word(&["PCMU", "PCMA", "G722", "opus", "G729", "iLBC"])),
            with("trigger_at_ms", Kind::Milliseconds(100, 60_000), "3000"),
        ],
        expand: |p| {
            let change = json!({ "set_codecs": { "codecs": [p["new_codec"]] } });
            confirmed(p, &json!([{ "wait": { "ms": p["trigger_at_ms"] } }, change]))
        },
    },
    Entry {
        name: "wait-for-registration",
        parameters: &[
            needed("phone_id", Kind::Phone),
            with("timeout_ms", Kind::Milliseconds(0, 600_000), "5000"),
        ],
        expand: |p| hook(p, "reg.failed", json!({}), true, &json!([{ "log": "registration failed" }])),
    },
    Entry {
        name: "wait-for-callback",
        parameters: &[
            needed("phone_id", Kind::Phone),
            with("timeout_ms", Kind::Milliseconds(0, 600_000), "30000"),
            with("auto_answer", Kind::Bool, "true"),
        ],
        expand: |p| {
            let answer = p["auto_answer"].as_str() == Some("true");
            let log = json!({ "log": "callback came" });
            let then = if answer { json!([log, "answer"]) } else { json!([log]) };
            hook(p, "call.state.incoming", json!({}), true, &then)
        },
    },
    Entry {
        name: "fail-fast-on-error",
        parameters: &[
            needed("phone_ids", Kind::Phones),
            with("fail_codes", Kind::Statuses, "486,480,503,603,487,408"),
        ],
        expand: |p| {
            each_phone(p, |phone| {
                json!({
                    "when": "call.state.disconnected", "on_phone": phone, "once": false,
                    "match": { "last_status": p["fail_codes"] },
                    "then": [
                        { "log": "call failed" },
                        { "emit": { "name": "scenario_failed", "data": { "phone_id": phone } } },
                    ],
                })
            })
        },
    },
    Entry {
        name: "collect-recordings",
        parameters: &[needed("phone_ids", Kind::Phones)],
        expand: |p| {
            each_phone(p, |phone| {
                let log = format!("recordings of {}", phone.as_str().unwrap_or_default());
                json!({ "when": "scenario.stopped", "then": [{ "log": log }] })
            })
        },
    },
];

fn hook(p: &Value, when: &str, matches: Value, once: bool, then: &Value) -> Expanded {
    let hook = json!({
        "when": when, "on_phone": p["phone_id"], "match": matches, "once": once, "then": then,
    });
    Expanded { hooks: vec![hook], initial: Vec::new() }
}

fn confirmed(p: &Value, then: &Value) -> Expanded {
    hook(p, "call.state.confirmed", json!({}), true, then)
}

fn each_phone(p: &Value, hook: impl Fn(&Value) -> Value) -> Expanded {
    let phones = p["phone_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    Expanded { hooks: phones.iter().map(hook).collect(), initial: Vec::new() }
}

/// Expands every entry of `patterns` into the scenario.
pub(super) fn expand(lower: &mut Lower, node: &Node, scenario: &mut Scenario) {
    if !lower.list_only(node, "'patterns'") {
        return;
    }
    lower.each(node, |lower, item| {
        let mut fields = Fields::open(lower, item, "the pattern")?;
        let name = fields.require(lower, &["use"], scalar::text)?;
        let base = name.split('@').next().unwrap_or(&name);
        let Some(entry) = LIBRARY.iter().find(|entry| entry.name == base) else {
            let suggestion = nearest(base, LIBRARY.iter().map(|entry| entry.name));
            let text = format!("unknown pattern: '{base}'");
            lower.find(Level::Error, Rule::BadValue, item.at, text, suggestion);
            return None;
        };
        let values = parameters(lower, &mut fields, entry)?;
        // Unknown parameters have always been tolerated; a slip is worth a warning.
        let before = std::mem::replace(&mut lower.lenient, true);
        fields.finish(lower);
        lower.lenient = before;
        let expanded = (entry.expand)(&values);
        scenario.hooks.extend(expanded.hooks.iter().filter_map(|hook| made_hook(lower, hook, item, entry)));
        for spec in &expanded.initial {
            let step = action::step(lower, &Node::from_json(spec));
            scenario
                .initial_actions
                .extend(step.map(|step| super::super::model::Step { at: item.at, ..step }));
        }
        scenario.patterns_used.push(format!("{base}@{VERSION}"));
        Some(())
    });
}

fn made_hook(lower: &mut Lower, spec: &Value, item: &Node, entry: &Entry) -> Option<Hook> {
    let list = Node { at: item.at, content: Content::List(vec![Node::from_json(spec)]) };
    let hook = document::hooks(lower, &list).pop()?;
    Some(Hook { at: item.at, pattern: Some(entry.name.to_owned()), ..hook })
}

fn parameters(lower: &mut Lower, fields: &mut Fields<'_>, entry: &Entry) -> Option<Value> {
    let mut values = serde_json::Map::new();
    let mut complete = true;
    for parameter in entry.parameters {
        let names = [parameter.name];
        let read = |lower: &mut Lower, node: &Node| value(lower, node, parameter.kind);
        let value = match parameter.default {
            None => fields.require(lower, &names, read),
            Some(default) => Some(
                fields.read(lower, &names, read).unwrap_or_else(|| default_value(parameter.kind, default)),
            ),
        };
        complete &= value.is_some();
        values.insert(parameter.name.to_owned(), value.unwrap_or(Value::Null));
    }
    complete.then_some(Value::Object(values))
}

fn default_value(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Milliseconds(..) | Kind::Status(_) => json!(text.parse::<u64>().unwrap_or_default()),
        Kind::Statuses => text.split(',').filter_map(|code| code.parse::<u64>().ok()).collect(),
        Kind::Phone | Kind::Phones | Kind::Uri | Kind::Digits | Kind::Digit | Kind::Text => json!(text),
        Kind::Bool | Kind::Word(_) => json!(text),
    }
}

fn value(lower: &mut Lower, node: &Node, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Phone => scalar::phone(lower, node).map(|id| json!(id.as_str())),
        Kind::Phones => {
            let phones = lower.each(node, scalar::phone);
            Some(phones.iter().map(|id| json!(id.as_str())).collect())
        }
        Kind::Uri => scalar::target(lower, node).map(|uri| json!(uri.as_str())),
        Kind::Digits => scalar::digits(lower, node).map(|digits| json!(digits.as_str())),
        Kind::Digit => {
            let digits = scalar::digits(lower, node)?;
            if digits.as_str().chars().count() != 1 {
                lower.error(Rule::BadValue, node.at, format!("'{digits}' is not one digit"));
            }
            Some(json!(digits.as_str()))
        }
        Kind::Text => scalar::text(lower, node).map(|text| json!(text)),
        Kind::Bool => scalar::boolean(lower, node).map(|value| json!(value.to_string())),
        Kind::Milliseconds(low, high) => {
            let duration = scalar::duration(lower, node)?;
            let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            if !(low..=high).contains(&milliseconds) {
                let text = format!("{} is not from {low} to {high} ms", node.describe());
                lower.error(Rule::BadValue, node.at, text);
            }
            Some(json!(milliseconds))
        }
        Kind::Status(legal) => {
            let status = u64::from(scalar::status(lower, node, 100..=699)?);
            if !legal.contains(&status) {
                let legal: Vec<_> = legal.iter().map(ToString::to_string).collect();
                let text = format!("{status} is not one of {}", legal.join(", "));
                lower.error(Rule::BadValue, node.at, text);
            }
            Some(json!(status))
        }
        Kind::Statuses => {
            let codes = lower.each(node, |lower, item| scalar::status(lower, item, 100..=699));
            Some(codes.into_iter().map(|code| json!(code)).collect())
        }
        Kind::Word(words) => {
            let pairs: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
            scalar::word(lower, node, &pairs).map(|word| json!(word))
        }
    }
}
