//! The actor that supervises children of one kind.

use std::{collections::BTreeMap, time::Duration};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::{sync::oneshot, time::Instant};

use super::Supervised;
use crate::{
    call::Reply,
    command::{Outcome, Refused, Rejection},
    event::Cause,
    switchboard::directory::Directory,
};

/// First pause before a failed child is restarted; doubled for each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A child that was up this long has recovered; its next failure counts as the first.
const HEALTHY: Duration = Duration::from_secs(60);

/// The messages of a supervisor.
pub(in crate::switchboard) enum Supervise<C: Supervised> {
    /// Start a child; its predecessor is gone.
    Start {
        /// Its name.
        id: C::Id,
        /// Its arguments.
        arguments: Box<C::Arguments>,
        /// Where the reply goes.
        reply: Reply,
    },
    /// Drop a child, whether it runs or waits for its restart.
    Drop {
        /// The child.
        id: C::Id,
        /// Whether to hang up its calls on the wire.
        hang_up: bool,
        /// The cause to journal.
        cause: Cause,
        /// Where the reply goes, once nothing of the child is left.
        reply: Reply,
    },
    /// Start a child that an earlier process dropped, only to end the calls it left.
    EndCalls {
        /// Its name.
        id: C::Id,
        /// Its arguments.
        arguments: Box<C::Arguments>,
        /// Where the reply goes, once nothing of the child is left.
        reply: Reply,
    },
    /// Drop all children, and start no more.
    CloseAll {
        /// Where their names go, each with a receiver for the reply to its drop.
        reply: oneshot::Sender<Vec<Closing<C>>>,
    },
    /// The pause after a failure is over.
    Again {
        /// The child.
        id: C::Id,
        /// The life that failed.
        actor: ActorId,
    },
    /// A child's arguments changed; a restart uses the new ones.
    Remember {
        /// The child.
        id: C::Id,
        /// The change.
        change: C::Change,
    },
}

/// A child that is being dropped; somebody waits until nothing of it is left.
pub(in crate::switchboard) struct Closing<C: Supervised> {
    pub(in crate::switchboard) id: C::Id,
    pub(in crate::switchboard) closed: oneshot::Receiver<Result<Outcome, Rejection>>,
}

/// Supervises the children of one kind.
pub(in crate::switchboard) struct Supervisor<C>(std::marker::PhantomData<fn(C)>);

impl<C> Supervisor<C> {
    pub(in crate::switchboard) const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

/// A child as its supervisor knows it.
struct Kept<C: Supervised> {
    actor: ActorId,
    arguments: C::Arguments,
    started: Instant,
    failures: u32,
    /// Set once somebody has asked for its end; then it is not restarted.
    ending: Option<Ending>,
}

/// The end of a child.
struct Ending {
    hang_up: bool,
    cause: Cause,
    /// Those who wait for it.
    askers: Vec<Reply>,
    /// It failed before its calls were ended, and is restarted only to end them.
    last_life: bool,
}

impl Ending {
    fn answer(self, result: &Result<Outcome, Rejection>) {
        for asker in self.askers {
            // The surface may have given up waiting.
            drop(asker.send(result.clone()));
        }
    }
}

/// The supervisor's state.
pub(in crate::switchboard) struct Children<C: Supervised> {
    kind: C,
    directory: Directory<C>,
    kept: BTreeMap<C::Id, Kept<C>>,
    /// The process is about to end: nothing new begins.
    closing: bool,
}

impl<C: Supervised> Actor for Supervisor<C> {
    type Msg = Supervise<C>;
    type State = Children<C>;
    type Arguments = (C, Directory<C>);

    async fn pre_start(
        &self,
        _me: ActorRef<Supervise<C>>,
        (kind, directory): (C, Directory<C>),
    ) -> Result<Children<C>, ActorProcessingErr> {
        Ok(Children { kind, directory, kept: BTreeMap::new(), closing: false })
    }

    async fn handle(
        &self,
        me: ActorRef<Supervise<C>>,
        message: Supervise<C>,
        children: &mut Children<C>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Supervise::Start { id, arguments, reply } => {
                let started = match children.closing {
                    true => Err(shutting_down()),
                    false => children.start(&me, id, *arguments, 0).await,
                };
                // The surface may have given up waiting; the child is up all the same.
                drop(reply.send(started));
            }
            Supervise::Drop { id, hang_up, cause, reply } => {
                let ending = Ending { hang_up, cause, askers: vec![reply], last_life: false };
                children.drop_child(&me, id, ending);
            }
            Supervise::EndCalls { id, arguments, reply } => {
                children.end_calls_of_earlier(&me, id, *arguments, reply).await;
            }
            Supervise::CloseAll { reply } => {
                // Nobody waits if the time for the shutdown is over.
                drop(reply.send(children.close_all(&me)));
            }
            Supervise::Again { id, actor } => children.again(&me, &id, actor).await,
            Supervise::Remember { id, change } => {
                if let Some(kept) = children.kept.get_mut(&id) {
                    C::change(&mut kept.arguments, change);
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<Supervise<C>>,
        event: SupervisionEvent,
        children: &mut Children<C>,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                children.failed(&me, actor.get_id(), &error.to_string());
            }
            SupervisionEvent::ActorTerminated(actor, _, _) => children.ended(actor.get_id()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl<C: Supervised> Children<C> {
    async fn start(
        &mut self,
        me: &ActorRef<Supervise<C>>,
        id: C::Id,
        arguments: C::Arguments,
        failures: u32,
    ) -> Result<Outcome, Rejection> {
        let actor = match self.spawn(me, &id, arguments.clone()).await {
            Ok(actor) => actor,
            Err(rejection) => {
                if !C::COMES_BACK {
                    self.kind.over(&id, &arguments, Some(&rejection.to_string()));
                }
                return Err(rejection);
            }
        };
        let kept = Kept { actor: actor.get_id(), arguments, started: Instant::now(), failures, ending: None };
        self.kept.insert(id.clone(), kept);
        self.directory.enter(id, actor);
        Ok(self.kind.outcome())
    }

    async fn spawn(
        &self,
        me: &ActorRef<Supervise<C>>,
        id: &C::Id,
        arguments: C::Arguments,
    ) -> Result<ActorRef<C::Message>, Rejection> {
        let spawned = Actor::spawn_linked(None, C::actor(), arguments, me.get_cell()).await;
        spawned.map(|(actor, _)| actor).map_err(|error| {
            let why = match error {
                SpawnErr::StartupFailed(cause) => cause.to_string(),
                other @ (SpawnErr::ActorAlreadyStarted | SpawnErr::ActorAlreadyRegistered(_)) => {
                    other.to_string()
                }
            };
            self.kind.cannot_start(id, &why)
        })
    }

    fn id_of(&self, actor: ActorId) -> Option<C::Id> {
        self.kept.iter().find_map(|(id, kept)| (kept.actor == actor).then(|| id.clone()))
    }

    /// Makes sure that a child ends, whatever happens to its actor meanwhile.
    fn drop_child(&mut self, me: &ActorRef<Supervise<C>>, id: C::Id, ending: Ending) {
        let Some(kept) = self.kept.get_mut(&id) else {
            return match self.kind.is_known(&id) {
                // It could not be taken over when the process started; whoever drops it now wants
                // to be rid of it.
                true => self.forget(&id, ending),
                false => ending.answer(&Err(self.kind.not_found(&id))),
            };
        };
        if let Some(begun) = &mut kept.ending {
            if begun.cause == Cause::Stop {
                // It would have come back with the next process.
                self.kind.dropped(&id, &ending.cause);
            }
            return begun.askers.extend(ending.askers);
        }
        let close = C::close(ending.hang_up, ending.cause.clone());
        kept.ending = Some(ending);
        match self.directory.get(&id) {
            // If it fails before it receives this, that is reported to us.
            Some(actor) => drop(actor.cast(close)),
            None => self.finish(me, id),
        }
    }

    /// Drops every child that is held; one that could not be taken over stays in the journal for
    /// the next start.
    fn close_all(&mut self, me: &ActorRef<Supervise<C>>) -> Vec<Closing<C>> {
        self.closing = true;
        let all: Vec<C::Id> = self.kept.keys().cloned().collect();
        let close = |id: C::Id| {
            let (reply, closed) = oneshot::channel();
            let ending = Ending { hang_up: true, cause: Cause::Stop, askers: vec![reply], last_life: false };
            self.drop_child(me, id.clone(), ending);
            Closing { id, closed }
        };
        all.into_iter().map(close).collect()
    }

    /// Ends a child that is not running: if that was requested, one last life ends its calls on the
    /// wire.
    fn finish(&mut self, me: &ActorRef<Supervise<C>>, id: C::Id) {
        let Some(kept) = self.kept.get(&id) else { return };
        let Some(ending) = &kept.ending else { return };
        self.kind.dropped(&id, &ending.cause);
        if ending.hang_up && !ending.last_life && self.kind.has_left_work(&id) {
            let actor = kept.actor;
            // The sockets of the failed life are released a moment later.
            me.send_after(FIRST_PAUSE, move || Supervise::Again { id, actor });
        } else if let Some(Kept { ending: Some(ending), .. }) = self.kept.remove(&id) {
            self.forget(&id, ending);
        }
    }

    /// Restarts a child that failed after its drop, only to end the calls it left.
    async fn end_calls(
        &mut self,
        me: &ActorRef<Supervise<C>>,
        id: &C::Id,
        arguments: C::Arguments,
        ending: Ending,
    ) {
        let arguments = self.kind.next_life(id, arguments).await;
        if let Err((rejection, ending)) = self.last_life(me, id, arguments, ending).await {
            tracing::error!(child = %id, error = %rejection, "calls cannot be ended on the wire");
            self.forget(id, ending);
        }
    }

    /// The same for a child of an earlier process. What cannot be ended now is left to the next
    /// start.
    async fn end_calls_of_earlier(
        &mut self,
        me: &ActorRef<Supervise<C>>,
        id: C::Id,
        arguments: C::Arguments,
        reply: Reply,
    ) {
        let ending = Ending { hang_up: true, cause: Cause::Start, askers: vec![reply], last_life: true };
        if self.closing {
            return ending.answer(&Err(shutting_down()));
        }
        if let Err((rejection, ending)) = self.last_life(me, &id, arguments, ending).await {
            ending.answer(&Err(rejection));
        }
    }

    async fn last_life(
        &mut self,
        me: &ActorRef<Supervise<C>>,
        id: &C::Id,
        arguments: C::Arguments,
        ending: Ending,
    ) -> Result<(), (Rejection, Ending)> {
        let arguments = C::last_life(arguments);
        match self.spawn(me, id, arguments.clone()).await {
            Ok(actor) => {
                let ending = Some(Ending { last_life: true, ..ending });
                let (actor, started) = (actor.get_id(), Instant::now());
                self.kept.insert(id.clone(), Kept { actor, arguments, started, failures: 0, ending });
                Ok(())
            }
            Err(rejection) => Err((rejection, ending)),
        }
    }

    /// Nothing runs and nothing will: ends in the journal what is left, and replies to those who
    /// wait.
    fn forget(&self, id: &C::Id, ending: Ending) {
        self.kind.dropped(id, &ending.cause);
        self.kind.forgotten(id, &ending.cause);
        ending.answer(&Ok(self.kind.outcome()));
    }

    /// Handles the orderly end of a child.
    fn ended(&mut self, actor: ActorId) {
        self.directory.remove(actor);
        if let Some(id) = self.id_of(actor) {
            self.over(&id, None);
        }
    }

    /// Handles the final end of a child for which nothing else has to be ended.
    fn over(&mut self, id: &C::Id, failed: Option<&str>) {
        let Some(kept) = self.kept.remove(id) else { return };
        self.kind.over(id, &kept.arguments, failed);
        if let Some(ending) = kept.ending {
            ending.answer(&Ok(self.kind.outcome()));
        }
    }

    /// Handles the failure of a child: reports it, and arranges its next life.
    fn failed(&mut self, me: &ActorRef<Supervise<C>>, actor: ActorId, error: &str) {
        self.directory.remove(actor);
        let Some(id) = self.id_of(actor) else { return };
        tracing::error!(child = %id, error, "a supervised actor failed");
        if !C::COMES_BACK {
            return self.over(&id, Some(error));
        }
        let Some(kept) = self.kept.get_mut(&id) else { return };
        self.kind.failed(&id, &mut kept.arguments, error);
        if kept.ending.is_some() {
            return self.finish(me, id);
        }
        kept.failures = if kept.started.elapsed() > HEALTHY { 0 } else { kept.failures };
        let pause = pause(kept.failures);
        kept.failures += 1;
        me.send_after(pause, move || Supervise::Again { id, actor });
    }

    async fn again(&mut self, me: &ActorRef<Supervise<C>>, id: &C::Id, actor: ActorId) {
        // The child may have been dropped or replaced during the pause.
        if self.kept.get(id).is_none_or(|kept| kept.actor != actor) {
            return;
        }
        let Some(mut kept) = self.kept.remove(id) else { return };
        if let Some(ending) = kept.ending.take() {
            return self.end_calls(me, id, kept.arguments, ending).await;
        }
        let attempt = kept.failures;
        self.kind.restarted(id, &kept.arguments, attempt);
        let arguments = self.kind.next_life(id, kept.arguments.clone()).await;
        if let Err(rejection) = self.start(me, id.clone(), arguments, attempt).await {
            tracing::error!(child = %id, error = %rejection, "it cannot be started again");
            self.kept.insert(id.clone(), Kept { failures: attempt + 1, ..kept });
            let id = id.clone();
            me.send_after(pause(attempt), move || Supervise::Again { id, actor });
        }
    }
}

/// Returns the pause for a child that has failed this many times in a row.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LAST_PAUSE)
}

fn shutting_down() -> Rejection {
    Refused::ShuttingDown.into()
}
