//! Reading one step of a list: every spelling of every action.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        diagnostic::{Level, Position, Rule, nearest},
        model::{Action, CallRef, CallTarget, PhoneRef, Refusal, SoundChoice, Step},
        node::{Content, Entry, Node},
        vars::Template,
    },
    events, expect,
    fields::{Fields, Lower},
    scalar,
    shapes::{self, ActionShape, Verb},
};
use crate::{command::Code, event::EventPattern};

/// Reads one step; a mistake that leaves nothing to run yields none.
pub(super) fn step(lower: &mut Lower, node: &Node) -> Option<Step> {
    let (name, name_at, arguments) = split(lower, node)?;
    let Some(shape) = shapes::find(&name) else {
        let suggestion = nearest(&name, shapes::spellings());
        let text = format!("unknown action: '{name}'");
        lower.find(Level::Error, Rule::UnknownAction, name_at, text, suggestion);
        return None;
    };
    lower.under(&name, |lower| {
        let at = node.at;
        let name = shape.name.to_owned();
        match shape.verb {
            Verb::Expect => expect::expectation(lower, arguments.whole(), at)
                .map(|expectation| plain(at, name, Action::Expect(expectation))),
            Verb::Never => expect::never(lower, arguments.whole(), at)
                .map(|(clause, during)| plain(at, name, Action::Never { clause, during })),
            Verb::Answer
            | Verb::Reject
            | Verb::HangUp
            | Verb::HangUpAll
            | Verb::Hold
            | Verb::Resume
            | Verb::SendDigits
            | Verb::Transfer
            | Verb::AttendedTransfer
            | Verb::Conference
            | Verb::PlaceCall
            | Verb::Play
            | Verb::StopPlaying
            | Verb::Record
            | Verb::SendMessage
            | Verb::SetCodecs
            | Verb::Register
            | Verb::Unregister
            | Verb::Wait
            | Verb::WaitUntil
            | Verb::Emit
            | Verb::Checkpoint
            | Verb::Log
            | Verb::HoldFor => {
                let mut args = Args::open(lower, shape, arguments, name_at)?;
                let phone = phone_ref(lower, &mut args);
                let call = call_target(lower, &mut args);
                let refused = args.fields.read(lower, &["refused"], refusal);
                let action = action(lower, shape.verb, &mut args);
                args.fields.finish(lower);
                action.map(|action| Step { at, name, phone, call, action, refused })
            }
        }
    })
}

fn plain(at: Position, name: String, action: Action) -> Step {
    Step { at, name, phone: PhoneRef::Inherited, call: CallTarget::Inherited, action, refused: None }
}

/// What follows an action's name.
enum Arguments<'a> {
    None,
    Value(&'a Node),
    Named { entries: Vec<&'a Entry> },
}

impl<'a> Arguments<'a> {
    /// Returns the value as a whole, for actions whose value has a grammar of its own.
    fn whole(&self) -> Option<&'a Node> {
        match self {
            Self::Value(node) => Some(node),
            Self::None | Self::Named { .. } => None,
        }
    }
}

/// Splits a step into name and arguments.
fn split<'a>(lower: &mut Lower, node: &'a Node) -> Option<(String, Position, Arguments<'a>)> {
    let spec = |lower: &mut Lower, text: String| {
        lower.error(Rule::WrongType, node.at, format!("bad action spec: {text}"));
        None
    };
    match &node.content {
        Content::Text(name) => Some((name.clone(), node.at, Arguments::None)),
        Content::Map(entries) => {
            if let Some(action) = entries.iter().find(|entry| entry.key == "action") {
                let name = scalar::text(lower, &action.value)?;
                let entries = entries.iter().filter(|entry| entry.key != "action").collect();
                return Some((name, action.value.at, Arguments::Named { entries }));
            }
            match entries.as_slice() {
                [only] => {
                    let arguments = match only.value.content {
                        Content::Null => Arguments::None,
                        Content::Bool(_)
                        | Content::Number { .. }
                        | Content::Text(_)
                        | Content::List(_)
                        | Content::Map(_) => Arguments::Value(&only.value),
                    };
                    Some((only.key.clone(), only.key_at, arguments))
                }
                [] => spec(lower, "an empty mapping names no action".to_owned()),
                [_, second, ..] => {
                    let shown = node.describe();
                    let text =
                        format!("{shown} names several actions; indent '{}' below the first", second.key);
                    spec(lower, text)
                }
            }
        }
        Content::Null | Content::Bool(_) | Content::Number { .. } | Content::List(_) => {
            spec(lower, format!("expected an action's name or a mapping, not {}", node.describe()))
        }
    }
}

/// The arguments of one action, by name or as its bare value.
struct Args<'a> {
    fields: Fields<'a>,
    value: Option<(&'static str, &'a Node)>,
}

impl<'a> Args<'a> {
    fn open(
        lower: &mut Lower,
        shape: &'static ActionShape,
        arguments: Arguments<'a>,
        at: Position,
    ) -> Option<Self> {
        let what = format!("'{}'", shape.name);
        match arguments {
            Arguments::None => Some(Self { fields: Fields::of([], at, &what), value: None }),
            Arguments::Named { entries } => {
                Some(Self { fields: Fields::of(entries, at, &what), value: None })
            }
            Arguments::Value(node) => match (&node.content, shape.value) {
                (Content::Map(entries), _) => {
                    Some(Self { fields: Fields::of(entries, at, &what), value: None })
                }
                (_, Some(name)) => {
                    Some(Self { fields: Fields::of([], at, &what), value: Some((name, node)) })
                }
                (_, None) => {
                    let text = format!("{what} takes no bare value; {} means nothing here", node.describe());
                    lower.strict(Rule::WrongType, node.at, text, None);
                    Some(Self { fields: Fields::of([], at, &what), value: None })
                }
            },
        }
    }

    /// Reads an argument by one of its names, or the bare value when it stands for the first of them.
    fn read<R>(
        &mut self,
        lower: &mut Lower,
        names: &[&'static str],
        read: impl FnOnce(&mut Lower, &'a Node) -> Option<R>,
    ) -> Option<R> {
        match self.value {
            Some((name, node)) if names.first() == Some(&name) => {
                self.value = None;
                read(lower, node)
            }
            Some(_) | None => self.fields.read(lower, names, read),
        }
    }

    fn require<R>(
        &mut self,
        lower: &mut Lower,
        names: &[&'static str],
        read: impl FnOnce(&mut Lower, &'a Node) -> Option<R>,
    ) -> Option<R> {
        match self.value {
            Some((name, _)) if names.first() == Some(&name) => self.read(lower, names, read),
            Some(_) | None => self.fields.require(lower, names, read),
        }
    }
}

fn phone_ref(lower: &mut Lower, args: &mut Args<'_>) -> PhoneRef {
    let names = ["phone", "phone_id", "from_phone"];
    if let Some(("phone", node)) = args.value {
        args.value = None;
        return scalar::phone(lower, node).map_or(PhoneRef::Inherited, PhoneRef::Named);
    }
    match args.fields.take(&names) {
        None => PhoneRef::Inherited,
        Some(entry) if entry.value.content == Content::Null => PhoneRef::Nobody,
        Some(entry) => lower
            .under(&entry.key, |lower| scalar::phone(lower, &entry.value))
            .map_or(PhoneRef::Nobody, PhoneRef::Named),
    }
}

fn call_target(lower: &mut Lower, args: &mut Args<'_>) -> CallTarget {
    if let Some(("call", node)) = args.value {
        args.value = None;
        return scalar::call(lower, node).map_or(CallTarget::Any, CallTarget::Ref);
    }
    match args.fields.take(&["call", "call_id"]) {
        None => CallTarget::Inherited,
        Some(entry) if entry.value.content == Content::Null => CallTarget::Any,
        Some(entry) => lower
            .under(&entry.key, |lower| scalar::call(lower, &entry.value))
            .map_or(CallTarget::Any, CallTarget::Ref),
    }
}

fn refusal(lower: &mut Lower, node: &Node) -> Option<Refusal> {
    const CODES: &[(Code, &str)] = &[
        (Code::NotFound, "not_found"),
        (Code::WrongState, "wrong_state"),
        (Code::InvalidArgument, "invalid_argument"),
        (Code::NotRegistered, "not_registered"),
        (Code::PeerRejected, "peer_rejected"),
        (Code::TimedOut, "timed_out"),
        (Code::LimitReached, "limit_reached"),
        (Code::Unavailable, "unavailable"),
    ];
    match &node.content {
        Content::Bool(true) => Some(Refusal::Any),
        Content::Bool(false) => None,
        Content::Null | Content::Number { .. } | Content::Text(_) | Content::List(_) | Content::Map(_) => {
            scalar::word(lower, node, CODES).map(Refusal::With)
        }
    }
}

fn action(lower: &mut Lower, verb: Verb, args: &mut Args<'_>) -> Option<Action> {
    let code = ["code", "status", "value"];
    Some(match verb {
        Verb::Answer => {
            let status = args.read(lower, &code, |lower, node| scalar::status(lower, node, 180..=299));
            Action::Answer { status: status.unwrap_or(200) }
        }
        Verb::Reject => {
            let status = args.read(lower, &code, |lower, node| scalar::status(lower, node, 300..=699));
            Action::Reject { status: status.unwrap_or(486) }
        }
        Verb::HangUp => Action::HangUp,
        Verb::HangUpAll => Action::HangUpAll,
        Verb::Hold => Action::Hold,
        Verb::Resume => Action::Resume,
        Verb::StopPlaying => Action::StopPlaying,
        Verb::Register => Action::Register,
        Verb::Unregister => Action::Unregister,
        Verb::SendDigits => Action::SendDigits {
            duration: args.read(lower, &["duration", "duration_ms"], scalar::duration),
            digits: args.require(lower, &["digits", "value"], scalar::digits)?,
        },
        Verb::Transfer => {
            Action::Transfer { to: args.require(lower, &["to", "dest_uri", "value"], scalar::target)? }
        }
        Verb::AttendedTransfer => {
            let names = ["dest_call_id", "target_call_id", "target"];
            Action::AttendedTransfer { target: args.read(lower, &names, scalar::call) }
        }
        Verb::Conference => {
            let calls = args.read(lower, &["call_ids", "calls", "value"], conference_calls);
            Action::Conference { calls: calls.unwrap_or_default() }
        }
        Verb::PlaceCall => place_call(lower, args)?,
        Verb::Play => play(lower, args)?,
        Verb::Record => {
            Action::Record { on: args.read(lower, &["on", "value"], scalar::boolean).unwrap_or(true) }
        }
        Verb::SendMessage => send_message(lower, args)?,
        Verb::SetCodecs => {
            Action::SetCodecs { codecs: args.require(lower, &["codecs", "value"], scalar::texts)? }
        }
        Verb::Wait => {
            let names = ["ms", "for", "duration", "value"];
            Action::Wait { duration: args.read(lower, &names, scalar::duration).unwrap_or_default() }
        }
        Verb::HoldFor => {
            let names = ["for", "ms", "duration", "value"];
            Action::HoldFor { duration: args.require(lower, &names, scalar::duration)? }
        }
        Verb::WaitUntil => Action::WaitUntil {
            timeout: args
                .read(lower, &["timeout_ms", "timeout", "within"], scalar::duration)
                .unwrap_or(Duration::from_secs(10)),
            event: args.require(lower, &["event", "value"], events::pattern)?,
        },
        Verb::Emit | Verb::Checkpoint | Verb::Log | Verb::Expect | Verb::Never => remark(lower, verb, args)?,
    })
}

fn place_call(lower: &mut Lower, args: &mut Args<'_>) -> Option<Action> {
    Some(Action::PlaceCall {
        headers: args.read(lower, &["headers"], headers).unwrap_or_default(),
        capture: args.read(lower, &["as"], scalar::capture),
        to: args.require(lower, &["to", "dest_uri", "value"], scalar::target)?,
    })
}

fn send_message(lower: &mut Lower, args: &mut Args<'_>) -> Option<Action> {
    let content_type = args.read(lower, &["content_type"], scalar::text);
    Some(Action::SendMessage {
        content_type: content_type.unwrap_or_else(|| "text/plain".to_owned()),
        to: args.require(lower, &["to", "dest_uri"], scalar::target)?,
        body: args.require(lower, &["body", "value"], scalar::template)?,
    })
}

/// Reads the actions that only say something.
fn remark(lower: &mut Lower, verb: Verb, args: &mut Args<'_>) -> Option<Action> {
    if verb == Verb::Emit {
        let data = args.read(lower, &["data"], |_, node| Some(node.to_json()));
        let name = args.require(lower, &["name", "value"], scalar::text)?;
        let name = name.strip_prefix("user.").unwrap_or(&name).to_owned();
        return Some(Action::Emit { name, data: data.unwrap_or_else(|| serde_json::json!({})) });
    }
    if verb == Verb::Checkpoint {
        let label = args.read(lower, &["label", "value"], scalar::template);
        return Some(Action::Checkpoint { label: label.unwrap_or_default() });
    }
    let message = args.read(lower, &["message", "value"], scalar::template);
    Some(Action::Log { message: message.unwrap_or_default() })
}

fn play(lower: &mut Lower, args: &mut Args<'_>) -> Option<Action> {
    let repeat = args.read(lower, &["loop", "repeat"], scalar::boolean).unwrap_or(false);
    let hz = args.read(lower, &["tone", "hz"], |lower, node| Some(lower.each(node, scalar::number)));
    let level = args.read(lower, &["level", "level_dbfs"], scalar::number);
    let duration = args.read(lower, &["duration", "duration_ms"], scalar::duration);
    let echo = args.read(lower, &["echo"], scalar::boolean).unwrap_or(false);
    let sound = match hz {
        Some(hz) => {
            if hz.is_empty() || hz.iter().any(|hz| !(20.0..=4_000.0).contains(hz)) {
                let text = "a tone needs frequencies from 20 to 4000 hertz";
                lower.error(Rule::BadValue, args.fields.at, text);
            }
            SoundChoice::Tone { hz, level_dbfs: level.unwrap_or(-10.0), duration }
        }
        None if echo => SoundChoice::Echo,
        None => {
            let file = args.require(lower, &["file", "path", "file_path", "value"], scalar::template)?;
            SoundChoice::File(file)
        }
    };
    Some(Action::Play { sound, repeat })
}

fn conference_calls(lower: &mut Lower, node: &Node) -> Option<Vec<CallRef>> {
    match &node.content {
        Content::Text(word) if word == "auto" => Some(Vec::new()),
        Content::Null
        | Content::Bool(_)
        | Content::Number { .. }
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_) => Some(lower.each(node, scalar::call)),
    }
}

fn headers(lower: &mut Lower, node: &Node) -> Option<BTreeMap<String, Template>> {
    let Content::Map(entries) = &node.content else {
        let text = format!("headers must be a mapping of names to values, not {}", node.describe());
        lower.error(Rule::WrongType, node.at, text);
        return None;
    };
    let mut headers = BTreeMap::new();
    for entry in entries {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        if entry.key.is_empty() || !entry.key.chars().all(legal) {
            let text = format!("'{}' is not a header name", entry.key);
            lower.error(Rule::BadValue, entry.key_at, text);
            continue;
        }
        let value = lower.under(&entry.key, |lower| scalar::template(lower, &entry.value));
        if let Some(value) = value {
            if value.as_str().contains(['\r', '\n']) {
                lower.error(Rule::BadValue, entry.value.at, "a header's value is one line");
            }
            headers.insert(entry.key.clone(), value);
        }
    }
    Some(headers)
}

/// Reads a pattern for other readers of this folder.
pub(super) fn event_patterns(lower: &mut Lower, node: &Node) -> Option<Vec<EventPattern>> {
    Some(lower.each(node, events::pattern))
}
