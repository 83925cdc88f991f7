//! Reading one step of a list: every spelling of every action.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        diagnostic::{Level, Position, Rule, nearest},
        model::{Action, ArgumentTemplate, CallRef, CallTarget, CommandTemplate, PhoneRef, Refusal, Step},
        node::{Content, Entry, Node},
        vars::Template,
    },
    events, expect,
    fields::{Fields, Lower},
    scalar,
    shapes::{self, Act, ActionShape},
};
use crate::{
    command::{Argument, Code, CommandKind, Need, Parameter, Sort, Verb},
    event::EventPattern,
};

/// Reads one step; `None` if a mistake leaves nothing to run.
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
        match shape.act {
            Act::Expect => expect::expectation(lower, arguments.whole(), at)
                .map(|expectation| plain(at, name, Action::Expect(expectation))),
            Act::Never => expect::never(lower, arguments.whole(), at)
                .map(|(clause, during)| plain(at, name, Action::Never { clause, during })),
            act @ (Act::Command(_)
            | Act::Wait
            | Act::WaitUntil
            | Act::Emit
            | Act::Checkpoint
            | Act::Log
            | Act::HoldFor) => {
                let mut args = Args::open(lower, shape, arguments, name_at)?;
                let phone = phone_ref(lower, &mut args);
                let call = call_target(lower, &mut args);
                let refused = args.fields.read(lower, &["refused"], refusal);
                let action = action(lower, act, &mut args);
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
    /// Returns the whole value, for actions whose value has its own grammar.
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

/// The arguments of one action, by name or as a bare value.
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

    /// Reads an argument by one of its names, or the bare value if that stands for the first of
    /// them.
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

fn action(lower: &mut Lower, act: Act, args: &mut Args<'_>) -> Option<Action> {
    Some(match act {
        Act::Command(verb) => command(lower, verb, args)?,
        Act::Wait => {
            let names = ["ms", "for", "duration", "value"];
            Action::Wait { duration: args.read(lower, &names, scalar::duration).unwrap_or_default() }
        }
        Act::HoldFor => {
            let names = ["for", "ms", "duration", "value"];
            Action::HoldFor { duration: args.require(lower, &names, scalar::duration)? }
        }
        Act::WaitUntil => Action::WaitUntil {
            timeout: args
                .read(lower, &["timeout_ms", "timeout", "within"], scalar::duration)
                .unwrap_or(Duration::from_secs(10)),
            event: args.require(lower, &["event", "value"], events::pattern)?,
        },
        Act::Emit => {
            let data = args.read(lower, &["data"], |_, node| Some(node.to_json()));
            let name = args.require(lower, &["name", "value"], scalar::text)?;
            let name = name.strip_prefix("user.").unwrap_or(&name).to_owned();
            Action::Emit { name, data: data.unwrap_or_else(|| serde_json::json!({})) }
        }
        Act::Checkpoint => {
            let label = args.read(lower, &["label", "value"], scalar::template);
            Action::Checkpoint { label: label.unwrap_or_default() }
        }
        Act::Log | Act::Expect | Act::Never => {
            let message = args.read(lower, &["message", "value"], scalar::template);
            Action::Log { message: message.unwrap_or_default() }
        }
    })
}

/// Reads the arguments of a verb according to its row; `None` if one is missing.
fn command(lower: &mut Lower, verb: &'static Verb, args: &mut Args<'_>) -> Option<Action> {
    let mut arguments = BTreeMap::new();
    let mut complete = true;
    // Arguments that may replace another one are read first.
    let is_certain = |parameter: &&Parameter| !matches!(parameter.need, Need::Unless(_));
    let (certain, unless): (Vec<&Parameter>, Vec<&Parameter>) = verb.parameters.iter().partition(is_certain);
    for parameter in certain.into_iter().chain(unless) {
        let Some(spelling) = &parameter.action else { continue };
        let sort = parameter.sort;
        let read = |lower: &mut Lower, node: &Node| argument(lower, sort, node);
        let value = match parameter.need {
            Need::Unless(others) if others.iter().any(|other| is_said(arguments.get(other))) => None,
            Need::Required | Need::Unless(_) => {
                let value = args.require(lower, spelling.names, read);
                complete &= value.is_some();
                value
            }
            Need::AllCalls | Need::Optional | Need::Status(_) | Need::Flag(_) | Need::Text(_) => {
                let value = args.read(lower, spelling.names, read);
                value.or_else(|| parameter.need.default().map(ArgumentTemplate::Filled))
            }
        };
        if let Some(value) = value {
            arguments.insert(parameter.slot, value);
        }
    }
    let capture = match verb.kind == CommandKind::PlaceCall {
        true => args.read(lower, &["as"], scalar::capture),
        false => None,
    };
    let command = CommandTemplate { kind: verb.kind, arguments };
    complete.then_some(Action::Do { command, capture })
}

/// Returns whether an argument is given and not `false`.
fn is_said(argument: Option<&ArgumentTemplate>) -> bool {
    argument.is_some_and(|argument| *argument != ArgumentTemplate::Filled(Argument::Flag(false)))
}

/// Reads one argument of a verb.
fn argument(lower: &mut Lower, sort: Sort, node: &Node) -> Option<ArgumentTemplate> {
    let filled = ArgumentTemplate::Filled;
    match sort {
        Sort::Text => scalar::template(lower, node).map(ArgumentTemplate::Text),
        Sort::Target => scalar::target(lower, node).map(ArgumentTemplate::Text),
        Sort::Digits => scalar::digits(lower, node).map(ArgumentTemplate::Text),
        Sort::Call => scalar::call(lower, node).map(ArgumentTemplate::Call),
        Sort::Calls => conference_calls(lower, node).map(ArgumentTemplate::Calls),
        Sort::Headers => headers(lower, node).map(ArgumentTemplate::Headers),
        Sort::Status(first, last) => {
            scalar::status(lower, node, first..=last).map(|status| filled(Argument::Status(status)))
        }
        Sort::Flag => scalar::boolean(lower, node).map(|flag| filled(Argument::Flag(flag))),
        Sort::Time => scalar::duration(lower, node).map(|time| filled(Argument::Time(time))),
        Sort::Names => scalar::texts(lower, node).map(|names| filled(Argument::Names(names))),
        Sort::Level => scalar::number(lower, node).map(|level| filled(Argument::Level(level))),
        Sort::Frequencies(lowest, highest) => {
            let hz = lower.each(node, scalar::number);
            if hz.is_empty() || hz.iter().any(|hz| !(lowest..=highest).contains(hz)) {
                let text = format!("a tone needs frequencies from {lowest} to {highest} hertz");
                lower.error(Rule::BadValue, node.at, text);
            }
            Some(filled(Argument::Frequencies(hz)))
        }
    }
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

/// Reads event patterns, for the other readers in this folder.
pub(super) fn event_patterns(lower: &mut Lower, node: &Node) -> Option<Vec<EventPattern>> {
    Some(lower.each(node, events::pattern))
}
