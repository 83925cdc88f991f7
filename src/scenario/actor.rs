//! A run as an actor: the shell around the pure machine.
//!
//! It pulls events from the journal, executes commands through the one door, keeps one timer, and ends what the run
//! started however the run ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr};
use tokio::{sync::Notify, task::JoinHandle};

use super::{
    machine::{Ending, ExistingPhone, Machine, Output, Setup, StepId},
    model::Scenario,
};
use crate::{
    command::{Command, Execute, NodeCommand, Outcome, Refused, Rejection},
    config::{Lease, PbxProfile, Pool, Ticket},
    event::{Cause, RunEvent, Subject, Verdict},
    id::{PhoneId, RunId, Seq},
    journal::{Gone, Journal, More, Query, Reader},
    view::{RunEnd, RunView, Views},
    wall::Wall,
};

/// What a run needs of the program.
#[derive(Clone)]
pub struct Context {
    /// The door for commands.
    pub execute: Arc<dyn Execute>,
    /// The event log.
    pub journal: Journal,
    /// Its folds.
    pub views: Views,
    /// The phone system that phones are made for; none where phones exist already.
    pub profile: Option<PbxProfile>,
    /// Where runs get their identities, accounts and phones.
    pub pool: Pool,
    /// How long a run waits for accounts and phones that others have.
    pub lease_wait: Duration,
    /// Who asked for it.
    pub cause: Cause,
    /// Whether phones that are only listed by name are made as well when they do not exist.
    pub create_listed: bool,
}

/// A run that has begun.
pub struct RunHandle {
    run: RunId,
    after: Seq,
    actor: ActorRef<Message>,
    over: JoinHandle<()>,
    views: Views,
    wall: Wall,
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// How long it took until the verdict was clear.
    pub elapsed: Duration,
    /// Everything that is known of it.
    pub run: Arc<RunView>,
}

/// Stops a run from elsewhere.
#[derive(Clone)]
pub struct Canceler(ActorRef<Message>);

impl Canceler {
    /// Stops the run: what it started is ended, then [`RunHandle::wait`] returns. A finished run stays as it is.
    pub fn cancel(&self, reason: impl Into<String>) {
        if self.0.cast(Message::Cancel(reason.into())).is_err() {
            tracing::debug!("the run is over already");
        }
    }
}

impl RunHandle {
    /// Returns the run's identity.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.run
    }

    /// Returns the journal position before its first event.
    #[must_use]
    pub const fn after(&self) -> Seq {
        self.after
    }

    /// Returns what stops the run from elsewhere.
    #[must_use]
    pub fn canceler(&self) -> Canceler {
        Canceler(self.actor.clone())
    }

    /// Waits until the run is over and nothing of it is left.
    pub async fn wait(self) -> RunSummary {
        if let Err(error) = self.over.await {
            tracing::error!(run = %self.run, %error, "a run was not cleaned up");
        }
        let unknown = || Arc::new(RunView::unknown(self.run, self.wall.now()));
        let run = self.views.run(self.run).unwrap_or_else(unknown);
        let RunEnd { verdict, reason, elapsed, .. } = run.outcome();
        RunSummary { verdict, reason, elapsed, run }
    }
}

/// A run's actor could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the run's actor did not start")]
pub struct NotStarted(#[from] ractor::SpawnErr);

/// Starts a run; `run.started` is in the journal when it returns.
///
/// # Errors
/// The actor could not be started.
pub async fn start(scenario: Scenario, context: Context) -> Result<RunHandle, NotStarted> {
    let scenario = Arc::new(scenario);
    let run = context.pool.new_run();
    let after = context.journal.head();
    let guard = Guard {
        execute: Arc::clone(&context.execute),
        journal: context.journal.clone(),
        views: context.views.clone(),
        run,
        leased: Leased::default(),
    };
    let leased = Arc::clone(&guard.leased);
    let (views, wall) = (context.views.clone(), context.journal.wall());
    let arguments = Arguments { scenario, context, run, leased, after };
    let (actor, joined) = Actor::spawn(None, RunActor, arguments).await?;
    let over = tokio::spawn(guard.watch(joined));
    Ok(RunHandle { run, after, actor, over, views, wall })
}

/// What a run has of the pool, shared by its actor and its guard: given back once nothing of the run is left.
type Leased = Arc<Mutex<Option<Lease>>>;

/// Cleans up after a runner that broke without saying its verdict.
struct Guard {
    execute: Arc<dyn Execute>,
    journal: Journal,
    views: Views,
    run: RunId,
    leased: Leased,
}

impl Guard {
    async fn watch(self, joined: JoinHandle<()>) {
        if let Err(error) = joined.await {
            tracing::error!(run = %self.run, %error, "a runner's task failed");
        }
        if self.views.run(self.run).is_some_and(|run| run.end.is_some()) {
            return;
        }
        tracing::error!(run = %self.run, "a runner broke");
        let cause = Cause::Run { run: self.run, hook: "teardown".to_owned() };
        let ours = |phone: &PhoneId| phone.run() == Some(self.run);
        let phones: Vec<PhoneId> = self.views.phones().iter().map(|phone| phone.id.clone()).collect();
        for phone in phones.into_iter().filter(ours) {
            let command = Command::Node(NodeCommand::DropPhone { phone, hang_up: true });
            if let Err(error) = self.execute.execute(command, cause.clone()).await {
                tracing::warn!(%error, "a phone of a broken run could not be dropped");
            }
        }
        let event = RunEvent::Finished {
            verdict: Verdict::Error,
            reason: "the runner broke".to_owned(),
            elapsed_ms: 0,
            ending: Some(Ending::Broken),
            idle_hooks: Vec::new(),
            left_over: Vec::new(),
        };
        give_back(&self.leased);
        self.journal.append(Subject::run(self.run), cause, event);
    }
}

fn give_back(leased: &Leased) {
    let lease = leased.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(lease);
}

struct RunActor;

struct Arguments {
    scenario: Arc<Scenario>,
    context: Context,
    run: RunId,
    leased: Leased,
    after: Seq,
}

#[derive(Debug)]
enum Message {
    /// The journal has more; at most one such message is under way.
    More,
    Outcome(StepId, Result<Outcome, Rejection>),
    Leased(Lease),
    TimerFired,
    Cancel(String),
}

struct Shell {
    machine: Machine,
    reader: Reader,
    journal: Journal,
    execute: Arc<dyn Execute>,
    pool: Pool,
    run: RunId,
    ticket: Option<Ticket>,
    leased: Leased,
    timer: Option<JoinHandle<Result<(), MessagingErr<Message>>>>,
    pulled: Arc<Notify>,
}

impl Actor for RunActor {
    type Msg = Message;
    type State = Shell;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        arguments: Arguments,
    ) -> Result<Shell, ActorProcessingErr> {
        let after = arguments.after;
        let mut shell = Shell::new(&me, arguments).await;
        shell.machine.start(now(), after);
        shell.settle(&me).await;
        Ok(shell)
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        message: Message,
        shell: &mut Shell,
    ) -> Result<(), ActorProcessingErr> {
        // Whatever comes, the machine first sees what happened before it.
        shell.pull().await;
        match message {
            Message::More => shell.pulled.notify_one(),
            Message::Outcome(step, outcome) => shell.machine.on_outcome(now(), step, outcome),
            Message::Leased(lease) => shell.leased(lease),
            Message::TimerFired => shell.machine.on_time(now()),
            Message::Cancel(reason) => shell.machine.cancel(now(), reason),
        }
        shell.settle(&me).await;
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, shell: &mut Shell) -> Result<(), ActorProcessingErr> {
        if let Some(timer) = shell.timer.take() {
            timer.abort();
        }
        Ok(())
    }
}

impl Shell {
    async fn new(me: &ActorRef<Message>, arguments: Arguments) -> Self {
        let Arguments { scenario, context, run, leased, after } = arguments;
        let phones = context.views.phones();
        let setup = Setup {
            run,
            cause: context.cause,
            profile: context.profile,
            phones: phones
                .iter()
                .filter(|phone| phone.id.run().is_none())
                .map(|phone| existing(phone))
                .collect(),
            create_listed: context.create_listed,
            lease_wait: context.lease_wait,
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
            leased,
            timer: None,
            pulled,
        }
    }

    /// Shows the machine every event that it has not seen; tells whether there was one.
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
                    // It reads on, for the ends of what it started.
                    any = true;
                }
            }
        }
    }

    /// Does what the machine wants until it wants nothing more, then arms the timer.
    async fn settle(&mut self, me: &ActorRef<Message>) {
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
            self.timer = Some(me.send_after(delay, || Message::TimerFired));
        }
    }

    fn leased(&mut self, lease: Lease) {
        self.ticket = None;
        let chosen = lease.chosen.clone();
        *self.leased.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
        self.machine.on_lease(now(), chosen);
    }

    fn act(&mut self, me: &ActorRef<Message>, output: Output) {
        match output {
            Output::Append { subject, cause, event } => {
                let seq = self.journal.append(subject, cause, event);
                self.machine.appended(seq);
            }
            Output::Execute { step, command, cause } => {
                let (execute, me) = (Arc::clone(&self.execute), me.clone());
                tokio::spawn(async move {
                    let work = tokio::spawn(async move { execute.execute(*command, cause).await });
                    let broke =
                        |error: tokio::task::JoinError| Err(Refused::Broke { why: error.to_string() }.into());
                    let outcome = work.await.unwrap_or_else(broke);
                    if me.cast(Message::Outcome(step, outcome)).is_err() {
                        tracing::debug!("an outcome came after the end of its run");
                    }
                });
            }
            Output::Lease(wish) => {
                let me = me.clone();
                self.ticket = Some(self.pool.ask(self.run, wish, move |lease| {
                    // What comes after the end goes back at once.
                    drop(me.cast(Message::Leased(lease)));
                }));
            }
            Output::GiveUpLease => {
                // What has been granted meanwhile is in the mailbox already.
                if let Some(obstacles) = self.ticket.as_ref().and_then(Ticket::obstacles) {
                    self.ticket = None;
                    self.machine.on_refused_lease(now(), &obstacles);
                }
            }
            Output::Finished => {
                self.ticket = None;
                give_back(&self.leased);
                me.stop(None);
            }
        }
    }
}

/// Tells the actor that there is more, never twice before it has pulled.
async fn announce(more: More, me: ActorRef<Message>, pulled: Arc<Notify>) {
    loop {
        more.changed().await;
        if me.cast(Message::More).is_err() {
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
