//! Names (RFC 3263) as phones resolve them, in a simulated network: order, failover, cache, slow
//! and hostile zones.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Code, Command, NodeCommand, PhoneCommand},
    event::{Event, NextHop, PhoneEvent, PhoneSpec, SipEvent, Transport},
    id::PhoneId,
    journal::Query,
    net::{Answer, LookupError},
    secret::Secret,
    sim,
};
use offhook_sip::next_hop::{Question, Record};
use tokio::time::Instant;

use crate::support::{
    World, on,
    peer::{PLAIN, Peer, header},
    spec,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn srv(network: &sim::Network, name: &str, servers: impl IntoIterator<Item = (u16, u16, String)>) {
    let record = |(priority, port, target)| Record::Srv { priority, weight: 1, port, target };
    let records = servers.into_iter().map(record).collect();
    network.set_answer(Question::Srv(name.into()), Ok(Answer { records, ttl: HOUR }));
}

/// Two servers on the simulated host, by port; the first has the better priority.
fn two_servers(network: &sim::Network, first: u16, second: u16) {
    let servers = [(10, first, "one.pbx.test".to_owned()), (20, second, "two.pbx.test".to_owned())];
    srv(network, "_sip._udp.pbx.test", servers);
    for name in ["one.pbx.test", "two.pbx.test"] {
        network.add_name(name, vec!["127.0.0.1".parse().unwrap()]);
    }
}

fn udp(port: u16) -> NextHop {
    NextHop { transport: Transport::Udp, address: ([127, 0, 0, 1], port).into() }
}

/// Adds a phone with a domain at port 5061.
async fn add(world: &World, name: &str, spec: PhoneSpec) -> PhoneId {
    let phone: PhoneId = name.parse().unwrap();
    world.run(Command::add(phone.clone(), spec, Secret::new("x".into()))).await.unwrap();
    phone
}

/// Returns the facts about SIP that are not messages, in order.
fn facts(world: &World) -> Vec<SipEvent> {
    let all = world.board.journal().query_blocking(&Query::default()).unwrap();
    let fact = |event: &Event| {
        let Event::Sip(fact @ (SipEvent::Resolved { .. } | SipEvent::FailedOver { .. })) = event else {
            return None;
        };
        Some(fact.clone())
    };
    all.iter().filter_map(|envelope| fact(&envelope.event)).collect()
}

fn targets(fact: &SipEvent) -> Vec<NextHop> {
    let SipEvent::Resolved { targets, .. } = fact else { panic!("{fact:?}") };
    targets.clone()
}

fn message(phone: &PhoneId, to: &str) -> Command {
    let (to, body, content_type) = (to.to_owned(), "hi".to_owned(), "text/plain".to_owned());
    Command::Phone(phone.clone(), PhoneCommand::SendMessage { to, body, content_type })
}

#[tokio::test(start_paused = true)]
async fn the_second_priority_registers_the_phone_that_the_first_leaves_waiting() {
    let mut world = World::new().await;
    two_servers(&world.network, 5090, 5060);
    let (silent, registrar) = (Peer::new(&world.network, 5090, 5061), Peer::new(&world.network, 5060, 5061));
    let since = Instant::now();
    let a = add(&world, "a", PhoneSpec { local_port: 5061, ..spec("pbx.test", "a") }).await;
    let register = registrar.next("REGISTER sip:pbx.test").await;
    // Timer F at the first address (RFC 3261 §17.1.2.2).
    assert_eq!(since.elapsed().as_secs(), 32);
    // A registrar that shares its bindings with the first may have seen that CSeq (RFC 3261 §10.3).
    assert_eq!(header(&register, "CSeq"), "2 REGISTER");
    registrar.answer(&register, "200 OK", "Expires: 300\r\n", "");
    world.next(&a, "phone.registered").await;
    let facts = facts(&world);
    assert_eq!(targets(&facts[0]), [udp(5090), udp(5060)], "what the phone found when it was added");
    let SipEvent::Resolved { lookups, from_cache: true, took_ms: 0, .. } = &facts[1] else {
        panic!("{facts:?}")
    };
    let questions: Vec<_> = lookups.iter().map(|lookup| lookup.question.as_str()).collect();
    assert_eq!(
        questions[..3],
        ["NAPTR pbx.test", "SRV _sip._udp.pbx.test", "A/AAAA one.pbx.test"],
        "what its REGISTER found"
    );
    let (from, to) = (udp(5090), udp(5060));
    let (method, reason) = ("REGISTER".to_owned(), "no response in time".to_owned());
    assert_eq!(facts[2..], [SipEvent::FailedOver { method, from, to, reason }]);
    drop((silent, registrar));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_left_at_once_and_a_call_follows_its_own_name() {
    let mut world = World::new().await;
    two_servers(&world.network, 5080, 5070);
    let (busy, free) = (Peer::new(&world.network, 5080, 5061), Peer::new(&world.network, 5070, 5061));
    let a = world.phone("a", 5061).await;
    let call = world.call(&a, "sip:bob@pbx.test").await;
    busy.answer(&busy.next("INVITE sip:bob@pbx.test").await, "503 Service Unavailable", "", "");
    let invite = free.next("INVITE sip:bob@pbx.test").await;
    assert_eq!(header(&invite, "CSeq"), "1 INVITE");
    assert!(
        header(&busy.next("ACK").await, "CSeq").starts_with("1 "),
        "the refusal is acknowledged where it came from"
    );
    free.answer(&invite, "486 Busy Here", "", "");
    world.next(&a, "call.ended").await;
    let moves = facts(&world);
    let reason = "503 Service Unavailable".to_owned();
    let moved = SipEvent::FailedOver { method: "INVITE".into(), from: udp(5080), to: udp(5070), reason };
    assert_eq!(moves[1..], [moved]);
    let of_call = world.board.journal().query_blocking(&Query::default()).unwrap();
    let moved = of_call.iter().find(|envelope| envelope.event.kind() == "sip.failed_over").unwrap();
    assert_eq!(moved.subject.call, Some(call));
    drop((busy, free));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn naptr_chooses_the_transport_among_those_that_are_built() {
    let mut world = World::new().await;
    let naptr = |order, service: &str, to: &str| Record::Naptr {
        order,
        preference: 0,
        flags: "s".into(),
        service: service.into(),
        replacement: to.into(),
    };
    let records = vec![
        naptr(1, "SIPS+D2T", "_sips._tcp.pbx.test"),
        naptr(2, "SIP+D2T", "_sip._tcp.pbx.test"),
        naptr(3, "SIP+D2U", "_sip._udp.pbx.test"),
    ];
    world.network.set_answer(Question::Naptr("pbx.test".into()), Ok(Answer { records, ttl: HOUR }));
    two_servers(&world.network, 5060, 5070);
    srv(&world.network, "_sip._tcp.pbx.test", [(1, 5099, "one.pbx.test".to_owned())]);
    let registrar = Peer::new(&world.network, 5060, 5061);
    let a = add(&world, "a", PhoneSpec { local_port: 5061, ..spec("pbx.test", "a") }).await;
    // Nobody listens on TCP there, which is known at once; UDP is next.
    let register = registrar.next("REGISTER").await;
    registrar.answer(&register, "200 OK", "Expires: 300\r\n", "");
    world.next(&a, "phone.registered").await;
    let facts = facts(&world);
    let tcp = NextHop { transport: Transport::Tcp, address: ([127, 0, 0, 1], 5099).into() };
    assert_eq!(targets(&facts[1]), [tcp, udp(5060), udp(5070)]);
    let SipEvent::FailedOver { from, to, reason, .. } = &facts[2] else { panic!("{facts:?}") };
    assert_eq!((*from, *to, reason.as_str()), (tcp, udp(5060), "the transport failed"));
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_of_tcp_and_a_uri_that_names_udp_leave_no_choice() {
    let world = World::new().await;
    two_servers(&world.network, 5060, 5070);
    srv(&world.network, "_sip._tcp.pbx.test", [(1, 5099, "one.pbx.test".to_owned())]);
    let tcp = PhoneSpec { transport: Transport::Tcp, register: false, ..spec("pbx.test", "a") };
    let a = add(&world, "a", tcp).await;
    world.run(message(&a, "sip:bob@pbx.test;transport=udp")).await.unwrap();
    let facts = facts(&world);
    let place = NextHop { transport: Transport::Tcp, address: ([127, 0, 0, 1], 5099).into() };
    assert_eq!((targets(&facts[0]), targets(&facts[1])), (vec![place], vec![udp(5060), udp(5070)]));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_is_refused_with_the_steps_in_the_journal() {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    let refused = world.run(message(&a, "sip:bob@none.test")).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert_eq!(refused.to_string(), "cannot resolve 'none.test': the name has no address");
    let facts = facts(&world);
    let [SipEvent::Resolved { uri, lookups, targets, problem: Some(problem), .. }] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    assert_eq!(
        (uri.as_str(), targets.len(), problem.as_str()),
        ("sip:bob@none.test", 0, "the name has no address")
    );
    assert_eq!(lookups.len(), 4, "NAPTR, SRV of UDP and of TCP, addresses");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_gets_its_address_later_is_found_by_then() {
    let mut world = World::new().await;
    let a = add(&world, "a", PhoneSpec { local_port: 5061, ..spec("late.test:5060", "a") }).await;
    let failed = world.next(&a, "phone.registration_failed").await;
    let Event::Phone(PhoneEvent::RegistrationFailed { status: None, reason, retry_in_ms: Some(_) }) =
        &failed.event
    else {
        panic!("{failed:?}")
    };
    assert_eq!(reason, "cannot resolve 'late.test': the name has no address");
    world.network.add_name("late.test", vec!["127.0.0.1".parse().unwrap()]);
    let registrar = Peer::new(&world.network, 5060, 5061);
    // The answer that there is nothing is cached for a minute.
    let register = registrar.next_within("REGISTER", Duration::from_secs(150)).await.unwrap();
    registrar.answer(&register, "200 OK", "Expires: 300\r\n", "");
    world.next(&a, "phone.registered").await;
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn phones_that_want_the_same_name_ask_once() {
    let world = World::new().await;
    world.network.set_name_delay(Duration::from_millis(300));
    two_servers(&world.network, 5060, 5070);
    let add_one = async |name: &str| {
        add(&world, name, PhoneSpec { register: false, ..spec("PBX.test", name) }).await;
    };
    tokio::join!(add_one("a"), add_one("b"), add_one("c"));
    let asked = world.network.asked();
    assert_eq!(asked.len(), 5, "NAPTR, SRV of UDP and TCP, two servers: {asked:?}");
    add_one("d").await;
    assert_eq!(world.network.asked().len(), 5);
    let cached: Vec<bool> = facts(&world)
        .iter()
        .map(|fact| matches!(fact, SipEvent::Resolved { from_cache: true, took_ms: 0, .. }))
        .collect();
    assert_eq!(cached, [false, false, false, true]);
    tokio::time::sleep(HOUR).await;
    add_one("e").await;
    assert!(world.network.asked().len() > 5, "an hour later it is asked again");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_dns_holds_up_only_what_needs_it() {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    world.network.set_name_delay(HOUR);
    let since = Instant::now();
    let named = async {
        let refused = world.run(message(&a, "sip:bob@pbx.test")).await.unwrap_err();
        (refused.to_string(), since.elapsed())
    };
    let numeric = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for target in ["sip:bob@127.0.0.1:5090", "sip:bob@localhost:5090"] {
            world.run(message(&a, target)).await.unwrap();
        }
        since.elapsed()
    };
    let ((sentence, took), other) = tokio::join!(named, numeric);
    assert!(other < Duration::from_millis(10), "{other:?}");
    assert!(took <= Duration::from_secs(8), "{took:?}");
    assert_eq!(sentence, "cannot resolve 'pbx.test': no answer from the name servers in time");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_zone_of_ten_thousand_servers_is_eight_places() {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    let servers = (0..10_000).map(|number| (number, 5_000, format!("s{number}.pbx.test")));
    srv(&world.network, "_sip._udp.pbx.test", servers);
    for number in 0..10_000 {
        world.network.add_name(&format!("s{number}.pbx.test"), vec!["127.0.0.1".parse().unwrap()]);
    }
    world.run(message(&a, "sip:bob@pbx.test")).await.unwrap();
    let facts = facts(&world);
    let SipEvent::Resolved { lookups, .. } = &facts[0] else { panic!("{facts:?}") };
    // All of them have one address and port.
    assert_eq!(targets(&facts[0]), [udp(5_000)]);
    assert!(lookups.len() <= 24, "{}", lookups.len());
    assert!(lookups.iter().all(|lookup| lookup.records.len() <= 8));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_asked_again_and_its_words_are_told() {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    let address = Question::Address("pbx.test".into());
    world.network.set_answer(address, Err(LookupError::Failed("error response: Server Failure".into())));
    // The failure is reported to everybody who asks within five seconds, then the server is asked
    // again.
    for asked in [1, 1, 2] {
        let refused = world.run(message(&a, "sip:bob@pbx.test:5060")).await.unwrap_err();
        assert_eq!(refused.to_string(), "cannot resolve 'pbx.test': error response: Server Failure");
        assert_eq!(world.network.asked().len(), asked);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_of_the_other_family_is_no_place_for_this_phone() {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    world.network.add_name("six.test", vec!["2001:db8::1".parse().unwrap()]);
    let refused = world.run(message(&a, "sip:bob@six.test:5060")).await.unwrap_err();
    assert_eq!(refused.to_string(), "'six.test' has no address that is reached from 127.0.0.1");
    world.end().await;
}

/// A call to a peer that answers through a proxy with a name.
async fn talking_through_edge(world: &mut World, a: &PhoneId, peer: &Peer) -> offhook::id::CallId {
    let call = world.call(a, "sip:bob@127.0.0.1:5060").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "Record-Route: <sip:edge.test:5070;lr>\r\n", PLAIN);
    world.next(a, "call.answered").await;
    call
}

#[tokio::test(start_paused = true)]
async fn requests_in_a_dialog_go_where_the_name_of_the_route_leads() {
    let mut world = World::new().await;
    world.network.add_name("edge.test", vec!["127.0.0.1".parse().unwrap()]);
    let (peer, edge) = (Peer::new(&world.network, 5060, 5061), Peer::new(&world.network, 5070, 5061));
    let a = world.phone("a", 5061).await;
    let call = talking_through_edge(&mut world, &a, &peer).await;
    assert!(edge.next("ACK").await.contains("Route: <sip:edge.test:5070;lr>"));
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    edge.answer(&edge.next("BYE").await, "200 OK", "", "");
    world.next(&a, "call.ended").await;
    let all = world.board.journal().query_blocking(&Query::default()).unwrap();
    let resolved: Vec<_> = all.iter().filter(|envelope| envelope.event.kind() == "sip.resolved").collect();
    assert_eq!(resolved.len(), 2, "of ACK and BYE");
    assert!(resolved.iter().all(|envelope| envelope.subject.call == Some(call)));
    drop((peer, edge));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_closes_does_not_wait_for_a_name() {
    let mut world = World::new().await;
    world.network.set_name_delay(HOUR);
    let peer = Peer::new(&world.network, 5060, 5061);
    let a = world.phone("a", 5061).await;
    talking_through_edge(&mut world, &a, &peer).await;
    let since = Instant::now();
    let ended = async {
        peer.answer(&peer.next("BYE").await, "200 OK", "", "");
        since.elapsed()
    };
    let dropped = world.run(Command::Node(NodeCommand::DropPhone { phone: a, hang_up: true }));
    let (dropped, ended) = tokio::join!(dropped, ended);
    dropped.unwrap();
    // What waited for the name goes where the dialog came from; what follows waits for half a
    // second.
    assert!(ended <= Duration::from_millis(600), "{ended:?}");
    assert!(since.elapsed() <= Duration::from_secs(1), "{:?}", since.elapsed());
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_fails_takes_no_phone_off_its_registrar() {
    let mut world = World::new().await;
    two_servers(&world.network, 5060, 5090);
    let registrar = Peer::new(&world.network, 5060, 5061);
    let a = add(&world, "a", PhoneSpec { local_port: 5061, ..spec("pbx.test", "a") }).await;
    let register = registrar.next("REGISTER sip:pbx.test").await;
    registrar.answer(&register, "200 OK", "Expires: 7200\r\n", "");
    world.next(&a, "phone.registered").await;
    world.network.set_name_delay(HOUR);
    // By then everything cached about the names has expired.
    tokio::time::sleep(Duration::from_secs(5_000)).await;
    let refresh = loop {
        let register = registrar.next_within("REGISTER sip:pbx.test", HOUR).await.expect("a refresh");
        // The first may have been retransmitted.
        if header(&register, "CSeq") != "1 REGISTER" {
            break register;
        }
    };
    registrar.answer(&refresh, "200 OK", "Expires: 7200\r\n", "");
    world.next(&a, "phone.registered").await;
    let all = world.board.journal().query_blocking(&Query::default()).unwrap();
    assert!(!all.iter().any(|envelope| envelope.event.kind() == "phone.registration_failed"));
    drop(registrar);
    world.end().await;
}
