//! Facts about a call: one INVITE session on one phone.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Transport, events};
use crate::event::media::{Agreement, MediaDirection};

/// Who placed a call, seen from the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The phone was called.
    Inbound,
    /// The phone called.
    Outbound,
}

/// One of the two sides of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Our phone.
    Local,
    /// The other side.
    Remote,
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// BYE after an answer.
    Normal,
    /// The caller gave up before an answer.
    Canceled,
    /// The called side refused; `status` says how.
    Rejected,
    /// A SIP timer ran out.
    TimedOut,
    /// The other side no longer knew the call when we sent a request in it (481, 408); BYE was sent
    /// all the same.
    DialogLost,
    /// The transport failed or refused a message.
    TransportFailed,
    /// The two sides could not agree on media.
    MediaRefused,
    /// The call's or the phone's actor failed.
    Crashed,
    /// The process died while the call was up; the next start ended it.
    ProcessRestarted,
    /// The phone was dropped while the call was up.
    PhoneDropped,
}

impl EndCause {
    /// Returns the status that an end without a response counts as (RFC 3261 §8.1.3.1), if there is
    /// one.
    #[must_use]
    pub const fn counts_as(self) -> Option<u16> {
        match self {
            Self::TimedOut => Some(408),
            Self::TransportFailed => Some(503),
            Self::Normal
            | Self::Canceled
            | Self::Rejected
            | Self::DialogLost
            | Self::MediaRefused
            | Self::Crashed
            | Self::ProcessRestarted
            | Self::PhoneDropped => None,
        }
    }
}

/// What our re-INVITE is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Hold for the other side.
    Hold,
    /// Hold for the other side ends.
    Resume,
    /// Other codecs are offered.
    Codecs,
}

/// Identifies a dialog on the wire: enough to end it after a crash (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DialogIdentity {
    /// `Call-ID` header.
    pub sip_call_id: String,
    /// Our URI.
    pub local_uri: String,
    /// Our tag.
    pub local_tag: String,
    /// The other side's URI.
    pub remote_uri: String,
    /// The other side's tag.
    pub remote_tag: String,
    /// Our last CSeq number.
    pub local_cseq: u32,
    /// The other side's last CSeq number, once it has sent a request.
    pub remote_cseq: Option<u32>,
    /// Route set, in the order of our requests.
    pub route_set: Vec<String>,
    /// URI of the other side's Contact.
    pub remote_target: String,
    /// Transport of the flow.
    pub transport: Transport,
    /// Address and port that the dialog's messages come from or go to.
    pub remote: SocketAddr,
    /// Whether a 2xx has confirmed it; an early dialog is ended with CANCEL or a refusal instead of
    /// BYE.
    #[serde(default)]
    pub confirmed: bool,
}

/// The phase of a call; it only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CallPhase {
    /// Outbound: neither rung nor answered; a 100 changes nothing.
    Calling,
    /// Inbound: we have sent nothing yet, except perhaps a 100.
    Incoming,
    /// Ringing, either direction.
    Early,
    /// A 2xx was sent or received, but not yet the ACK.
    Answered,
    /// The ACK was sent or received.
    Established,
    /// We have decided to end the call, and wait for that to complete.
    Ending,
    /// Over.
    Ended,
}

impl CallPhase {
    /// Every phase.
    pub const ALL: [Self; 7] = [
        Self::Calling,
        Self::Incoming,
        Self::Early,
        Self::Answered,
        Self::Established,
        Self::Ending,
        Self::Ended,
    ];

    /// Returns the name of the phase.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Incoming => "incoming",
            Self::Early => "ringing",
            Self::Answered => "answered",
            Self::Established => "established",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }

    /// Moves to a phase, unless it has been passed: a late 180 after the answer changes nothing.
    pub fn advance(&mut self, to: Self) {
        *self = (*self).max(to);
    }
}

events! {
    /// Facts about a call.
    CallEvent {
        /// An outbound call was decided.
        "call.placed" => Placed {
            /// Request-URI.
            target: String,
            /// Our URI.
            local: String,
            /// `Call-ID` header.
            sip_call_id: String,
        },
        /// An incoming call has arrived.
        "call.incoming" => Incoming {
            /// The caller's address as in the From header.
            remote: String,
            /// The To header, as addressed.
            local: String,
            /// `Call-ID` header.
            sip_call_id: String,
            /// The caller's Contact, if it gave one.
            contact: Option<String>,
        },
        /// A 100 was received or sent; the call is being worked on.
        "call.trying" => Trying {},
        /// A provisional response other than 100: sent by us (inbound) or received (outbound).
        "call.ringing" => Ringing {
            /// 180 to 199.
            status: u16,
            /// Reason phrase.
            reason: String,
            /// Whether it carries a session description, so that media may flow before the answer.
            early_media: bool,
        },
        /// A 2xx to the INVITE: decided by us (inbound) or received (outbound). If a CANCEL arrives
        /// first ours is not sent; the call then ends as canceled, without `call.established`, and
        /// its reason says so.
        "call.answered" => Answered {
            /// Who answered.
            by: Party,
            /// Status of the response.
            status: u16,
            /// Reason phrase.
            reason: String,
        },
        /// The ACK completed the session.
        "call.established" => Established {
            /// The other side's Contact.
            contact: Option<String>,
        },
        /// The dialog's identity, each time it changes.
        "call.dialog" => Dialog {
            /// Enough to end the dialog after a crash.
            dialog: DialogIdentity,
        },
        /// Our side decided to change the session; a re-INVITE follows.
        "call.modifying" => Modifying {
            /// What is to change.
            change: Change,
            /// The requested codecs in order of preference, if these change.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            codecs: Option<Vec<String>>,
        },
        /// A side put the call on hold.
        "call.held" => Held {
            /// Which side.
            by: Party,
        },
        /// That side took the call off hold.
        "call.resumed" => Resumed {
            /// Which side.
            by: Party,
        },
        /// A re-INVITE or UPDATE changed the session.
        "call.modified" => Modified {
            /// Who requested it.
            by: Party,
            /// The codec now in use.
            codec: Option<String>,
            /// Direction of our media now.
            direction: MediaDirection,
            /// Number of the offer/answer exchange that media now follows.
            #[serde(default)]
            epoch: u32,
            /// That offer/answer exchange; absent in facts written before it was recorded.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            agreement: Option<Agreement>,
        },
        /// A re-INVITE was refused or could not be delivered; the session stays as it was.
        "call.modify_failed" => ModifyFailed {
            /// Status of the response; absent if there was none.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
        },
        /// A REFER was sent or received.
        "call.transfer_requested" => TransferRequested {
            /// Who requested it.
            by: Party,
            /// Refer-To URI.
            to: String,
        },
        /// The other side accepted our REFER; its notifications tell how the transfer goes.
        "call.transfer_accepted" => TransferAccepted {
            /// Status of the response, usually 202.
            status: u16,
        },
        /// The other side refused our REFER; the call goes on.
        "call.transfer_refused" => TransferRefused {
            /// Status of the response; absent if there was none.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
        },
        /// A NOTIFY reported how the transfer is going; a final status is its outcome.
        "call.transfer_progress" => TransferProgress {
            /// Status in the notification.
            status: u16,
            /// Its reason phrase.
            reason: String,
        },
        /// Our side decided to end the call; BYE, CANCEL or a refusal follows.
        "call.ending" => Ending {},
        /// The call is over: the last fact about it, except that a capture holds it.
        "call.ended" => Ended {
            /// Which side ended it.
            by: Party,
            /// The cause.
            cause: EndCause,
            /// Last SIP status that matters to the caller, such as 486; absent if there is none.
            status: Option<u16>,
            /// Reason phrase or sentence.
            reason: String,
            /// Milliseconds from establishment, or from the answer if no ACK ever came, until a
            /// side decided to end the call; 0 if it was never answered.
            duration_ms: u64,
        },
        /// The call's actor failed.
        "call.crashed" => Crashed {
            /// The error.
            reason: String,
        },
    }
}
