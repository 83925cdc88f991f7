//! The scenario as the runner sees it: every spelling resolved, every value typed, every place
//! kept.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{diagnostic::Position, vars::Template};
use crate::{
    command::{Argument, Code, CommandKind},
    event::{Comparison, Condition, EndCause, EventPattern, Party, Verdict},
    id::{CallId, PhoneId},
    secret::Secret,
};

/// A scenario, ready to run.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// Its name; `<anonymous>` if it has none.
    pub name: String,
    /// What it shows, for readers.
    pub description: String,
    /// Tags to select it by.
    pub tags: Vec<String>,
    /// The file it was read from; `None` for one given inline.
    pub source: Option<String>,
    /// Its phones in order.
    pub phones: Vec<PhoneDeclaration>,
    /// The document's own values for `${name}`.
    pub vars: BTreeMap<String, String>,
    /// Reactions to events.
    pub hooks: Vec<Hook>,
    /// Actions at the start, in parallel with the steps; a failure ends this list only.
    pub initial_actions: Vec<Step>,
    /// The main list: the run ends when it is done or one of its steps fails.
    pub steps: Vec<Step>,
    /// What must not happen at any time.
    pub never: Vec<Clause>,
    /// Events that end a run. With them and without steps, the run passes when one of them occurs.
    pub stop_on: Vec<EventMatcher>,
    /// Longest duration of the run.
    pub timeout: Duration,
    /// The verdict the run must have, for scenarios that demonstrate a failure.
    pub expect_verdict: Option<Verdict>,
    /// Text that the first failure's expectation must contain, so that a failure for another reason
    /// does not count.
    pub expect_failure: Option<String>,
    /// Why it is skipped.
    pub skip: Option<String>,
    /// The ready-made patterns it uses, with their versions.
    pub patterns_used: Vec<String>,
    /// Whether it came as JSON in the older form, whose readers ignore what they do not know.
    pub lenient: bool,
}

/// A phone of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneDeclaration {
    /// Its name.
    pub id: PhoneId,
    /// Where it is declared.
    pub at: Position,
    /// Whether the run creates it.
    pub provision: Provision,
}

/// Where a scenario's phone comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Provision {
    /// It exists already.
    Existing,
    /// The run creates it and drops it at the end.
    Created(Box<PhoneSettings>),
}

/// Settings of a phone that the run creates; what is `None` comes from the PBX profile's next
/// account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhoneSettings {
    /// User name of the profile's account to use, instead of the next free one.
    pub account: Option<String>,
    /// User part of the address.
    pub username: Option<String>,
    /// Digest password.
    pub password: Option<Secret<String>>,
    /// Registrar host with an optional port.
    pub domain: Option<String>,
    /// `udp` or `tcp`.
    pub transport: Option<crate::event::Transport>,
    /// Whether incoming calls are answered automatically.
    pub auto_answer: bool,
    /// Codec names in order of preference.
    pub codecs: Option<Vec<String>>,
    /// Whether calls are recorded.
    pub recording: bool,
    /// Whether everything that passes its sockets is captured.
    pub capture: bool,
    /// How the run registers it.
    pub registration: RegistrationMode,
}

/// How a run registers a phone that it creates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Registers and waits for success; a failure blocks the run.
    #[default]
    Wait,
    /// Registers and goes on; the scenario checks the outcome itself.
    Start,
    /// Does not register.
    None,
}

/// Reaction to an event.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name, for reports; `hook-1` and so on by default.
    pub name: String,
    /// Where it is in the document.
    pub at: Position,
    /// What it waits for.
    pub when: EventMatcher,
    /// Name for the event's call.
    pub capture: Option<String>,
    /// Whether it reacts only to the first match.
    pub once: bool,
    /// The steps of its reaction.
    pub then: Vec<Step>,
    /// The ready-made pattern it comes from.
    pub pattern: Option<String>,
}

/// Selects events.
#[derive(Clone, Debug, Default)]
pub struct EventMatcher {
    /// Names, any of which may match.
    pub events: Vec<EventPattern>,
    /// Only events of this phone.
    pub phone: Option<PhoneId>,
    /// Only events of this call.
    pub call: Option<CallRef>,
    /// Conditions on the event's data; all must hold.
    pub conditions: Vec<Condition>,
}

/// Refers to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallRef {
    /// The call that a step captured under this name.
    Captured(String),
    /// The id of a call from outside the scenario.
    Id(CallId),
}

/// The phone of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PhoneRef {
    /// Not given: the hook's phone or the event's.
    #[default]
    Inherited,
    /// Explicitly none.
    Nobody,
    /// This one.
    Named(PhoneId),
}

/// The call of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CallTarget {
    /// Not given: the event's call, otherwise whichever fits.
    #[default]
    Inherited,
    /// Explicitly none: whichever fits.
    Any,
    /// This one.
    Ref(CallRef),
}

/// One entry of a list of actions.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is in the document.
    pub at: Position,
    /// The action's name as written.
    pub name: String,
    /// Its phone.
    pub phone: PhoneRef,
    /// Its call.
    pub call: CallTarget,
    /// What it does.
    pub action: Action,
    /// If set, the command must be rejected.
    pub refused: Option<Refusal>,
}

/// How a command must be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For whatever reason.
    Any,
    /// For this reason.
    With(Code),
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Gives a command.
    Do {
        /// The command, with placeholders.
        command: CommandTemplate,
        /// Name for the call that it places.
        capture: Option<String>,
    },
    /// Pauses this list.
    Wait {
        /// How long.
        duration: Duration,
    },
    /// Waits for the next matching event.
    WaitUntil {
        /// The event.
        event: EventPattern,
        /// The maximum time.
        timeout: Duration,
    },
    /// Emits `user.<name>`.
    Emit {
        /// The name, without the prefix.
        name: String,
        /// Its data.
        data: Value,
    },
    /// Marks a point in the timeline.
    Checkpoint {
        /// Its label.
        label: Template,
    },
    /// Writes a message to the timeline.
    Log {
        /// The message.
        message: Template,
    },
    /// Waits until something has happened.
    Expect(Expectation),
    /// Watches that something does not happen.
    Never {
        /// What must not happen.
        clause: Clause,
        /// How long.
        during: Duration,
    },
    /// Waits, while calls must stay up.
    HoldFor {
        /// How long.
        duration: Duration,
    },
}

/// A command with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandTemplate {
    /// The command.
    pub kind: CommandKind,
    /// Its arguments by their slot.
    pub arguments: BTreeMap<&'static str, ArgumentTemplate>,
}

/// An argument with or without placeholders.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgumentTemplate {
    /// No placeholders.
    Filled(Argument),
    /// A text.
    Text(Template),
    /// A call.
    Call(CallRef),
    /// Calls.
    Calls(Vec<CallRef>),
    /// Header names and values.
    Headers(BTreeMap<String, Template>),
}

/// Something that must happen.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The condition.
    pub clause: Clause,
    /// The maximum time.
    pub within: Duration,
    /// Where to start looking at events.
    pub since: Since,
    /// Name for the event's call.
    pub capture: Option<String>,
}

/// Where an expectation starts to look at events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// At the list's last command.
    #[default]
    LastCommand,
    /// At the start of the run.
    Start,
    /// At the checkpoint with this label.
    Checkpoint(String),
}

/// A condition on events, in its form and in words.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Where it is in the document.
    pub at: Position,
    /// Its wording, for reports.
    pub words: String,
    /// Its meaning.
    pub kind: ClauseKind,
}

/// Restricts a clause to the events of a phone or call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only events of this phone.
    pub phone: Option<PhoneId>,
    /// Only events of this call.
    pub call: Option<CallRef>,
}

/// A condition on events.
#[derive(Clone, Debug)]
pub enum ClauseKind {
    /// An event that occurs a number of times.
    Event {
        /// The event.
        matcher: EventMatcher,
        /// How often.
        count: Comparison,
    },
    /// Digits received in this order.
    Digits {
        /// Which events count.
        scope: Scope,
        /// The digits.
        digits: Template,
    },
    /// A tone heard.
    Tone {
        /// Which events count.
        scope: Scope,
        /// Its frequency in hertz.
        hz: f64,
        /// Allowed difference in hertz.
        tolerance: f64,
    },
    /// Media statistics.
    Media {
        /// Which events count.
        scope: Scope,
        /// Whether sound must be heard; `None` if it does not matter.
        audio: Option<bool>,
        /// Limits on the statistics; all must hold.
        bounds: Vec<(Metric, Comparison)>,
    },
    /// A call's end.
    Ended {
        /// Which call.
        scope: Scope,
        /// The cause.
        cause: Option<EndCause>,
        /// The party that ended it.
        by: Option<Party>,
        /// Its SIP status.
        status: Option<Condition>,
    },
    /// All of these, in any order.
    All(Vec<Clause>),
    /// At least one of these.
    Any(Vec<Clause>),
    /// All of these, each after the one before it.
    InOrder(Vec<Clause>),
}

/// A figure of the media statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Packets received.
    Packets,
    /// Packets sent.
    SentPackets,
    /// Packets lost.
    Lost,
    /// Interarrival jitter, milliseconds.
    Jitter,
    /// Round-trip time, milliseconds.
    RoundTrip,
    /// Level of the received audio, dBFS.
    Level,
    /// E-model estimate.
    Mos,
}

impl Metric {
    /// Every metric with its key in a scenario.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Packets, "packets"),
        (Self::SentPackets, "sent_packets"),
        (Self::Lost, "lost"),
        (Self::Jitter, "jitter"),
        (Self::RoundTrip, "rtt"),
        (Self::Level, "level"),
        (Self::Mos, "mos"),
    ];

    /// Returns the key in a scenario.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::SentPackets => "sent_packets",
            Self::Lost => "lost",
            Self::Jitter => "jitter",
            Self::RoundTrip => "rtt",
            Self::Level => "level",
            Self::Mos => "mos",
        }
    }
}

impl Action {
    /// Returns the condition that the action waits for or watches.
    #[must_use]
    pub const fn clause(&self) -> Option<&Clause> {
        if let Self::Expect(Expectation { clause, .. }) | Self::Never { clause, .. } = self {
            Some(clause)
        } else {
            None
        }
    }

    /// Returns the command it gives, if it gives one.
    #[must_use]
    pub const fn command(&self) -> Option<CommandKind> {
        if let Self::Do { command, .. } = self { Some(command.kind) } else { None }
    }

    /// Returns the name under which it captures a call.
    #[must_use]
    pub fn capture(&self) -> Option<&str> {
        if let Self::Do { capture, .. } | Self::Expect(Expectation { capture, .. }) = self {
            capture.as_deref()
        } else {
            None
        }
    }

    /// Returns whether it can detect a problem, apart from being rejected itself.
    #[must_use]
    pub const fn finds_out(&self) -> bool {
        matches!(self, Self::Expect(_) | Self::Never { .. } | Self::HoldFor { .. } | Self::WaitUntil { .. })
    }
}

impl Clause {
    /// Visits this clause and all clauses inside it.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Self)) {
        see(self);
        match &self.kind {
            ClauseKind::All(parts) | ClauseKind::Any(parts) | ClauseKind::InOrder(parts) => {
                for part in parts {
                    part.visit(see);
                }
            }
            ClauseKind::Event { .. }
            | ClauseKind::Digits { .. }
            | ClauseKind::Tone { .. }
            | ClauseKind::Media { .. }
            | ClauseKind::Ended { .. } => {}
        }
    }
}

impl Scenario {
    /// Returns every list of steps with its name: hooks in order, initial actions, steps.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &[Step])> {
        self.hooks
            .iter()
            .map(|hook| (hook.name.as_str(), hook.then.as_slice()))
            .chain([("<init>", self.initial_actions.as_slice()), ("steps", self.steps.as_slice())])
    }

    /// Visits every event matcher, wherever it is.
    pub fn matchers<'a>(&'a self, see: &mut dyn FnMut(&'a EventMatcher)) {
        self.hooks.iter().map(|hook| &hook.when).chain(&self.stop_on).for_each(&mut *see);
        let of_steps = self.lists().flat_map(|(_, steps)| steps).filter_map(|step| step.action.clause());
        for clause in self.never.iter().chain(of_steps) {
            clause.visit(&mut |clause| {
                if let ClauseKind::Event { matcher, .. } = &clause.kind {
                    see(matcher);
                }
            });
        }
    }

    /// Returns every event pattern that it waits for or watches.
    #[must_use]
    pub fn patterns(&self) -> Vec<&EventPattern> {
        let mut patterns = Vec::new();
        self.matchers(&mut |matcher| patterns.extend(&matcher.events));
        for step in self.lists().flat_map(|(_, steps)| steps) {
            if let Action::WaitUntil { event, .. } = &step.action {
                patterns.push(event);
            }
        }
        patterns
    }

    /// Returns whether a phone with this name is declared.
    #[must_use]
    pub fn has_phone(&self, id: &PhoneId) -> bool {
        self.phones.iter().any(|phone| phone.id == *id)
    }
}
