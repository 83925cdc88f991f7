//! What a phone writes about who and where: From, To, Refer-To, the proxies of a Service-Route; and
//! what it can tell about a message before taking it. RFC 3261 §13.2.1, §19.1.1, RFC 3515,
//! RFC 3608.

use crate::cast::{address, uri};
use crate::solo::{Solo, answer, fresh, in_dialog, ok, peer};
use offhook_sip::message::{Builder, HeaderName, Message, Method, StatusCode};
use offhook_sip::registration::Registration;
use offhook_sip::session::Invite;
use offhook_sip::testkit::SDP;
use offhook_sip::user_agent::{Body, Destination, OutOfDialog};

const PLACE: &str = "sip:bob@192.0.2.2:5070;transport=udp;user=phone;maddr=192.0.2.2;ttl=1;lr";

/// Demands that From and To name people, not places.
fn is_nameless_of_places(request: &Message) {
    for name in [HeaderName::From, HeaderName::To] {
        let address: offhook_sip::message::NameAddr = request.header(name.clone()).unwrap().parse().unwrap();
        assert_eq!(address.uri.port(), None, "{name:?}");
        for param in ["transport", "maddr", "ttl", "lr"] {
            assert_eq!(address.uri.param(param), None, "{name:?}");
        }
    }
}

#[test]
fn from_and_to_name_no_port_and_no_transport() {
    let mut solo = Solo::new();
    let alice = address("Alice <sip:alice:pw@192.0.2.1:5061;transport=udp>");
    let destination = Destination::udp(peer());
    let invite = Invite::new(uri(&format!("{PLACE}?Subject=x")), alice.clone(), destination.clone());
    solo.act(|agent, now| agent.invite(now, invite));
    is_nameless_of_places(solo.last());
    assert_eq!(solo.last().request_uri_text(), Some(PLACE));
    assert_eq!(solo.last().to().unwrap().uri.as_str(), "sip:bob@192.0.2.2;user=phone");
    assert!(
        solo.last().header(HeaderName::From).unwrap().starts_with("\"Alice\" <sip:alice:pw@192.0.2.1>;tag=")
    );
    let message = OutOfDialog::new(
        Method::Message,
        uri(PLACE),
        alice,
        address(&format!("<{PLACE}>")),
        destination.clone(),
    );
    solo.act(|agent, now| agent.request(now, message));
    is_nameless_of_places(solo.last());
    let registration =
        Registration::new(uri("sip:192.0.2.2:5070"), uri("sip:alice@192.0.2.2:5070"), destination);
    solo.act(|agent, now| agent.register(now, registration));
    is_nameless_of_places(solo.last());
    assert_eq!(solo.last().request_uri_text(), Some("sip:192.0.2.2:5070"));
}

#[test]
fn a_target_of_refer_to_keeps_its_parameters() {
    let mut solo = Solo::new();
    let (id, _) = solo.established();
    for (target, written) in [
        ("sip:x@192.0.2.9;transport=tcp", "<sip:x@192.0.2.9;transport=tcp>"),
        ("<sip:x@192.0.2.9?Replaces=a%3Bto-tag%3Db>", "<sip:x@192.0.2.9?Replaces=a%3Bto-tag%3Db>"),
    ] {
        solo.act(|agent, now| agent.refer(now, id, target, Vec::new())).unwrap();
        assert_eq!(solo.last().header(HeaderName::ReferTo).as_deref(), Some(written));
    }
}

#[test]
fn the_service_route_of_the_last_answer_is_known() {
    let mut solo = Solo::new();
    let destination = Destination::udp(peer());
    let registration = Registration::new(uri("sip:192.0.2.2"), uri("sip:alice@192.0.2.2"), destination);
    let id = solo.act(|agent, now| agent.register(now, registration));
    let proxies = "<sip:edge.example.com;lr>, <sip:core.example.com;lr>";
    for (header, known) in
        [(Some(proxies), 2), (Some("<sip:strict.example.com>"), 0), (Some(proxies), 2), (None, 0)]
    {
        let register = solo.last().clone();
        let accepted = register.response_to(StatusCode::OK, None).to_tag("r").copy(HeaderName::Contact);
        solo.receive(&accepted.header_opt(HeaderName::ServiceRoute, header).build());
        assert_eq!(solo.agent.service_route(id).len(), known, "{header:?}");
        solo.act(|agent, now| agent.refresh(now, id));
    }
}

#[test]
fn a_second_description_in_an_early_dialog_is_told_when_it_differs() {
    let other = SDP.replace("4000", "5000");
    for (tag, sdp, anomalies) in [
        ("bob", other.as_str(), vec!["AnswerChanged"]),
        ("bob", SDP, vec![]),
        ("carol", other.as_str(), vec![]),
    ] {
        let mut solo = Solo::new();
        let id = solo.call(true);
        let invite = solo.last().clone();
        let early = answer(&invite, StatusCode::SESSION_PROGRESS, "bob").body("application/sdp", SDP);
        solo.receive(&early.build());
        solo.events.clear();
        let answered = Builder::from_message(&ok(&invite, tag)).body("application/sdp", sdp).build();
        solo.receive(&answered);
        assert_eq!(solo.take_anomalies(), anomalies, "{tag}");
        solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
        solo.settle();
    }
}

#[test]
fn a_message_is_expected_when_its_transaction_or_dialog_is_there() {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    let bye = in_dialog(&invite, "bob", &Method::Bye, 1).build();
    let strange = in_dialog(&invite, "mallory", &Method::Bye, 1).build();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let trying = solo.last().response_to(StatusCode::TRYING, None).build();
    let forged = trying.to_string().replace("branch=z9hG4bK", "branch=z9hG4bKx");
    let forged = Message::parse(forged.as_bytes()).unwrap();
    let unknown = fresh(&Method::Invite, "new").build();
    let expected = |solo: &Solo, message: &Message| solo.agent.expects(message);
    assert!(expected(&solo, &bye) && expected(&solo, &trying));
    assert!(!expected(&solo, &strange) && !expected(&solo, &forged) && !expected(&solo, &unknown));
    solo.receive(&unknown);
    let cancel =
        Builder::from_message(&unknown).request_line(&Method::Cancel, &unknown.request_uri().unwrap());
    assert!(expected(&solo, &unknown));
    assert!(expected(&solo, &cancel.set(HeaderName::CSeq, "1 CANCEL").build()));
}
