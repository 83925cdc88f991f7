//! The machine itself: its inputs, its outputs, and how one becomes the other.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    super::{
        dialect::{CompatEvent, Lens},
        model::Scenario,
    },
    actions::Actions,
    book::Book,
    history::History,
    lists::{List, ListId},
    provision::{Provisioning, Wanted},
    seen::{Fit, Seen},
    teardown::Teardown,
    verdict::{Evidence, Failure, verdict},
    watch::{Look, Progress, Watch},
    world::{Names, Setup},
};
use crate::{
    command::{Command, NodeCommand, Outcome, Rejection},
    config::{Holding, Wish},
    event::{Cause, Ending, Envelope, Event, RunEvent, Subject},
    id::{PhoneId, Seq},
    journal::{About, Interest, Kinds},
};

/// Most hook reactions in one run; more means that hooks trigger each other.
const REACTIONS: u64 = 10_000;

/// The kind of event for something wrong with a message or its path.
const ANOMALY: &str = "sip.anomaly";

/// Names a command until its outcome comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(u64);

/// What the machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Execute this and report with [`Machine::on_outcome`].
    Execute {
        /// Names the command in the report.
        step: StepId,
        /// The command.
        command: Box<Command>,
        /// The cause to journal.
        cause: Cause,
    },
    /// Ask the pool for this and report with [`Machine::on_lease`].
    Lease(Wish),
    /// It takes too long: withdraw the request, and report who has what was asked for with
    /// [`Machine::on_refused_lease`].
    GiveUpLease,
    /// Append this to the journal and report its seq with [`Machine::appended`].
    Append {
        /// The subject.
        subject: Subject,
        /// The cause.
        cause: Cause,
        /// The fact.
        event: Box<RunEvent>,
    },
    /// The run is over; nothing follows.
    Finished,
}

/// What a command was issued for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    List { list: ListId, places_call: bool },
    Provision { phone: PhoneId },
    Teardown,
}

#[derive(Debug)]
pub(super) enum Phase {
    Idle,
    Leasing { until: Instant, wanted: Wanted },
    Provisioning(Provisioning),
    Running,
    TearingDown(Teardown),
    Finished,
}

#[derive(Debug, Default)]
pub(super) struct HookState {
    pub(super) spent: bool,
    pub(super) fired: bool,
}

/// Runs one scenario.
///
/// Feed it one input at a time, then take every output and arm one timer for [`Self::deadline`].
#[derive(Debug)]
pub struct Machine {
    pub(super) scenario: Arc<Scenario>,
    pub(super) setup: Setup,
    pub(super) names: Names,
    pub(super) phase: Phase,
    pub(super) newest: Seq,
    newest_at: Timestamp,
    pub(super) first: Seq,
    pub(super) started: Option<Instant>,
    /// When the run got everything it needs.
    pub(super) leased: Option<Instant>,
    pub(super) history: History,
    /// How the document looks at events, if it uses the older form.
    lens: Option<Lens>,
    pub(super) book: Book,
    pub(super) hooks: Vec<HookState>,
    reactions: u64,
    pub(super) lists: BTreeMap<ListId, List>,
    pub(super) in_flight: BTreeMap<StepId, Purpose>,
    pub(super) checkpoints: BTreeMap<String, Seq>,
    never: Vec<(usize, Watch)>,
    pub(super) failures: Vec<Failure>,
    /// How many expectations have held, and how many of them through an event.
    pub(super) held: usize,
    pub(super) held_by_events: usize,
    pub(super) actions: Actions,
    outputs: VecDeque<Output>,
    pub(super) counter: u64,
    pub(super) main_done: bool,
    /// Whether the steps were begun; hooks that were never armed are not reported.
    ran: bool,
    /// Whether creating phones was begun, so that there is something to drop.
    made_phones: bool,
    ending: Option<(Ending, String, Duration)>,
    wants_sip: bool,
}

impl Machine {
    /// Creates a machine; `at` is the wall time given to events that are replayed to hooks.
    #[must_use]
    pub fn new(scenario: Arc<Scenario>, setup: Setup, at: Timestamp) -> Self {
        let names = Names::new(&setup, &scenario);
        let hooks = scenario.hooks.iter().map(|_| HookState::default()).collect();
        let (wants_sip, lens) = (wants_sip(&scenario), Lens::of(&scenario));
        Self {
            names,
            hooks,
            wants_sip,
            scenario,
            setup,
            phase: Phase::Idle,
            newest: Seq(0),
            newest_at: at,
            first: Seq(0),
            started: None,
            leased: None,
            history: History::default(),
            lens,
            book: Book::default(),
            reactions: 0,
            lists: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            never: Vec::new(),
            failures: Vec::new(),
            held: 0,
            held_by_events: 0,
            actions: Actions::default(),
            outputs: VecDeque::new(),
            counter: 0,
            main_done: false,
            ran: false,
            made_phones: false,
            ending: None,
        }
    }

    /// Shows an event from before the run, so that existing calls are known.
    pub fn prime(&mut self, envelope: &Envelope) {
        self.older_form(envelope);
        self.newest = self.newest.max(envelope.seq);
    }

    /// Returns an event in the older form, if the document uses it and the event has one.
    fn older_form(&mut self, envelope: &Envelope) -> Option<CompatEvent> {
        self.lens.as_mut().and_then(|lens| lens.observe(envelope))
    }

    /// Starts the run; events after `head` count.
    pub fn start(&mut self, now: Instant, head: Seq) {
        self.started = Some(now);
        self.newest = self.newest.max(head);
        self.first = head;
        let event = RunEvent::Started {
            name: self.scenario.name.clone(),
            phones: self.scenario.phones.iter().map(|phone| phone.id.to_string()).collect(),
            source: self.scenario.source.clone(),
            tags: self.scenario.tags.clone(),
        };
        let cause = self.setup.cause.clone();
        self.append(None, cause, event);
        if let Some(reason) = self.scenario.skip.clone() {
            self.finish(now, Ending::Skipped, reason);
            return;
        }
        let (wanted, wish) = match self.wanted().and_then(|wanted| Ok((self.wish(&wanted)?, wanted))) {
            Ok((wish, wanted)) => (wanted, wish),
            Err(reason) => return self.finish(now, Ending::NotReady, reason),
        };
        self.phase = Phase::Leasing { until: now + self.setup.lease_wait, wanted };
        if wish.is_empty() {
            self.on_lease(now, Vec::new());
        } else {
            self.outputs.push_back(Output::Lease(wish));
        }
    }

    /// Handles one event of the journal; events must come in order.
    pub fn on_event(&mut self, now: Instant, envelope: &Arc<Envelope>) {
        if envelope.seq <= self.newest {
            return;
        }
        self.newest = envelope.seq;
        self.newest_at = envelope.at;
        self.provisioning_troubled(envelope);
        if matches!(self.phase, Phase::Idle | Phase::Finished) || !self.is_about_us(envelope) {
            return;
        }
        let phone = self.phone_of(envelope);
        let ours = envelope.subject.phone.as_ref().is_some_and(|phone| phone.run() == Some(self.setup.run));
        self.book.observe(envelope, phone.as_ref(), ours);
        let compat = self.older_form(envelope);
        let seen = Seen::new(Arc::clone(envelope), phone, compat, self.scenario.lenient);
        self.history.push(Arc::new(seen));
        match &self.phase {
            Phase::Provisioning(_) => self.provisioning_saw(now, envelope),
            Phase::Running => self.run_saw(now),
            Phase::TearingDown(_) => self.tear_down(now),
            Phase::Idle | Phase::Leasing { .. } | Phase::Finished => {}
        }
    }

    /// Handles a granted lease; `chosen` is what the pool picked where the wish gave only a number.
    pub fn on_lease(&mut self, now: Instant, chosen: Vec<Holding>) {
        if let Phase::Leasing { wanted, .. } = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.leased = Some(now);
            self.provision(now, wanted, chosen);
        }
    }

    /// Handles a lease that was not granted in time.
    pub fn on_refused_lease(&mut self, now: Instant, obstacles: &str) {
        if let Phase::Leasing { .. } = self.phase {
            let waited = super::lists::show(self.setup.lease_wait);
            self.finish(now, Ending::NotReady, format!("waited {waited} in vain: {obstacles}"));
        }
    }

    /// Handles the outcome of a command.
    pub fn on_outcome(&mut self, now: Instant, step: StepId, outcome: Result<Outcome, Rejection>) {
        let Some(purpose) = self.in_flight.remove(&step) else { return };
        match purpose {
            Purpose::Provision { phone } => self.provisioned(now, &phone, outcome),
            Purpose::Teardown => {}
            Purpose::List { list, places_call } => {
                let call = outcome.as_ref().ok().and_then(|outcome| outcome.call);
                if places_call && let Some(call) = call {
                    self.book.adopt(call);
                }
                if matches!(self.phase, Phase::Running) {
                    self.command_done(now, list, outcome);
                }
            }
        }
        if matches!(self.phase, Phase::TearingDown(_)) {
            self.tear_down(now);
        }
    }

    /// Handles the passing of time.
    pub fn on_time(&mut self, now: Instant) {
        match &self.phase {
            Phase::Idle | Phase::Finished => {}
            Phase::Leasing { until, .. } if *until <= now => self.outputs.push_back(Output::GiveUpLease),
            Phase::Leasing { .. } => {}
            Phase::Provisioning(_) => self.provisioning_time(now),
            Phase::Running => {
                self.lists_time(now);
                if matches!(self.phase, Phase::Running) && self.run_deadline().is_some_and(|at| at <= now) {
                    self.time_over(now);
                }
            }
            Phase::TearingDown(_) => self.tear_down(now),
        }
    }

    /// Stops the run: what it started is ended, and the verdict is that nothing was shown.
    pub fn cancel(&mut self, now: Instant, reason: impl Into<String>) {
        match self.phase {
            Phase::Idle | Phase::Leasing { .. } | Phase::Provisioning(_) | Phase::Running => {
                self.finish(now, Ending::Canceled, reason.into());
            }
            Phase::TearingDown(_) | Phase::Finished => {}
        }
    }

    /// Ends the run because something on our side broke.
    pub fn break_off(&mut self, now: Instant, reason: impl Into<String>) {
        match self.phase {
            Phase::Idle | Phase::Leasing { .. } | Phase::Provisioning(_) | Phase::Running => {
                self.finish(now, Ending::Broken, reason.into());
            }
            Phase::TearingDown(_) | Phase::Finished => {}
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        while let Some(mut output) = self.outputs.pop_front() {
            if self.actions.leaves(&mut output) {
                return Some(output);
            }
        }
        None
    }

    /// Takes the seq of the fact that was polled last.
    pub fn appended(&mut self, seq: Seq) {
        self.actions.appended(seq);
    }

    /// Returns when [`Self::on_time`] must be called next, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle | Phase::Finished => None,
            Phase::Leasing { until, .. } => Some(*until),
            Phase::Provisioning(provisioning) => Some(provisioning.deadline),
            Phase::Running => {
                let lists = self.lists.values().filter_map(List::deadline);
                lists.chain(self.run_deadline()).min()
            }
            Phase::TearingDown(teardown) => Some(teardown.next_deadline()),
        }
    }

    /// The time spent waiting for a lease does not count.
    pub(super) fn run_deadline(&self) -> Option<Instant> {
        self.leased.map(|leased| leased + self.scenario.timeout)
    }

    /// Returns which events the run has to see; [`is_about_us`](Self::is_about_us) chooses among
    /// them.
    pub fn interest(&self) -> Interest {
        // Messages need not be shown if the document does not use them, but problems on the way to
        // the registrar must be.
        let messages = Event::kinds().into_iter().filter(|kind| kind.starts_with("sip.") && *kind != ANOMALY);
        let unseen = Kinds::of(&messages.collect::<Vec<_>>()).except();
        let kinds = if self.wants_sip { Kinds::all() } else { unseen };
        let subjects = if self.names.made().next().is_some() {
            vec![About::Run(self.setup.run), About::Process]
        } else {
            Vec::new()
        };
        Interest { subjects, kinds }
    }

    /// Returns the phone of an event as the run calls it.
    pub(super) fn phone_of(&self, envelope: &Envelope) -> Option<PhoneId> {
        envelope.subject.phone.as_ref().map(|phone| phone.seen_by(self.setup.run))
    }

    /// Returns whether an event can matter: it belongs to the run, or to no run, and then it either
    /// names no phone or the run creates none.
    fn is_about_us(&self, envelope: &Envelope) -> bool {
        let ours = match envelope.subject.run {
            Some(run) => run == self.setup.run,
            None => envelope.subject.phone.is_none() || self.names.made().next().is_none(),
        };
        match &envelope.event {
            Event::Run(_) => envelope.subject.run == Some(self.setup.run),
            Event::Sip(_) if !self.wants_sip => false,
            Event::Phone(_)
            | Event::Call(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Sip(_)
            | Event::System(_) => ours,
        }
    }

    /// Arms hooks and starts the lists.
    pub(super) fn run(&mut self, now: Instant) {
        self.phase = Phase::Running;
        self.ran = true;
        let scenario = Arc::clone(&self.scenario);
        for (index, clause) in scenario.never.iter().enumerate() {
            match Watch::new(clause, &self.names, &Default::default()) {
                Ok(watch) => self.never.push((index, watch)),
                Err(error) => return self.finish(now, Ending::Broken, error),
            }
        }
        self.replay_to_hooks(now);
        for (list, steps) in [
            (super::lists::Which::Initial, &scenario.initial_actions),
            (super::lists::Which::Main, &scenario.steps),
        ] {
            if !steps.is_empty() && matches!(self.phase, Phase::Running) {
                self.begin_list(now, list);
            }
        }
    }

    /// Shows hooks what they would have seen had they been armed earlier: registrations and the
    /// start of the run.
    fn replay_to_hooks(&mut self, now: Instant) {
        let mut replay = Vec::new();
        for phone in &self.scenario.phones {
            let known = self.setup.phones.iter().find(|existing| existing.id == phone.id);
            let registered = known.and_then(|known| known.registered.clone());
            if let Some((status, reason, expires_s)) = registered {
                let event = crate::event::PhoneEvent::Registered { status, reason, expires_s };
                replay.push(Arc::new(Envelope {
                    seq: self.newest,
                    at: self.newest_at,
                    subject: Subject::phone(phone.id.clone()),
                    cause: Cause::Start,
                    event: event.into(),
                }));
            }
        }
        let earlier = self.history.iter().filter(|seen| match &seen.envelope.event {
            Event::Phone(crate::event::PhoneEvent::Registered { .. }) => true,
            Event::Run(RunEvent::Started { .. }) => true,
            Event::Phone(_)
            | Event::Run(_)
            | Event::Call(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Sip(_)
            | Event::System(_) => false,
        });
        replay.extend(earlier.map(|seen| Arc::clone(&seen.envelope)));
        for envelope in replay {
            let mut compat = self.older_form(&envelope);
            if let Some(fields) = compat.as_mut().and_then(|compat| compat.data.as_object_mut())
                && envelope.subject.phone.is_some()
            {
                fields.insert("synthetic".to_owned(), true.into());
            }
            let phone = self.phone_of(&envelope);
            self.fire_hooks(now, &Seen::new(envelope, phone, compat, self.scenario.lenient));
        }
    }

    /// Shows the newest event to everything that is armed.
    fn run_saw(&mut self, now: Instant) {
        let Some(seen) = self.history.newest().map(Arc::clone) else { return };
        // Hooks first: their new expectations must keep the run open if this event ends the main
        // list.
        self.fire_hooks(now, &seen);
        if matches!(self.phase, Phase::Running) {
            self.lists_saw(now, &seen);
        }
        if matches!(self.phase, Phase::Running) {
            self.check_never(now, &seen);
        }
        let stops = self.scenario.stop_on.iter().any(|stop| seen.fit(stop, &self.names.calls) == Fit::Full);
        if stops && matches!(self.phase, Phase::Running) {
            self.finish(now, Ending::StopMatched, "stop_on matched".to_owned());
        }
    }

    fn check_never(&mut self, now: Instant, seen: &Seen) {
        let look = Look { captures: &self.names.calls, counts: true, used: &[] };
        for (_, watch) in &mut self.never {
            watch.see(seen, look);
        }
        let broken = self.never.iter().find(|(_, watch)| matches!(watch.progress(), Progress::Met(_)));
        let Some(index) = broken.map(|(index, _)| *index) else { return };
        let Some(clause) = self.scenario.never.get(index).cloned() else { return };
        let place = (clause.at, None);
        self.fail("never", place, format!("never {}", clause.words), seen.words(), Some(seen.seq()));
        self.finish(now, Ending::Forbidden, String::new());
    }

    pub(super) fn fire_hooks(&mut self, now: Instant, seen: &Seen) {
        let scenario = Arc::clone(&self.scenario);
        for (index, hook) in scenario.hooks.iter().enumerate() {
            let Some(state) = self.hooks.get_mut(index) else { continue };
            if state.spent || seen.fit(&hook.when, &self.names.calls) != Fit::Full {
                continue;
            }
            state.fired = true;
            state.spent = hook.once;
            self.reactions += 1;
            if self.reactions > REACTIONS {
                let reason =
                    format!("hooks reacted more than {REACTIONS} times; they seem to feed each other");
                return self.finish(now, Ending::Broken, reason);
            }
            if let (Some(name), Some(call)) = (&hook.capture, seen.envelope.subject.call) {
                self.names.calls.insert(name.clone(), call);
            }
            let cause = Cause::Event { seq: seen.seq() };
            let event = RunEvent::HookFired { hook: hook.name.clone(), by: seen.seq() };
            self.append(None, cause, event);
            self.begin_hook(now, index, hook, seen);
            if !matches!(self.phase, Phase::Running) {
                return;
            }
        }
    }

    fn time_over(&mut self, now: Instant) {
        let scenario = Arc::clone(&self.scenario);
        if scenario.steps.is_empty() && scenario.stop_on.is_empty() {
            let note = "full duration (no stop_on defined)".to_owned();
            return self.finish(now, Ending::FullDuration, note);
        }
        let note = format!("timeout after {}ms", scenario.timeout.as_millis());
        self.finish(now, Ending::TimedOut, note);
    }

    /// Ends the run's steps here; nothing stays armed, and cleaning up begins.
    pub(super) fn finish(&mut self, now: Instant, ending: Ending, note: String) {
        if self.ending.is_some() {
            return;
        }
        if matches!(ending, Ending::TimedOut | Ending::StopMatched | Ending::FullDuration) {
            self.unfinished(ending);
        }
        let elapsed = self.started.map(|started| now.saturating_duration_since(started)).unwrap_or_default();
        self.ending = Some((ending, note, elapsed));
        self.lists.clear();
        self.never.clear();
        self.begin_teardown(now);
    }

    /// Journals the verdict; the last thing a machine does.
    pub(super) fn conclude(&mut self) {
        let Some((ending, note, elapsed)) = self.ending.clone() else { return };
        let evidence = Evidence {
            ending,
            note: &note,
            failures: &self.failures,
            held: self.held,
            held_by_events: self.held_by_events,
            calls: self.book.begun,
            expected_verdict: self.scenario.expect_verdict,
            expected_failure: self.scenario.expect_failure.as_deref(),
        };
        let (verdict, reason) = verdict(&evidence);
        let cause = self.setup.cause.clone();
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let idle = self.scenario.hooks.iter().zip(&self.hooks).filter(|(_, state)| !state.fired);
        let finished = RunEvent::Finished {
            verdict,
            reason,
            elapsed_ms,
            ending: Some(ending),
            idle_hooks: idle.filter(|_| self.ran).map(|(hook, _)| hook.name.clone()).collect(),
            left_over: self.book.left_over(),
        };
        self.append(None, cause, finished);
        self.phase = Phase::Finished;
        self.outputs.push_back(Output::Finished);
    }

    pub(super) fn append(&mut self, subject: Option<Subject>, cause: Cause, event: RunEvent) {
        let run = Some(self.setup.run);
        let subject = subject.unwrap_or_default();
        let phone = subject.phone.map(|phone| self.names.outside(phone));
        let subject = Subject { run, phone, ..subject };
        self.outputs.push_back(Output::Append { subject, cause, event: Box::new(event) });
    }

    pub(super) fn started_phones(&self) -> bool {
        self.made_phones
    }

    pub(super) fn execute(&mut self, command: Command, hook: &str, purpose: Purpose) -> StepId {
        self.made_phones |= matches!(command, Command::Node(NodeCommand::AddPhone(_)));
        self.counter += 1;
        let step = StepId(self.counter);
        self.in_flight.insert(step, purpose);
        let cause = self.cause(hook);
        self.outputs.push_back(Output::Execute { step, command: Box::new(command), cause });
        step
    }

    pub(super) fn cause(&self, hook: &str) -> Cause {
        Cause::Run { run: self.setup.run, hook: hook.to_owned() }
    }
}

/// Returns whether any part of the scenario refers to SIP messages; otherwise they need not be
/// kept.
fn wants_sip(scenario: &Scenario) -> bool {
    scenario.patterns().iter().any(|pattern| pattern.as_str().starts_with("sip"))
}
