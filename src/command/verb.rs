//! What surfaces offer of a command: names, arguments and what may be assumed of it. The rows are in `verbs`.

use super::{Argument, Arguments, CallCommand, CommandKind, Missing, PhoneCommand};

/// What surfaces offer of a command.
#[derive(Debug)]
pub struct Verb {
    /// Which.
    pub kind: CommandKind,
    /// Whom it is for.
    pub addressee: Addressee,
    /// What a call cannot do that is in no state for it.
    pub cannot: &'static str,
    /// How a tool offers it.
    pub tool: Option<ToolName>,
    /// How a step of a scenario says it.
    pub action: Option<ActionName>,
    /// Its arguments, in the order of the tool.
    pub parameters: &'static [Parameter],
    /// Makes the command; none for what is made of a phone's settings.
    pub make: Option<Make>,
}

/// Makes the command of a verb's arguments.
pub type Make = fn(&Arguments) -> Result<Made, Missing>;

impl Verb {
    /// Makes the command of arguments.
    ///
    /// # Errors
    /// One is missing; what is made of a phone's settings misses them.
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
    /// One phone, or all of them where none is named.
    PhoneOrAll,
    /// One call of a phone.
    Call,
}

/// A command whose phone or call is still to be said.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// For a phone.
    Phone(PhoneCommand),
    /// For a call.
    Call(CallCommand),
}

/// A verb as a tool.
#[derive(Debug)]
pub struct ToolName {
    /// Name that calls use.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What may be assumed of it.
    pub effect: Effect,
}

/// What may be assumed of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes something here, at most once however often it is said.
    Settles,
    /// Reaches the telephone network, each time anew.
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
    /// Argument that a bare value stands for: one of its own, `phone` or `call`.
    pub bare: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name among [`Arguments`].
    pub slot: &'static str,
    /// What it must be.
    pub sort: Sort,
    /// Whether it must be given.
    pub need: Need,
    /// How a tool spells it; none when tools do not have it.
    pub tool: Option<ToolArgument>,
    /// How a scenario spells it; none when scenarios do not have it.
    pub action: Option<ActionArgument>,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sort {
    /// Any text.
    Text,
    /// A SIP URI or an extension.
    Target,
    /// Digits of a telephone.
    Digits,
    /// A SIP status from the first to the second.
    Status(u16, u16),
    /// Yes or no.
    Flag,
    /// A length of time.
    Time,
    /// A call.
    Call,
    /// Calls.
    Calls,
    /// A list of names.
    Names,
    /// Header names and their values.
    Headers,
    /// Frequencies in hertz, each from the first to the second.
    Frequencies(f64, f64),
    /// A level in dBFS.
    Level,
}

/// Whether an argument must be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// It must.
    Required,
    /// It must, unless one of these is given.
    Unless(&'static [&'static str]),
    /// Without it, all calls there are; a tool must be given it all the same.
    AllCalls,
    /// It need not.
    Optional,
    /// Without it, this status.
    Status(u16),
    /// Without it, this.
    Flag(bool),
    /// Without it, this text.
    Text(&'static str),
}

impl Need {
    /// Returns the value that stands for none.
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
    /// Key under which the result repeats it.
    pub echo: Option<&'static str>,
}

/// An argument as a scenario spells it.
#[derive(Clone, Copy, Debug)]
pub struct ActionArgument {
    /// Its names; the first is the one of the reference.
    pub names: &'static [&'static str],
    /// What it means, with its default.
    pub about: &'static str,
    /// Key under which the journal notes it.
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

/// A row without names and arguments.
pub(super) const fn verb(kind: CommandKind, addressee: Addressee) -> Verb {
    Verb { kind, addressee, cannot: "be changed", tool: None, action: None, parameters: &[], make: None }
}
