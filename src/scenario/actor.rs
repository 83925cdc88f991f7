//! A run as an actor: the shell around the pure machine.
//!
//! It pulls events from the journal, executes commands through the one door, keeps one timer, and
//! ends what the run started, however the run ends.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    task::JoinHandle,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    machine::{ExistingPhone, Machine, Output, Setup, StepId},
    model::Scenario,
};
use crate::{
    command::{Execute, Outcome, Refused, Rejection},
    config::{Lease, PbxProfile, Pool, Ticket},
    event::{Cause, Verdict},
    id::{RunId, Seq},
    journal::{Gone, Journal, More, Query, Reader},
    view::{RunEnd, RunView, Views},
};

/// The terms of a run, set by its caller.
#[derive(Clone)]
pub struct Terms {
    /// The phone system to create phones on; `None` where phones exist already.
    pub profile: Option<PbxProfile>,
    /// How long the run waits for accounts and phones that are in use.
    pub lease_wait: Duration,
    /// Whether phones are captured that the document does not ask to capture.
    pub captured: bool,
    /// The request for the run.
    pub cause: Cause,
}

/// Where runs live: the host starts them, limits their number, and cleans up after one that breaks.
pub trait Host: Send + Sync {
    /// Starts a run; when this returns, `run.started` is in the journal.
    ///
    /// Errors are rejections: too many runs, or the process is about to end.
    fn start_run(
        &self,
        scenario: Scenario,
        terms: Terms,
    ) -> Pin<Box<dyn Future<Output = Result<RunHandle, Rejection>> + Send + '_>>;
}

/// What a run needs of the program.
#[derive(Clone)]
pub struct Context {
    /// The door for commands.
    pub execute: Arc<dyn Execute>,
    /// The event log.
    pub journal: Journal,
    /// Its folds.
    pub views: Views,
    /// Where runs get their ids, accounts and phones.
    pub pool: Pool,
    /// The terms of the run.
    pub terms: Terms,
}

/// A run that has begun.
pub struct RunHandle {
    run: RunId,
    after: Seq,
    canceler: Canceler,
    over: CancellationToken,
    journal: Journal,
    views: Views,
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason in one sentence.
    pub reason: String,
    /// The time until the verdict was certain.
    pub elapsed: Duration,
    /// The view of the run.
    pub run: Arc<RunView>,
}

/// Stops a run from elsewhere.
#[derive(Clone, Default)]
pub struct Canceler(Arc<OnceLock<ActorRef<RunMessage>>>);

impl Canceler {
    /// Stops the run: what it started is ended, then [`RunHandle::wait`] returns. A finished run
    /// stays as it is.
    pub fn cancel(&self, reason: impl Into<String>) {
        let told = self.0.get().map(|actor| actor.cast(RunMessage::Cancel(reason.into())));
        if !matches!(told, Some(Ok(()))) {
            tracing::debug!("the run is over already");
        }
    }
}

impl RunHandle {
    /// Returns the run's id.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.run
    }

    /// Returns the journal position before its first event.
    #[must_use]
    pub const fn after(&self) -> Seq {
        self.after
    }

    /// Returns the run's journal.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the folds of that journal.
    #[must_use]
    pub const fn views(&self) -> &Views {
        &self.views
    }

    /// Returns a handle that stops the run from elsewhere.
    #[must_use]
    pub fn canceler(&self) -> Canceler {
        self.canceler.clone()
    }

    /// Makes the run's actor panic.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.canceler.0.get().unwrap().cast(RunMessage::Fail).unwrap();
    }

    /// Waits until the run is over and nothing of it is left.
    pub async fn wait(self) -> RunSummary {
        self.over.cancelled().await;
        let unknown = || Arc::new(RunView::unknown(self.run, self.journal.wall().now()));
        let run = self.views.run(self.run).unwrap_or_else(unknown);
        let RunEnd { verdict, reason, elapsed, .. } = run.outcome();
        RunSummary { verdict, reason, elapsed, run }
    }
}

/// What the run occupies and others may wait for; released once nothing of the run is left.
#[derive(Default)]
pub(super) struct Held {
    lease: Option<Lease>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub(super) fn give_back(held: &Mutex<Self>) {
        let held = std::mem::take(&mut *held.lock().unwrap_or_else(PoisonError::into_inner));
        drop(held);
    }
}

/// Starts one run, and cleans up after it if it breaks.
#[derive(Clone)]
pub struct RunArguments {
    scenario: Arc<Scenario>,
    pub(super) context: Context,
    pub(super) run: RunId,
    pub(super) after: Seq,
    pub(super) begun: tokio::time::Instant,
    pub(super) held: Arc<Mutex<Held>>,
    canceler: Canceler,
    /// Commands in progress.
    pub(super) commands: TaskTracker,
    /// The run is over once the last clone is dropped.
    over: Arc<DropGuard>,
}

impl RunArguments {
    /// Prepares a run, which holds `place` until it is over; returns what starts it and what its
    /// owner keeps.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        context: Context,
        place: Option<OwnedSemaphorePermit>,
    ) -> (Self, RunHandle) {
        let (run, after) = (context.pool.new_run(), context.journal.head());
        let (canceler, over) = (Canceler::default(), CancellationToken::new());
        let handle = RunHandle {
            run,
            after,
            canceler: canceler.clone(),
            over: over.clone(),
            journal: context.journal.clone(),
            views: context.views.clone(),
        };
        let arguments = Self {
            scenario: Arc::new(scenario),
            context,
            run,
            after,
            begun: tokio::time::Instant::now(),
            held: Arc::new(Mutex::new(Held { lease: None, _place: place })),
            canceler,
            commands: TaskTracker::new(),
            over: Arc::new(over.drop_guard()),
        };
        (arguments, handle)
    }
}

/// Runs one scenario.
pub struct RunActor;

/// The messages of a run's actor.
#[derive(Debug)]
pub enum RunMessage {
    /// The journal has more events; at most one such message is under way.
    More,
    /// A command succeeded or was rejected.
    Outcome(StepId, Result<Outcome, Rejection>),
    /// The pool has what the run asked for.
    Leased(Lease),
    /// Time has passed.
    TimerFired,
    /// Stop the run, and end what it started.
    Cancel(String),
    /// Panic.
    #[cfg(test)]
    Fail,
}

/// The machine and what surrounds it.
pub struct Shell {
    machine: Machine,
    reader: Reader,
    journal: Journal,
    execute: Arc<dyn Execute>,
    pool: Pool,
    run: RunId,
    ticket: Option<Ticket>,
    held: Arc<Mutex<Held>>,
    commands: TaskTracker,
    timer: Option<JoinHandle<Result<(), MessagingErr<RunMessage>>>>,
    pulled: Arc<Notify>,
    /// The run is not over while this lives.
    _over: Arc<DropGuard>,
}

impl Actor for RunActor {
    type Msg = RunMessage;
    type State = Shell;
    type Arguments = RunArguments;

    async fn pre_start(
        &self,
        me: ActorRef<RunMessage>,
        arguments: RunArguments,
    ) -> Result<Shell, ActorProcessingErr> {
        let after = arguments.after;
        // Nobody else sets it.
        drop(arguments.canceler.0.set(me.clone()));
        let mut shell = Shell::new(&me, arguments).await;
        shell.machine.start(now(), after);
        shell.settle(&me).await;
        Ok(shell)
    }

    async fn handle(
        &self,
        me: ActorRef<RunMessage>,
        message: RunMessage,
        shell: &mut Shell,
    ) -> Result<(), ActorProcessingErr> {
        // Whatever the message, the machine first sees what happened before it.
        shell.pull().await;
        match message {
            RunMessage::More => shell.pulled.notify_one(),
            RunMessage::Outcome(step, outcome) => shell.machine.on_outcome(now(), step, outcome),
            RunMessage::Leased(lease) => shell.leased(lease),
            RunMessage::TimerFired => shell.machine.on_time(now()),
            RunMessage::Cancel(reason) => shell.machine.cancel(now(), reason),
            #[cfg(test)]
            RunMessage::Fail => panic!("a bug in the runner"),
        }
        shell.settle(&me).await;
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<RunMessage>, shell: &mut Shell) -> Result<(), ActorProcessingErr> {
        if let Some(timer) = shell.timer.take() {
            timer.abort();
        }
        Ok(())
    }
}

impl Shell {
    async fn new(me: &ActorRef<RunMessage>, arguments: RunArguments) -> Self {
        let RunArguments { scenario, context, run, held, after, commands, over, .. } = arguments;
        let Terms { profile, lease_wait, captured, cause } = context.terms;
        let phones = context.views.phones();
        let setup = Setup {
            run,
            cause,
            profile,
            phones: phones
                .iter()
                .filter(|phone| phone.id.run().is_none())
                .map(|phone| existing(phone))
                .collect(),
            lease_wait,
            captured,
        };
        let mut machine = Machine::new(scenario, setup, context.journal.wall().now());
        let calls = context.views.all_active_calls();
        for call in calls.iter().filter(|call| call.phone.run().is_none()) {
            let earlier = Query { before: Some(Seq(after.0 + 1)), ..Query::of_call(call.id) };
            match context.journal.query(&earlier).await {
                Ok(events) => events.iter().for_each(|envelope| machine.prime(envelope)),
                Err(error) => tracing::warn!(%error, "an earlier call cannot be read"),
            }
        }
        let pulled = Arc::new(Notify::new());
        let reader = context.journal.reader_of(after, machine.interest());
        tokio::spawn(announce(reader.more(), me.clone(), Arc::clone(&pulled)));
        Self {
            machine,
            reader,
            journal: context.journal,
            execute: context.execute,
            pool: context.pool,
            run,
            ticket: None,
            held,
            commands,
            timer: None,
            pulled,
            _over: over,
        }
    }

    /// Shows the machine every event it has not seen; returns whether there were any.
    async fn pull(&mut self) -> bool {
        let mut any = false;
        loop {
            match self.reader.try_next().await {
                Ok(Some(envelope)) => {
                    any = true;
                    self.machine.on_event(now(), &envelope);
                }
                Ok(None) => return any,
                Err(Gone { oldest }) => {
                    let reason = format!("events before {oldest} are gone; the run fell behind the journal");
                    self.machine.break_off(now(), reason);
                    // The reader reads on, for the ends of what the run started.
                    any = true;
                }
            }
        }
    }

    /// Performs the machine's outputs until there are none, then arms the timer.
    async fn settle(&mut self, me: &ActorRef<RunMessage>) {
        loop {
            while let Some(output) = self.machine.poll_output() {
                self.act(me, output);
            }
            if !self.pull().await {
                break;
            }
        }
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        if let Some(at) = self.machine.deadline() {
            let delay = at.saturating_duration_since(now());
            self.timer = Some(me.send_after(delay, || RunMessage::TimerFired));
        }
    }

    fn leased(&mut self, lease: Lease) {
        self.ticket = None;
        let chosen = lease.chosen.clone();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).lease = Some(lease);
        self.machine.on_lease(now(), chosen);
    }

    fn act(&mut self, me: &ActorRef<RunMessage>, output: Output) {
        match output {
            Output::Append { subject, cause, event } => {
                let seq = self.journal.append(subject, cause, *event);
                self.machine.appended(seq);
            }
            Output::Execute { step, command, cause } => {
                let (execute, me) = (Arc::clone(&self.execute), me.clone());
                self.commands.spawn(async move {
                    let work = tokio::spawn(async move { execute.execute(*command, cause).await });
                    let broke =
                        |error: tokio::task::JoinError| Err(Refused::Broke { why: error.to_string() }.into());
                    let outcome = work.await.unwrap_or_else(broke);
                    if me.cast(RunMessage::Outcome(step, outcome)).is_err() {
                        tracing::debug!("an outcome came after the end of its run");
                    }
                });
            }
            Output::Lease(wish) => {
                let me = me.clone();
                self.ticket = Some(self.pool.ask(self.run, wish, move |lease| {
                    // A lease that comes after the end is returned at once.
                    drop(me.cast(RunMessage::Leased(lease)));
                }));
            }
            Output::GiveUpLease => {
                // A lease granted meanwhile is already in the mailbox.
                if let Some(obstacles) = self.ticket.as_ref().and_then(Ticket::obstacles) {
                    self.ticket = None;
                    self.machine.on_refused_lease(now(), &obstacles);
                }
            }
            Output::Finished => {
                self.ticket = None;
                Held::give_back(&self.held);
                me.stop(None);
            }
        }
    }
}

/// Tells the actor that there is more, and not again before it has pulled.
async fn announce(more: More, me: ActorRef<RunMessage>, pulled: Arc<Notify>) {
    loop {
        more.changed().await;
        if me.cast(RunMessage::More).is_err() {
            return;
        }
        pulled.notified().await;
    }
}

fn existing(phone: &crate::view::PhoneView) -> ExistingPhone {
    let registration = &phone.registration;
    ExistingPhone {
        id: phone.id.clone(),
        username: phone.spec.username.clone(),
        domain: phone.spec.domain.clone(),
        registered: registration.registered.then(|| {
            let status = registration.status.unwrap_or(200);
            (status, registration.reason.clone(), registration.expires_s.unwrap_or_default())
        }),
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
