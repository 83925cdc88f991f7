//! Messages that must not become facts about a call or phone: they belong to no dialog or
//! subscription, or are of unknown types.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command, PhoneCommand, Refused},
    event::{CallEvent, EndCause, Event, MediaEvent, PhoneEvent, SipEvent},
};

use tokio::time::Instant;

use crate::support::{
    World, beside_a_peer, on,
    peer::{EVENTS, PLAIN, Peer, header},
    spec,
};

const SIPFRAG: &str = "SIP/2.0 200 OK\r\n";

#[tokio::test(start_paused = true)]
async fn what_is_refused_becomes_no_fact_of_the_call() {
    let (mut world, a, peer) = beside_a_peer().await;
    let (call, to) = world.called_by(&peer, &a).await;
    let refer = "Event: refer\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n";
    let light = "Content-Type: application/x-light-level\r\n";
    let package = "Info-Package: foo\r\nContent-Type: application/dtmf-relay\r\n";
    for (cseq, method, extra, body, status) in [
        (2, "NOTIFY", refer, SIPFRAG, "481"),
        (3, "NOTIFY", "Event: presence\r\n", "", "489"),
        (4, "INFO", light, "7", "415"),
        (5, "INFO", package, "Signal=7\r\n", "469"),
        (6, "MESSAGE", light, "7", "415"),
        (7, "REFER", "Refer-To: <sip:b@127.0.0.1>\r\n", "", "405"),
        (8, "UPDATE", "", "", "405"),
    ] {
        peer.request_with(method, cseq, &to, extra, body);
        let answer = peer.next("SIP/2.0").await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{method}: {answer}");
    }
    for kind in ["call.transfer_progress", "call.transfer_requested", "dtmf.received", "message.received"] {
        assert_eq!(world.count(kind), 0, "{kind}");
    }
    assert!(world.count("sip.anomaly") >= 5);
    for (cseq, kind, body, digit) in [
        (9, "application/dtmf-relay", "Signal=10\r\nDuration=90\r\n", '*'),
        (10, "application/dtmf", "d", 'D'),
    ] {
        peer.request_with("INFO", cseq, &to, &format!("Content-Type: {kind}\r\n"), body);
        peer.next("SIP/2.0 200").await;
        let received = world.next(&a, "dtmf.received").await;
        let Event::Media(MediaEvent::DigitReceived { digit: got, .. }) = received.event else {
            panic!("{received:?}")
        };
        assert_eq!(got, digit);
    }
    world.hang_up(call, &peer).await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_only_has_the_calls_call_id_is_not_filed_under_it() {
    let (mut world, a, peer) = beside_a_peer().await;
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    let forged = invite.lines().find(|line| line.starts_with("Via:")).unwrap();
    let other = forged.replace("branch=z9hG4bK", "branch=z9hG4bKx");
    peer.answer(&invite.replace(forged, &other), "180 Ringing", "", "");
    let stray = world.next(&a, "sip.received").await;
    assert_eq!(stray.subject.call, None);
    peer.answer(&invite, "180 Ringing", "", "");
    let ringing = world.next(&a, "sip.received").await;
    assert_eq!(ringing.subject.call, Some(call));
    peer.answer(&invite, "486 Busy Here", "", "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_other_side_does_not_know_ends_with_a_cause_of_its_own() {
    let (mut world, a, peer) = beside_a_peer().await;
    let call = world.calls(&a, &peer, PLAIN).await;
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let hold = peer.next("INVITE").await;
    peer.answer(&hold, "481 Call/Transaction Does Not Exist", "", "");
    peer.agrees().await;
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { cause, status, .. }) = &ended.event else { panic!("{ended:?}") };
    assert_eq!((*cause, *status), (EndCause::DialogLost, Some(481)));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_attended_transfer_names_the_device_that_has_the_other_call() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let (first, second) = (Peer::new(&world.network, 5070, 5061), Peer::new(&world.network, 5071, 5061));
    let mut calls = Vec::new();
    for peer in [&first, &second] {
        calls.push(world.calls(&a, peer, EVENTS).await);
    }
    let to_itself = CallCommand::AttendedTransfer { target: Some(calls[0]) };
    let refused = world.run(Command::Call(on(calls[0]), to_itself)).await.unwrap_err();
    assert_eq!(refused.what, Refused::TooFewToTransfer(a.clone()));
    let transfer = CallCommand::AttendedTransfer { target: Some(calls[1]) };
    world.run(Command::Call(on(calls[0]), transfer)).await.unwrap();
    let refer = peer_refer(&first).await;
    assert!(refer.starts_with("<sip:peer@127.0.0.1:5071?Replaces="), "{refer}");
    for (call, peer) in calls.into_iter().zip([&first, &second]) {
        world.hang_up(call, peer).await;
    }
    drop((first, second));
    world.end().await;
}

async fn peer_refer(peer: &Peer) -> String {
    let refer = peer.next("REFER").await;
    peer.answer(&refer, "603 Decline", "", "");
    header(&refer, "Refer-To")
}

#[tokio::test(start_paused = true)]
async fn calls_and_messages_go_through_the_service_route_of_the_registrar() {
    let mut world = World::new().await;
    let a: offhook::id::PhoneId = "a".parse().unwrap();
    let registrar = Peer::new(&world.network, 5070, 5061);
    let proxy = Peer::new(&world.network, 5075, 5061);
    let spec = offhook::event::PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5070", "a") };
    let added = Command::add(a.clone(), spec, offhook::secret::Secret::new("x".into()));
    world.run(added).await.unwrap();
    let register = registrar.next("REGISTER").await;
    assert_eq!(header(&register, "To"), "<sip:a@127.0.0.1>");
    registrar.answer(&register, "200 OK", "Service-Route: <sip:127.0.0.1:5075;lr>\r\n", "");
    world.next(&a, "phone.registered").await;
    world.call(&a, "sip:b@127.0.0.1:5999").await;
    let invite = proxy.next("INVITE").await;
    assert!(invite.starts_with("INVITE sip:b@127.0.0.1:5999 SIP/2.0"), "{invite}");
    assert_eq!(header(&invite, "Route"), "<sip:127.0.0.1:5075;lr>");
    proxy.answer(&invite, "486 Busy Here", "", "");
    world.next(&a, "call.ended").await;
    let message =
        PhoneCommand::SendMessage { to: "b".into(), body: "hi".into(), content_type: "text/plain".into() };
    world.run(Command::Phone(a.clone(), message)).await.unwrap();
    let message = proxy.next("MESSAGE").await;
    assert_eq!(header(&message, "Route"), "<sip:127.0.0.1:5075;lr>");
    proxy.answer(&message, "200 OK", "", "");
    world.next(&a, "message.delivered").await;
    drop((registrar, proxy));
    world.board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_lists_no_binding_of_ours_has_not_registered_us() {
    let mut world = World::new().await;
    let a: offhook::id::PhoneId = "a".parse().unwrap();
    let registrar = Peer::new(&world.network, 5070, 5061);
    let spec = offhook::event::PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5070", "a") };
    let added = Command::add(a.clone(), spec, offhook::secret::Secret::new("x".into()));
    world.run(added).await.unwrap();
    let register = registrar.next("REGISTER").await;
    let copied: String = ["Via", "From", "To", "Call-ID", "CSeq"]
        .map(|name| format!("{name}: {}\r\n", header(&register, name)))
        .concat();
    registrar.send(&format!("SIP/2.0 200 OK\r\n{copied}Expires: 60\r\nContent-Length: 0\r\n\r\n"));
    let anomaly = world.next(&a, "sip.anomaly").await;
    let Event::Sip(SipEvent::Anomaly { what, .. }) = &anomaly.event else { panic!("{anomaly:?}") };
    assert!(what.contains("does not list our contact"), "{what}");
    let failed = world.next(&a, "phone.registration_failed").await;
    let Event::Phone(PhoneEvent::RegistrationFailed { status, retry_in_ms, .. }) = &failed.event else {
        panic!("{failed:?}")
    };
    assert_eq!(*status, Some(200));
    let wait = Duration::from_millis(retry_in_ms.unwrap());
    // Retransmissions of the first may still be on their way.
    let again = loop {
        let next =
            registrar.next_within("REGISTER", wait + Duration::from_secs(1)).await.expect("another try");
        if header(&next, "CSeq") == "2 REGISTER" {
            break next;
        }
    };
    registrar.answer(&again, "200 OK", "", "");
    world.next(&a, "phone.registered").await;
    drop(registrar);
    world.board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_belongs_to_nothing_gives_a_ringing_call_no_time() {
    let (mut world, a, peer) = beside_a_peer().await;
    world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "180 Ringing", "", "");
    let since = Instant::now();
    world.next(&a, "call.ringing").await;
    let stray = invite.replace("branch=z9hG4bK", "branch=z9hG4bKx");
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        peer.answer(&stray, "180 Ringing", "", "");
    }
    let cancel = peer.next("CANCEL").await;
    assert_eq!(since.elapsed().as_secs(), 180);
    peer.answer(&cancel, "200 OK", "", "");
    peer.answer(&invite, "487 Request Terminated", "", "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}
