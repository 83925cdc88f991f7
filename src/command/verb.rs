//! How surfaces offer a command: names, arguments and effects. The rows are in `verbs`.

use super::{Argument, Arguments, CallCommand, CommandKind, Missing, PhoneCommand};
use crate::id::CallId;

/// How surfaces offer a command.
#[derive(Debug)]
pub struct Verb {
    /// The command.
    pub kind: CommandKind,
    /// Whom it is for.
    pub addressee: Addressee,
    /// What a call in the wrong state cannot do, in words.
    pub cannot: &'static str,
    /// How a tool offers it.
    pub tool: Option<ToolName>,
    /// How a step of a scenario offers it.
    pub action: Option<ActionName>,
    /// Its arguments, in the order of the tool.
    pub parameters: &'static [Parameter],
    /// Builds the command; `None` for commands that consist of a phone's settings.
    pub make: Option<Make>,
}

/// Builds the command from a verb's arguments.
pub type Make = fn(&Arguments) -> Result<Made, Missing>;

impl Verb {
    /// Builds the command from arguments.
    ///
    /// # Errors
    /// An argument is missing; for commands that consist of a phone's settings, the settings are.
    pub fn made(&self, given: &Arguments) -> Result<Made, Missing> {
        self.make.map_or(Err(Missing("settings")), |make| make(given))
    }
}

/// Whom a verb is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The process.
    Node,
    /// One phone.
    Phone,
    /// One phone, or all of them if none is named.
    PhoneOrAll,
    /// One call of a phone.
    Call,
}

/// A command whose phone or call is still to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// For a phone.
    Phone(PhoneCommand),
    /// For a call.
    Call(CallCommand),
    /// A conference of these calls; empty means all active ones of a phone.
    Conference(Vec<CallId>),
}

/// A verb as a tool.
#[derive(Debug)]
pub struct ToolName {
    /// The name used in calls.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What may be assumed about it.
    pub effect: Effect,
}

/// What may be assumed about a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes something, but calling it again changes nothing more.
    Settles,
    /// Reaches the telephone network, each time again.
    Dials,
    /// Ends or removes something.
    Ends,
}

/// A verb as a step of a scenario.
#[derive(Debug)]
pub struct ActionName {
    /// Its name.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// The argument that a bare value stands for: one of its own, `phone` or `call`.
    pub bare: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name among [`Arguments`].
    pub slot: &'static str,
    /// What its value must be.
    pub sort: Sort,
    /// Whether it must be given.
    pub need: Need,
    /// How a tool spells it; `None` if tools do not have it.
    pub tool: Option<ToolArgument>,
    /// How a scenario spells it; `None` if scenarios do not have it.
    pub action: Option<ActionArgument>,
}

/// What an argument's value must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sort {
    /// Any text.
    Text,
    /// A SIP URI or an extension.
    Target,
    /// DTMF digits.
    Digits,
    /// A SIP status in this inclusive range.
    Status(u16, u16),
    /// Yes or no.
    Flag,
    /// A duration.
    Time,
    /// A call.
    Call,
    /// Calls.
    Calls,
    /// A list of names.
    Names,
    /// Header names and their values.
    Headers,
    /// Frequencies in hertz, each in this inclusive range.
    Frequencies(f64, f64),
    /// A level in dBFS.
    Level,
}

/// Whether an argument must be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// Yes.
    Required,
    /// Yes, unless one of these is given.
    Unless(&'static [&'static str]),
    /// If absent, it means all calls; a tool must be given it anyway.
    AllCalls,
    /// No.
    Optional,
    /// If absent, it is this status.
    Status(u16),
    /// If absent, it is this.
    Flag(bool),
    /// If absent, it is this text.
    Text(&'static str),
}

impl Need {
    /// Returns the value used when it is absent.
    #[must_use]
    pub fn default(self) -> Option<Argument> {
        match self {
            Self::Required | Self::Unless(_) | Self::Optional => None,
            Self::AllCalls => Some(Argument::Calls(Vec::new())),
            Self::Status(status) => Some(Argument::Status(status)),
            Self::Flag(flag) => Some(Argument::Flag(flag)),
            Self::Text(text) => Some(Argument::Text(text.to_owned())),
        }
    }
}

/// An argument as a tool spells it.
#[derive(Clone, Copy, Debug)]
pub struct ToolArgument {
    /// Its name.
    pub name: &'static str,
    /// One line for the caller.
    pub about: &'static str,
    /// The key under which the result repeats it.
    pub echo: Option<&'static str>,
}

/// An argument as a scenario spells it.
#[derive(Clone, Copy, Debug)]
pub struct ActionArgument {
    /// Its names; the first is the one of the reference.
    pub names: &'static [&'static str],
    /// What it means, with its default.
    pub about: &'static str,
    /// The key under which the journal records it.
    pub noted: Option<&'static str>,
}

pub(super) const fn argument(slot: &'static str, sort: Sort, need: Need) -> Parameter {
    Parameter { slot, sort, need, tool: None, action: None }
}

impl Parameter {
    pub(super) const fn tool(
        self,
        name: &'static str,
        about: &'static str,
        echo: Option<&'static str>,
    ) -> Self {
        Self { tool: Some(ToolArgument { name, about, echo }), ..self }
    }

    pub(super) const fn action(
        self,
        names: &'static [&'static str],
        about: &'static str,
        noted: Option<&'static str>,
    ) -> Self {
        Self { action: Some(ActionArgument { names, about, noted }), ..self }
    }
}

pub(super) const fn tool(
    name: &'static str,
    title: &'static str,
    about: &'static str,
    effect: Effect,
) -> ToolName {
    ToolName { name, title, about, effect }
}

pub(super) const fn action(
    name: &'static str,
    bare: Option<&'static str>,
    about: &'static str,
) -> ActionName {
    ActionName { name, aliases: &[], bare, about }
}

impl ActionName {
    pub(super) const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

/// Creates a row without names and arguments.
pub(super) const fn verb(kind: CommandKind, addressee: Addressee) -> Verb {
    Verb { kind, addressee, cannot: "be changed", tool: None, action: None, parameters: &[], make: None }
}
