//! Phones against peers that are slow, odd or silent: every race that a call must survive, and how
//! it ends.

use std::time::Duration;

use offhook::{
    command::{CallCommand, CallSelector, Code, Command, NodeCommand, PhoneCommand, Refused},
    config::Limits,
    event::{CallEvent, EndCause, Event, MediaDirection, MediaEvent, Party},
    id::{CallId, PhoneId},
    net::Network,
};

use crate::support::{
    World, on,
    peer::{EVENTS, FOREIGN, PLAIN, Peer, header, tag, version},
};

/// A phone `a` whose call to a peer is established with this answer.
async fn talking(world: &mut World, sdp: &str) -> (PhoneId, CallId, Peer) {
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "", sdp);
    peer.next("ACK").await;
    world.next(&a, "call.established").await;
    (a, call, peer)
}

/// Hangs up from our side; the peer agrees.
async fn hang_up(world: &mut World, a: &PhoneId, call: CallId, peer: &Peer) -> (EndCause, Option<u16>) {
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    ended(world, a).await
}

async fn ended(world: &mut World, phone: &PhoneId) -> (EndCause, Option<u16>) {
    let ended = world.next_within(phone, "call.ended", Duration::from_secs(400)).await;
    let Event::Call(CallEvent::Ended { cause, status, .. }) = &ended.event else { panic!("{ended:?}") };
    (*cause, *status)
}

fn digits(call: CallId, digits: &str) -> Command {
    Command::Call(on(call), CallCommand::SendDigits { digits: digits.into(), duration: None })
}

#[tokio::test(start_paused = true)]
async fn digits_by_info_wait_for_each_other() {
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, PLAIN).await;
    world.run(digits(call, "1a")).await.unwrap();
    world.run(digits(call, "#")).await.unwrap();
    let first = peer.next("INFO").await;
    assert!(first.contains("Signal=1\r\n"), "{first}");
    // It is retransmitted, but no other INFO comes.
    let repeat = peer.next("INFO").await;
    assert_eq!(header(&repeat, "CSeq"), header(&first, "CSeq"));
    peer.answer(&first, "200 OK", "", "");
    for expected in ["Signal=A\r\n", "Signal=#\r\n"] {
        let info = peer.next("INFO").await;
        assert!(info.contains(expected), "{info}");
        peer.answer(&info, "200 OK", "", "");
    }
    for expected in ["1A", "#"] {
        let finished = world.next(&a, "dtmf.finished").await;
        assert_eq!(finished.event, MediaEvent::DigitsFinished { digits: expected.into(), epoch: 1 }.into());
    }

    world.run(digits(call, "78")).await.unwrap();
    let refused = peer.next("INFO").await;
    peer.answer(&refused, "415 Unsupported Media Type", "", "");
    let cut = world.next(&a, "dtmf.cut").await;
    assert_eq!(cut.event, MediaEvent::DigitsCut { digits: "78".into(), epoch: 1 }.into());
    assert_eq!(hang_up(&mut world, &a, call, &peer).await.0, EndCause::Normal);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn more_digits_by_info_than_may_wait_are_refused_and_a_freed_place_is_free() {
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, PLAIN).await;
    // One is under way, 255 wait.
    world.run(digits(call, &"1".repeat(256))).await.unwrap();
    world.run(digits(call, "2")).await.unwrap();
    let refused = world.run(digits(call, "3")).await.unwrap_err();
    assert_eq!((refused.code, refused.what), (Code::LimitReached, Refused::DigitsWaiting(256)));
    let info = peer.next("INFO").await;
    peer.answer(&info, "200 OK", "", "");
    let next = header(&info, "CSeq").replace(" INFO", "").parse::<u32>().unwrap() + 1;
    while header(&peer.next("INFO").await, "CSeq") != format!("{next} INFO") {}
    world.run(digits(call, "3")).await.unwrap();
    hang_up(&mut world, &a, call, &peer).await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn digits_under_way_are_cut_by_the_end() {
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, EVENTS).await;
    world.run(digits(call, "123456789")).await.unwrap();
    hang_up(&mut world, &a, call, &peer).await;
    let cut = world.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
    assert!(
        cut.iter().any(|e| e.event == MediaEvent::DigitsCut { digits: "123456789".into(), epoch: 1 }.into())
    );
    drop(peer);
    world.end().await;
}

/// A telephone-event packet (RFC 4733) that starts and ends a digit of its own.
fn digit_packet(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 120];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 1600).to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend([5, 0x80 | 10, 0x06, 0x40]);
    packet
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_digits_waits_in_a_bounded_mailbox_and_what_is_lost_is_counted() {
    const SENT: u16 = 1000;
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, EVENTS).await;
    let rtp = world.network.bind_datagram("127.0.0.1:9000".parse().unwrap()).unwrap();
    let to = world.board.views().call(call).unwrap().media_local.as_deref().unwrap().parse().unwrap();
    for number in 0..SENT {
        rtp.try_send(&digit_packet(number), to).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.next(&a, "media.facts_refused").await;
    hang_up(&mut world, &a, call, &peer).await;
    let all = world.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
    let (mut written, mut refused) = (0, 0);
    for envelope in &all {
        if let Event::Media(
            MediaEvent::DigitStarted { epoch: 1, .. } | MediaEvent::DigitReceived { epoch: 1, .. },
        ) = &envelope.event
        {
            written += 1;
        }
        if let Event::Media(MediaEvent::FactsRefused { count, .. }) = &envelope.event {
            refused += count;
        }
    }
    // Each has a start and an end.
    assert!(written >= 128 && refused > 0, "{written} written, {refused} refused");
    assert_eq!(written + refused, 2 * u64::from(SENT));
    drop((peer, rtp));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn digits_of_a_stranger_are_told_as_foreign_packets_and_as_nothing_else() {
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, EVENTS).await;
    let at = |port: u16| world.network.bind_datagram(([127, 0, 0, 1], port).into()).unwrap();
    let (rtp, stranger) = (at(9000), at(9666));
    let to = world.board.views().call(call).unwrap().media_local.as_deref().unwrap().parse().unwrap();
    rtp.try_send(&digit_packet(0), to).unwrap();
    let first = world.next(&a, "dtmf.received").await;
    for number in 1..50 {
        stranger.try_send(&digit_packet(number), to).unwrap();
    }
    let foreign = world.next(&a, "media.foreign_packets").await;
    let source = "127.0.0.1:9666".to_owned();
    assert_eq!(foreign.event, MediaEvent::ForeignPackets { source, packets: 49, epoch: 1 }.into());
    hang_up(&mut world, &a, call, &peer).await;
    let all = world.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
    let digits = all.iter().filter(|envelope| envelope.event.kind() == "dtmf.received");
    assert_eq!(digits.map(|digit| digit.seq).collect::<Vec<_>>(), [first.seq]);
    drop((peer, rtp, stranger));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn media_from_another_port_than_announced_is_heard_and_the_difference_is_told() {
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, EVENTS).await;
    let other = world.network.bind_datagram("127.0.0.1:9100".parse().unwrap()).unwrap();
    let to = world.board.views().call(call).unwrap().media_local.as_deref().unwrap().parse().unwrap();
    for number in 0..6 {
        other.try_send(&digit_packet(number), to).unwrap();
    }
    let differs = world.next(&a, "media.source_differs").await;
    let (negotiated, source) = ("127.0.0.1:9000".to_owned(), "127.0.0.1:9100".to_owned());
    assert_eq!(differs.event, MediaEvent::SourceDiffers { negotiated, source, epoch: 1 }.into());
    hang_up(&mut world, &a, call, &peer).await;
    let all = world.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
    let count = |kind: &str| all.iter().filter(|envelope| envelope.event.kind() == kind).count();
    let counts = ["dtmf.received", "media.source_differs", "media.foreign_packets"].map(count);
    assert_eq!(counts, [3, 1, 0], "three packets are what it takes to know the source");
    drop((peer, other));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn early_media_that_the_answer_repeats_does_not_confuse_a_later_hold() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "183 Session Progress", "", EVENTS);
    world.next(&a, "media.started").await;
    peer.answer(&invite, "200 OK", "", EVENTS);
    peer.next("ACK").await;
    world.next(&a, "call.established").await;

    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let hold = peer.next("INVITE").await;
    assert!(hold.contains("a=sendonly"), "{hold}");
    assert!(version(&hold) > version(&invite));
    peer.answer(&hold, "200 OK", "", &format!("{EVENTS}a=recvonly\r\n"));
    let modified = world.next(&a, "call.modified").await;
    let Event::Call(CallEvent::Modified { direction, epoch, agreement, .. }) = &modified.event else {
        panic!()
    };
    // The 200 to the INVITE repeated the 183: one agreement. The hold is the second.
    let agreement = agreement.as_ref().unwrap();
    assert_eq!((*epoch, agreement.local_version), (2, version(&hold)));
    assert_eq!(*direction, MediaDirection::Sendonly);
    world.run(Command::Call(on(call), CallCommand::Resume)).await.unwrap();
    peer.next("ACK").await;
    let resume = peer.next("INVITE").await;
    assert!(version(&resume) > version(&hold), "{hold}\n{resume}");
    peer.answer(&resume, "200 OK", "", EVENTS);
    world.next(&a, "call.resumed").await;
    hang_up(&mut world, &a, call, &peer).await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_that_cannot_be_used_does_not_spoil_the_final_one() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "183 Session Progress", "", FOREIGN);
    world.next(&a, "call.ringing").await;
    peer.answer(&invite, "200 OK", "", EVENTS);
    world.next(&a, "media.started").await;
    assert_eq!(hang_up(&mut world, &a, call, &peer).await.0, EndCause::Normal);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_ends_the_call_and_says_so() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "", FOREIGN);
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    assert_eq!(ended(&mut world, &a).await.0, EndCause::MediaRefused);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_only_rings_is_canceled_three_minutes_after_the_last_word() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    // The callee keeps the call alive by repeating its response (RFC 3261 §13.3.1.1).
    for _ in 0..5 {
        peer.answer(&invite, "180 Ringing", "", "");
        assert_eq!(peer.next_within("CANCEL", Duration::from_secs(60)).await, None);
    }
    let since = tokio::time::Instant::now();
    let cancel = peer.next_within("CANCEL", Duration::from_secs(150)).await.expect("a CANCEL");
    assert_eq!((since.elapsed() + Duration::from_secs(60)).as_secs(), 180);
    peer.answer(&cancel, "200 OK", "", "");
    peer.answer(&invite, "487 Request Terminated", "", "");
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, reason, .. }) = &ended.event else { panic!() };
    assert_eq!((*by, *cause), (Party::Local, EndCause::TimedOut));
    assert_eq!(reason, "nobody answered within 180 s of the last provisional response");
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_ack_without_the_answer_that_it_owes_ends_the_call() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    peer.request("INVITE", 1, "", "");
    let inbound = world.next(&a, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(inbound), CallCommand::Answer { status: 200 })).await.unwrap();
    let ok = peer.next("SIP/2.0 200").await;
    assert!(ok.contains("m=audio"), "the offer is ours to make: {ok}");
    peer.request("ACK", 1, &tag(&header(&ok, "To")), "");
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    assert_eq!(ended(&mut world, &a).await.0, EndCause::MediaRefused);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_offer_is_answered_by_the_ack_at_first_and_again() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    peer.request("INVITE", 1, "", "");
    let inbound = world.next(&a, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(inbound), CallCommand::Answer { status: 200 })).await.unwrap();
    let ok = peer.next("SIP/2.0 200").await;
    let to = tag(&header(&ok, "To"));
    peer.request("ACK", 1, &to, EVENTS);
    world.next(&a, "media.started").await;
    world.next(&a, "call.established").await;

    peer.request("INVITE", 2, &to, "");
    peer.next("SIP/2.0 200").await;
    peer.request("ACK", 2, &to, &format!("{EVENTS}a=sendonly\r\n"));
    world.next(&a, "call.modified").await;
    let held = world.next(&a, "call.held").await;
    assert_eq!(held.event, CallEvent::Held { by: Party::Remote }.into());
    peer.request("BYE", 3, &to, "");
    assert_eq!(ended(&mut world, &a).await.0, EndCause::Normal);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_bye_that_is_challenged_in_an_inbound_call_is_sent_again_with_credentials() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (inbound, _) = world.called_by(&peer, &a).await;
    world.run(Command::Call(on(inbound), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    peer.answer(&bye, "407 Proxy Authentication Required", challenge, "");
    let again = peer.next("BYE").await;
    assert!(header(&again, "Proxy-Authorization").contains("username=\"a\""), "{again}");
    peer.answer(&again, "200 OK", "", "");
    assert_eq!(ended(&mut world, &a).await.0, EndCause::Normal);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_cannot_be_sent_fails_at_once_and_works_later() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (call, to) = world.called_by(&peer, &a).await;
    // We have answered the peer's re-INVITE, and it has not acknowledged that.
    peer.request("INVITE", 2, &to, EVENTS);
    peer.next("SIP/2.0 200").await;
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    world.next(&a, "call.modify_failed").await;
    peer.request("ACK", 2, &to, "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let hold = peer.next("INVITE").await;
    assert!(hold.contains("a=sendonly"), "{hold}");
    peer.answer(&hold, "488 Not Acceptable Here", "", "");
    world.next(&a, "call.modify_failed").await;
    // Refused: nothing is held, and hold can be tried again.
    assert_eq!(world.run(Command::Call(on(call), CallCommand::Resume)).await.unwrap().call, Some(call));
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let hold = peer.next("INVITE").await;
    // The other side hangs up instead of answering.
    peer.request("BYE", 3, &to, "");
    drop(hold);
    assert_eq!(ended(&mut world, &a).await.0, EndCause::Normal);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn codecs_that_are_refused_are_not_offered_again() {
    let mut world = World::new().await;
    let (a, call, peer) = talking(&mut world, EVENTS).await;
    world.run(Command::Call(on(call), CallCommand::SetCodecs { codecs: vec!["PCMA".into()] })).await.unwrap();
    let offer = peer.next("INVITE").await;
    assert!(!offer.contains("a=rtpmap:0 PCMU"), "{offer}");
    peer.answer(&offer, "488 Not Acceptable Here", "", "");
    world.next(&a, "call.modify_failed").await;
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let hold = peer.next("INVITE").await;
    assert!(hold.contains("a=rtpmap:0 PCMU"), "{hold}");
    peer.answer(&hold, "200 OK", "", &format!("{EVENTS}a=recvonly\r\n"));
    world.next(&a, "call.held").await;
    hang_up(&mut world, &a, call, &peer).await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_phone_ends_its_calls_in_the_journal_even_if_nobody_answers() {
    for hang_up in [true, false] {
        let mut world = World::new().await;
        let (a, _, peer) = talking(&mut world, EVENTS).await;
        let since = tokio::time::Instant::now();
        let dropped = Command::Node(NodeCommand::DropPhone { phone: a.clone(), hang_up });
        world.run(dropped).await.unwrap();
        assert_eq!(since.elapsed() >= Duration::from_secs(1), hang_up, "{:?}", since.elapsed());
        assert_eq!(ended(&mut world, &a).await.0, EndCause::PhoneDropped);
        drop(peer);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_process_takes_no_more_calls_than_its_limit() {
    let mut world = World::with(Limits { calls: 2, ..Limits::default() }).await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let peer = Peer::new(&world.network, 5070, 5061);
    let first = world.call(&a, "sip:b@127.0.0.1:5062").await;
    world.next(&b, "call.incoming").await;
    let target = "sip:b@127.0.0.1:5062".to_owned();
    let more = Command::Phone(a.clone(), PhoneCommand::PlaceCall { target, headers: [].into() });
    let refused = world.run(more.clone()).await.unwrap_err();
    assert_eq!((refused.code, refused.what), (Code::LimitReached, Refused::Calls(2)));
    peer.request("INVITE", 1, "", EVENTS);
    let busy = peer.next("SIP/2.0 4").await;
    assert!(busy.starts_with("SIP/2.0 486"), "{busy}");
    peer.request("ACK", 1, &tag(&header(&busy, "To")), "");
    // A place that has been released can be used.
    world
        .run(Command::Call(CallSelector::any_of(b.clone()), CallCommand::Reject { status: 486 }))
        .await
        .unwrap();
    assert_eq!(ended(&mut world, &a).await, (EndCause::Rejected, Some(486)));
    world.next(&b, "call.ended").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let second = world.run(more).await.unwrap().call.unwrap();
    assert_ne!(first, second);
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_ack_of_a_refusal_still_belongs_to_its_call() {
    let mut world = World::new().await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    world.call(&a, "sip:b@127.0.0.1:5062").await;
    let inbound = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(inbound), CallCommand::Reject { status: 603 })).await.unwrap();
    world.next(&a, "call.ended").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let all = world.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
    let ack = all.iter().find(|e| {
        e.event.kind() == "sip.received" && e.event.data().to_string().contains("\"method\":\"ACK\"")
    });
    assert_eq!(ack.expect("an ACK").subject.call, Some(inbound));
    world.end().await;
}
