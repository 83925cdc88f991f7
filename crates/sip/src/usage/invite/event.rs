//! What can happen to an INVITE session.

use crate::dialog::DialogKey;
use crate::message::{Message, StatusCode};
use crate::transaction::TimerName;
use crate::user_agent::{Flow, IncomingId, RequestFailure, RequestId, SessionId};
use std::time::Duration;

/// What happened to a session; [`SessionEvent::Ended`] comes exactly once and last.
#[derive(Debug, Clone)]
pub enum SessionEvent {
    /// Somebody calls: answer with [`respond`](crate::user_agent::UserAgent::respond).
    Incoming {
        /// The INVITE as received.
        invite: Message,
        /// The path it came by.
        flow: Flow,
        /// The session description; absent when the caller wants the offer from us.
        offer: Option<Vec<u8>>,
        /// The dialog that this call wants to take the place of (RFC 3891).
        replaces: Option<ReplacedDialog>,
    },
    /// 100 Trying: a server works on our INVITE.
    Trying,
    /// A provisional response above 100.
    Provisional {
        /// Status.
        status: StatusCode,
        /// Reason phrase.
        reason: String,
        /// Early media description.
        sdp: Option<Vec<u8>>,
        /// The response.
        message: Message,
        /// The early dialog it belongs to; forks have different remote tags.
        early: DialogKey,
    },
    /// A 2xx to our INVITE; the ACK has left unless the response carried the offer.
    Answered {
        /// The response.
        message: Message,
        /// The answer, or the offer when our INVITE had none: then
        /// [`acknowledge`](crate::user_agent::UserAgent::acknowledge) must follow.
        sdp: Option<Vec<u8>>,
    },
    /// A 2xx that nobody wants; the engine acknowledged it and ended its dialog with BYE.
    SurplusAnswer {
        /// The response.
        message: Message,
        /// Why it is not wanted.
        why: Surplus,
    },
    /// The ACK of our 2xx arrived.
    Acknowledged {
        /// The answer, when our 2xx carried the offer.
        sdp: Option<Vec<u8>>,
    },
    /// A re-INVITE arrived: answer with [`respond`](crate::user_agent::UserAgent::respond).
    Reoffered {
        /// The request.
        message: Message,
        /// Its session description; absent when the peer wants the offer from us.
        offer: Option<Vec<u8>>,
    },
    /// A 2xx to our re-INVITE.
    Modified {
        /// The response.
        message: Message,
        /// Its session description.
        answer: Option<Vec<u8>>,
    },
    /// Our re-INVITE was refused or could not be delivered; the session goes on as before.
    ModifyFailed {
        /// Status; absent when the transport failed, which counts as 503 (RFC 3261 §8.1.3.1).
        status: Option<StatusCode>,
        /// Reason phrase, or what went wrong.
        reason: String,
    },
    /// Both sides sent a re-INVITE at once (491). Ours is refused and its offer forgotten; `GlareOver` follows.
    Glare {
        /// When, at the earliest: the peer's own re-INVITE goes first.
        retry_in: Duration,
    },
    /// The pause after [`Self::Glare`] is over: offer again with
    /// [`reinvite`](crate::user_agent::UserAgent::reinvite), with a description that fits what the
    /// peer may have changed meanwhile (RFC 3264 §8), or give up.
    GlareOver,
    /// A REFER in the dialog; must be answered with [`reply`](crate::user_agent::UserAgent::reply).
    Refer {
        /// The handle for the reply.
        request: IncomingId,
        /// The request.
        message: Message,
    },
    /// A NOTIFY in the dialog, for example the progress of a transfer; must be answered with a reply.
    Notify {
        /// The handle for the reply.
        request: IncomingId,
        /// The request.
        message: Message,
    },
    /// An INFO in the dialog; must be answered with a reply.
    Info {
        /// The handle for the reply.
        request: IncomingId,
        /// The request.
        message: Message,
    },
    /// A MESSAGE in the dialog; must be answered with a reply.
    Message {
        /// The handle for the reply.
        request: IncomingId,
        /// The request.
        message: Message,
    },
    /// A request that we sent in the dialog is over.
    RequestDone {
        /// Which one.
        request: RequestId,
        /// The final response, of any class, or why there is none.
        outcome: Result<Message, RequestFailure>,
    },
    /// A final response of 300 to 699 to our INVITE; `Ended` follows.
    Rejected {
        /// Status.
        status: StatusCode,
        /// Reason phrase.
        reason: String,
        /// The response.
        message: Message,
    },
    /// The caller canceled; the engine answered 487. `Ended` follows.
    Canceled {
        /// The CANCEL, which may carry a Reason header.
        message: Message,
    },
    /// The engine ends the session by itself, for this reason; BYE leaves now and `Ended` follows.
    Ending {
        /// Why.
        cause: EndCause,
    },
    /// The session is over.
    Ended {
        /// Who ended it.
        by: Party,
        /// How.
        cause: EndCause,
        /// The status that goes with the cause: of the refusal, or of the answer to BYE or CANCEL.
        status: Option<StatusCode>,
        /// The Reason header (RFC 3326) of the message that ended it.
        reason_header: Option<String>,
    },
}

/// The dialog that a Replaces header names, seen from the receiver of the INVITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedDialog {
    /// Its identity, with our tag as the local one.
    pub dialog: DialogKey,
    /// Only an early dialog may be replaced.
    pub early_only: bool,
    /// The session that owns it, if this user agent has one.
    pub session: Option<SessionId>,
}

/// Why a 2xx is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    /// Another branch of a forked INVITE answered first (RFC 3261 §13.2.2.4).
    Fork,
    /// It crossed our CANCEL.
    Canceled,
    /// The session was over already.
    Ended,
}

/// One side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// This user agent.
    Local,
    /// The peer or the network.
    Remote,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    /// BYE.
    Bye,
    /// The INVITE was canceled.
    Cancel,
    /// The INVITE was refused with this status.
    Rejected(StatusCode),
    /// Nobody answered before this timer.
    Timeout(TimerName),
    /// The transport failed.
    TransportFailed,
    /// We were called and did not answer in the time that the INVITE gave; 487 was sent (§13.3.1).
    Expired,
    /// Our 2xx was never acknowledged; a BYE was sent.
    AckMissing,
    /// The peer no longer knows the dialog (481), or said 408 to a request in it; a BYE was sent (§12.2.1.2).
    DialogGone(StatusCode),
    /// The INVITE could not be sent at all.
    Unsent(RequestFailure),
}
