//! Registrars and callees that do whatever they like.

use std::{collections::BTreeSet, time::Duration};

use offhook::{
    command::{CallCommand, Command, PhoneCommand},
    config::Limits,
    event::{Event, PhoneEvent, PhoneSpec},
    id::PhoneId,
    journal::Query,
    secret::Secret,
};
use tokio::time::Instant;

use super::{next, tell};
use crate::support::{
    World, on,
    peer::{EVENTS, FOREIGN, PLAIN, Peer, header, tag},
    spec,
};

/// A day: no longer lifetime is requested or believed.
const DAY: u64 = 86_400;

/// What a registrar may say to a REGISTER, and how many requests an attempt takes if it always gets
/// this reply.
const REPLIES: [(&str, usize); 8] = [
    // The first, and five rounds of challenges.
    ("ever new realms", 6),
    ("ever new realms of a proxy", 6),
    ("a lifetime for ever is the least", 1),
    // Only until a registrar accepts it, which was in the attempt before.
    ("a little more is the least", 1),
    ("no lifetime", 1),
    ("a lifetime for ever", 1),
    ("a failure", 1),
    ("a failure that need not be waited for", 1),
];

/// Sends one of [`REPLIES`].
fn reply(registrar: &Peer, register: &str, what: usize, luck: &mut u64) {
    let realm = next(luck);
    let challenge = |kind: &str| format!("{kind}: Digest realm=\"{realm}\", nonce=\"{realm}\"\r\n");
    let asked: u64 = header(register, "Expires").parse().unwrap();
    assert!(asked <= DAY, "{register}");
    assert!(register.matches("uthorization: Digest").count() <= 5, "{register}");
    let (status, extra) = match what {
        0 => ("401 Unauthorized", challenge("WWW-Authenticate")),
        1 => ("407 Proxy", challenge("Proxy-Authenticate")),
        2 => ("423 Interval Too Brief", "Min-Expires: 4294967295\r\n".to_owned()),
        3 => (
            "423 Interval Too Brief",
            format!("Min-Expires: {}\r\n", if asked == 0 { DAY } else { asked + 1 }),
        ),
        4 => ("200 OK", "Expires: 0\r\n".to_owned()),
        5 => ("200 OK", "Expires: 4294967295\r\n".to_owned()),
        6 => ("500 Again", String::new()),
        _ => ("503 Again", "Retry-After: 0\r\n".to_owned()),
    };
    registrar.answer(register, status, &extra, "");
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_never_tires_gets_few_requests_and_the_phone_stays() {
    const ATTEMPTS: usize = 60;
    let world = World::new().await;
    let a: PhoneId = "a".parse().unwrap();
    let registrar = Peer::new(&world.network, 5070, 5061);
    let spec = PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5070", "a") };
    world.run(Command::add(a.clone(), spec, Secret::new("x".into()))).await.unwrap();
    let (mut luck, mut asked) = (0x9e37_79b9_7f4a_7c15, 0);
    let mut attempt = async |command, what: Option<usize>| {
        // By their CSeq: retransmissions do not count.
        let mut requests = BTreeSet::new();
        world.run(Command::Phone(a.clone(), command)).await.unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while let Some(register) =
            registrar.next_within("REGISTER", end.saturating_duration_since(Instant::now())).await
        {
            requests.insert(header(&register, "CSeq"));
            let what = what.unwrap_or_else(|| next(&mut luck) % REPLIES.len());
            reply(&registrar, &register, what, &mut luck);
        }
        asked += requests.len();
        requests.len()
    };
    for (what, (said, most)) in REPLIES.into_iter().enumerate() {
        // The first may still be about the previous reply.
        attempt(PhoneCommand::Register, Some(what)).await;
        assert_eq!(attempt(PhoneCommand::Register, Some(what)).await, most, "{said}");
    }
    // Whoever wants to leave does not ask for a longer lifetime.
    attempt(PhoneCommand::Register, Some(5)).await;
    assert_eq!(attempt(PhoneCommand::Unregister, Some(3)).await, 1);
    for nth in 0..ATTEMPTS {
        let leaves = nth % 4 == 3;
        let command = if leaves { PhoneCommand::Unregister } else { PhoneCommand::Register };
        let requests = attempt(command, None).await;
        // Five rounds of challenges for the first request, and for the one with a longer lifetime.
        assert!(requests <= 12, "{requests} in attempt {nth}");
    }
    let believed = world.board.journal().query_blocking(&Query::of_kinds(&["phone.registered"])).unwrap();
    for envelope in &believed {
        let Event::Phone(PhoneEvent::Registered { expires_s, .. }) = &envelope.event else { continue };
        assert!((1..=DAY).contains(expires_s), "{envelope:?}");
    }
    assert!(!believed.is_empty());
    assert_eq!(world.count("phone.crashed"), 0);
    registrar.request("OPTIONS", 1, "", "");
    registrar.next("SIP/2.0 200").await;
    tell(&format!(
        "{asked} requests to a hostile registrar in {} attempts, 0 crashes, the phone answers",
        ATTEMPTS + 2 * REPLIES.len() + 2
    ));
    drop(registrar);
    world.board.shutdown().await.unwrap();
}

/// Answers an INVITE with anything at all; returns the tags of those who have accepted the call,
/// and so wait for an ACK and, in the end, for a BYE. A refusal ends the transaction.
fn everything(callee: &Peer, invite: &str, luck: &mut u64, said: &mut usize) -> BTreeSet<String> {
    let statuses =
        ["100 Trying", "180 Ringing", "183 Progress", "199 Gone", "200 OK", "200 OK", "486 Busy", "699 No"];
    let to = format!("To: {}", header(invite, "To"));
    let (mut up, mut refused) = (BTreeSet::new(), false);
    for _ in 0..next(luck) % 12 {
        let sdp = [EVENTS, PLAIN, FOREIGN, "v=0\r\n", ""][next(luck) % 5];
        let fork = format!("fork{}", next(luck) % 4);
        let status = statuses[next(luck) % 8];
        callee.answer(&invite.replace(&to, &format!("{to};tag={fork}")), status, "", sdp);
        *said += 1;
        refused |= !status.starts_with(['1', '2']) && up.is_empty();
        if status.starts_with('2') && !refused {
            up.insert(fork);
        }
    }
    up
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_says_everything_at_once_costs_its_call_and_nothing_else() {
    const CALLS: usize = 60;
    // A place that is not released will soon be missed.
    let mut world = World::with(Limits { calls: 4, ..Limits::default() }).await;
    let a = world.phone("a", 5061).await;
    let callee = Peer::new(&world.network, 5070, 5061);
    let (mut luck, mut said, mut accepted, mut called) = (0x2545_f491_4f6c_dd1d, 0, 0, BTreeSet::new());
    for _ in 0..CALLS {
        let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
        // Retransmissions of an INVITE that it did not answer may still be there.
        let mut invite = callee.next("INVITE").await;
        while !called.insert(header(&invite, "Call-ID")) {
            invite = callee.next("INVITE").await;
        }
        let to = format!("To: {}", header(&invite, "To"));
        let mut up = everything(&callee, &invite, &mut luck, &mut said);
        tokio::time::sleep(Duration::from_millis(200)).await;
        if world.board.views().active_calls(&a).iter().any(|active| active.id == call) {
            world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
        }
        // Whatever it is asked now, it refuses; what is withdrawn, it may still accept.
        let (mut acknowledged, mut ended, mut withdrawn) = (BTreeSet::new(), BTreeSet::new(), None);
        while let Some(request) = callee.next_within("", Duration::from_secs(1)).await {
            let whom = header(&request, "To");
            if request.starts_with("ACK") {
                acknowledged.insert(tag(&whom));
            }
            if request.starts_with("BYE") {
                ended.insert(tag(&whom));
            }
            if request.starts_with("BYE") || request.starts_with("CANCEL") {
                callee.answer(&request, "481 What Call", "", "");
            }
            if request.starts_with("CANCEL") && next(&mut luck).is_multiple_of(2) {
                callee.answer(&invite.replace(&to, &format!("{to};tag=late")), "200 OK", "", EVENTS);
                up.insert("late".to_owned());
            } else if request.starts_with("CANCEL") {
                callee.answer(&invite, "487 Request Terminated", "", "");
                withdrawn = Some(world.board.journal().wall().now());
            }
        }
        accepted += up.len();
        let end = world.next(&a, "call.ended").await;
        let waited = withdrawn.map_or(0, |at| end.at.as_millisecond() - at.as_millisecond());
        assert!(waited < 1_000, "a withdrawn call goes on for {waited} ms\n{}", world.story());
        assert!(up.is_subset(&acknowledged), "{up:?}, acknowledged: {acknowledged:?}\n{}", world.story());
        assert!(up.is_subset(&ended), "{up:?}, ended: {ended:?}\n{}", world.story());
    }
    assert_eq!((world.count("call.crashed"), world.count("call.ended")), (0, CALLS));
    tell(&format!(
        "{CALLS} calls to a hostile callee, {said} answers, {accepted} acceptances acknowledged and ended, 0 crashes"
    ));
    drop(callee);
    world.end().await;
}
