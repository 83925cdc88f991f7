//! Emptying the engine: messages go to the wire, events to the journal, the calls and whoever waits
//! for them.

use std::borrow::Cow;

use offhook_sip::{
    message::{HeaderName, Message, Method, StatusCode},
    registration::RegistrationEvent,
    session::SessionEvent,
    user_agent::{Event, IncomingId, Output, ReplyError, RequestFailure, RequestId, Transmit},
};
use tokio::time::Instant;

use super::{
    actor::{Purpose, Shell},
    alarm::timer_reason,
    evidence::Belonging,
    gate::RETRY_AFTER,
    names::Asker,
    outbox::Parcel,
    target::failed_over,
    wire::{self, summarize},
};
use crate::event::{Cause, PhoneEvent, SipEvent};

impl Shell {
    /// Takes outputs until the engine names its next deadline.
    pub(super) async fn drain(&mut self, cause: &Cause) {
        let mut transmits = Vec::new();
        let mut cause = Cow::Borrowed(cause);
        let next = loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) => {
                    // A keep-alive is two line breaks; nobody will ever assert on it.
                    if let Some(message) = transmit.message() {
                        self.append_sent(message, &transmit, &cause);
                    }
                    transmits.push(transmit);
                }
                Output::Event(event) => self.engine_event(event, &cause).await,
                Output::Fired(reason) => {
                    cause = Cow::Owned(Cause::Timer { reason: timer_reason(reason) });
                }
                Output::Timeout(next) => break next,
            }
        };
        self.alarm.follow_engine(next);
        self.send(transmits);
    }

    /// Sends the messages of a drain, once its facts are on disk, such as the dialog that an ACK
    /// completes.
    fn send(&self, transmits: Vec<Transmit>) {
        if let Some(signaling) = self.signaling.clone().filter(|_| !transmits.is_empty()) {
            let after = self.shared.journal.head();
            self.shared.outbox.post(Parcel { after, transmits, signaling, phone: self.me.clone() });
        }
    }

    fn append_sent(&mut self, message: &Message, transmit: &Transmit, cause: &Cause) {
        let call = message.header(HeaderName::CallId).and_then(|id| self.sip_call_ids.get(&*id)).copied();
        if !self.records(message, transmit, call.is_some()) {
            return;
        }
        let sent = wire::sent(transmit, summarize(message));
        self.shared.journal.append(self.subject(call), cause.clone(), sent);
    }

    /// Decides whether a message being sent is recorded. Requests always are; a response is if its
    /// request was. Retransmitted responses that belong to no call are limited like other messages
    /// that belong to nothing.
    fn records(&mut self, message: &Message, transmit: &Transmit, of_call: bool) -> bool {
        let again = transmit.is_retransmission();
        if !again && !message.is_response() {
            return true;
        }
        let length = message.bytes().len();
        if self.evidence.silent {
            self.evidence.leave_out(length);
            return false;
        }
        !again || of_call || !message.is_response() || self.evidence.admits(Belonging::Nothing, length)
    }

    async fn engine_event(&mut self, event: Event, cause: &Cause) {
        match event {
            Event::Registration { event, .. } => self.registration_event(event, cause),
            Event::Session { id, event: SessionEvent::Incoming { flow, .. } }
                if self.turned_away(id, flow) => {}
            Event::Session { id, event } => self.session_event(id, event, cause).await,
            Event::Request { id, message, .. } => self.request(id, &message, cause),
            Event::Response { id, provisional: false, outcome } => self.response(id, outcome, cause),
            Event::Response { provisional: true, .. } => {}
            Event::Resolve { uri, session } => {
                self.follow(uri.clone(), Asker::Engine { uri, session, cause: cause.clone() });
            }
            Event::FailedOver { method, session, from, to, why } => {
                let call = session.and_then(|session| self.calls.of_session(session));
                let event = failed_over(&method, (from.transport, from.remote), to, why);
                self.shared.journal.append(self.subject(call), cause.clone(), event);
            }
            Event::Anomaly { what, flow, .. } => {
                // An anomaly about a recorded message is limited along with it.
                let of_message = matches!(cause, Cause::Sip { .. });
                if of_message || self.evidence.admits_anomaly() {
                    self.append(SipEvent::anomaly(what.to_string(), flow.remote), cause);
                }
            }
        }
    }

    fn registration_event(&mut self, event: RegistrationEvent, cause: &Cause) {
        match event {
            RegistrationEvent::Challenged { .. } => {}
            RegistrationEvent::Registered { expires, status, reason, .. } => {
                if let Some(binding) = &mut self.binding {
                    binding.held = true;
                    if binding.leaving {
                        self.agent.unregister(Instant::now().into_std(), binding.id);
                    }
                }
                tracing::info!(phone = %self.id, expires_s = expires.as_secs(), "registered");
                let registered =
                    PhoneEvent::Registered { status: status.code(), reason, expires_s: expires.as_secs() };
                self.append(registered, cause);
            }
            RegistrationEvent::Unregistered { status } => {
                self.append(PhoneEvent::Unregistered { status: Some(status.code()) }, cause);
                self.binding_left(cause);
            }
            RegistrationEvent::Failed { status, reason, retry_in } => {
                // The event tells everybody who asked, and a scenario may even expect it.
                tracing::info!(phone = %self.id, error = %reason, "registration refused");
                let failed = PhoneEvent::RegistrationFailed {
                    status: status.map(|status| status.code()),
                    reason: self.unsent.clone().unwrap_or(reason),
                    retry_in_ms: retry_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                };
                self.append(failed, cause);
                // A 2xx that does not list our contact may have bound it all the same, so a phone
                // that leaves removes it.
                if let Some(binding) = &mut self.binding {
                    binding.held |= status.is_some_and(StatusCode::is_success);
                }
                self.binding_left(cause);
            }
        }
    }

    /// The engine's handle is dead once a removal is over, however it went.
    fn binding_left(&mut self, cause: &Cause) {
        if let Some(left) = self.binding.take_if(|binding| binding.leaving)
            && left.again
        {
            self.register(cause);
        }
    }

    /// Answers a request that belongs to no call.
    fn request(&mut self, id: IncomingId, message: &Message, cause: &Cause) {
        let status = match message.method() {
            Method::Message if self.evidence.silent => {
                // An accepted MESSAGE must be recorded; if it cannot be, it is not accepted
                // (§21.5.4).
                let later = message.response_to(StatusCode::SERVICE_UNAVAILABLE, None);
                let later = later.header(HeaderName::RetryAfter, RETRY_AFTER);
                let replied = self.agent.reply(Instant::now().into_std(), id, later);
                return self.note_reply(replied);
            }
            Method::Message => {
                self.message_received(message, cause);
                StatusCode::OK
            }
            // The engine raises no others.
            Method::Notify
            | Method::Subscribe
            | Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Options
            | Method::Info
            | Method::Refer
            | Method::Publish
            | Method::Prack
            | Method::Update
            | Method::Extension(_) => StatusCode::NOT_IMPLEMENTED,
        };
        self.reply(id, status);
    }

    pub(super) fn reply(&mut self, id: IncomingId, status: StatusCode) {
        let replied = self.agent.reply_status(Instant::now().into_std(), id, status);
        self.note_reply(replied);
    }

    fn note_reply(&self, replied: Result<(), ReplyError>) {
        if let Err(error) = replied {
            tracing::debug!(phone = %self.id, %error, "request can no longer be answered");
        }
    }

    pub(super) fn message_received(&self, message: &Message, cause: &Cause) {
        let text = |name| message.header(name).unwrap_or_default().into_owned();
        let uri = |address: Result<offhook_sip::message::NameAddr, _>| {
            address.map(|address| address.uri.to_string()).unwrap_or_default()
        };
        let received = PhoneEvent::MessageReceived {
            from: uri(message.from()),
            to: uri(message.to()),
            body: String::from_utf8_lossy(message.body()).into_owned(),
            content_type: text(HeaderName::ContentType),
        };
        self.append(received, cause);
    }

    /// Handles the final outcome of a request outside any call.
    fn response(&mut self, id: RequestId, outcome: Result<Message, RequestFailure>, cause: &Cause) {
        let (status, reason) = match &outcome {
            Ok(message) => (
                message.status().map(|status| status.code()),
                message.reason().unwrap_or_default().into_owned(),
            ),
            Err(failure) => (None, self.unsent.clone().unwrap_or_else(|| failure.to_string())),
        };
        match self.requests.remove(&id) {
            Some(Purpose::Message { to, sent }) => {
                let sent = Some(sent);
                let event = match status {
                    Some(status @ 200..=299) => PhoneEvent::MessageDelivered { to, status, sent },
                    _ => PhoneEvent::MessageFailed { to, status, reason, sent },
                };
                self.append(event, cause);
            }
            Some(Purpose::Recovery(left)) => self.append_recovered(left, status, &reason, cause),
            None => {}
        }
    }
}
