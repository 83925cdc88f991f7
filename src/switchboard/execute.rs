//! Routes commands to their actors.

use std::{future::Future, pin::Pin, time::Duration};

use super::{
    Switchboard, call_actor::ask, passwords::NotKept, phones::Changed, restart, supervisor::Supervise,
};
use crate::{
    call::unavailable_codecs,
    command::{
        AddPhone, CallSelector, Code, Command, CommandKind, Execute, NodeCommand, Outcome, PhoneChanges,
        PhoneCommand, Refused, Rejection, check_built,
    },
    event::{Cause, Event, PhoneEvent, PhoneSpec},
    id::{CallId, PhoneId, Seq},
    journal::{About, Interest},
    phone::{Dangling, PhoneArguments, PhoneMessage, Registrar},
    secret::Secret,
    view::PhoneView,
};

/// How long an actor may take to answer a command, DNS included.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

impl Execute for Switchboard {
    fn execute(
        &self,
        command: Command,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send + '_>> {
        Box::pin(self.carry_out(command, cause))
    }
}

impl Switchboard {
    async fn carry_out(&self, command: Command, cause: Cause) -> Result<Outcome, Rejection> {
        match command {
            Command::Node(command) => self.node_command(command, cause).await,
            Command::Phone(phone, command) => self.phone_command(phone, command, cause).await,
            Command::Call(selector, command) => {
                let actor = self.known(&self.phone_of(&selector)?)?;
                let message = |reply| PhoneMessage::CallCommand { selector, command, cause, reply };
                ask(&actor, ANSWER, message).await
            }
        }
    }

    async fn node_command(&self, command: NodeCommand, cause: Cause) -> Result<Outcome, Rejection> {
        match command {
            NodeCommand::AddPhone(add) => self.add_phone(add, cause).await,
            NodeCommand::DropPhone { phone, hang_up } => {
                let (switchboard, id) = (self.clone(), phone.clone());
                self.in_turn(&phone, async move {
                    let outcome = switchboard.drop_phone(id.clone(), hang_up, cause).await;
                    let inner = &switchboard.inner;
                    // The next process needs it for the calls that this one could not end.
                    let needed =
                        inner.shared.leaves_calls_open() && !inner.views.active_calls(&id).is_empty();
                    if !needed {
                        switchboard.forget_password(&id).await;
                    }
                    outcome
                })
                .await
            }
            NodeCommand::HangUpAll => self.hang_up_everywhere(cause).await,
            NodeCommand::Conference { phone, calls } => self.confer(phone, calls, cause).await,
        }
    }

    /// Forwards a command to its phone, and does around it what the phone cannot do itself.
    async fn phone_command(
        &self,
        phone: PhoneId,
        command: PhoneCommand,
        cause: Cause,
    ) -> Result<Outcome, Rejection> {
        match command {
            PhoneCommand::Update(changes) => self.update_phone(phone, changes, cause).await,
            PhoneCommand::Register => {
                let before = self.inner.journal.head();
                let outcome = self.to_phone(&phone, PhoneCommand::Register, cause).await?;
                self.registration_outcome(&phone, before).await;
                Ok(outcome)
            }
            command @ (PhoneCommand::Unregister
            | PhoneCommand::PlaceCall { .. }
            | PhoneCommand::HangUpAll
            | PhoneCommand::SendMessage { .. }) => self.to_phone(&phone, command, cause).await,
        }
    }

    /// Waits for the turn of a name, then works on its phone. If the asker gives up meanwhile, the
    /// turn still lasts until the work is done.
    async fn in_turn<T: Send + 'static>(
        &self,
        phone: &PhoneId,
        work: impl Future<Output = Result<T, Rejection>> + Send + 'static,
    ) -> Result<T, Rejection> {
        let turn = self.inner.turns.take(phone).await;
        let done = tokio::spawn(async move {
            let result = work.await;
            drop(turn);
            result
        });
        let failed = |error: tokio::task::JoinError| Refused::Broke { why: error.to_string() };
        done.await.unwrap_or_else(|error| Err(failed(error).into()))
    }

    async fn hang_up_everywhere(&self, cause: Cause) -> Result<Outcome, Rejection> {
        let mut calls = Vec::new();
        // A run controls only its own phones; everybody else controls all of them.
        let of_run = if let Cause::Run { run, .. } = &cause { Some(*run) } else { None };
        let meant = |phone: &PhoneId| of_run.is_none() || self.inner.shared.pool.run_of(phone) == of_run;
        for phone in self.inner.directory.all().into_iter().filter(meant) {
            match self.to_phone(&phone, PhoneCommand::HangUpAll, cause.clone()).await {
                Ok(outcome) => calls.extend(outcome.calls),
                // It has ended meanwhile; so have its calls, or its next life ends them.
                Err(rejection) if matches!(rejection.code, Code::NotFound | Code::Unavailable) => {}
                Err(rejection) => return Err(rejection),
            }
        }
        Ok(Outcome { seq: self.inner.journal.head(), call: None, calls })
    }

    /// Makes a conference of calls of any phones, or of one phone.
    async fn confer(
        &self,
        phone: Option<PhoneId>,
        mut calls: Vec<CallId>,
        cause: Cause,
    ) -> Result<Outcome, Rejection> {
        if let Some(phone) = &phone {
            self.known(phone)?;
            if calls.is_empty() {
                calls.extend(self.inner.views.active_calls(phone).iter().map(|call| call.id));
            }
        }
        for call in &calls {
            self.phone_of(&CallSelector { phone: phone.clone(), call: Some(*call) })?;
        }
        let done = tokio::time::timeout(ANSWER, self.inner.shared.conferences.confer(&calls, &cause)).await;
        let calls = match done.unwrap_or(Err(Refused::NoAnswer(ANSWER))) {
            Err(Refused::TooFewToConfer(_)) => Err(Refused::TooFewToConfer(phone)),
            done => done,
        }?;
        Ok(Outcome { seq: self.inner.journal.head(), call: None, calls })
    }

    async fn update_phone(
        &self,
        phone: PhoneId,
        changes: PhoneChanges,
        cause: Cause,
    ) -> Result<Outcome, Rejection> {
        let password = changes.password.clone();
        let again = changes.reregisters();
        let (switchboard, id) = (self.clone(), phone.clone());
        let (before, outcome) = self
            .in_turn(&phone, async move {
                let before = switchboard.inner.journal.head();
                let command = PhoneCommand::Update(changes);
                let outcome = switchboard.to_phone(&id, command, cause).await?;
                switchboard.remember(&id, password).await;
                Ok((before, outcome))
            })
            .await?;
        let asked = |view: std::sync::Arc<PhoneView>| view.registration.seq > before;
        if again && self.inner.views.phone(&phone).is_some_and(asked) {
            self.registration_outcome(&phone, before).await;
        }
        Ok(outcome)
    }

    async fn add_phone(&self, add: AddPhone, cause: Cause) -> Result<Outcome, Rejection> {
        check_built(add.spec.srtp)?;
        let (phone, registers) = (add.phone.clone(), add.spec.register);
        let switchboard = self.clone();
        let before = self.in_turn(&phone, async move { switchboard.replace(add, cause).await }).await?;
        if registers {
            self.registration_outcome(&phone, before).await;
        }
        Ok(Outcome { seq: self.inner.journal.head(), call: None, calls: Vec::new() })
    }

    /// Starts a phone in place of whatever has its name, and returns the position before its first
    /// fact.
    ///
    /// Only one at a time per name, or two would run under it. Whatever can be known to fail is
    /// refused before a predecessor is touched.
    async fn replace(&self, add: AddPhone, cause: Cause) -> Result<Seq, Rejection> {
        unavailable_codecs(add.spec.codecs.as_deref().unwrap_or_default())?;
        let _place =
            self.inner.places.promise(&add.phone, &self.inner.views, self.inner.shared.limits.phones)?;
        let registrar = self.registrar(&add.phone, &add.spec).await?;
        if let Some(predecessor) = self.inner.views.phone(&add.phone) {
            self.can_follow(&predecessor, &add, &registrar).await?;
        }
        // Even if the journal no longer knows it: it may still be ending its calls.
        match self.drop_phone(add.phone.clone(), true, cause.clone()).await {
            Err(rejection) if rejection.code == Code::NotFound => {}
            outcome => drop(outcome?),
        }
        let before = self.inner.journal.head();
        let phone = add.phone.clone();
        let begun = self.begin(add, registrar, cause).await;
        if begun.is_err() {
            self.forget_password(&phone).await;
        }
        begun.map(|_| before)
    }

    async fn registrar(&self, phone: &PhoneId, spec: &PhoneSpec) -> Result<Registrar, Rejection> {
        let shared = &self.inner.shared;
        Registrar::find(&*shared.network, spec, shared.seed_of(phone, 0)).await
    }

    /// Journals how the registrar of a phone was found, if it has a name.
    fn note_registrar(&self, phone: &PhoneId, registrar: &Registrar, cause: &Cause) {
        if let Some(fact) = registrar.fact() {
            self.inner.journal.append(self.inner.shared.subject(phone), cause.clone(), fact);
        }
    }

    /// Checks that a phone's successor can get its port and save its password.
    async fn can_follow(
        &self,
        predecessor: &PhoneView,
        add: &AddPhone,
        registrar: &Registrar,
    ) -> Result<(), Rejection> {
        let port = add.spec.local_port;
        let own = predecessor.bound;
        if port != 0 && own.is_none_or(|own| own.port() != port) {
            let free = registrar.can_bind(&*self.inner.shared.network, port);
            free.map_err(|error| cannot_start(&add.phone, &error.to_string()))?;
        }
        let tried = self.inner.passwords.try_out(add.phone.clone(), add.password.clone()).await;
        tried.map_err(|error| not_kept(&error))
    }

    /// Starts a phone whose name is free.
    async fn begin(&self, add: AddPhone, registrar: Registrar, cause: Cause) -> Result<Outcome, Rejection> {
        let AddPhone { phone, spec, password } = add;
        let kept = self.inner.passwords.set(phone.clone(), password.clone()).await;
        kept.map_err(|error| not_kept(&error))?;
        let added = PhoneEvent::Added { spec: spec.clone() };
        let subject = self.inner.shared.subject(&phone);
        self.inner.journal.append(subject.clone(), cause.clone(), added);
        self.note_registrar(&phone, &registrar, &cause);
        let arguments = self.arguments(phone.clone(), spec, password, registrar, Vec::new(), cause.clone());
        let started = self.start_phone(arguments).await;
        if started.is_err() {
            self.inner.journal.append(subject, cause, PhoneEvent::Dropped {});
        }
        started
    }

    /// Starts a phone that the journal already knows.
    pub(super) async fn launch(
        &self,
        phone: PhoneId,
        spec: PhoneSpec,
        password: Secret<String>,
        dangling: Vec<Dangling>,
        cause: Cause,
    ) -> Result<Outcome, Rejection> {
        let registrar = self.registrar(&phone, &spec).await?;
        self.note_registrar(&phone, &registrar, &cause);
        self.start_phone(self.arguments(phone, spec, password, registrar, dangling, cause)).await
    }

    /// Starts a phone that an earlier process dropped, to end its calls, and waits until nothing of
    /// it is left.
    pub(super) async fn launch_to_end_calls(
        &self,
        phone: PhoneId,
        spec: PhoneSpec,
        password: Secret<String>,
        dangling: Vec<Dangling>,
    ) -> Result<Outcome, Rejection> {
        let registrar = self.registrar(&phone, &spec).await?;
        let arguments = self.arguments(phone, spec, password, registrar, dangling, Cause::Start);
        let (id, arguments) = (arguments.id.clone(), Box::new(arguments));
        ask(&self.inner.root, ANSWER, |reply| Supervise::EndCalls { id, arguments, reply }).await
    }

    fn arguments(
        &self,
        id: PhoneId,
        spec: PhoneSpec,
        password: Secret<String>,
        registrar: Registrar,
        dangling: Vec<Dangling>,
        cause: Cause,
    ) -> PhoneArguments {
        let shared = self.inner.shared.clone();
        // The head never repeats on one journal, so neither do the identifiers that a life
        // generates.
        let life = self.inner.journal.head().0;
        let last_port = match dangling.is_empty() {
            true => None,
            false => restart::last_port(&self.inner.views, &id),
        };
        let occupant = shared.pool.occupant(&id);
        PhoneArguments {
            id,
            occupant,
            spec,
            password,
            registrar,
            shared,
            dangling,
            last_port,
            life,
            cause,
            closing: false,
        }
    }

    async fn start_phone(&self, arguments: PhoneArguments) -> Result<Outcome, Rejection> {
        let (id, arguments) = (arguments.id.clone(), Box::new(arguments));
        ask(&self.inner.root, ANSWER, |reply| Supervise::Start { id, arguments, reply }).await
    }

    /// Keeps the new settings and password for a later restart.
    async fn remember(&self, phone: &PhoneId, password: Option<Secret<String>>) {
        let Some(view) = self.inner.views.phone(phone) else { return };
        if let Some(password) = password.clone()
            && let Err(error) = self.inner.passwords.set(phone.clone(), password).await
        {
            tracing::warn!(phone = %phone, %error, "password cannot be kept");
        }
        let change = Changed { spec: view.spec.clone(), password };
        let changed = Supervise::Remember { id: phone.clone(), change };
        // The root outlives every phone.
        drop(self.inner.root.cast(changed));
    }

    /// Removes the password of a phone that is gone.
    pub(super) async fn forget_password(&self, phone: &PhoneId) {
        if let Err(error) = self.inner.passwords.remove(phone.clone()).await {
            tracing::warn!(phone = %phone, %error, "password cannot be removed");
        }
    }

    pub(super) async fn drop_phone(
        &self,
        phone: PhoneId,
        hang_up: bool,
        cause: Cause,
    ) -> Result<Outcome, Rejection> {
        ask(&self.inner.root, ANSWER, |reply| Supervise::Drop { id: phone, hang_up, cause, reply }).await
    }

    async fn to_phone(
        &self,
        phone: &PhoneId,
        command: PhoneCommand,
        cause: Cause,
    ) -> Result<Outcome, Rejection> {
        let actor = self.known(phone)?;
        ask(&actor, ANSWER, |reply| PhoneMessage::Command { command, cause, reply }).await
    }

    fn known(&self, phone: &PhoneId) -> Result<ractor::ActorRef<PhoneMessage>, Rejection> {
        self.inner.directory.get(phone).ok_or_else(|| not_found(phone))
    }

    /// Finds the phone of a call and checks it against the phone that the asker named.
    fn phone_of(&self, selector: &CallSelector) -> Result<PhoneId, Rejection> {
        match (selector.call, &selector.phone) {
            (Some(call), named) => {
                let owner = self.owner(call).ok_or(Refused::NoCall(call))?;
                match named {
                    Some(named) if *named != owner => {
                        Err(Refused::CallOfAnother { call, owner, named: named.clone() }.into())
                    }
                    Some(_) | None => Ok(owner),
                }
            }
            (None, Some(phone)) => Ok(phone.clone()),
            (None, None) => match self.inner.directory.all().as_slice() {
                [only] => Ok(only.clone()),
                _ => Err(Refused::WhichPhone.into()),
            },
        }
    }

    fn owner(&self, call: CallId) -> Option<PhoneId> {
        self.inner.views.call(call).filter(|view| view.end.is_none()).map(|view| view.phone.clone())
    }

    /// Waits until the registrar has answered or the wait of the command is over.
    async fn registration_outcome(&self, phone: &PhoneId, after: Seq) {
        let interest = Interest::of_kinds(&["phone.*"]).about(About::Phone(phone.clone()));
        let mut reader = self.inner.journal.reader_of(after, interest);
        let answered = async {
            // A reader that fell behind has nothing to wait for.
            while let Ok(envelope) = reader.next().await {
                let mine = envelope.subject.phone.as_ref() == Some(phone);
                let is_final = matches!(
                    envelope.event,
                    Event::Phone(
                        PhoneEvent::Registered { .. }
                            | PhoneEvent::RegistrationFailed { .. }
                            | PhoneEvent::Crashed { .. }
                            | PhoneEvent::Dropped {}
                    )
                );
                if mine && is_final {
                    return;
                }
            }
        };
        if tokio::time::timeout(self.inner.registration_wait, answered).await.is_err() {
            tracing::info!(phone = %phone, "the registrar has not answered yet");
        }
    }
}

/// The rejection when a phone cannot be started.
pub(super) fn cannot_start(phone: &PhoneId, why: &str) -> Rejection {
    Refused::PhoneNotStarted { phone: phone.clone(), why: why.to_owned() }.into()
}

fn not_kept(error: &NotKept) -> Rejection {
    Refused::PasswordNotKept { why: error.to_string() }.into()
}

/// The rejection when a phone does not exist.
pub(super) fn not_found(phone: &PhoneId) -> Rejection {
    Rejection::from(Refused::NoPhone(phone.clone())).or_try([CommandKind::AddPhone])
}
