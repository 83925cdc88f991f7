//! Whether a phone accepts an incoming call: RFC 3261 §21.4.21 and §21.5.4.
//!
//! Inbound calls have a count of their own, so that they cannot use up the room for calls the phone
//! places.

use offhook_sip::{
    message::{HeaderName, Message, Method, StatusCode},
    user_agent::SessionId,
};
use tokio::time::Instant;

use super::{actor::Shell, evidence::Belonging};
use crate::{
    command::{PhoneCommand, Refused, Rejection},
    net::Flow,
};

/// Retry-After in seconds, for callers that the phone cannot serve now.
pub(super) const RETRY_AFTER: u64 = 10;
/// Inbound calls may not use the last 1/`KEPT` of the process's calls.
const KEPT: usize = 8;

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// The call limit is reached, or the phone is closing.
    Busy,
    /// Not possible right now, for this reason.
    Later(String),
}

impl Shell {
    /// Classifies a message; for an incoming call this also decides whether it is accepted.
    pub(super) fn belonging(&mut self, message: &Message, of_call: bool) -> Belonging {
        if of_call || message.is_response() && self.agent.expects(message) {
            return Belonging::Own;
        }
        let tagged = message.to().is_ok_and(|to| to.tag().is_some());
        if message.is_response() || tagged || self.agent.expects(message) {
            return Belonging::Nothing;
        }
        match message.method() {
            Method::Invite => {
                let refusal = self.refusal();
                let taken = refusal.is_none();
                self.turned_away = refusal;
                if taken { Belonging::Taken } else { Belonging::Nothing }
            }
            Method::Message => Belonging::Taken,
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Info
            | Method::Notify
            | Method::Options
            | Method::Prack
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe
            | Method::Update
            | Method::Extension(_) => Belonging::Nothing,
        }
    }

    /// Returns why an incoming call is refused, if it is.
    fn refusal(&self) -> Option<Away> {
        let limits = &self.shared.limits;
        let kept = limits.calls / KEPT;
        let full = self.calls.count_taken() >= limits.calls_per_phone
            || self.shared.call_permits.available_permits() <= kept;
        if self.closing || full {
            return Some(Away::Busy);
        }
        self.shared.journal.trouble().map(|why| Away::Later(format!("the journal cannot be written: {why}")))
    }

    /// Refuses the call because calls arrive too fast to be recorded.
    pub(super) fn turn_away_unwritten(&mut self) {
        self.turned_away.get_or_insert_with(|| Away::Later("too many calls at once".to_owned()));
    }

    /// Refuses the session if its call was turned away; returns whether it did.
    pub(super) fn turned_away(&mut self, session: SessionId, flow: Flow) -> bool {
        let Some(away) = self.turned_away.take() else { return false };
        let (status, headers, why) = match away {
            Away::Busy => (StatusCode::BUSY_HERE, Vec::new(), "no further call is taken".to_owned()),
            Away::Later(why) => {
                let later = (HeaderName::RetryAfter, RETRY_AFTER.to_string());
                (StatusCode::SERVICE_UNAVAILABLE, vec![later], why)
            }
        };
        if let Some(more) = self.refusals.turn() {
            tracing::warn!(phone = %self.id, remote = %flow.remote, error = %why, more, "incoming call refused");
        }
        let now = Instant::now().into_std();
        if let Err(error) = self.agent.respond(now, session, status, None, None, headers) {
            tracing::debug!(phone = %self.id, %error, "the caller has given up");
        }
        true
    }

    /// Refuses a command that begins a call while the journal cannot keep its facts.
    pub(super) fn cannot_begin(&self, command: &PhoneCommand) -> Option<Rejection> {
        let begins = matches!(command, PhoneCommand::PlaceCall { .. });
        let trouble = begins.then(|| self.shared.journal.trouble()).flatten();
        trouble.map(|why| Refused::FactsNotKept { why }.into())
    }
}
