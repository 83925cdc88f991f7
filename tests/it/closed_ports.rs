//! A UDP port that nobody listens on (RFC 3261 §18.4, §8.1.3.1): reported at once, and it fails
//! only what was sent there.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command, PhoneCommand},
    event::{CallEvent, EndCause, Event, NextHop, PhoneEvent, PhoneSpec, SipEvent, Transport, Verdict},
    journal::Query,
    net::Answer,
    secret::Secret,
};
use offhook_sip::next_hop::{Question, Record};
use tokio::time::Instant;

use crate::{
    scenarios,
    support::{
        World, on,
        peer::{PLAIN, Peer, header},
        spec,
    },
};

const REFUSED: &str = "sending failed: connection refused";

/// Returns the anomalies so far: what, and where.
fn anomalies(world: &World) -> Vec<(String, String)> {
    let all = world.board.journal().query_blocking(&Query::default()).unwrap();
    let told = |event: &Event| {
        let Event::Sip(SipEvent::Anomaly { what, remote: Some(remote), .. }) = event else { return None };
        Some((what.clone(), remote.to_string()))
    };
    all.iter().filter_map(|envelope| told(&envelope.event)).collect()
}

fn refused_at(place: &str) -> (String, String) {
    (REFUSED.to_owned(), place.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_is_not_there_is_told_at_once_and_found_when_it_comes() {
    let mut world = World::new().await;
    let a = "a".parse().unwrap();
    let spec = PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5090", "a") };
    let since = Instant::now();
    world.run(Command::add(a, spec, Secret::new("x".into()))).await.unwrap();
    let a = "a".parse().unwrap();
    let failed = world.next(&a, "phone.registration_failed").await;
    assert!(since.elapsed() < Duration::from_millis(10), "{:?}", since.elapsed());
    let Event::Phone(PhoneEvent::RegistrationFailed { status, reason, retry_in_ms }) = &failed.event else {
        panic!("{failed:?}")
    };
    assert_eq!((*status, &reason[..]), (None, "the transport failed: 127.0.0.1:5090: connection refused"));
    assert!(retry_in_ms.is_some_and(|wait| (30_000..60_000).contains(&wait)), "{retry_in_ms:?}");
    assert_eq!(anomalies(&world), [refused_at("127.0.0.1:5090")]);
    let registrar = Peer::new(&world.network, 5090, 5061);
    let register = registrar.next("REGISTER").await;
    registrar.answer(&register, "200 OK", "Expires: 300\r\n", "");
    world.next(&a, "phone.registered").await;
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_closed_port_goes_to_the_next_server_or_ends() {
    let mut world = World::new().await;
    let record = |priority, port| Record::Srv { priority, weight: 1, port, target: "one.pbx.test".into() };
    let answer = Answer { records: vec![record(10, 5090), record(20, 5070)], ttl: Duration::from_secs(60) };
    world.network.set_answer(Question::Srv("_sip._udp.pbx.test".into()), Ok(answer));
    world.network.add_name("one.pbx.test", vec!["127.0.0.1".parse().unwrap()]);
    let peer = Peer::new(&world.network, 5070, 5061);
    let a = world.phone("a", 5061).await;
    let since = Instant::now();
    let call = world.call(&a, "sip:bob@pbx.test").await;
    let moved = world.next(&a, "sip.failed_over").await;
    let hop = |port: u16| NextHop { transport: Transport::Udp, address: ([127, 0, 0, 1], port).into() };
    let reason = "the transport failed".to_owned();
    let expected = SipEvent::FailedOver { method: "INVITE".into(), from: hop(5090), to: hop(5070), reason };
    assert_eq!((&moved.event, moved.subject.call), (&expected.into(), Some(call)));
    let invite = peer.next("INVITE").await;
    assert!(since.elapsed() < Duration::from_millis(10), "{:?}", since.elapsed());
    peer.answer(&invite, "486 Busy Here", "", "");
    world.next(&a, "call.ended").await;
    let call = world.call(&a, "sip:bob@127.0.0.1:5091").await;
    let ended = world.next(&a, "call.ended").await;
    assert_eq!(ended.subject.call, Some(call));
    let Event::Call(CallEvent::Ended { cause, reason, .. }) = &ended.event else { panic!("{ended:?}") };
    assert_eq!(*cause, EndCause::TransportFailed);
    assert_eq!(reason, "the transport failed: 127.0.0.1:5091: connection refused");
    assert!(since.elapsed() < Duration::from_millis(20), "{:?}", since.elapsed());
    assert_eq!(anomalies(&world), [refused_at("127.0.0.1:5090"), refused_at("127.0.0.1:5091")]);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_restarts_misses_what_was_sent_meanwhile_and_nothing_else() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let call = world.call(&a, "sip:bob@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "", PLAIN);
    world.next(&a, "call.established").await;
    peer.next("ACK").await;
    drop(peer);
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let failed = world.next(&a, "call.modify_failed").await;
    let reason = "the transport failed".to_owned();
    assert_eq!(failed.event, CallEvent::ModifyFailed { status: None, reason }.into());
    let (to, body, content_type) = ("sip:bob@127.0.0.1:5070".into(), "hi".into(), "text/plain".into());
    let message = PhoneCommand::SendMessage { to, body, content_type };
    world.run(Command::Phone(a.clone(), message)).await.unwrap();
    world.next(&a, "message.failed").await;
    let peer = Peer::new(&world.network, 5070, 5061);
    // Its 200 again, as if the ACK had been lost. The next ACK really is lost, and the call goes
    // on.
    peer.answer(&invite, "200 OK", "", PLAIN);
    peer.next("ACK").await;
    peer.answer(&invite, "200 OK", "", PLAIN);
    drop(peer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.board.views().all_active_calls().len(), 1);
    let peer = Peer::new(&world.network, 5070, 5061);
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let reinvite = peer.next("INVITE").await;
    assert!(header(&reinvite, "CSeq").starts_with("3 "), "the one that failed had a number");
    peer.answer(&reinvite, "200 OK", "", PLAIN);
    world.next(&a, "call.held").await;
    peer.next("ACK").await;
    assert_eq!(anomalies(&world), [refused_at("127.0.0.1:5070"), refused_at("127.0.0.1:5070")]);
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    peer.answer(&peer.next("BYE").await, "200 OK", "", "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_registrar_is_not_there_is_blocked_with_its_address_and_the_reason() {
    let world = scenarios::World::new().await;
    let text = "phones: {a: {username: bob, password: x, domain: '10.0.0.7:5099'}}\n\
                steps: [{expect: {event: phone.registered, phone: a}}]\n";
    let summary = world.run(text).await;
    assert_eq!(summary.verdict, Verdict::Blocked, "{}", summary.reason);
    assert!(summary.elapsed < Duration::from_secs(1), "{:?}", summary.elapsed);
    let why = "phone 'a' could not register: the transport failed: 10.0.0.7:5099: connection refused";
    assert_eq!(summary.reason, why);
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_calls_somebody_who_is_not_there_fails_with_the_address_and_the_reason() {
    let world = scenarios::World::new().await;
    let text = "phones: {a: {}}\nsteps: [{make_call: {phone: a, to: 'sip:bob@10.0.0.7:5099'}}, \
                {expect: {event: call.established, phone: a, within: 20s}}]\n";
    let summary = world.run(text).await;
    assert_eq!(summary.verdict, Verdict::Failed, "{}", summary.reason);
    assert!(summary.elapsed < Duration::from_secs(1), "{:?}", summary.elapsed);
    let why = "transport_failed by the local side: the transport failed: 10.0.0.7:5099: connection refused";
    assert!(summary.reason.contains(why), "{}", summary.reason);
    world.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_registrar_is_reached_in_no_way_is_blocked_at_once_and_says_why() {
    for (settings, why) in [
        ("domain: 'nowhere.test'", "cannot resolve 'nowhere.test': the name has no address"),
        (
            "domain: '10.0.0.7:5099', transport: tcp",
            "the transport failed: 10.0.0.7:5099: connection refused",
        ),
    ] {
        let world = scenarios::World::new().await;
        let text = format!(
            "phones: {{a: {{username: bob, password: x, {settings}}}}}\n\
             steps: [{{expect: {{event: phone.registered, phone: a}}}}]\n"
        );
        let summary = world.run(&text).await;
        assert_eq!(summary.verdict, Verdict::Blocked, "{}", summary.reason);
        assert!(summary.elapsed < Duration::from_secs(1), "{settings}: {:?}", summary.elapsed);
        assert_eq!(summary.reason, format!("phone 'a' could not register: {why}"));
        let refused = world.board.journal().query_blocking(&Query::of_kinds(&["phone.registration_failed"]));
        assert_eq!(refused.unwrap().len(), 1, "the journal has it");
        world.nothing_left();
    }
}
