//! Tests of the views: given these facts, this is what reads return.

mod calls;
mod kept;
mod others;
mod phones;
mod retention;

use super::*;
use crate::{
    event::{
        CallEvent, CallPhase, Cause, Event, PhoneEvent, PhoneSpec, RawMessage, SipEvent, SipSummary, Subject,
        Transport,
    },
    id::{CallId, PhoneId, Seq},
    journal::Journal,
    wall::Wall,
};

/// A journal in memory and its views.
struct Given {
    journal: Journal,
    views: Views,
}

fn given() -> Given {
    let journal = Journal::in_memory(Wall::starting_at("2026-01-02T03:04:05Z".parse().unwrap()));
    let views = Views::attach(&journal);
    Given { journal, views }
}

fn a() -> PhoneId {
    "a".parse().unwrap()
}

fn b() -> PhoneId {
    "b".parse().unwrap()
}

fn spec(username: &str) -> PhoneSpec {
    PhoneSpec::new("example.com", username)
}

impl Given {
    fn phone(&self, phone: PhoneId, event: PhoneEvent) -> Seq {
        self.journal.append(Subject::phone(phone), Cause::Start, event)
    }

    fn call(&self, phone: PhoneId, call: u64, event: impl Into<Event>) -> Seq {
        self.journal.append(Subject::call(phone, CallId(call)), Cause::Start, event)
    }

    fn placed(&self, phone: PhoneId, call: u64, sip_call_id: &str) -> Seq {
        let placed = CallEvent::Placed {
            target: "sip:600@example.com".into(),
            local: "sip:a@example.com".into(),
            sip_call_id: sip_call_id.into(),
        };
        self.call(phone, call, placed)
    }

    fn incoming(&self, phone: PhoneId, call: u64, sip_call_id: &str) -> Seq {
        let incoming = CallEvent::Incoming {
            remote: "\"A\" <sip:a@example.com>;tag=1".into(),
            local: "<sip:b@example.com>".into(),
            sip_call_id: sip_call_id.into(),
            contact: Some("<sip:a@192.0.2.1>".into()),
        };
        self.call(phone, call, incoming)
    }

    fn sip(&self, phone: PhoneId, sent: bool, method: &str, status: Option<u16>, sip_call_id: &str) -> Seq {
        let summary = SipSummary {
            method: Some(method.into()),
            status,
            reason: status.map(|_| "OK".into()),
            cseq: Some(1),
            sip_call_id: Some(sip_call_id.into()),
            ..SipSummary::default()
        };
        let transport = Transport::Udp;
        let (local, remote) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let message = RawMessage::Text(String::new());
        let event = if sent {
            SipEvent::Sent { transport, local, remote, summary, retransmission: false, message }
        } else {
            SipEvent::Received { transport, local, remote, summary, message }
        };
        self.phone(phone.clone(), PhoneEvent::Bound { local: "127.0.0.1:1".parse().unwrap() });
        self.journal.append(Subject::phone(phone), Cause::Start, event)
    }
}
