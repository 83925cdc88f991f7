//! The root actor: starts phones, and starts those again that fail.

use std::{collections::HashMap, time::Duration};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::{sync::oneshot, time::Instant};

use super::{
    directory::Directory,
    execute::{cannot_start, not_found},
    restart,
};
use crate::{
    call::Reply,
    command::{Code, Outcome, Rejection},
    event::{CallEvent, Cause, EndCause, Party, PhoneEvent, PhoneSpec, Subject},
    id::{PhoneId, Seq},
    phone::{Dangling, PhoneActor, PhoneArguments, PhoneMessage, Shared},
    secret::Secret,
    view::Views,
};

/// First pause before a failed phone is started again; doubled for each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A phone that was up this long has recovered; the next failure counts as the first.
const HEALTHY: Duration = Duration::from_secs(60);

/// What the root starts with.
pub(super) struct RootArguments {
    pub(super) directory: Directory,
    pub(super) shared: Shared,
    pub(super) views: Views,
}

/// What the root can be told.
pub(super) enum RootMessage {
    /// Start a phone; its predecessor is gone.
    Start {
        /// With what.
        arguments: Box<PhoneArguments>,
        /// Where the answer goes.
        reply: Reply,
    },
    /// Drop a phone, whether it runs or waits for its restart.
    Drop {
        /// Which phone.
        phone: PhoneId,
        /// Whether its calls are ended on the wire.
        hang_up: bool,
        /// Why, for the journal.
        cause: Cause,
        /// Where the answer goes, once nothing of the phone is left.
        reply: Reply,
    },
    /// Start a phone that an earlier process dropped, only to end the calls that it left.
    EndCalls {
        /// With what.
        arguments: Box<PhoneArguments>,
        /// Where the answer goes, once nothing of the phone is left.
        reply: Reply,
    },
    /// Drop all phones that there are, and start none any more.
    CloseAll {
        /// Where their names go, each with the answer to its drop.
        reply: oneshot::Sender<Vec<Closing>>,
    },
    /// The pause after a failure is over.
    Again {
        /// Which phone.
        phone: PhoneId,
        /// The life that failed.
        actor: ActorId,
    },
    /// A phone's settings or password changed; a restart uses these.
    Remember {
        /// Which phone.
        phone: PhoneId,
        /// Its settings now.
        spec: PhoneSpec,
        /// Its password, if that changed.
        password: Option<Secret<String>>,
    },
}

/// A phone of which somebody waits until nothing is left.
pub(super) struct Closing {
    pub(super) phone: PhoneId,
    pub(super) closed: oneshot::Receiver<Result<Outcome, Rejection>>,
}

/// The root of the tree.
pub(super) struct Root;

/// A phone as the root remembers it.
struct Kept {
    actor: ActorId,
    arguments: PhoneArguments,
    started: Instant,
    failures: u32,
    /// Set once somebody has asked for its end; it is not started again then.
    ending: Option<Ending>,
}

/// A phone on its way out.
struct Ending {
    hang_up: bool,
    cause: Cause,
    /// Who waits for it.
    askers: Vec<Reply>,
    /// It failed before its calls were ended, and lives once more to end them.
    last_life: bool,
}

impl Ending {
    fn answer(self, result: &Result<Outcome, Rejection>) {
        for asker in self.askers {
            // Nobody waits when the surface gave up.
            drop(asker.send(result.clone()));
        }
    }
}

/// The root's state.
pub(super) struct RootState {
    arguments: RootArguments,
    phones: HashMap<PhoneId, Kept>,
    /// The process is about to end: nothing new begins.
    closing: bool,
}

impl Actor for Root {
    type Msg = RootMessage;
    type State = RootState;
    type Arguments = RootArguments;

    async fn pre_start(
        &self,
        _me: ActorRef<RootMessage>,
        arguments: RootArguments,
    ) -> Result<RootState, ActorProcessingErr> {
        Ok(RootState { arguments, phones: HashMap::new(), closing: false })
    }

    async fn handle(
        &self,
        me: ActorRef<RootMessage>,
        message: RootMessage,
        root: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RootMessage::Start { arguments, reply } => {
                let started = match root.closing {
                    true => Err(shutting_down()),
                    false => root.start(&me, *arguments, 0).await,
                };
                // Nobody waits when the surface gave up; the phone is up all the same.
                drop(reply.send(started));
            }
            RootMessage::Drop { phone, hang_up, cause, reply } => {
                let ending = Ending { hang_up, cause, askers: vec![reply], last_life: false };
                root.drop_phone(&me, phone, ending);
            }
            RootMessage::EndCalls { arguments, reply } => {
                root.end_calls_of_earlier(&me, *arguments, reply).await;
            }
            RootMessage::CloseAll { reply } => {
                // Nobody waits when the time for the shutdown is over.
                drop(reply.send(root.close_all(&me)));
            }
            RootMessage::Again { phone, actor } => root.again(&me, &phone, actor).await,
            RootMessage::Remember { phone, spec, password } => {
                if let Some(kept) = root.phones.get_mut(&phone) {
                    kept.arguments.spec = spec;
                    kept.arguments.password = password.unwrap_or_else(|| kept.arguments.password.clone());
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<RootMessage>,
        event: SupervisionEvent,
        root: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                root.failed(&me, actor.get_id(), &error.to_string());
            }
            SupervisionEvent::ActorTerminated(actor, _, _) => root.ended(actor.get_id()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl RootState {
    async fn start(
        &mut self,
        me: &ActorRef<RootMessage>,
        arguments: PhoneArguments,
        failures: u32,
    ) -> Result<Outcome, Rejection> {
        let (id, kept) = (arguments.id.clone(), arguments.clone());
        let actor = Self::spawn(me, arguments).await?;
        let kept =
            Kept { actor: actor.get_id(), arguments: kept, started: Instant::now(), failures, ending: None };
        self.phones.insert(id.clone(), kept);
        self.arguments.directory.enter(id, actor);
        Ok(self.outcome())
    }

    async fn spawn(
        me: &ActorRef<RootMessage>,
        arguments: PhoneArguments,
    ) -> Result<ActorRef<PhoneMessage>, Rejection> {
        let id = arguments.id.clone();
        let spawned = Actor::spawn_linked(None, PhoneActor, arguments, me.get_cell()).await;
        spawned.map(|(actor, _)| actor).map_err(|error| {
            let why = match error {
                ractor::SpawnErr::StartupFailed(cause) => cause.to_string(),
                other @ (ractor::SpawnErr::ActorAlreadyStarted
                | ractor::SpawnErr::ActorAlreadyRegistered(_)) => other.to_string(),
            };
            cannot_start(&id, &why)
        })
    }

    fn outcome(&self) -> Outcome {
        Outcome { seq: self.arguments.shared.journal.head(), call: None, calls: Vec::new() }
    }

    fn append(&self, phone: &PhoneId, cause: Cause, event: PhoneEvent) -> Seq {
        let shared = &self.arguments.shared;
        shared.journal.append(shared.subject(phone), cause, event)
    }

    async fn dangling(&self, phone: &PhoneId) -> Vec<Dangling> {
        let Shared { journal, .. } = &self.arguments.shared;
        restart::dangling(&self.arguments.views, journal, phone, EndCause::Crashed).await
    }

    fn phone_of(&self, actor: ActorId) -> Option<PhoneId> {
        self.phones.iter().find_map(|(id, kept)| (kept.actor == actor).then(|| id.clone()))
    }

    /// Sees to it that a phone ends, whatever becomes of its actor meanwhile.
    fn drop_phone(&mut self, me: &ActorRef<RootMessage>, phone: PhoneId, ending: Ending) {
        let Some(kept) = self.phones.get_mut(&phone) else {
            return match self.arguments.views.phone(&phone) {
                // It could not be taken up when the process started; who drops it wants to see no more of it.
                Some(_) => self.forget(&phone, ending),
                None => ending.answer(&Err(not_found(&phone))),
            };
        };
        if let Some(begun) = &mut kept.ending {
            return begun.askers.extend(ending.askers);
        }
        let close = PhoneMessage::Close { hang_up: ending.hang_up, cause: ending.cause.clone() };
        kept.ending = Some(ending);
        match self.arguments.directory.get(&phone) {
            // One that fails before it hears this is reported to us.
            Some(actor) => drop(actor.cast(close)),
            None => self.finish(me, phone),
        }
    }

    /// Drops every phone that is held; one that could not be taken up stays in the journal for the next start.
    fn close_all(&mut self, me: &ActorRef<RootMessage>) -> Vec<Closing> {
        self.closing = true;
        let phones: Vec<PhoneId> = self.phones.keys().cloned().collect();
        let close = |phone: PhoneId| {
            let (reply, closed) = oneshot::channel();
            let ending = Ending { hang_up: true, cause: Cause::Stop, askers: vec![reply], last_life: false };
            self.drop_phone(me, phone.clone(), ending);
            Closing { phone, closed }
        };
        phones.into_iter().map(close).collect()
    }

    /// Ends a phone that does not run: its calls on the wire, if that was asked for, in one last life.
    fn finish(&mut self, me: &ActorRef<RootMessage>, phone: PhoneId) {
        let Some(kept) = self.phones.get(&phone) else { return };
        let Some(ending) = &kept.ending else { return };
        self.append_dropped(&phone, ending);
        if ending.hang_up && !ending.last_life && !self.arguments.views.active_calls(&phone).is_empty() {
            let actor = kept.actor;
            // The sockets of the life that failed are free a moment later.
            me.send_after(FIRST_PAUSE, move || RootMessage::Again { phone, actor });
        } else if let Some(Kept { ending: Some(ending), .. }) = self.phones.remove(&phone) {
            self.forget(&phone, ending);
        }
    }

    /// Starts a phone that failed after its drop once more, only to end the calls that it left.
    async fn end_calls(
        &mut self,
        me: &ActorRef<RootMessage>,
        phone: &PhoneId,
        arguments: PhoneArguments,
        ending: Ending,
    ) {
        let arguments =
            PhoneArguments { dangling: self.dangling(phone).await, life: arguments.life + 1, ..arguments };
        if let Err((rejection, ending)) = self.last_life(me, arguments, ending).await {
            tracing::error!(phone = %phone, error = %rejection, "calls cannot be ended on the wire");
            self.forget(phone, ending);
        }
    }

    /// The same for a phone of an earlier process. What cannot be ended now is left to the next start.
    async fn end_calls_of_earlier(
        &mut self,
        me: &ActorRef<RootMessage>,
        arguments: PhoneArguments,
        reply: Reply,
    ) {
        let ending = Ending { hang_up: true, cause: Cause::Start, askers: vec![reply], last_life: true };
        if self.closing {
            return ending.answer(&Err(shutting_down()));
        }
        if let Err((rejection, ending)) = self.last_life(me, arguments, ending).await {
            ending.answer(&Err(rejection));
        }
    }

    async fn last_life(
        &mut self,
        me: &ActorRef<RootMessage>,
        arguments: PhoneArguments,
        ending: Ending,
    ) -> Result<(), (Rejection, Ending)> {
        let (phone, arguments) = (arguments.id.clone(), PhoneArguments { closing: true, ..arguments });
        match Self::spawn(me, arguments.clone()).await {
            Ok(actor) => {
                let ending = Some(Ending { last_life: true, ..ending });
                let (actor, started) = (actor.get_id(), Instant::now());
                self.phones.insert(phone, Kept { actor, arguments, started, failures: 0, ending });
                Ok(())
            }
            Err(rejection) => Err((rejection, ending)),
        }
    }

    /// Nothing runs and nothing will: what is left of a phone ends in the journal, and who waits is answered.
    fn forget(&self, phone: &PhoneId, ending: Ending) {
        self.append_dropped(phone, &ending);
        for left in self.arguments.views.active_calls(phone) {
            let ended = CallEvent::Ended {
                by: Party::Local,
                cause: EndCause::Crashed,
                status: None,
                reason: "the phone was dropped after a failure".to_owned(),
                duration_ms: 0,
            };
            let subject = Subject { call: Some(left.id), ..self.arguments.shared.subject(phone) };
            self.arguments.shared.journal.append(subject, ending.cause.clone(), ended);
        }
        ending.answer(&Ok(self.outcome()));
    }

    /// Says that the phone is gone, unless it said so itself before it failed.
    fn append_dropped(&self, phone: &PhoneId, ending: &Ending) {
        if self.arguments.views.phone(phone).is_some() {
            self.append(phone, ending.cause.clone(), PhoneEvent::Dropped {});
        }
    }

    /// A phone has ended in order.
    fn ended(&mut self, actor: ActorId) {
        self.arguments.directory.remove(actor);
        let Some(kept) = self.phone_of(actor).and_then(|phone| self.phones.remove(&phone)) else { return };
        if let Some(ending) = kept.ending {
            ending.answer(&Ok(self.outcome()));
        }
    }

    /// A phone has failed: says so, and arranges its next life.
    fn failed(&mut self, me: &ActorRef<RootMessage>, actor: ActorId, error: &str) {
        self.arguments.directory.remove(actor);
        let Some(phone) = self.phone_of(actor) else { return };
        tracing::error!(phone = %phone, error, "phone failed");
        let seq = self.append(&phone, Cause::Failure, PhoneEvent::Crashed { reason: error.to_owned() });
        let Some(kept) = self.phones.get_mut(&phone) else { return };
        kept.arguments.cause = Cause::Event { seq };
        let last_port = restart::last_port(&self.arguments.views, &phone);
        kept.arguments.last_port = last_port.or(kept.arguments.last_port);
        if kept.ending.is_some() {
            return self.finish(me, phone);
        }
        kept.failures = if kept.started.elapsed() > HEALTHY { 0 } else { kept.failures };
        let pause = FIRST_PAUSE.saturating_mul(1 << kept.failures.min(16)).min(LAST_PAUSE);
        kept.failures += 1;
        me.send_after(pause, move || RootMessage::Again { phone, actor });
    }

    async fn again(&mut self, me: &ActorRef<RootMessage>, phone: &PhoneId, actor: ActorId) {
        // The phone may have been dropped or replaced during the pause.
        let failed = |kept: &Kept| kept.actor == actor;
        if !self.phones.get(phone).is_some_and(failed) {
            return;
        }
        let Some(mut kept) = self.phones.remove(phone) else { return };
        if let Some(ending) = kept.ending.take() {
            return self.end_calls(me, phone, kept.arguments, ending).await;
        }
        let attempt = kept.failures;
        self.append(phone, kept.arguments.cause.clone(), PhoneEvent::Restarted { attempt });
        let arguments = PhoneArguments {
            dangling: self.dangling(phone).await,
            life: kept.arguments.life + 1,
            ..kept.arguments.clone()
        };
        if let Err(rejection) = self.start(me, arguments, attempt).await {
            tracing::error!(phone = %phone, error = %rejection, "phone cannot be started again");
            self.phones.insert(phone.clone(), Kept { failures: attempt + 1, ..kept });
            let (phone, pause) =
                (phone.clone(), FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LAST_PAUSE));
            me.send_after(pause, move || RootMessage::Again { phone, actor });
        }
    }
}

fn shutting_down() -> Rejection {
    Rejection::new(Code::Unavailable, "the process is about to end")
}
