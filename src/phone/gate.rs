//! Whether a phone takes the call that somebody offers: RFC 3261 §21.4.21 and §21.5.4.
//!
//! What strangers take is counted by itself, so that the calls that the phone places find their places.

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

/// Seconds after which a caller may try again whom the phone cannot serve now.
pub(super) const RETRY_AFTER: u64 = 10;
/// The part of all calls of the process that callers leave alone: one in so many.
const KEPT: usize = 8;

/// Why a call is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// There are as many calls as there may be, or the phone closes.
    Busy,
    /// Not now.
    Later(String),
}

impl Shell {
    /// Tells what a message is to this phone; of a call that is offered, it decides here whether it is taken.
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

    /// Returns why no further call is taken.
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

    /// Says that a call comes too fast to be written down, and so to be taken.
    pub(super) fn turn_away_unwritten(&mut self) {
        self.turned_away.get_or_insert_with(|| Away::Later("too many calls at once".to_owned()));
    }

    /// Refuses a call that is not taken; tells whether it was one.
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

    /// Returns why a command is refused that begins a call whose facts could not be kept.
    pub(super) fn cannot_begin(&self, command: &PhoneCommand) -> Option<Rejection> {
        let begins = matches!(command, PhoneCommand::PlaceCall { .. });
        let trouble = begins.then(|| self.shared.journal.trouble()).flatten();
        trouble.map(|why| Refused::FactsNotKept { why }.into())
    }
}
