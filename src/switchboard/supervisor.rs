//! The root actor: starts phones, and starts those again that fail.

use std::{collections::HashMap, time::Duration};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::time::Instant;

use super::directory::Directory;
use crate::{
    call::Reply,
    command::{Code, Outcome, Rejection},
    event::{Cause, EndCause, PhoneEvent, PhoneSpec, Subject},
    id::PhoneId,
    phone::{PhoneActor, PhoneArguments, Shared},
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

/// The root of the tree.
pub(super) struct Root;

/// A phone as the root remembers it.
struct Kept {
    actor: ActorId,
    arguments: PhoneArguments,
    started: Instant,
    failures: u32,
}

/// The root's state.
pub(super) struct RootState {
    arguments: RootArguments,
    phones: HashMap<PhoneId, Kept>,
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
        Ok(RootState { arguments, phones: HashMap::new() })
    }

    async fn handle(
        &self,
        me: ActorRef<RootMessage>,
        message: RootMessage,
        root: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RootMessage::Start { arguments, reply } => {
                let started = root.start(&me, *arguments, 0).await;
                // Nobody waits when the surface gave up; the phone is up all the same.
                drop(reply.send(started));
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
            SupervisionEvent::ActorTerminated(actor, _, _) => {
                root.arguments.directory.remove(actor.get_id());
                root.phones.retain(|_, kept| kept.actor != actor.get_id());
            }
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
        let spawned = Actor::spawn_linked(None, PhoneActor, arguments, me.get_cell()).await;
        let (actor, _) = spawned.map_err(|error| {
            let why = match error {
                ractor::SpawnErr::StartupFailed(cause) => cause.to_string(),
                other @ (ractor::SpawnErr::ActorAlreadyStarted
                | ractor::SpawnErr::ActorAlreadyRegistered(_)) => other.to_string(),
            };
            Rejection::new(Code::Unavailable, format!("phone '{id}' cannot start: {why}"))
        })?;
        let kept = Kept { actor: actor.get_id(), arguments: kept, started: Instant::now(), failures };
        self.phones.insert(id.clone(), kept);
        self.arguments.directory.enter(id, actor);
        Ok(Outcome { seq: self.arguments.shared.journal.head(), call: None, calls: Vec::new() })
    }

    /// A phone has failed: says so, and arranges its next life.
    fn failed(&mut self, me: &ActorRef<RootMessage>, actor: ActorId, error: &str) {
        let Some(phone) = self.arguments.directory.remove(actor) else { return };
        tracing::error!(phone = %phone, error, "phone failed");
        let crashed = PhoneEvent::Crashed { reason: error.to_owned() };
        self.arguments.shared.journal.append(Subject::phone(phone.clone()), Cause::Start, crashed);
        let Some(kept) = self.phones.get_mut(&phone) else { return };
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
        let Some(kept) = self.phones.remove(phone) else { return };
        let attempt = kept.failures;
        let restarted = PhoneEvent::Restarted { attempt };
        self.arguments.shared.journal.append(Subject::phone(phone.clone()), Cause::Start, restarted);
        let dangling = super::restart::dangling(
            &self.arguments.views,
            &self.arguments.shared.journal,
            phone,
            EndCause::Crashed,
        );
        let arguments = PhoneArguments {
            dangling,
            last_port: super::restart::last_port(&self.arguments.views, phone),
            life: kept.arguments.life + 1,
            cause: Cause::Start,
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
