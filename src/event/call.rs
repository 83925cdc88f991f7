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
    /// The other side no longer knew the call when we asked something in it (481, 408); BYE was sent all the same.
    DialogLost,
    /// The transport refused or broke.
    TransportFailed,
    /// The two sides could not agree on media.
    MediaRefused,
    /// The call's or the phone's actor failed.
    Crashed,
    /// The process died with the call up; it was ended at the next start.
    ProcessRestarted,
    /// The phone was dropped with the call up.
    PhoneDropped,
}

impl EndCause {
    /// Returns the status that an end without a response counts as (RFC 3261 §8.1.3.1), where there is one.
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

/// What a re-INVITE of ours is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The other side goes on hold.
    Hold,
    /// The other side is taken back.
    Resume,
    /// Other codecs are offered.
    Codecs,
}

/// What identifies a dialog on the wire: enough to end it after a crash (RFC 3261 §12).
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
    /// The other side's last CSeq number, once it sent a request.
    pub remote_cseq: Option<u32>,
    /// Route set, in the order of our requests.
    pub route_set: Vec<String>,
    /// URI of the other side's Contact.
    pub remote_target: String,
    /// Transport of the flow.
    pub transport: Transport,
    /// Address and port that the dialog's messages came from or went to.
    pub remote: SocketAddr,
    /// Whether a 2xx has completed it; an early one is ended with CANCEL or a refusal instead of BYE.
    #[serde(default)]
    pub confirmed: bool,
}

/// How far a call has come; it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CallPhase {
    /// Outbound: nobody has answered or rung; 100 changes nothing.
    Calling,
    /// Inbound: we have said nothing yet but perhaps 100.
    Incoming,
    /// Ringing, either direction.
    Early,
    /// A 2xx crossed; the ACK has not.
    Answered,
    /// Complete.
    Established,
    /// We asked for the end and wait for it.
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

    /// Returns the phase in a word.
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

    /// Goes on to a phase, unless it has been passed: a late 180 after the answer changes nothing.
    pub fn advance(&mut self, to: Self) {
        *self = (*self).max(to);
    }
}

events! {
    /// Facts about a call.
    CallEvent {
        /// A call to someone was decided.
        "call.placed" => Placed {
            /// Request-URI.
            target: String,
            /// Our URI.
            local: String,
            /// `Call-ID` header.
            sip_call_id: String,
        },
        /// Someone calls.
        "call.incoming" => Incoming {
            /// The caller's address as printed by the From header.
            remote: String,
            /// The To header, as addressed.
            local: String,
            /// `Call-ID` header.
            sip_call_id: String,
            /// The caller's Contact, when given.
            contact: Option<String>,
        },
        /// A 100 arrived or was sent; the call is being worked on.
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
        /// A 2xx to the INVITE: decided by us (inbound) or received (outbound). Ours does not leave when a CANCEL was
        /// faster; the call then ends as canceled, without `call.established`, and its reason says so.
        "call.answered" => Answered {
            /// Who answered.
            by: Party,
            /// Status of the response.
            status: u16,
            /// Reason phrase.
            reason: String,
        },
        /// The ACK made the session complete.
        "call.established" => Established {
            /// The other side's Contact.
            contact: Option<String>,
        },
        /// The dialog's identity, each time that it changes.
        "call.dialog" => Dialog {
            /// Enough to end the dialog after a crash.
            dialog: DialogIdentity,
        },
        /// Our side decided to change the session; a re-INVITE follows.
        "call.modifying" => Modifying {
            /// What is to change.
            change: Change,
            /// The codecs that are asked for, in order, where these change.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            codecs: Option<Vec<String>>,
        },
        /// A side put the call on hold.
        "call.held" => Held {
            /// Which side.
            by: Party,
        },
        /// That side took the call back.
        "call.resumed" => Resumed {
            /// Which side.
            by: Party,
        },
        /// A re-INVITE or UPDATE changed the session.
        "call.modified" => Modified {
            /// Who asked.
            by: Party,
            /// Codec now in use.
            codec: Option<String>,
            /// Direction of our media now.
            direction: MediaDirection,
            /// Number of the offer and answer that media follows now.
            #[serde(default)]
            epoch: u32,
            /// Which offer and answer that is; absent in facts that were written before they named it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            agreement: Option<Agreement>,
        },
        /// A re-INVITE was refused or could not be delivered; the session stays as it was.
        "call.modify_failed" => ModifyFailed {
            /// Status of the response; absent when none came.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
        },
        /// A REFER was sent or received.
        "call.transfer_requested" => TransferRequested {
            /// Who asked.
            by: Party,
            /// Refer-To URI.
            to: String,
        },
        /// The other side took our REFER; how the transfer goes, its notifications tell.
        "call.transfer_accepted" => TransferAccepted {
            /// Status of the response, 202 as a rule.
            status: u16,
        },
        /// The other side did not take our REFER; the call goes on.
        "call.transfer_refused" => TransferRefused {
            /// Status of the response; absent when none came.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
        },
        /// A NOTIFY told how the transfer goes; a final status is its outcome.
        "call.transfer_progress" => TransferProgress {
            /// Status line inside the notification.
            status: u16,
            /// Its reason phrase.
            reason: String,
        },
        /// Our side decided to end the call; BYE, CANCEL or a refusal follows.
        "call.ending" => Ending {},
        /// The call is over; the last fact about it.
        "call.ended" => Ended {
            /// Which side ended it.
            by: Party,
            /// Why.
            cause: EndCause,
            /// Last SIP status that matters to the caller, such as 486; absent without one.
            status: Option<u16>,
            /// Reason phrase or sentence.
            reason: String,
            /// Milliseconds from establishment, or from the answer where no ACK ever came, until a side decided to end it; 0
            /// when never answered.
            duration_ms: u64,
        },
        /// The call's actor failed.
        "call.crashed" => Crashed {
            /// The failure's text.
            reason: String,
        },
    }
}
