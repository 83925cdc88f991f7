//! Whether a message can be used at all, and what to answer if not.
//!
//! RFC 3261 §8.2 (what a UAS checks before anything else), §8.2.2 (malformed headers that are not
//! needed are ignored), §8.1.3.3 and §18.3 (responses are dropped), with the judgements of
//! RFC 4475. A response has somebody waiting for it, so only faults in what it is matched and
//! acknowledged by make us drop it. Methods, extensions and body types are the user agent's
//! decision.

use super::defect::{Defect, Fault};
use super::header::{HeaderFault, HeaderName};
use super::method::Method;
use super::status::StatusCode;
use super::uri::Scheme;
use super::wire::Message;

/// A longer Request-URI is refused with 414; no phone number or token in use comes near it.
const MAX_REQUEST_URI: usize = 8 * 1024;

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
    /// Drop it: a response, an ACK, or a request that does not say where a response goes.
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
    inspect(message).map(drop)
}

/// Does the same check and returns the first header fault that does not matter here.
pub(crate) fn inspect(message: &Message) -> Result<Option<Defect>, Rejected> {
    let defects = message.examine();
    let Some((status, reason)) = worst(message, &defects) else {
        return Ok(defects.into_iter().find(is_about_a_header));
    };
    let silent = message.is_response() || message.method() == Method::Ack || message.top_via().is_err();
    Err(if silent { Rejected::Discard { reason } } else { Rejected::Answer { status, reason } })
}

fn is_about_a_header(defect: &Defect) -> bool {
    matches!(defect.what, Fault::Header(..) | Fault::Repeated(_))
}

type Verdict = (StatusCode, &'static str);

fn worst(message: &Message, defects: &[Defect]) -> Option<Verdict> {
    if defects.iter().any(|defect| defect.what == Fault::Version) {
        // The rest of a message of another version cannot be judged by the rules of this one.
        return Some((StatusCode::VERSION_NOT_SUPPORTED, "Version Not Supported"));
    }
    let mismatch = defects.iter().any(|defect| defect.what == Fault::MethodMismatch);
    if mismatch && message.method().is_extension() {
        return Some((StatusCode::NOT_IMPLEMENTED, "Not Implemented"));
    }
    let malformed = defects.iter().find_map(|defect| fatal(message, &defect.what));
    malformed
        .map(|reason| (StatusCode::BAD_REQUEST, reason))
        .or_else(|| request_uri(message))
        .or_else(|| vias(message))
}

fn request_uri(message: &Message) -> Option<Verdict> {
    let uri = message.request_uri()?;
    if uri.as_str().len() > MAX_REQUEST_URI {
        return Some((StatusCode::REQUEST_URI_TOO_LONG, "Request-URI Too Long"));
    }
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => None,
        Scheme::Other(_) => Some((StatusCode::UNSUPPORTED_URI_SCHEME, "Unsupported URI Scheme")),
    }
}

/// RFC 3261 §8.1.3.3: a response with more than one Via went astray.
fn vias(message: &Message) -> Option<Verdict> {
    let astray = message.is_response() && message.values(HeaderName::Via).len() > 1;
    astray.then_some((StatusCode::BAD_REQUEST, "More Than One Via"))
}

/// Returns the reason phrase if this fault alone makes a message unusable.
fn fatal(message: &Message, fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Status => Some("Bad Status Code"),
        Fault::Method => Some("Bad Method"),
        Fault::RequestUri(_) => Some("Bad Request-URI"),
        Fault::RequestUriHeaders => Some("Headers In Request-URI"),
        Fault::Unterminated => Some("Missing Empty Line"),
        Fault::ContentLength => message.is_request().then_some("Bad Content-Length"),
        Fault::BodyTruncated => Some("Body Shorter Than Content-Length"),
        Fault::MethodMismatch => Some("CSeq Method Mismatch"),
        Fault::Missing(name) => is_identity(message, name).then_some("Missing Mandatory Header"),
        Fault::Repeated(name) => {
            let ends = matches!(message.method(), Method::Bye | Method::Cancel);
            let framing =
                matches!(name, HeaderName::MaxForwards) && !ends || matches!(name, HeaderName::ContentLength);
            (framing && message.is_request() || is_identity(message, name)).then_some("Repeated Header")
        }
        Fault::Header(name, cause) => fatal_header(message, name, *cause),
        Fault::BareLineFeed
        | Fault::StartLineSpacing
        | Fault::Version
        | Fault::NoColon
        | Fault::HeaderName
        | Fault::NotUtf8
        | Fault::ControlByte
        | Fault::NoFromTag
        | Fault::EmptyBranch
        | Fault::Multipart
        | Fault::LineBreakRemoved => None,
    }
}

/// The headers without which a message cannot be told apart from others.
///
/// A response is matched by Via and CSeq (§17.1.3); only a 2xx to INVITE also needs the headers
/// that its dialog is made from (§12.1.2).
fn is_identity(message: &Message, name: &HeaderName) -> bool {
    match message.status() {
        None => [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
            .contains(name),
        Some(_) if [HeaderName::Via, HeaderName::CSeq].contains(name) => true,
        Some(status) => {
            let dialog = status.is_success() && message.method() == Method::Invite;
            dialog && [HeaderName::To, HeaderName::CallId].contains(name)
        }
    }
}

/// Tells whether a request cannot be served without this header; one that is not needed is ignored
/// (§8.2.2).
fn is_needed(request: &Message, name: &HeaderName) -> bool {
    let method = request.method();
    // §12.1.1: the dialog that a request asks for takes its target and its route set from it; §12.2.2: later requests
    // refresh the target only.
    let target = !matches!(
        method,
        Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Message
            | Method::Info
            | Method::Publish
            | Method::Prack
    );
    // BYE and CANCEL end a call whatever their hop count.
    let ends = matches!(method, Method::Bye | Method::Cancel);
    *name == HeaderName::ContentLength
        || *name == HeaderName::MaxForwards && !ends
        || *name == HeaderName::Contact && target
        || *name == HeaderName::RecordRoute && target && request.to_tag().is_none()
}

/// Tells whether even the tolerant reader of an identity header fails.
fn cannot_be_read(response: &Message, name: &HeaderName) -> bool {
    *name == HeaderName::Via && response.top_via().is_err()
        || *name == HeaderName::CSeq && response.cseq().is_err()
        || *name == HeaderName::To && response.to().is_err()
        || *name == HeaderName::CallId && response.call_id().is_err()
}

fn fatal_header(message: &Message, name: &HeaderName, cause: HeaderFault) -> Option<&'static str> {
    let matters = match message.is_response() {
        true => is_identity(message, name) && cannot_be_read(message, name),
        false => is_identity(message, name) || is_needed(message, name),
    };
    if !matters {
        return None;
    }
    let harmless = match cause {
        HeaderFault::Space | HeaderFault::Date => true,
        // An overlarge lifetime counts as the default one (RFC 4475 §3.1.2.4), and more than 255
        // hops are still hops.
        HeaderFault::Range => !is_identity(message, name) && *name != HeaderName::ContentLength,
        HeaderFault::Missing
        | HeaderFault::Empty
        | HeaderFault::Syntax
        | HeaderFault::Number
        | HeaderFault::Unbalanced
        | HeaderFault::Parameter
        | HeaderFault::Uri(_)
        | HeaderFault::HostPort
        | HeaderFault::Star
        | HeaderFault::Display
        | HeaderFault::Brackets => false,
    };
    (!harmless).then_some("Malformed Header")
}
