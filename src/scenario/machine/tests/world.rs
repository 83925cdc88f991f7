//! A world without tasks: a hand-made journal, a clock that only moves when told to, and a record
//! of every command.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "tests look at the few commands and events that they need"
)]

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::super::{ExistingPhone, Machine, Output, Setup, StepId};
use crate::{
    command::{CallCommand, Code, Command, NodeCommand, Outcome, PhoneCommand, Refused, Rejection},
    config::{Account, PbxProfile},
    event::{
        CallEvent, Cause, DigitMethod, EndCause, Envelope, Event, MediaEvent, Party, PhoneEvent, RunEvent,
        SipEvent, Subject, Surface,
    },
    id::{CallId, PhoneId, RunId, Seq},
    journal::Fold,
    scenario::{Known, check_json, check_yaml},
    secret::Secret,
    view::{RunView, Runs},
};

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Instant,
    pub(super) journal: Vec<Arc<Envelope>>,
    /// Commands in order, as text.
    pub(super) commands: Vec<String>,
    pub(super) waiting: VecDeque<(StepId, Command)>,
    /// The view of runs.
    runs: Runs,
    /// Whether commands are accepted automatically and phones register.
    pub(super) obliging: bool,
    next_call: u64,
    existing: Vec<PhoneId>,
}

pub(super) fn setup() -> Setup {
    Setup {
        run: RunId(1),
        cause: Cause::command(Surface::Library),
        profile: Some(PbxProfile {
            domain: "pbx".into(),
            accounts: ["6001", "6002"]
                .map(|user| Account { username: user.into(), password: Secret::new(format!("secret{user}")) })
                .to_vec(),
            ..PbxProfile::default()
        }),
        phones: Vec::new(),
        lease_wait: Duration::from_secs(30),
        captured: false,
    }
}

pub(super) fn existing(id: &str, registered: bool) -> ExistingPhone {
    ExistingPhone {
        id: id.parse().unwrap(),
        username: format!("user_{id}"),
        domain: "pbx".into(),
        registered: registered.then(|| (200, "OK".to_owned(), 3_600)),
    }
}

impl World {
    /// Starts a YAML scenario on a phone system that works.
    pub(super) fn run(text: &str) -> Self {
        let mut world = Self::given(text, setup());
        world.start();
        world
    }

    pub(super) fn given(text: &str, setup: Setup) -> Self {
        let reading = check_yaml(text, Some("s.yaml"), &Known::default());
        assert!(reading.scenario.is_some(), "{:?}", reading.findings);
        Self::of(reading.scenario.unwrap(), setup)
    }

    /// Prepares a JSON document of the older form with existing phones.
    pub(super) fn older(document: &serde_json::Value, phones: &[&str]) -> Self {
        let reading = check_json(document, &Known::default());
        assert!(reading.is_runnable(), "{:?}", reading.findings);
        let phones = phones.iter().map(|id| existing(id, true)).collect();
        Self::of(reading.scenario.unwrap(), Setup { phones, profile: None, ..setup() })
    }

    fn of(scenario: crate::scenario::Scenario, setup: Setup) -> Self {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        Self {
            existing: setup.phones.iter().map(|phone| phone.id.clone()).collect(),
            machine: Machine::new(Arc::new(scenario), setup, at),
            now: Instant::now(),
            journal: Vec::new(),
            commands: Vec::new(),
            waiting: VecDeque::new(),
            runs: Runs::default(),
            obliging: true,
            next_call: 1,
        }
    }

    pub(super) fn start(&mut self) {
        self.machine.start(self.now, Seq(0));
        self.drain();
    }

    /// Appends an event, as the journal would, and shows it to the machine.
    pub(super) fn append(&mut self, subject: Subject, event: impl Into<Event>) -> Seq {
        self.append_because(subject, Cause::Start, event)
    }

    fn append_because(&mut self, subject: Subject, cause: Cause, event: impl Into<Event>) -> Seq {
        let seq = Seq(self.journal.len() as u64 + 1);
        let envelope = Arc::new(Envelope {
            seq,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            subject,
            cause,
            event: event.into(),
        });
        self.journal.push(Arc::clone(&envelope));
        self.runs.apply(&envelope);
        self.machine.on_event(self.now, &envelope);
        seq
    }

    /// Returns a phone's name outside the run; for an existing phone it is the same.
    fn outside(&self, phone: &str) -> PhoneId {
        let phone = PhoneId::plain(phone).unwrap();
        if self.existing.contains(&phone) { phone } else { phone.in_run(RunId(1)) }
    }

    fn of_phone(&self, phone: &str) -> Subject {
        Subject::phone(self.outside(phone)).during(Some(RunId(1)))
    }

    fn of_call(&self, phone: &str, call: u64) -> Subject {
        Subject { call: Some(CallId(call)), ..self.of_phone(phone) }
    }

    pub(super) fn call(&mut self, phone: &str, call: u64, event: CallEvent) -> &mut Self {
        self.append(self.of_call(phone, call), event);
        self.drain();
        self
    }

    pub(super) fn media(&mut self, phone: &str, call: u64, event: MediaEvent) -> &mut Self {
        self.append(self.of_call(phone, call), event);
        self.drain();
        self
    }

    pub(super) fn phone(&mut self, phone: &str, event: PhoneEvent) -> &mut Self {
        self.append(self.of_phone(phone), event);
        self.drain();
        self
    }

    pub(super) fn sip(&mut self, phone: &str, event: SipEvent) -> &mut Self {
        self.append(self.of_phone(phone), event);
        self.drain();
        self
    }

    pub(super) fn digits(&mut self, phone: &str, call: u64, digits: &str) -> &mut Self {
        for digit in digits.chars() {
            let method = DigitMethod::Rfc4733;
            self.media(phone, call, MediaEvent::DigitStarted { digit, method, epoch: 1 });
            self.media(phone, call, MediaEvent::DigitReceived { digit, duration_ms: 200, method, epoch: 1 });
        }
        self
    }

    /// Advances time, stopping at every deadline on the way.
    pub(super) fn pass(&mut self, time: Duration) -> &mut Self {
        let end = self.now + time;
        for _ in 0..10_000 {
            match self.machine.deadline().filter(|at| *at <= end) {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.machine.on_time(self.now);
                    self.drain();
                }
                None => break,
            }
        }
        self.now = end;
        self
    }

    pub(super) fn seconds(&mut self, seconds: u64) -> &mut Self {
        self.pass(Duration::from_secs(seconds))
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            match self.machine.poll_output() {
                None => return,
                Some(Output::Append { subject, cause, event }) => {
                    let seq = self.append_because(subject, cause, *event);
                    self.machine.appended(seq);
                }
                Some(Output::Lease(wish)) => {
                    let chosen = wish.choose(|_| true).expect("everything is free");
                    self.machine.on_lease(self.now, chosen);
                }
                Some(Output::GiveUpLease) => panic!("everything was given at once"),
                Some(Output::Finished) => assert!(self.run_view().end.is_some(), "the verdict comes first"),
                Some(Output::Execute { step, command, .. }) => {
                    self.commands.push(short(&command));
                    if self.obliging {
                        self.oblige(step, &command);
                    } else {
                        self.waiting.push_back((step, *command));
                    }
                }
            }
        }
        panic!("the machine never rests");
    }

    /// Accepts the oldest pending command.
    pub(super) fn accept(&mut self) -> &mut Self {
        let (step, command) = self.waiting.pop_front().expect("a command is waiting");
        self.oblige(step, &command);
        self.drain();
        self
    }

    /// Rejects the oldest pending command.
    pub(super) fn refuse(&mut self, code: Code) -> &mut Self {
        let (step, _) = self.waiting.pop_front().expect("a command is waiting");
        self.machine.on_outcome(
            self.now,
            step,
            Err(Rejection {
                code,
                what: Refused::NotResolved { why: "that cannot be done".into() },
                legal: Vec::new(),
            }),
        );
        self.drain();
        self
    }

    fn oblige(&mut self, step: StepId, command: &Command) {
        let mut call = None;
        match command {
            Command::Phone(phone, PhoneCommand::PlaceCall { target, .. }) => {
                let id = CallId(self.next_call);
                self.next_call += 1;
                call = Some(id);
                let event = CallEvent::Placed {
                    target: target.clone(),
                    local: format!("sip:{}@pbx", phone.name()),
                    sip_call_id: format!("id-{}", id.0),
                };
                self.append(Subject::call(phone.clone(), id).during(Some(RunId(1))), event);
            }
            Command::Call(selector, CallCommand::HangUp) => {
                if let Some(id) = selector.call {
                    let phone: PhoneId = self.phone_of(id);
                    self.append(
                        Subject::call(phone, id).during(Some(RunId(1))),
                        ended(Party::Local, EndCause::Normal, None),
                    );
                }
            }
            Command::Node(NodeCommand::AddPhone(add)) if add.spec.register => {
                let event = PhoneEvent::Registered { status: 200, reason: "OK".into(), expires_s: 300 };
                self.append(Subject::phone(add.phone.clone()), event);
            }
            _ => {}
        }
        let seq = Seq(self.journal.len() as u64);
        let outcome = Outcome { seq, call, calls: Vec::new() };
        self.machine.on_outcome(self.now, step, Ok(outcome));
    }

    fn phone_of(&self, call: CallId) -> PhoneId {
        let found = self.journal.iter().find(|envelope| envelope.subject.call == Some(call));
        found.and_then(|envelope| envelope.subject.phone.clone()).unwrap_or_else(|| "a".parse().unwrap())
    }

    /// Returns the view that every report is built from.
    pub(super) fn run_view(&self) -> Arc<RunView> {
        self.runs.get(RunId(1)).expect("the run began")
    }

    pub(super) fn verdict(&self) -> String {
        match &self.run_view().end {
            None => "still running".to_owned(),
            Some(end) => format!("{}: {}", end.verdict.as_str(), end.reason),
        }
    }

    /// Returns the run's own events as short texts.
    pub(super) fn told(&self) -> Vec<String> {
        let runs = self.journal.iter().filter_map(|envelope| match &envelope.event {
            Event::Run(event) => Some(event),
            _ => None,
        });
        runs.map(|event| match event {
            RunEvent::HookFired { hook, by } => format!("fired {hook} by {by}"),
            RunEvent::ActionStarted { action, hook, .. } => format!("{hook}: {action}"),
            RunEvent::ActionFailed { action, error, .. } => format!("failed {action}: {error}"),
            RunEvent::ActionFinished { action, started, succeeded, outcome } => {
                let (how, by) = (if *succeeded { "done" } else { "not done" }, outcome.map(|seq| seq.0));
                format!("{action} of {started} {how} {by:?}")
            }
            RunEvent::Log { message } => format!("log {message}"),
            RunEvent::ExpectationMet { expectation, .. } => format!("held {expectation}"),
            RunEvent::ExpectationFailed { expectation, instead, .. } => {
                format!("not {expectation}: {instead}")
            }
            other => other.kind().to_owned(),
        })
        .collect()
    }
}

/// Formats a command for comparison in tests.
fn short(command: &Command) -> String {
    let select = |selector: &crate::command::CallSelector| {
        let call = selector.call.map(|call| call.to_string());
        call.or_else(|| selector.phone.as_ref().map(|phone| format!("any of {}", phone.name())))
            .unwrap_or_default()
    };
    match command {
        Command::Node(NodeCommand::AddPhone(add)) => {
            format!(
                "add {} {}@{} {}",
                add.phone.name(),
                add.spec.username,
                add.spec.domain,
                add.password.reveal()
            )
        }
        Command::Node(NodeCommand::DropPhone { phone, .. }) => format!("drop {}", phone.name()),
        Command::Node(NodeCommand::Conference { phone, calls }) => {
            let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
            format!("confer [{}] of {}", calls.join(" "), phone.as_ref().map_or("any", PhoneId::name))
        }
        Command::Phone(phone, PhoneCommand::PlaceCall { target, .. }) => {
            format!("{} calls {target}", phone.name())
        }
        Command::Call(call, CallCommand::Answer { status }) => format!("answer {} {status}", select(call)),
        Command::Call(call, CallCommand::Reject { status }) => format!("reject {} {status}", select(call)),
        Command::Call(call, CallCommand::HangUp) => format!("hang up {}", select(call)),
        Command::Call(call, CallCommand::SendDigits { digits, .. }) => {
            format!("digits {} {digits}", select(call))
        }
        Command::Call(call, CallCommand::Hold) => format!("hold {}", select(call)),
        Command::Call(call, CallCommand::Play { .. }) => format!("play {}", select(call)),
        Command::Phone(phone, PhoneCommand::Unregister) => format!("unregister {}", phone.name()),
        other => format!("{other:?}"),
    }
}

pub(super) fn incoming() -> CallEvent {
    CallEvent::Incoming {
        remote: "\"A\" <sip:6001@pbx>".into(),
        local: "sip:6002@pbx".into(),
        sip_call_id: "x".into(),
        contact: None,
    }
}

pub(super) fn established() -> CallEvent {
    CallEvent::Established { contact: None }
}

pub(super) fn ended(by: Party, cause: EndCause, status: Option<u16>) -> CallEvent {
    CallEvent::Ended { by, cause, status, reason: String::new(), duration_ms: 0 }
}

pub(super) fn tone(hz: f64) -> MediaEvent {
    MediaEvent::ToneStarted { hz, level_dbfs: -10.0, epoch: 1 }
}
