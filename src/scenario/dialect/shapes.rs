//! The table of actions: names, spellings, arguments. Reader, suggestions, schema and reference all
//! come from it.
//!
//! Actions that give a command are built from their verbs' rows (`command/verbs.rs`).

use std::sync::LazyLock;

use crate::command::{ActionName, Addressee, CommandKind, Verb};

/// An action, whatever its spelling.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// It gives a command.
    Command(&'static Verb),
    Wait,
    WaitUntil,
    Emit,
    Checkpoint,
    Log,
    Expect,
    Never,
    HoldFor,
}

/// One action as documents write it.
#[derive(Clone, Debug)]
pub struct ActionShape {
    pub(super) act: Act,
    /// Its name.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// The argument that a bare value stands for.
    pub value: Option<&'static str>,
    /// Its own arguments.
    pub args: Vec<ArgShape>,
    /// Whether it acts on a phone.
    pub on_phone: bool,
    /// Whether it acts on a call.
    pub on_call: bool,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub struct ArgShape {
    /// Its name.
    pub name: &'static str,
    /// What it means, with its default.
    pub doc: &'static str,
}

/// Every action, in the order of the reference: first those that give a command.
pub static ACTIONS: LazyLock<Vec<ActionShape>> = LazyLock::new(|| {
    let verbs = CommandKind::ALL.iter().map(|kind| kind.verb());
    let mut actions: Vec<_> =
        verbs.filter_map(|verb| Some(commanding(verb, verb.action.as_ref()?))).collect();
    actions.extend(others());
    actions
});

fn commanding(verb: &'static Verb, action: &ActionName) -> ActionShape {
    let spelled = verb.parameters.iter().filter_map(|parameter| parameter.action.as_ref());
    let mut args: Vec<_> = spelled
        .map(|argument| arg(argument.names.first().copied().unwrap_or_default(), argument.about))
        .collect();
    if verb.kind == CommandKind::PlaceCall {
        args.push(arg("as", "keeps the call under this name, to be used as `$name`"));
    }
    ActionShape {
        act: Act::Command(verb),
        name: action.name,
        aliases: action.aliases,
        value: action.bare,
        args,
        on_phone: true,
        on_call: verb.addressee == Addressee::Call,
        doc: action.about,
    }
}

const fn arg(name: &'static str, doc: &'static str) -> ArgShape {
    ArgShape { name, doc }
}

fn local(
    act: Act,
    name: &'static str,
    value: Option<&'static str>,
    args: Vec<ArgShape>,
    doc: &'static str,
) -> ActionShape {
    ActionShape { act, name, aliases: &[], value, args, on_phone: false, on_call: false, doc }
}

/// The actions that give no command.
fn others() -> Vec<ActionShape> {
    let until = vec![arg("event", "name of the event"), arg("timeout_ms", "how long at most; 10s")];
    let until_doc = "Waits for the next matching event; its absence is a failure.";
    let hold_doc = "Waits while the call, or every call that is up, must stay up.";
    let emit = vec![arg("name", "name, without `user.`"), arg("data", "its data")];
    let emit_doc = "Emits an event of the scenario's own, `user.<name>`.";
    let expect_doc = "Waits until something has happened; its absence is a failure.";
    let never_doc = "Watches for a while that something does not happen.";
    let checkpoint_doc = "Marks a place, for the timeline and for `since`.";
    let log_doc = "Says something in the timeline.";
    vec![
        ActionShape {
            on_phone: true,
            ..local(Act::WaitUntil, "wait_until", Some("event"), until, until_doc)
        },
        local(Act::Wait, "wait", Some("ms"), vec![arg("ms", "how long")], "Pauses this list."),
        ActionShape {
            on_phone: true,
            on_call: true,
            ..local(Act::HoldFor, "hold_for", Some("for"), vec![arg("for", "how long")], hold_doc)
        },
        local(Act::Expect, "expect", None, Vec::new(), expect_doc),
        local(Act::Never, "never", None, Vec::new(), never_doc),
        ActionShape { on_phone: true, ..local(Act::Emit, "emit", Some("name"), emit, emit_doc) },
        local(Act::Checkpoint, "checkpoint", Some("label"), vec![arg("label", "its label")], checkpoint_doc),
        local(Act::Log, "log", Some("message"), vec![arg("message", "what to say")], log_doc),
    ]
}

/// Finds an action by any of its spellings.
pub(super) fn find(name: &str) -> Option<&'static ActionShape> {
    ACTIONS.iter().find(|shape| shape.name == name || shape.aliases.contains(&name))
}

/// Returns every spelling of every action.
pub(super) fn spellings() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().flat_map(|shape| std::iter::once(shape.name).chain(shape.aliases.iter().copied()))
}
