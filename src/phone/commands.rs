//! What users ask of a phone: registration, calls, messages, settings, closing.

use std::{sync::Arc, time::Duration};

use offhook_sip::{
    message::{HeaderName, Method, NameAddr, Uri},
    registration::Registration,
    session::Invite,
    user_agent::{Body, Destination, OutOfDialog},
};
use tokio::time::Instant;

use super::{
    actor::{Binding, Purpose, Shell},
    extra_headers::extra_headers,
    names::Asker,
    target::{check_realm, immediate, target_uri, transport_to},
};
use crate::{
    call::{Beginning, CallMessage, Reply, Told, unavailable_codecs},
    command::{
        CallCommand, CallSelector, CommandKind, Outcome, PhoneChanges, PhoneCommand, Refused, Rejection,
        check_built,
    },
    event::{CallEvent, Cause, PhoneEvent, TimerReason},
    id::CallId,
};

/// Lifetime of the binding we request; users of the per-phone tools see it.
const EXPIRES: Duration = Duration::from_secs(300);

/// How long a phone may take to end its calls and its binding.
pub(crate) const CLOSING: Duration = Duration::from_secs(2);

/// How long a closing phone waits for a registrar that has never accepted it, and so may not exist.
const FIRST_ANSWER: Duration = Duration::from_secs(1);

/// A command whose target may need DNS.
#[derive(Debug)]
pub(crate) struct Asked {
    uri: Uri,
    /// Proxies on the way.
    route: Vec<Uri>,
    what: What,
    pub(super) cause: Cause,
    reply: Reply,
}

/// Where a request of ours goes.
struct Towards {
    target: Uri,
    /// Proxies on the way; `destination` is the first of them.
    route: Vec<Uri>,
    destination: Destination,
}

#[derive(Debug)]
enum What {
    Call { headers: Vec<(HeaderName, String)> },
    Message { body: String, content_type: String },
}

impl Shell {
    pub(super) async fn command(&mut self, command: PhoneCommand, cause: Cause, reply: Reply) -> Cause {
        if self.closing && command != PhoneCommand::HangUpAll {
            answer(reply, Err(self.closing_down()));
            return cause;
        }
        let done = match command {
            PhoneCommand::PlaceCall { target, headers } => {
                let headers = match extra_headers(headers) {
                    Ok(headers) => headers,
                    Err(rejection) => {
                        answer(reply, Err(rejection));
                        return cause;
                    }
                };
                return self.towards(&target, What::Call { headers }, cause, reply).await;
            }
            PhoneCommand::SendMessage { to, body, content_type } => {
                return self.towards(&to, What::Message { body, content_type }, cause, reply).await;
            }
            PhoneCommand::Register => {
                self.register(&cause);
                Ok(self.outcome(None))
            }
            PhoneCommand::Unregister => {
                self.unregister(&cause);
                Ok(self.outcome(None))
            }
            PhoneCommand::Update(changes) => self.update(changes, &cause).map(|()| self.outcome(None)),
            PhoneCommand::HangUpAll => Ok(self.hang_up_all(&cause)),
        };
        answer(reply, done);
        cause
    }

    /// Forwards a command to the call it selects.
    pub(super) fn call_command(
        &self,
        selector: &CallSelector,
        command: CallCommand,
        cause: Cause,
        reply: Reply,
    ) -> Cause {
        match self.told(selector, command) {
            Ok((call, told)) => self.forward(call, told, &cause, reply),
            Err(rejection) => answer(reply, Err(rejection)),
        }
        cause
    }

    /// Chooses the call and adds what only its phone knows.
    fn told(&self, selector: &CallSelector, command: CallCommand) -> Result<(CallId, Told), Rejection> {
        if self.closing && command != CallCommand::HangUp {
            return Err(self.closing_down());
        }
        match command {
            CallCommand::AttendedTransfer { target } => self.attended_transfer(selector, target),
            CallCommand::Transfer { to } => {
                let to = target_uri(&to, &self.spec.domain)?.to_string();
                Ok((self.choose(selector, false)?, CallCommand::Transfer { to }.into()))
            }
            command @ (CallCommand::Answer { .. }
            | CallCommand::Reject { .. }
            | CallCommand::HangUp
            | CallCommand::Hold
            | CallCommand::Resume
            | CallCommand::SendDigits { .. }
            | CallCommand::Play { .. }
            | CallCommand::StopPlaying
            | CallCommand::Record { .. }
            | CallCommand::SetCodecs { .. }) => {
                Ok((self.choose(selector, command.is_for_ringing())?, command.into()))
            }
        }
    }

    fn forward(&self, call: CallId, told: Told, cause: &Cause, reply: Reply) {
        let actor = self.calls.actor(call).cloned();
        let refused = match actor {
            Some(actor) => {
                let message = CallMessage::Command { told, cause: cause.clone(), reply };
                match actor.cast(message) {
                    Ok(()) => None,
                    Err(ractor::MessagingErr::SendErr(CallMessage::Command { reply, .. })) => Some(reply),
                    Err(_) => None,
                }
            }
            None => Some(reply),
        };
        if let Some(reply) = refused {
            answer(reply, Err(Refused::NoCall(call).into()));
        }
    }

    /// Finds the call a selector means; with `ringing`, one that waits for an answer comes first.
    fn choose(&self, selector: &CallSelector, ringing: bool) -> Result<CallId, Rejection> {
        if let Some(call) = selector.call {
            return match self.calls.get(call).filter(|entry| !entry.is_over()) {
                Some(_) => Ok(call),
                None => Err(Refused::NoCall(call).into()),
            };
        }
        let chosen = self.calls.live().find(|(_, entry)| !ringing || entry.inbound && !entry.answered);
        chosen.map(|(call, _)| call).ok_or_else(|| {
            Rejection::from(Refused::NoCallOf(self.id.clone())).or_try([CommandKind::PlaceCall])
        })
    }

    fn hang_up_all(&mut self, cause: &Cause) -> Outcome {
        let calls: Vec<CallId> = self.calls.live().map(|(call, _)| call).collect();
        for call in &calls {
            // Each call replies for itself; nobody waits for these replies.
            let (reply, _) = tokio::sync::oneshot::channel();
            self.forward(*call, CallCommand::HangUp.into(), cause, reply);
        }
        Outcome { calls, ..self.outcome(None) }
    }

    fn attended_transfer(
        &self,
        selector: &CallSelector,
        target: Option<CallId>,
    ) -> Result<(CallId, Told), Rejection> {
        let few = || Rejection::from(Refused::TooFewToTransfer(self.id.clone()));
        let source = self.choose(selector, false).map_err(|_| few())?;
        let newest = self.calls.live().rev().map(|(call, _)| call).find(|call| *call != source);
        let target = target.or(newest).filter(|target| *target != source).ok_or_else(few)?;
        let replacing = Some(self.replacing(target).ok_or_else(few)?);
        let command = CallCommand::AttendedTransfer { target: Some(target) };
        Ok((source, Told { replacing, ..Told::from(command) }))
    }

    /// Goes on at once if the target needs no DNS, otherwise when its name has been resolved.
    async fn towards(&mut self, target: &str, what: What, cause: Cause, reply: Reply) -> Cause {
        let uri = match target_uri(target, &self.spec.domain) {
            Ok(uri) => uri,
            Err(rejection) => {
                answer(reply, Err(rejection));
                return cause;
            }
        };
        let route = self.service_route();
        let next = route.first().unwrap_or(&uri).clone();
        let (asked, of_phone) =
            (Asked { uri, route, what, cause: cause.clone(), reply }, self.spec.transport);
        // RFC 3261 §26.2.2: a SIPS URI asks for TLS on every hop, that to a proxy included.
        let secure = if asked.uri.is_sips() { transport_to(&asked.uri, of_phone).map(drop) } else { Ok(()) };
        match secure.and_then(|()| immediate(&next, of_phone)) {
            Ok(Some(destination)) => return self.go_on(asked, Ok(destination)).await,
            Ok(None) => self.follow(next, Asker::Command(asked)),
            Err(rejection) => answer(asked.reply, Err(rejection)),
        }
        cause
    }

    /// Carries out a command whose destination is now known.
    pub(super) async fn go_on(&mut self, asked: Asked, destination: Result<Destination, String>) -> Cause {
        let Asked { uri, route, what, cause, reply } = asked;
        let done = match (destination, what) {
            // The phone may have begun to close while a name was being resolved.
            _ if self.closing => Err(self.closing_down()),
            (Err(why), _) => Err(Refused::NotResolved { why }.into()),
            (Ok(destination), What::Call { headers }) => {
                let towards = Towards { target: uri, route, destination };
                self.place_call(towards, headers, &cause).await.map(|call| self.outcome(Some(call)))
            }
            (Ok(destination), What::Message { body, content_type }) => {
                let towards = Towards { target: uri, route, destination };
                self.send_message(towards, body, content_type, &cause).map(|()| self.outcome(None))
            }
        };
        answer(reply, done);
        cause
    }

    async fn place_call(
        &mut self,
        Towards { target, route, destination }: Towards,
        headers: Vec<(HeaderName, String)>,
        cause: &Cause,
    ) -> Result<CallId, Rejection> {
        if self.calls.count_placed() >= self.shared.limits.calls_per_phone {
            let limit = self.shared.limits.calls_per_phone;
            return Err(Refused::CallsOfPhone { phone: self.id.clone(), limit }.into());
        }
        let permit = self.shared.call_permit().ok_or(Refused::Calls(self.shared.limits.calls))?;
        let from = self.from.clone().ok_or_else(|| self.no_address())?;
        let mut media = self.open_media().map_err(|error| Refused::NoMediaPort { why: error.to_string() })?;
        let invite = Invite {
            credentials: self.credentials(),
            headers,
            route,
            body: Some(Body::sdp(media.offer())),
            ..Invite::new(target.clone(), from.clone(), destination)
        };
        let call = self.shared.new_call();
        let session = self.agent.invite(Instant::now().into_std(), invite);
        let sip_call_id = self.agent.sip_call_id(session).unwrap_or_default().to_owned();
        let placed = CallEvent::Placed {
            target: target.to_string(),
            local: from.to_string(),
            sip_call_id: sip_call_id.clone(),
        };
        // The engine has only queued the INVITE; it is sent when we drain, after this fact.
        self.append_call(call, placed, cause);
        self.enter(call, session, sip_call_id, false, permit);
        Box::pin(self.spawn_call(call, Beginning::Outbound, media, cause)).await;
        Ok(call)
    }

    fn send_message(
        &mut self,
        Towards { target: to, route, destination }: Towards,
        body: String,
        content_type: String,
        cause: &Cause,
    ) -> Result<(), Rejection> {
        let from = self.from.clone().ok_or_else(|| self.no_address())?;
        let text = to.to_string();
        let sent = PhoneEvent::MessageSent {
            to: text.clone(),
            body: body.clone(),
            content_type: content_type.clone(),
        };
        let sent = self.append(sent, cause);
        let request = OutOfDialog {
            credentials: self.credentials(),
            headers: route.iter().map(|proxy| (HeaderName::Route, format!("<{proxy}>"))).collect(),
            body: Some(Body { content_type, bytes: body.into_bytes() }),
            ..OutOfDialog::new(Method::Message, to.clone(), from, NameAddr::new(to), destination)
        };
        let id = self.agent.request(Instant::now().into_std(), request);
        self.requests.insert(id, Purpose::Message { to: text, sent });
        Ok(())
    }

    fn closing_down(&self) -> Rejection {
        Refused::PhoneLeaves(self.id.clone()).into()
    }

    fn no_address(&self) -> Refused {
        Refused::NoAddressOfRecord { username: self.spec.username.clone(), domain: self.spec.domain.clone() }
    }

    pub(super) fn register(&mut self, cause: &Cause) {
        if let Some(binding) = self.binding.as_mut().filter(|binding| binding.leaving) {
            // Two REGISTERs could overtake each other, so the new binding waits until the old one
            // is gone.
            binding.again = true;
            return;
        }
        let registrar = self.registrar.uri.clone();
        self.append(PhoneEvent::Registering { registrar: registrar.to_string() }, cause);
        let now = Instant::now().into_std();
        match (self.binding, self.aor(), self.credentials()) {
            (Some(Binding { id, .. }), _, credentials) => {
                self.agent.set_credentials(id, credentials);
                self.agent.refresh(now, id);
            }
            (None, Some(aor), credentials) => {
                let destination = self.registrar.destination();
                let registration = Registration {
                    credentials,
                    expires: EXPIRES,
                    ..Registration::new(registrar, aor, destination)
                };
                let id = self.agent.register(now, registration);
                self.binding = Some(Binding { id, held: false, leaving: false, again: false });
            }
            (None, None, _) => {
                let reason = self.no_address().to_string();
                self.append(
                    PhoneEvent::RegistrationFailed { status: None, reason, retry_in_ms: None },
                    cause,
                );
            }
        }
    }

    fn unregister(&mut self, cause: &Cause) {
        match &mut self.binding {
            Some(binding) => {
                (binding.leaving, binding.again) = (true, false);
                self.agent.unregister(Instant::now().into_std(), binding.id);
            }
            // Nothing was bound, so there is nothing to remove.
            None => drop(self.append(PhoneEvent::Unregistered { status: None }, cause)),
        }
    }

    fn update(&mut self, update: PhoneChanges, cause: &Cause) -> Result<(), Rejection> {
        check_built(update.srtp == Some(true))?;
        check_realm(update.realm.as_deref())?;
        let unavailable = unavailable_codecs(update.codecs.as_deref().unwrap_or_default())?;
        let again = update.reregisters();
        let mut codecs = update.codecs.clone().unwrap_or_default();
        codecs.retain(|name| !unavailable.contains(name));
        let spec = &mut self.spec;
        spec.auto_answer = update.auto_answer.unwrap_or(spec.auto_answer);
        spec.recording_enabled = update.recording_enabled.unwrap_or(spec.recording_enabled);
        spec.capture_enabled = update.capture_enabled.unwrap_or(spec.capture_enabled);
        spec.srtp = update.srtp.unwrap_or(spec.srtp);
        spec.realm = update.realm.or(spec.realm.take());
        spec.codecs = update.codecs.or(spec.codecs.take());
        if let Some(password) = update.password {
            self.password = password;
        }
        self.append(PhoneEvent::Updated { spec: self.spec.clone() }, cause);
        self.set_capture(self.spec.capture_enabled, cause);
        let settings = self.settings();
        for (call, entry) in self.calls.iter() {
            if let Some(actor) = entry.actor() {
                // A call that has just ended needs no settings.
                let (settings, cause) = (settings.clone(), cause.clone());
                drop(actor.cast(CallMessage::Settings { settings, cause }));
            }
            if !codecs.is_empty() {
                let (reply, _) = tokio::sync::oneshot::channel();
                self.forward(call, CallCommand::SetCodecs { codecs: codecs.clone() }.into(), cause, reply);
            }
        }
        if again {
            let sessions: Vec<_> = self.calls.sessions().collect();
            sessions.into_iter().for_each(|session| self.give_credentials(session));
            // Changed settings do not register a phone that was added without registering or has
            // unregistered.
            if self.binding.is_some_and(|binding| !binding.leaving || binding.again) {
                self.register(cause);
            }
        }
        Ok(())
    }

    /// Begins closing: calls first, then the binding, then the actor itself.
    pub(super) fn close(&mut self, hang_up: bool, cause: Cause) -> Cause {
        // A phone that stops with its process comes back with the next one.
        if cause != Cause::Stop {
            self.append(PhoneEvent::Dropped {}, &cause);
        }
        match hang_up {
            true => drop(self.hang_up_all(&cause)),
            false => self.drop_calls(&cause),
        }
        match &mut self.binding {
            Some(Binding { held: true, .. }) => self.unregister(&cause),
            // The registrar may still accept it; only then is there something to remove.
            Some(binding) if self.agent.is_registering(binding.id) => {
                (binding.leaving, binding.again) = (true, false);
                self.alarm.limit_registrar(FIRST_ANSWER);
            }
            Some(_) | None => self.binding = None,
        }
        self.begin_closing(&cause);
        cause
    }

    /// Stops anything new from beginning and starts the time limit for what is left.
    pub(super) fn begin_closing(&mut self, cause: &Cause) {
        self.closing = true;
        self.closed_by = cause.clone();
        self.alarm.limit_closing(self.shared.closing_time());
        self.agent.names_are_late(Instant::now().into_std());
    }

    /// Stops the actor once nothing of it is left on the wire.
    pub(super) async fn close_when_quiet(&mut self) {
        if self.closing && self.calls.is_empty() && self.binding.is_none() && self.requests.is_empty() {
            self.closed().await;
        }
    }

    /// Gives up on a first REGISTER that has had no answer.
    pub(super) fn registrar_silent(&mut self) -> Cause {
        self.binding.take_if(|binding| !binding.held);
        Cause::Timer { reason: TimerReason::RegistrarSilent }
    }

    /// Closing has run out of time: what is still up ends without the wire, once the calls have
    /// recorded their ends.
    pub(super) fn close_now(&mut self) -> Cause {
        let cause = Cause::Timer { reason: TimerReason::ClosingLimit };
        let recovered = |purpose: &&Purpose| matches!(purpose, Purpose::Recovery(_));
        let calls = self.calls.live().count() + self.requests.values().filter(recovered).count();
        let bound = self.binding.is_some();
        let then = match self.shared.leaves_calls_open() && calls > 0 {
            true => "its calls stay up in the journal, and the next start ends them",
            false => "what was asked of it may not be done",
        };
        tracing::warn!(phone = %self.id, calls, bound, "the other side has not answered in time: {then}");
        self.out_of_time = true;
        self.binding = None;
        self.stop_recovery(&cause);
        self.drop_calls(&cause);
        cause
    }

    async fn closed(&mut self) {
        if let Some(signaling) = self.signaling.take() {
            self.shared.outbox.emptied().await;
            // Everybody else that held it has finished sending, so its sockets are ours to close.
            if let Some(signaling) = Arc::into_inner(signaling) {
                signaling.close().await;
            }
        }
        if let Some(ending) = self.shared.captures.end(&self.id, &self.closed_by) {
            ending.wait().await;
        }
        self.me.stop(None);
    }
}

/// Replies; the asker may have given up.
fn answer(reply: Reply, result: Result<Outcome, Rejection>) {
    drop(reply.send(result));
}
