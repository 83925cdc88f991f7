//! The phone's side of its calls: session events in, signaling out, children under supervision.

use offhook_sip::{
    dialog::DialogRecord,
    message::{HeaderName, Message, StatusCode, Uri},
    session::SessionEvent,
    user_agent::{Body, CSEQ_JUMP, RequestId, SessionId},
};
use ractor::ActorId;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{actor::Shell, call_table::CallEntry};
use crate::{
    call::{Beginning, CallMedia, CallMessage, CallSettings, Request, ToPhone},
    capture::CapturedCall,
    event::{CallEvent, Cause, DialogIdentity, EndCause, Event, Party},
    id::CallId,
};

/// How long the messages of an ended call may be retransmitted: Timer H, 64·T1 (RFC 3261 §17).
const LINGERING: std::time::Duration = std::time::Duration::from_secs(32);

impl Shell {
    /// Appends a fact about one of this phone's calls.
    pub(super) fn append_call(&self, call: CallId, event: impl Into<Event>, cause: &Cause) -> crate::id::Seq {
        self.shared.journal.append(self.subject(Some(call)), cause.clone(), event)
    }

    pub(super) fn settings(&self) -> CallSettings {
        CallSettings { recording: self.spec.recording_enabled, codecs: self.spec.codecs.clone() }
    }

    /// Opens the media ports of a new call.
    pub(super) fn open_media(&mut self) -> std::io::Result<CallMedia> {
        self.calls_made += 1;
        let seed = self.shared.seed ^ (self.life << 48) ^ self.calls_made.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let ip = self.local.ip();
        let codecs = self.spec.codecs.as_deref();
        CallMedia::open(&self.shared.hub, &*self.shared.network, ip, self.id.clone(), seed, codecs)
    }

    /// Handles one event of a session; most go on to the call's actor.
    pub(super) async fn session_event(&mut self, session: SessionId, event: SessionEvent, cause: &Cause) {
        if let SessionEvent::Incoming { invite, offer, .. } = event {
            return self.incoming(session, &invite, offer, cause).await;
        }
        let Some(call) = self.calls.of_session(session) else { return };
        self.journal_dialog(call, session, cause);
        let ended = matches!(event, SessionEvent::Ended { .. });
        if matches!(event, SessionEvent::Answered { .. } | SessionEvent::Acknowledged { .. }) {
            self.calls.began(call, Instant::now());
        }
        if let SessionEvent::Message { message, .. } = &event {
            self.message_received(message, cause);
        }
        let actor = self.calls.actor(call).cloned();
        match actor {
            Some(actor) => {
                let message = self.for_actor(call, event, cause);
                // If the call has just failed, a supervision event tells us.
                drop(actor.cast(message));
            }
            None => {
                self.orphan_event(call, event, cause);
                if ended {
                    self.forget(call);
                }
            }
        }
        // Its actor still has to record the end; the call is forgotten once that actor has stopped.
        if ended {
            self.calls.set_over(call);
            self.shared.captures.call_ended(&self.id, call);
        }
    }

    /// Starts or ends the capture; the calls that are up are in it from now on.
    pub(super) fn set_capture(&self, on: bool, cause: &Cause) {
        let captures = &self.shared.captures;
        if !on {
            // A thread completes the file; nobody waits for it.
            drop(captures.end(&self.id, cause));
            return;
        }
        let up = self.calls.live().map(|(call, entry)| CapturedCall {
            call,
            sip_call_id: entry.sip_call_id.clone(),
            rtp_port: entry.rtp_port,
            inbound: entry.inbound,
        });
        captures.begin(&self.id, up.collect(), cause);
    }

    /// Translates a session event for the call's actor, which knows its digits and its transfer but
    /// not the requests that carry them.
    fn for_actor(&mut self, call: CallId, event: SessionEvent, cause: &Cause) -> CallMessage {
        let cause = cause.clone();
        let entry = self.calls.get_mut(call);
        match (&event, entry) {
            (SessionEvent::RequestDone { request, outcome }, Some(entry)) if entry.info == Some(*request) => {
                entry.info = None;
                let status = outcome.as_ref().ok().and_then(Message::status);
                CallMessage::InfoDone { accepted: status.is_some_and(StatusCode::is_success), cause }
            }
            (SessionEvent::RequestDone { request, outcome }, Some(entry))
                if entry.refer == Some(*request) =>
            {
                entry.refer = None;
                let (status, reason) = match outcome {
                    Ok(response) => (
                        response.status().map(|status| status.code()),
                        response.reason().unwrap_or_default().into_owned(),
                    ),
                    Err(failure) => (None, failure.to_string()),
                };
                CallMessage::ReferDone { status, reason, cause }
            }
            _ => CallMessage::Sip { event: Box::new(event), cause, unsent: self.unsent.clone() },
        }
    }

    /// Tells a call that a provisional response has arrived.
    pub(super) fn heard(&self, call: CallId) {
        let entry = self.calls.get(call).filter(|entry| !entry.inbound && !entry.is_over());
        if let Some(actor) = entry.and_then(CallEntry::actor) {
            // A call that has just ended waits for nothing.
            drop(actor.cast(CallMessage::Heard));
        }
    }

    /// Forgets a call whose actor has stopped.
    pub(super) fn call_stopped(&mut self, actor: ActorId) {
        if let Some(call) = self.calls.of_actor(actor) {
            self.forget(call);
        }
    }

    /// Handles events of a session whose call has failed: only its end matters.
    fn orphan_event(&self, call: CallId, event: SessionEvent, cause: &Cause) {
        if let SessionEvent::Ended { status, .. } = event {
            self.append_crashed(call, status.map(|status| status.code()), cause);
        }
    }

    fn append_crashed(&self, call: CallId, status: Option<u16>, cause: &Cause) {
        let ended = CallEvent::Ended {
            by: Party::Local,
            cause: EndCause::Crashed,
            status,
            reason: "the call's actor failed".to_owned(),
            duration_ms: self.calls.lasted_ms(call),
        };
        self.append_call(call, ended, cause);
    }

    /// Ends all calls without waiting for the wire.
    pub(super) fn drop_calls(&mut self, cause: &Cause) {
        let orphans: Vec<CallId> =
            self.calls.iter().filter(|(_, entry)| entry.actor().is_none()).map(|(call, _)| call).collect();
        let left_open = self.shared.leaves_calls_open();
        for call in orphans {
            if !left_open {
                self.append_crashed(call, None, cause);
            }
            self.forget(call);
        }
        for actor in self.calls.iter().filter_map(|(_, entry)| entry.actor()) {
            // A call that has just ended has recorded its end.
            drop(actor.cast(CallMessage::PhoneDropped { cause: cause.clone(), left_open }));
        }
    }

    async fn incoming(
        &mut self,
        session: SessionId,
        invite: &Message,
        offer: Option<Vec<u8>>,
        cause: &Cause,
    ) {
        let now = Instant::now().into_std();
        let opened = match self.shared.call_permit() {
            None => Err(std::io::Error::other("no further call is taken")),
            Some(permit) => self.open_media().map(|media| (media, permit)),
        };
        let (media, permit) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if let Some(more) = self.refusals.turn() {
                    tracing::warn!(phone = %self.id, %error, more, "incoming call refused");
                }
                let refused = self.agent.respond(now, session, StatusCode::BUSY_HERE, None, None, Vec::new());
                return self.note_refusal(refused);
            }
        };
        let call = self.shared.new_call();
        let text = |name| invite.header(name).unwrap_or_default().into_owned();
        let sip_call_id = text(HeaderName::CallId);
        let incoming = CallEvent::Incoming {
            remote: text(HeaderName::From),
            local: text(HeaderName::To),
            sip_call_id: sip_call_id.clone(),
            contact: invite.header(HeaderName::Contact).map(std::borrow::Cow::into_owned),
        };
        let seq = self.append_call(call, incoming, cause);
        self.enter(call, session, sip_call_id, true, permit);
        // A proxy may challenge our BYE or re-INVITE even in an inbound call.
        self.give_credentials(session);
        let beginning =
            Beginning::Inbound { offer, invite: cause.clone(), auto_answer: self.spec.auto_answer };
        Box::pin(self.spawn_call(call, beginning, media, &Cause::Event { seq })).await;
    }

    /// Gives a session the phone's current credentials.
    pub(super) fn give_credentials(&mut self, session: SessionId) {
        let given = self.agent.set_session_credentials(session, self.credentials());
        self.note_refusal(given);
    }

    pub(super) fn enter(
        &mut self,
        call: CallId,
        session: SessionId,
        sip_call_id: String,
        inbound: bool,
        permit: OwnedSemaphorePermit,
    ) {
        self.forget_long_ended();
        self.calls.enter(call, CallEntry::new(session, sip_call_id.clone(), inbound, permit));
        self.sip_call_ids.insert(sip_call_id, call);
    }

    /// Forgets a call whose session is over; its Call-ID still leads to it while its transactions
    /// linger.
    fn forget(&mut self, call: CallId) {
        self.shared.captures.call_ended(&self.id, call);
        if let Some(entry) = self.calls.remove(call) {
            self.lingering.push_back((Instant::now(), entry.sip_call_id, call));
        }
    }

    /// Forgets the Call-IDs of calls whose messages can no longer be retransmitted.
    fn forget_long_ended(&mut self) {
        while self.lingering.front().is_some_and(|(ended, ..)| ended.elapsed() > LINGERING) {
            let Some((_, sip_call_id, call)) = self.lingering.pop_front() else { return };
            if self.sip_call_ids.get(&sip_call_id) == Some(&call) {
                self.sip_call_ids.remove(&sip_call_id);
            }
        }
    }

    /// Appends the dialog's identity when it is new or has changed.
    fn journal_dialog(&mut self, call: CallId, session: SessionId, cause: &Cause) {
        let Some((record, confirmed)) = self.agent.live_dialog(session) else { return };
        let Some(entry) = self.calls.get_mut(call) else { return };
        if !entry.dialog.as_ref().is_some_and(|known| is_still(known, record, confirmed)) {
            let dialog = identity(record, confirmed);
            entry.dialog = Some(dialog.clone());
            self.append_call(call, CallEvent::Dialog { dialog }, cause);
        }
    }

    /// Carries out what a call asks for.
    pub(super) fn perform(&mut self, asked: ToPhone) -> Cause {
        let ToPhone { call, cause, request } = asked;
        let now = Instant::now().into_std();
        let Some(entry) = self.calls.get_mut(call) else { return cause };
        let session = entry.session;
        let done = match request {
            Request::Respond { status, sdp } => {
                entry.answered |= status >= 200;
                let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
                self.agent.respond(now, session, status, None, sdp.map(Body::sdp), Vec::new())
            }
            Request::HangUp => {
                entry.answered = true;
                self.agent.hang_up(now, session, Vec::new()).map(|_| ())
            }
            Request::Reinvite { sdp } => {
                let sent = self.agent.reinvite(now, session, Body::sdp(sdp));
                if let (Err(error), Some(actor)) = (&sent, entry.actor()) {
                    let reason = format!("the re-INVITE cannot be sent now: {error}");
                    // A call that is over needs no reply.
                    drop(actor.cast(CallMessage::ReinviteRefused { reason, cause: cause.clone() }));
                }
                sent
            }
            Request::Refer { to } => {
                let referred_by = self.from.iter().map(|from| (HeaderName::ReferredBy, from.to_string()));
                let sent = self.agent.refer(now, session, &to, referred_by.collect());
                entry.refer = sent.as_ref().ok().copied();
                if let (Err(error), Some(actor)) = (&sent, entry.actor()) {
                    let reason = format!("the REFER cannot be sent now: {error}");
                    // A call that is over needs no reply.
                    drop(actor.cast(CallMessage::ReferDone { status: None, reason, cause: cause.clone() }));
                }
                sent.map(|_: RequestId| ())
            }
            Request::Info { content_type, body } => {
                let body = Body { content_type: content_type.to_owned(), bytes: body.into_bytes() };
                let sent = self.agent.info(now, session, body);
                entry.info = sent.as_ref().ok().copied();
                if let (None, Some(actor)) = (entry.info, entry.actor()) {
                    // A call that is over needs no reply.
                    drop(actor.cast(CallMessage::InfoDone { accepted: false, cause: cause.clone() }));
                }
                sent.map(|_: RequestId| ())
            }
            Request::Reply { request, status } => {
                self.reply(request, StatusCode::new(status).unwrap_or(StatusCode::OK));
                Ok(())
            }
        };
        self.note_refusal(done);
        // The response just sent may have established the dialog (RFC 3261 §12.1.1).
        self.journal_dialog(call, session, &cause);
        cause
    }

    /// Logs a refusal by the engine, which means that the other side was faster; its event is on
    /// its way to the call.
    fn note_refusal<T, E: std::fmt::Display>(&self, result: Result<T, E>) {
        if let Err(error) = result {
            tracing::debug!(phone = %self.id, %error, "the session has moved on");
        }
    }

    /// Handles the failure of a call's actor: its session is ended on the wire, other calls go on.
    pub(super) fn call_failed(&mut self, actor: ActorId, error: &str) -> Cause {
        self.calls.of_actor(actor).map_or(Cause::Failure, |call| self.abandon(call, error))
    }

    /// Gives up a call that has lost its actor, and returns the cause of what follows.
    pub(super) fn abandon(&mut self, call: CallId, error: &str) -> Cause {
        tracing::error!(phone = %self.id, call = %call, error, "call failed");
        let crashed = CallEvent::Crashed { reason: error.to_owned() };
        let cause = Cause::Event { seq: self.append_call(call, crashed, &Cause::Failure) };
        self.calls.orphan(call);
        let Some(entry) = self.calls.get(call) else { return cause };
        let (session, over) = (entry.session, entry.is_over());
        if over || self.out_of_time {
            // Its session will report nothing more.
            if over || !self.shared.leaves_calls_open() {
                self.append_crashed(call, None, &cause);
            }
            self.forget(call);
        } else {
            let ended = self.agent.hang_up(Instant::now().into_std(), session, Vec::new());
            self.note_refusal(ended);
        }
        cause
    }

    /// Returns a Refer-To that makes its recipient replace `target`'s dialog (RFC 3891 §3,
    /// RFC 5589 §7).
    pub(super) fn replacing(&self, target: CallId) -> Option<String> {
        let session = self.calls.get(target)?.session;
        let (dialog, _) = self.agent.live_dialog(session)?;
        // Tags are as the recipient sees them: `to-tag` is its own, which is remote to us.
        let replaces =
            format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.remote_tag, dialog.local_tag);
        // RFC 3891: only the device that has the dialog can match it, and its Contact leads there.
        let target = Uri::parse(&dialog.remote_target).ok()?;
        Some(format!("<{}>", target.without_headers().with_header("Replaces", &replaces)))
    }
}

/// Returns whether a dialog is still as the journal has it. CSeq numbers change with every request,
/// so small changes do not count: a restart jumps ahead of them, but only so far.
fn is_still(known: &DialogIdentity, record: &DialogRecord, confirmed: bool) -> bool {
    let DialogIdentity {
        sip_call_id,
        local_uri,
        local_tag,
        remote_uri,
        remote_tag,
        local_cseq,
        remote_cseq: _,
        route_set,
        remote_target,
        transport,
        remote,
        confirmed: was_confirmed,
    } = known;
    confirmed == *was_confirmed
        && record.local_cseq.saturating_sub(*local_cseq) < CSEQ_JUMP / 2
        && *remote_tag == record.remote_tag
        && *remote_target == record.remote_target
        && *route_set == record.route_set
        && *remote == record.flow.remote
        && *transport == record.flow.transport.into()
        && *local_tag == record.local_tag
        && *sip_call_id == record.call_id
        && *local_uri == record.local_uri
        && *remote_uri == record.remote_uri
}

/// Returns a dialog as the journal keeps it.
fn identity(record: &DialogRecord, confirmed: bool) -> DialogIdentity {
    DialogIdentity {
        sip_call_id: record.call_id.clone(),
        local_uri: record.local_uri.clone(),
        local_tag: record.local_tag.clone(),
        remote_uri: record.remote_uri.clone(),
        remote_tag: record.remote_tag.clone(),
        local_cseq: record.local_cseq,
        remote_cseq: record.remote_cseq,
        route_set: record.route_set.clone(),
        remote_target: record.remote_target.clone(),
        transport: record.flow.transport.into(),
        remote: record.flow.remote,
        confirmed,
    }
}
