//! What the engine tells its user, and the handles it uses for it.

use super::flow::{Flow, Transmit};
use super::reason::Reason;
use crate::message::{Fault, Message, Method, ParseError, StatusCode, Uri};
use crate::registration::RegistrationEvent;
use crate::transport::Transport;
use crate::usage::invite::SessionEvent;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }
    };
}

handle! {
    /// Names one registration of one user agent.
    RegistrationId, "registration"
}
handle! {
    /// Names one INVITE session of one user agent; never used twice.
    SessionId, "session"
}
handle! {
    /// Names one request that the user sent outside the INVITE machinery.
    RequestId, "request"
}
handle! {
    /// Names one received request that waits for [`reply`](super::UserAgent::reply).
    IncomingId, "incoming"
}

/// What [`poll_output`](super::UserAgent::poll_output) returns.
#[derive(Debug)]
pub enum Output {
    /// Put these bytes on the wire.
    Transmit(Transmit),
    /// Something the user wants to know.
    Event(Event),
    /// A deadline has passed. It caused the outputs that follow, up to the next `Fired`.
    Fired(Reason),
    /// Nothing more to drain; wake the engine at this time, for this reason. `None` means that nothing is pending.
    Timeout(Option<(Instant, Reason)>),
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A registration changed.
    Registration {
        /// Which one.
        id: RegistrationId,
        /// How.
        event: RegistrationEvent,
    },
    /// A session changed.
    Session {
        /// Which one.
        id: SessionId,
        /// How.
        event: SessionEvent,
    },
    /// A request that the engine does not answer by itself; it must be answered with
    /// [`reply`](super::UserAgent::reply) or [`reply_status`](super::UserAgent::reply_status).
    ///
    /// In-dialog REFER, NOTIFY, INFO and MESSAGE come as session events instead.
    Request {
        /// The handle for the reply.
        id: IncomingId,
        /// The request as received.
        message: Message,
        /// The path it came by.
        flow: Flow,
        /// The session whose dialog it belongs to.
        session: Option<SessionId>,
    },
    /// A response to [`request`](super::UserAgent::request), `end_dialog` or `cancel_recorded`, or the lack of one.
    Response {
        /// Which request.
        id: RequestId,
        /// A provisional response: the final outcome is still to come.
        provisional: bool,
        /// The response, of any class, or why there is none.
        outcome: Result<Message, RequestFailure>,
    },
    /// A request waits until the name of its next hop is resolved (RFC 3263). The answer goes to
    /// [`resolved`](super::UserAgent::resolved), once for each such event.
    Resolve {
        /// What to resolve: the Request-URI or the first Route.
        uri: Uri,
        /// The session that the first waiting request belongs to.
        session: Option<SessionId>,
    },
    /// A request goes to the next place of its destination (RFC 3263 §4.3).
    FailedOver {
        /// Its method.
        method: Method,
        /// The session that it belongs to.
        session: Option<SessionId>,
        /// The path that is given up.
        from: Flow,
        /// The place that is tried next.
        to: (Transport, SocketAddr),
        /// Why.
        why: Abandoned,
    },
    /// The peer did something wrong, or something arrived that fits nowhere.
    Anomaly {
        /// What.
        what: Anomaly,
        /// The path it came by.
        flow: Flow,
        /// The bytes exactly as received.
        bytes: Vec<u8>,
    },
}

/// Why a request got no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    /// No final response in time, from any candidate.
    #[error("no response in time")]
    Timeout,
    /// No candidate could be reached.
    #[error("the transport failed")]
    Transport,
    /// The name of the destination was not resolved.
    #[error("the name was not resolved")]
    Unresolved,
    /// The destination has no candidate that a configured transport can reach.
    #[error("no usable destination")]
    NoDestination,
}

/// Why a place is given up for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Abandoned {
    /// Nothing was heard from it.
    #[error("no response in time")]
    Silent,
    /// It could not be reached.
    #[error("the transport failed")]
    Unreachable,
    /// It said 503.
    #[error("503 Service Unavailable")]
    Unavailable,
}

/// A fault of the peer or of the network that the engine met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anomaly {
    /// The bytes are not a SIP message.
    Unparsable(ParseError),
    /// A response that cannot be used or that does not belong to us (RFC 3261 §8.1.3.3, §18.1.2).
    UnusableResponse,
    /// A response that matches no transaction.
    StrayResponse,
    /// A request that had to be refused at once.
    RefusedRequest {
        /// What was answered.
        status: StatusCode,
        /// Why.
        reason: &'static str,
    },
    /// A header that is wrong in a message that counts all the same: without the header (§8.2.2),
    /// or with what can be read of it.
    FaultyHeader(Fault),
    /// An ACK that matches nothing.
    StrayAck,
    /// A CANCEL that matches nothing; answered 481.
    StrayCancel,
    /// A request inside a dialog that does not exist; answered 481.
    UnknownDialog,
    /// A CSeq not above the last one (§12.2.2); answered 500.
    CSeqOutOfOrder {
        /// The last number seen.
        last: u32,
        /// The number received.
        got: u32,
    },
    /// The same request came by a second path (§8.2.2.2); answered 482.
    MergedRequest,
    /// A NOTIFY about a subscription that nobody made, or that is over; answered 481.
    NoSubscription,
    /// A body in an ACK, BYE or CANCEL that is not understood; the request counts without it.
    BodyIgnored,
    /// A BYE for a dialog that is not confirmed yet, which a callee must not send (§15).
    ByeInEarlyDialog,
    /// A later session description in one early dialog that differs from the one before it
    /// (§13.2.1).
    AnswerChanged,
    /// A failure response to an INVITE was never acknowledged (timer H).
    AckMissing,
    /// The user never replied to this request.
    Unanswered,
    /// A response of ours could not be delivered.
    ResponseUndelivered,
    /// The registrar answered 2xx, but our binding is not among those it lists (§10.2.4).
    BindingNotListed,
    /// The registrar granted a lifetime that is too long to believe.
    LifetimeTooLong {
        /// What it granted.
        granted: Duration,
        /// What counts instead.
        believed: Duration,
    },
    /// There is no room for this request. It was answered 503, unless it was an INVITE in a dialog
    /// or unusable.
    TooManyRequests,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unparsable(error) => write!(f, "no SIP message: {error}"),
            Self::UnusableResponse => f.write_str("a response that cannot be used"),
            Self::StrayResponse => f.write_str("a response that matches no transaction"),
            Self::RefusedRequest { status, reason } => {
                write!(f, "request refused with {}: {reason}", status.code())
            }
            Self::FaultyHeader(fault) => write!(f, "a faulty header in a message that counts: {fault}"),
            Self::StrayAck => f.write_str("an ACK that matches nothing"),
            Self::StrayCancel => f.write_str("a CANCEL that matches nothing"),
            Self::UnknownDialog => f.write_str("a request inside a dialog that does not exist"),
            Self::CSeqOutOfOrder { last, got } => write!(f, "CSeq {got} is not above {last}"),
            Self::MergedRequest => f.write_str("the same request came by a second path"),
            Self::NoSubscription => f.write_str("a NOTIFY about a subscription that is not there"),
            Self::BodyIgnored => {
                f.write_str("a body that is not understood, in a request that counts without it")
            }
            Self::ByeInEarlyDialog => f.write_str("a BYE for a dialog that is not confirmed"),
            Self::AnswerChanged => f.write_str("an answer that differs from the one before it"),
            Self::AckMissing => f.write_str("a failure response was never acknowledged"),
            Self::Unanswered => f.write_str("a request of the other side was never answered by us"),
            Self::ResponseUndelivered => f.write_str("a response of ours could not be delivered"),
            Self::BindingNotListed => f.write_str("a 2xx to REGISTER that does not list our contact"),
            Self::LifetimeTooLong { granted, believed } => {
                let (granted, believed) = (granted.as_secs(), believed.as_secs());
                write!(f, "a binding for {granted} s, which counts as one for {believed} s")
            }
            Self::TooManyRequests => f.write_str("a request for which there is no room"),
        }
    }
}
