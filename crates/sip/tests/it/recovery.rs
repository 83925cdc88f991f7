//! Ending what an earlier process left open, from what its journal holds.

use crate::solo::{Solo, answer, fresh, in_dialog, ok, peer};
use offhook_sip::auth::Credentials;
use offhook_sip::message::{HeaderName, Method, StatusCode};
use offhook_sip::user_agent::{CSEQ_JUMP, Event, Flow, RequestFailure, Transport};
use std::time::Duration;

fn flow() -> Flow {
    Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote: peer() }
}

/// Returns the final outcomes so far: a status or a failure.
fn outcomes(solo: &mut Solo) -> Vec<Result<u16, RequestFailure>> {
    let events = std::mem::take(&mut solo.events);
    let outcome = |event| match event {
        Event::Response { provisional: false, outcome, .. } => {
            Some(outcome.map(|message| message.status().unwrap().code()))
        }
        Event::Response { .. }
        | Event::Registration { .. }
        | Event::Session { .. }
        | Event::Request { .. }
        | Event::Resolve { .. }
        | Event::FailedOver { .. }
        | Event::Anomaly { .. } => None,
    };
    events.into_iter().filter_map(outcome).collect()
}

#[test]
fn a_journaled_dialog_is_ended_with_bye_even_when_challenged() {
    let mut before = Solo::new();
    let (id, invite) = before.established();
    before.receive(&in_dialog(&invite, "bob", &Method::Info, 5).build());
    let record = before.agent.session(id).unwrap().dialog.unwrap();
    assert_eq!((record.local_cseq, record.remote_cseq), (1, Some(5)));

    let mut after = Solo::with(|config| config.seed = 8);
    let credentials = Some(Credentials::new("alice", "secret"));
    after.act(|agent, now| agent.end_dialog(now, &record, credentials));
    let bye = after.last().clone();
    assert_eq!(bye.request_uri_text(), Some("sip:bob@192.0.2.2"));
    assert_eq!(bye.call_id().unwrap(), invite.call_id().unwrap());
    assert_eq!(bye.from().unwrap().tag(), invite.from().unwrap().tag());
    assert_eq!(bye.to().unwrap().tag(), Some("bob"));
    assert_eq!(bye.cseq().unwrap().number, record.local_cseq + CSEQ_JUMP);
    let challenge = bye.response_to(StatusCode::PROXY_AUTHENTICATION_REQUIRED, None);
    let challenge = challenge.header(HeaderName::ProxyAuthenticate, "Digest realm=\"r\", nonce=\"n\"");
    after.receive(&challenge.build());
    let again = after.last().clone();
    assert!(again.has(HeaderName::ProxyAuthorization));
    after.receive(&again.response_to(StatusCode::OK, None).build());
    assert_eq!(outcomes(&mut after), [Ok(200)]);
    after.settle();
}

#[test]
fn a_journaled_invite_is_canceled_and_its_487_acknowledged() {
    let mut before = Solo::new();
    before.call(true);
    let invite = before.last().clone();

    let mut after = Solo::with(|config| config.seed = 8);
    after.act(|agent, now| agent.cancel_recorded(now, &invite, flow(), None));
    let cancel = after.last().clone();
    assert_eq!(cancel.top_via(), invite.top_via());
    assert_eq!(after.take_lines(), ["CANCEL"]);
    after.receive(&cancel.response_to(StatusCode::OK, None).build());
    after.receive(&answer(&invite, StatusCode::REQUEST_TERMINATED, "bob").build());
    assert_eq!(after.take_lines(), ["ACK"]);
    assert_eq!(outcomes(&mut after), [Ok(487)]);
    after.settle();
}

#[test]
fn a_journaled_invite_that_is_answered_all_the_same_is_acknowledged_and_ended() {
    let mut before = Solo::new();
    before.call(true);
    let invite = before.last().clone();

    let mut after = Solo::with(|config| config.seed = 8);
    after.act(|agent, now| agent.cancel_recorded(now, &invite, flow(), None));
    after.take_lines();
    after.receive(&ok(&invite, "bob"));
    assert_eq!(after.take_lines(), ["ACK", "BYE"]);
    after.receive(&ok(&invite, "bob"));
    assert_eq!(after.take_lines(), ["ACK"]);
    after.settle();
}

#[test]
fn a_journaled_invite_that_nobody_knows_any_more_times_out() {
    let mut before = Solo::new();
    before.call(true);
    let invite = before.last().clone();

    let mut after = Solo::with(|config| config.seed = 8);
    after.act(|agent, now| agent.cancel_recorded(now, &invite, flow(), None));
    after.wait(Duration::from_secs(33));
    assert_eq!(outcomes(&mut after), [Err(RequestFailure::Timeout)]);
    after.settle();
}

#[test]
fn an_incoming_invite_whose_state_was_lost_is_refused() {
    let invite = fresh(&Method::Invite, "lost").build();
    let mut after = Solo::new();
    let status = StatusCode::SERVER_INTERNAL_ERROR;
    after.act(|agent, now| agent.reject_recorded(now, &invite, flow(), status, Some("old-tag".to_owned())));
    let refused = after.last().clone();
    assert_eq!(refused.to().unwrap().tag(), Some("old-tag"));
    // A repeat of the INVITE gets the same answer and makes no session.
    after.receive(&invite);
    assert_eq!(after.take_lines(), ["500 INVITE", "500 INVITE"]);
    assert!(after.agent.session_ids().is_empty());
    after.receive(&crate::solo::ack(&invite, &refused, None));
    after.settle();
}
