//! The scenario as the runner sees it: every spelling resolved, every value typed, every place kept.

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
    /// Its name; `<anonymous>` without one.
    pub name: String,
    /// What it shows, for readers.
    pub description: String,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// File it was read from; none for one given inline.
    pub source: Option<String>,
    /// Its phones in order.
    pub phones: Vec<PhoneDeclaration>,
    /// Values of its own for `${name}`.
    pub vars: BTreeMap<String, String>,
    /// Reactions to events.
    pub hooks: Vec<Hook>,
    /// Actions at the start, in parallel with the steps; a failure ends this list only.
    pub initial_actions: Vec<Step>,
    /// The main list: the run ends when it is done or a step of it fails.
    pub steps: Vec<Step>,
    /// What must not happen at any time.
    pub never: Vec<Clause>,
    /// Events that end a run; with them and without steps, the run succeeds when one comes.
    pub stop_on: Vec<EventMatcher>,
    /// Longest duration of the run.
    pub timeout: Duration,
    /// The verdict that the run must have, for scenarios that show a failure.
    pub expect_verdict: Option<Verdict>,
    /// Words that the first failure's expectation must contain, so that a failure for another reason does not count.
    pub expect_failure: Option<String>,
    /// Why it is not run.
    pub skip: Option<String>,
    /// Names of the ready-made patterns that it uses, with their version.
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
    /// Whether the run makes it.
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

/// Settings of a phone that the run creates; what is none comes from the PBX profile's next account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhoneSettings {
    /// User of the profile's account to take, instead of the next free one.
    pub account: Option<String>,
    /// User part of the address.
    pub username: Option<String>,
    /// Digest password.
    pub password: Option<Secret<String>>,
    /// Registrar host with an optional port.
    pub domain: Option<String>,
    /// `udp` or `tcp`.
    pub transport: Option<crate::event::Transport>,
    /// Whether incoming calls are answered by themselves.
    pub auto_answer: bool,
    /// Codec names in order.
    pub codecs: Option<Vec<String>>,
    /// Whether calls are recorded.
    pub recording: bool,
    /// What the run does about its registration.
    pub registration: RegistrationMode,
}

/// What a run does about the registration of a phone that it creates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Registers and waits until it is registered; a failure blocks the run.
    #[default]
    Wait,
    /// Registers and goes on; the scenario looks at the outcome itself.
    Start,
    /// Does not register.
    None,
}

/// Reaction to an event.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name, for reports; `hook-1` and so on by default.
    pub name: String,
    /// Where it is written.
    pub at: Position,
    /// What it waits for.
    pub when: EventMatcher,
    /// Name under which the event's call is kept.
    pub capture: Option<String>,
    /// Whether it reacts only to the first match.
    pub once: bool,
    /// What it does.
    pub then: Vec<Step>,
    /// Ready-made pattern that it comes from.
    pub pattern: Option<String>,
}

/// Which events are meant.
#[derive(Clone, Debug, Default)]
pub struct EventMatcher {
    /// Names, any of which fits.
    pub events: Vec<EventPattern>,
    /// Only this phone's.
    pub phone: Option<PhoneId>,
    /// Only this call's.
    pub call: Option<CallRef>,
    /// What its data must be; all must hold.
    pub conditions: Vec<Condition>,
}

/// Names a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallRef {
    /// The handle that a step kept under this name.
    Captured(String),
    /// A handle known from outside.
    Id(CallId),
}

/// The phone of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PhoneRef {
    /// Not said: the hook's phone or the event's.
    #[default]
    Inherited,
    /// Said to be none.
    Nobody,
    /// This one.
    Named(PhoneId),
}

/// The call of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CallTarget {
    /// Not said: the event's call, else whichever fits.
    #[default]
    Inherited,
    /// Said to be none: whichever fits.
    Any,
    /// This one.
    Ref(CallRef),
}

/// One entry of a list of actions.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is written.
    pub at: Position,
    /// The action's name as written.
    pub name: String,
    /// Its phone.
    pub phone: PhoneRef,
    /// Its call.
    pub call: CallTarget,
    /// What it does.
    pub action: Action,
    /// When set, the command must be refused.
    pub refused: Option<Refusal>,
}

/// How a command must be refused.
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
    /// Commands something.
    Do {
        /// What, with places to fill.
        command: CommandTemplate,
        /// Name under which the call is kept that it places.
        capture: Option<String>,
    },
    /// Pauses this list.
    Wait {
        /// How long.
        duration: Duration,
    },
    /// Waits for the next matching event.
    WaitUntil {
        /// Which.
        event: EventPattern,
        /// How long at most.
        timeout: Duration,
    },
    /// Emits `user.<name>`.
    Emit {
        /// The name, without the prefix.
        name: String,
        /// Its data.
        data: Value,
    },
    /// Marks a place in the timeline.
    Checkpoint {
        /// Its label.
        label: Template,
    },
    /// Says something in the timeline.
    Log {
        /// What.
        message: Template,
    },
    /// Waits until something has happened.
    Expect(Expectation),
    /// Watches that something does not happen.
    Never {
        /// What.
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

/// A command with places to fill.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandTemplate {
    /// Which.
    pub kind: CommandKind,
    /// Its arguments by their slot.
    pub arguments: BTreeMap<&'static str, ArgumentTemplate>,
}

/// An argument with places to fill.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgumentTemplate {
    /// Nothing to fill.
    Filled(Argument),
    /// A text.
    Text(Template),
    /// A call.
    Call(CallRef),
    /// Calls.
    Calls(Vec<CallRef>),
    /// Header names and their values.
    Headers(BTreeMap<String, Template>),
}

/// Something that must happen.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What.
    pub clause: Clause,
    /// Within which time.
    pub within: Duration,
    /// From where events count.
    pub since: Since,
    /// Name under which the event's call is kept.
    pub capture: Option<String>,
}

/// From where an expectation looks at events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// From the list's last command.
    #[default]
    LastCommand,
    /// From the beginning of the run.
    Start,
    /// From the checkpoint of that label.
    Checkpoint(String),
}

/// A condition over events, and its words.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Where it is written.
    pub at: Position,
    /// What it says, for reports.
    pub words: String,
    /// What it means.
    pub kind: ClauseKind,
}

/// Which phone's and call's events a clause looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only this phone's.
    pub phone: Option<PhoneId>,
    /// Only this call's.
    pub call: Option<CallRef>,
}

/// Condition over events.
#[derive(Clone, Debug)]
pub enum ClauseKind {
    /// An event, a number of times.
    Event {
        /// Which.
        matcher: EventMatcher,
        /// How many.
        count: Comparison,
    },
    /// Digits received, one after the other.
    Digits {
        /// Where.
        scope: Scope,
        /// Which.
        digits: Template,
    },
    /// A tone heard.
    Tone {
        /// Where.
        scope: Scope,
        /// Its frequency in hertz.
        hz: f64,
        /// Allowed difference in hertz.
        tolerance: f64,
    },
    /// What was measured on the media.
    Media {
        /// Where.
        scope: Scope,
        /// Whether sound is heard; none does not ask.
        audio: Option<bool>,
        /// Bounds of what is measured; all must hold.
        bounds: Vec<(Metric, Comparison)>,
    },
    /// A call's end.
    Ended {
        /// Which call.
        scope: Scope,
        /// Why.
        cause: Option<EndCause>,
        /// Who ended it.
        by: Option<Party>,
        /// Its SIP status.
        status: Option<Condition>,
    },
    /// Every one, in any order.
    All(Vec<Clause>),
    /// At least one.
    Any(Vec<Clause>),
    /// Every one, each after the one before it.
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
    /// Every figure with its key in a scenario.
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
    /// Returns the condition that it waits for or watches.
    #[must_use]
    pub const fn clause(&self) -> Option<&Clause> {
        if let Self::Expect(Expectation { clause, .. }) | Self::Never { clause, .. } = self {
            Some(clause)
        } else {
            None
        }
    }

    /// Returns which command it gives, if it gives one.
    #[must_use]
    pub const fn command(&self) -> Option<CommandKind> {
        if let Self::Do { command, .. } = self { Some(command.kind) } else { None }
    }

    /// Returns the name under which it keeps a call.
    #[must_use]
    pub fn capture(&self) -> Option<&str> {
        if let Self::Do { capture, .. } | Self::Expect(Expectation { capture, .. }) = self {
            capture.as_deref()
        } else {
            None
        }
    }

    /// Tells whether it can find out that something is wrong, apart from being refused itself.
    #[must_use]
    pub const fn finds_out(&self) -> bool {
        matches!(self, Self::Expect(_) | Self::Never { .. } | Self::HoldFor { .. } | Self::WaitUntil { .. })
    }
}

impl Clause {
    /// Visits this clause and every one inside it.
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
    /// Returns every list of steps with the name of its place: hooks in order, initial actions, steps.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &[Step])> {
        self.hooks
            .iter()
            .map(|hook| (hook.name.as_str(), hook.then.as_slice()))
            .chain([("<init>", self.initial_actions.as_slice()), ("steps", self.steps.as_slice())])
    }

    /// Visits every matcher of events, wherever it stands.
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

    /// Returns every pattern of events that it waits for or watches.
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

    /// Tells whether a phone of that name is declared.
    #[must_use]
    pub fn has_phone(&self, id: &PhoneId) -> bool {
        self.phones.iter().any(|phone| phone.id == *id)
    }
}
