//! The answers of tools, and how they become tool results.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::{arguments::Problems, compat::words, unknown_arguments::Unknown};
use crate::{
    command::{Code, Rejection},
    id::PhoneId,
};

/// Why a native tool could not do what was asked.
pub(super) struct Refusal {
    code: Code,
    sentence: String,
    /// Tools that would help.
    instead: Vec<&'static str>,
}

impl Refusal {
    /// Creates a refusal that names no other tool.
    pub(super) fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: bounded(sentence.into()), instead: Vec::new() }
    }

    /// Names tools that would help.
    pub(super) fn or_try(mut self, tools: &[&'static str]) -> Self {
        self.instead = tools.to_vec();
        self
    }

    fn next_step(&self) -> String {
        let Self { code, sentence, instead } = self;
        if instead.is_empty() {
            format!("{sentence} [{code}]")
        } else {
            format!("{sentence} [{code}]. Possible now: {}", instead.join(", "))
        }
    }
}

/// The answer of a tool.
pub(super) struct Reply {
    body: Body,
    /// Whether the set of phones changed, so that lists of per-phone tools are out of date.
    pub(super) roster_changed: bool,
}

enum Body {
    /// An object of the compatible surface; a business error is an ordinary result there.
    Compat(Value),
    /// A native answer: compact text for reading, ids and numbers for programs.
    Native { text: String, structured: Value },
    /// A native refusal.
    Refused(Refusal),
    /// The arguments do not fit.
    Invalid { problems: Problems, hint: Option<String> },
}

impl Reply {
    /// Answers with an object of the compatible surface.
    pub(super) const fn compat(object: Value) -> Self {
        Self { body: Body::Compat(object), roster_changed: false }
    }

    /// Answers with a business error of the compatible surface; `context` adds keys after `error`.
    pub(super) fn compat_error(error: impl Into<String>, context: &[(&str, Value)]) -> Self {
        let mut object = Map::new();
        object.insert("status".into(), "error".into());
        object.insert("error".into(), bounded(error.into()).into());
        let echoed = |value: &Value| match value {
            Value::String(text) => bounded(text.clone()).into(),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.clone()
            }
        };
        object.extend(context.iter().map(|(key, value)| ((*key).to_owned(), echoed(value))));
        Self::compat(Value::Object(object))
    }

    /// Answers an action of a phone that does not exist.
    pub(super) fn no_phone(given: &str, phones: &[PhoneId]) -> Self {
        let instead = words::phones_instead(given, phones);
        Self::compat_error(
            words::phone_not_found(given),
            &[("phone_id", words::short(given).into()), instead],
        )
    }

    /// Answers with a rejected command in the compatible shape; code and legal actions are extra
    /// keys.
    pub(super) fn compat_rejection(rejection: &Rejection, context: &[(&str, Value)]) -> Self {
        let mut context = context.to_vec();
        context.push(("code", rejection.code.as_str().into()));
        let instead = words::instead(rejection);
        if !instead.is_empty() {
            context.push(("legal", json!(instead)));
        }
        Self::compat_error(words::refused(&rejection.what), &context)
    }

    /// Answers with a native result.
    pub(super) const fn native(text: String, structured: Value) -> Self {
        Self { body: Body::Native { text, structured }, roster_changed: false }
    }

    /// Answers that a native tool could not do it.
    pub(super) const fn refused(refusal: Refusal) -> Self {
        Self { body: Body::Refused(refusal), roster_changed: false }
    }

    /// Answers that the arguments do not fit.
    pub(super) const fn invalid(problems: Problems) -> Self {
        Self { body: Body::Invalid { problems, hint: None }, roster_changed: false }
    }

    /// Notes that phones came or went.
    pub(super) fn with_roster_changed(mut self) -> Self {
        self.roster_changed = true;
        self
    }

    /// Adds which given arguments the tool does not have, and so has ignored.
    pub(super) fn ignoring(mut self, unknown: &Unknown) -> Self {
        match &mut self.body {
            Body::Compat(Value::Object(object)) => {
                object.insert("ignored".into(), json!(unknown.names));
                let before = object.get("hint").and_then(Value::as_str);
                let hint = before
                    .map_or_else(|| unknown.hint.clone(), |before| format!("{before}; {}", unknown.hint));
                object.insert("hint".into(), hint.into());
            }
            Body::Invalid { hint, .. } => *hint = Some(unknown.hint.clone()),
            Body::Compat(_) | Body::Native { .. } | Body::Refused(_) => {}
        }
        self
    }

    /// Refuses arguments that a native tool does not have.
    pub(super) fn unknown(unknown: &Unknown) -> Self {
        Self::refused(Refusal::new(Code::InvalidArgument, unknown.hint.as_str()))
    }

    /// Builds the tool result; `tool` is the name under which it was called.
    pub(super) fn render(self, tool: &str) -> CallToolResult {
        match self.body {
            Body::Compat(object) => {
                // Text first, because its indentation is part of the shape; the structure is the
                // same object.
                let text = serde_json::to_string_pretty(&object).unwrap_or_default();
                structured(text, object, false)
            }
            Body::Native { text, structured: object } => structured(text, object, false),
            Body::Refused(refusal) => {
                let object =
                    json!({ "code": refusal.code, "error": refusal.sentence, "legal": refusal.instead });
                structured(refusal.next_step(), object, true)
            }
            Body::Invalid { problems, hint: None } => failure(tool, &problems.to_string()),
            Body::Invalid { problems, hint: Some(hint) } => failure(tool, &format!("{problems}\n{hint}")),
        }
    }
}

/// Cuts what an error repeats of a caller's words: they may be anything.
fn bounded(text: String) -> String {
    const LONGEST: usize = 1_000;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "...",
        None => text,
    }
}

fn structured(text: String, object: Value, is_error: bool) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(object);
    result.is_error = Some(is_error);
    result
}

/// Builds the result of a call that never reached the tool or broke inside it: plain text, no
/// structure.
pub(super) fn failure(tool: &str, what: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(format!("Error executing tool {tool}: {what}"))])
}

/// Says that a tool does not exist, and which was probably meant.
pub(super) fn unknown_tool(tool: &str, near: Option<&str>) -> String {
    const LONGEST: usize = 100;
    let shown: String = tool.chars().take(LONGEST).collect();
    let meant = near.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
    format!("Unknown tool: {shown}{meant}")
}
