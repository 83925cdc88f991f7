//! SIP messages as facts: what the journal keeps of one that came or goes.

use offhook_sip::{
    message::Message,
    user_agent::{Flow, Transmit},
};

use crate::event::{RawMessage, SipEvent, SipSummary};

/// Returns the fact that something came; its summary is empty when it is no message.
pub(super) fn received(flow: Flow, summary: SipSummary, bytes: &[u8]) -> SipEvent {
    SipEvent::Received {
        transport: flow.transport.into(),
        local: flow.local,
        remote: flow.remote,
        summary,
        message: RawMessage::from(bytes),
    }
}

/// Returns the fact that a message is to leave.
pub(super) fn sent(transmit: &Transmit, summary: SipSummary) -> SipEvent {
    SipEvent::Sent {
        transport: transmit.flow.transport.into(),
        local: transmit.flow.local,
        remote: transmit.flow.remote,
        retransmission: transmit.is_retransmission(),
        message: transmit.bytes().into(),
        summary,
    }
}

/// Returns what filters, ladders and joins need of a message.
pub(super) fn summarize(message: &Message) -> SipSummary {
    SipSummary {
        method: Some(message.method().as_str().to_owned()),
        status: message.status().map(|status| status.code()),
        reason: message.reason().map(std::borrow::Cow::into_owned),
        cseq: message.cseq().ok().map(|cseq| cseq.number),
        sip_call_id: message.call_id().ok().map(|id| id.to_string()),
        branch: message.top_via().ok().and_then(|via| via.branch().map(str::to_owned)),
        from_tag: message.from().ok().and_then(|from| from.tag().map(str::to_owned)),
        to_tag: message.to().ok().and_then(|to| to.tag().map(str::to_owned)),
        sdp: message.sdp().is_some(),
    }
}
