//! Ending the calls that an earlier life of this phone left up, after a crash of the actor or of
//! the whole process.

use std::net::SocketAddr;

use offhook_sip::{
    dialog::DialogRecord,
    message::{Message, StatusCode},
    user_agent::{Flow, RequestId, Transport},
};
use tokio::time::Instant;

use super::actor::{Purpose, Shell};
use crate::{
    event::{CallEvent, Cause, DialogIdentity, Direction, EndCause, Party, PhoneEvent, RawMessage, SipEvent},
    id::CallId,
};

/// A call that the journal says is up although no actor holds it.
#[derive(Clone, Debug)]
pub(crate) struct Dangling {
    pub(crate) left: Left,
    pub(crate) direction: Direction,
    /// The dialog, if it got that far.
    pub(crate) dialog: Option<DialogIdentity>,
    /// Whether the ACK has arrived, which proves that the other side has our 200.
    pub(crate) established: bool,
    /// The INVITE as last sent or received.
    pub(crate) invite: Option<SipEvent>,
}

/// Which call was left, and what its `call.ended` has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) call: CallId,
    /// What ended the earlier life.
    pub(crate) why: EndCause,
    /// How long the conversation lasted, as far as the journal tells.
    pub(crate) lasted_ms: u64,
}

impl Shell {
    /// Ends each call with a BYE, CANCEL or refusal, and appends its end.
    pub(super) fn recover(&mut self, dangling: &[Dangling], cause: &Cause) {
        for left in dangling {
            let confirmed = left.dialog.as_ref().filter(|dialog| dialog.confirmed);
            let request = match (confirmed, left.direction) {
                (Some(dialog), Direction::Inbound) if !left.established => {
                    // Our 200 may not have been sent. Then the caller is still waiting, and a BYE
                    // cannot end an early dialog (RFC 3261 §15). If it was sent,
                    // another final response is ignored (RFC 6026 §8.4). So send both.
                    self.refuse(left);
                    self.end_dialog(dialog)
                }
                (Some(dialog), _) => self.end_dialog(dialog),
                (None, Direction::Outbound) => self.cancel(left),
                (None, Direction::Inbound) => {
                    self.refuse(left);
                    None
                }
            };
            match request {
                Some(id) => {
                    drop(self.requests.insert(id, Purpose::Recovery(left.left)));
                }
                None => {
                    self.append_recovered(left.left, None, "ended after a restart", cause);
                }
            }
        }
    }

    fn end_dialog(&mut self, dialog: &DialogIdentity) -> Option<RequestId> {
        let record = self.record(dialog)?;
        let credentials = self.credentials();
        Some(self.agent.end_dialog(Instant::now().into_std(), &record, credentials))
    }

    fn record(&self, dialog: &DialogIdentity) -> Option<DialogRecord> {
        Some(DialogRecord {
            call_id: dialog.sip_call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            local_uri: dialog.local_uri.clone(),
            remote_tag: dialog.remote_tag.clone(),
            remote_uri: dialog.remote_uri.clone(),
            local_cseq: dialog.local_cseq,
            remote_cseq: dialog.remote_cseq,
            route_set: dialog.route_set.clone(),
            remote_target: dialog.remote_target.clone(),
            contact: format!("<sip:{}@{}>", self.spec.username, self.local),
            flow: self.flow(dialog.transport, dialog.remote),
            // RFC 3261 §12.1.1: both the URI and the transport must be secure.
            secure: Transport::from(dialog.transport).is_secure()
                && dialog.remote_target.starts_with("sips:"),
        })
    }

    fn flow(&self, transport: crate::event::Transport, remote: SocketAddr) -> Flow {
        Flow { transport: transport.into(), local: self.local, remote }
    }

    fn cancel(&mut self, left: &Dangling) -> Option<RequestId> {
        let Some(SipEvent::Sent { transport, remote, message, .. }) = &left.invite else { return None };
        let invite = parse(message)?;
        let flow = self.flow(*transport, *remote);
        let credentials = self.credentials();
        Some(self.agent.cancel_recorded(Instant::now().into_std(), &invite, flow, credentials))
    }

    fn refuse(&mut self, left: &Dangling) {
        let Some(SipEvent::Received { transport, remote, message, .. }) = &left.invite else { return };
        if let Some(invite) = parse(message) {
            let flow = self.flow(*transport, *remote);
            let tag = left.dialog.as_ref().map(|dialog| dialog.local_tag.clone());
            let status = StatusCode::TEMPORARILY_UNAVAILABLE;
            self.agent.reject_recorded(Instant::now().into_std(), &invite, flow, status, tag);
        }
    }

    /// Stops waiting for responses: calls being ended count as ended, unless they are left to the
    /// next process.
    pub(super) fn stop_recovery(&mut self, cause: &Cause) {
        let left_open = self.shared.leaves_calls_open();
        for purpose in std::mem::take(&mut self.requests).into_values() {
            match purpose {
                Purpose::Recovery(_) if left_open => {}
                Purpose::Recovery(left) => {
                    self.append_recovered(left, None, "nobody answered in time", cause);
                }
                Purpose::Message { to, sent } => {
                    let (reason, sent) = ("the phone was dropped".to_owned(), Some(sent));
                    self.append(PhoneEvent::MessageFailed { to, status: None, reason, sent }, cause);
                }
            }
        }
    }

    /// Appends the end of a call that an earlier life left.
    pub(super) fn append_recovered(&self, left: Left, status: Option<u16>, reason: &str, cause: &Cause) {
        let ended = CallEvent::Ended {
            by: Party::Local,
            cause: left.why,
            status,
            reason: reason.to_owned(),
            duration_ms: left.lasted_ms,
        };
        self.append_call(left.call, ended, cause);
    }
}

/// Parses a message of the journal; the digest response in it is redacted, but no CANCEL needs it.
fn parse(message: &RawMessage) -> Option<Message> {
    match message {
        RawMessage::Text(text) => Message::parse(text.as_bytes()).ok(),
        // An INVITE of ours is always text; a binary one from the other side is left to time out
        // there.
        RawMessage::Base64(_) => None,
    }
}
