//! Whether a message can be used at all, and what to answer if not.
//!
//! RFC 3261 §8.2 (what a UAS checks before anything else), §8.1.3.5 and §16.7 (responses are dropped), with the
//! judgements of RFC 4475. Method, extensions and body types are the user agent's decision.

use super::defect::Fault;
use super::examine::is_fatal;
use super::status::StatusCode;
use super::wire::Message;

/// What to do with a message that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Answer the request with this status.
    Answer {
        /// The status to send.
        status: StatusCode,
        /// The reason phrase to send.
        reason: &'static str,
    },
    /// Drop it: a response, an ACK, or a request without what a response needs.
    Discard {
        /// Why, for the journal.
        reason: &'static str,
    },
}

impl Rejected {
    /// Returns the status to answer with; `None` if the message is to be dropped.
    #[must_use]
    pub fn status(self) -> Option<StatusCode> {
        match self {
            Self::Answer { status, .. } => Some(status),
            Self::Discard { .. } => None,
        }
    }

    /// Returns why.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Answer { reason, .. } | Self::Discard { reason } => reason,
        }
    }
}

/// Checks that a message can be handed to a user agent.
///
/// # Errors
/// Says what to answer, or that the message is to be dropped.
pub fn validate(message: &Message) -> Result<(), Rejected> {
    let verdict = message.examine().into_iter().find_map(|defect| is_fatal(message, &defect.what));
    let Some((status, reason)) = verdict else { return Ok(()) };
    if message.is_response() || message.method() == super::Method::Ack || !is_answerable(message) {
        return Err(Rejected::Discard { reason });
    }
    Err(Rejected::Answer { status, reason })
}

/// A response needs the way back and the identity of the request.
fn is_answerable(message: &Message) -> bool {
    let lost = |fault: &Fault| matches!(fault, Fault::Missing(super::HeaderName::Via));
    message.top_via().is_ok() && !message.examine().iter().any(|defect| lost(&defect.what))
}
