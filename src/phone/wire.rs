//! SIP messages as facts: what the journal keeps of each one.

use std::borrow::Cow;

use offhook_sip::{
    message::Message,
    user_agent::{Flow, Transmit},
};

use crate::event::{RawMessage, SipEvent, SipSummary};

/// Returns the fact that something arrived; the summary is empty if it is not a SIP message.
pub(super) fn received(flow: Flow, summary: SipSummary, bytes: &[u8]) -> SipEvent {
    SipEvent::Received {
        transport: flow.transport.into(),
        local: flow.local,
        remote: flow.remote,
        summary,
        message: RawMessage::from(bytes),
    }
}

/// Returns the fact that a message is sent.
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
        reason: message.reason().map(Cow::into_owned),
        cseq: message.cseq().ok().map(|cseq| cseq.number),
        sip_call_id: message.call_id().ok(),
        branch: message.branch().map(Cow::into_owned),
        from_tag: message.from_tag().map(Cow::into_owned),
        to_tag: message.to_tag().map(Cow::into_owned),
        sdp: message.sdp().is_some(),
    }
}
