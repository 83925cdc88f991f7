//! Floods of messages: how many of them are recorded, how many of one's own calls, and what
//! strangers cannot take.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    command::{CallCommand, Command, NodeCommand, PhoneCommand, Refused},
    config::Limits,
    event::{CallPhase, Event, MediaEvent, PhoneSpec, SipEvent},
    journal::Query,
    net::{DatagramSocket, Network},
    secret::Secret,
    switchboard::Switchboard,
};

use super::tell;
use crate::support::{
    World,
    folder::{add, execute, start},
    on,
    peer::{EVENTS, Peer, header},
    spec,
};

const PHONE: u16 = 5061;

/// Somebody who sends without restraint.
struct Stranger {
    socket: Arc<dyn DatagramSocket>,
    phone: SocketAddr,
    sent: u64,
}

impl Stranger {
    fn new(network: &dyn Network, phone: u16) -> Self {
        let socket = network.bind_datagram(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { socket, phone: SocketAddr::from(([127, 0, 0, 1], phone)), sent: 0 }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.sent += 1;
        // What the network does not accept is lost, as on any wire.
        drop(self.socket.try_send(bytes, self.phone));
    }

    fn request(&mut self, method: &str, extra: &str) {
        let (nth, own, phone) = (self.sent, self.socket.local(), self.phone);
        self.send(
            format!(
                "{method} sip:a@{phone} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{nth};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:s@{own}>;tag=s{nth}\r\nTo: <sip:a@{phone}>\r\nCall-ID: s{nth}\r\n\
                 CSeq: 1 {method}\r\nContact: <sip:s@{own}>\r\n{extra}Content-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        );
    }

    /// Returns the start lines of what has come back, each with its count.
    async fn heard(&self) -> Vec<String> {
        let mut buffer = vec![0; 1 << 16];
        let mut lines = Vec::new();
        while let Ok(Ok((length, _))) =
            tokio::time::timeout(Duration::from_millis(1), self.socket.receive(&mut buffer)).await
        {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            lines.push(text);
        }
        lines
    }
}

/// What the journal has of the messages that arrived.
#[derive(Debug, Default)]
struct Kept {
    received: u64,
    sent: u64,
    /// How often it reported that messages were not recorded.
    told: u64,
    not_recorded: u64,
}

fn kept(world: &World) -> Kept {
    let mut kept = Kept::default();
    for envelope in world.board.journal().query_blocking(&Query::default()).unwrap() {
        let Event::Sip(event) = &envelope.event else { continue };
        match event {
            SipEvent::Received { .. } => kept.received += 1,
            SipEvent::Sent { .. } => kept.sent += 1,
            SipEvent::Anomaly { count: Some(count), over_ms: Some(_), .. } => {
                kept.told += 1;
                kept.not_recorded += count;
            }
            SipEvent::Anomaly { .. }
            | SipEvent::Resolved { .. }
            | SipEvent::FailedOver { .. }
            | SipEvent::Refused { .. } => {}
        }
    }
    kept
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_belongs_to_nothing_is_counted_and_the_calls_evidence_is_whole() {
    let mut world = World::new().await;
    let a = world.phone("a", PHONE).await;
    let peer = Peer::new(&world.network, 5070, PHONE);
    let (call, to) = world.called_by(&peer, &a).await;
    let mut stranger = Stranger::new(&world.network, PHONE);
    let before = kept(&world);
    for tenth in 0..50_u32 {
        for _ in 0..50 {
            stranger.request("OPTIONS", "");
            stranger.send(b"\xff\x00 no message at all");
            stranger
                .send(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKnone\r\nCSeq: 1 INVITE\r\n\r\n");
            stranger.request("BYE", "");
        }
        if tenth % 5 == 0 {
            peer.request_with("INFO", 2 + tenth, &to, "Content-Type: application/dtmf\r\n", "5");
            peer.next("SIP/2.0 200").await;
            world.next(&a, "dtmf.received").await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = kept(&world);
    let (received, sent) = (after.received - before.received, after.sent - before.sent);
    // 200 at once and 50 a second for a little over five seconds, plus ten messages of the call.
    assert!((400..=520).contains(&received), "{after:?}");
    assert!(sent <= received, "{after:?}");
    assert!((4..=9).contains(&after.told), "once a second: {after:?}");
    // Unrecorded responses count too; half of the messages are answered.
    assert!(received + after.not_recorded >= stranger.sent + 10, "{after:?} of {}", stranger.sent);
    world.hang_up(call, &peer).await;
    tell(&format!(
        "{} messages of strangers, {received} recorded, {} told as not recorded in {} facts, 10 of 10 own recorded",
        stranger.sent, after.not_recorded, after.told
    ));
    drop((peer, stranger));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_taken_lose_no_evidence_beside_a_flood() {
    let mut world = World::new().await;
    let a = world.phone("a", PHONE).await;
    let (mut callers, mut stranger) =
        (Stranger::new(&world.network, PHONE), Stranger::new(&world.network, PHONE));
    let mut taken = 0;
    for _second in 0..5 {
        for _ in 0..100 {
            let nth = callers.sent;
            callers.request("INVITE", "");
            for _ in 0..5 {
                stranger.request("OPTIONS", "");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            // The same branch, as RFC 3261 §9.1 requires.
            callers.sent = nth;
            callers.request("CANCEL", "");
            tokio::time::sleep(Duration::from_millis(5)).await;
            taken += 1;
        }
    }
    let all = world.board.journal().query_blocking(&Query::default()).unwrap();
    let of_calls = |wanted: &str| {
        let received = all.iter().filter_map(|envelope| {
            let Event::Sip(SipEvent::Received { summary, .. }) = &envelope.event else { return None };
            summary.sip_call_id.clone().filter(|_| summary.method.as_deref() == Some(wanted))
        });
        received.collect::<BTreeSet<_>>().len()
    };
    let ended = all.iter().filter(|envelope| envelope.event.kind() == "call.ended").count();
    assert_eq!((of_calls("INVITE"), of_calls("CANCEL"), ended), (taken, taken, taken));
    tell(&format!("{taken} calls taken, {} messages beside them, 0 events of calls lost", stranger.sent));
    drop((callers, stranger));
    world.next(&a, "call.ended").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn strangers_take_neither_the_places_of_own_calls_nor_memory_without_end() {
    let mut world = World::new().await;
    let a = world.phone("a", PHONE).await;
    let peer = Peer::new(&world.network, 5070, PHONE);
    let mut stranger = Stranger::new(&world.network, PHONE);
    let mut answers = Vec::new();
    for _ in 0..300 {
        for _ in 0..20 {
            stranger.request("INVITE", "");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answers.extend(stranger.heard().await);
    }
    let count = |start: &str| answers.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(world.board.views().active_calls(&a).len(), 100);
    assert!(count("SIP/2.0 486") > 3_000, "{}", count("SIP/2.0 486"));
    let later =
        answers.iter().find(|answer| answer.starts_with("SIP/2.0 503")).expect("a 503 past the bound");
    assert_eq!(header(later, "Retry-After"), "10");
    // A call of our own is placed, answered and ended, with every fact of it.
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "", EVENTS);
    peer.next("ACK").await;
    world.next(&a, "call.established").await;
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    let own = world.board.journal().query_blocking(&Query::of_call(call)).unwrap();
    let messages = own.iter().filter(|envelope| envelope.event.kind().starts_with("sip.")).count();
    assert_eq!(messages, 5, "INVITE, 200, ACK, BYE and its 200");
    tell(&format!(
        "{} INVITEs, 100 ring, {} busy, {} told to come later, 1 of 1 own call placed and ended",
        stranger.sent,
        count("SIP/2.0 486"),
        count("SIP/2.0 503")
    ));
    drop((peer, stranger));
    world.board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_eighth_of_all_calls_is_kept_from_callers() {
    let mut world = World::with(Limits { calls: 16, ..Limits::default() }).await;
    let a = world.phone("a", PHONE).await;
    let mut stranger = Stranger::new(&world.network, PHONE);
    for _ in 0..20 {
        stranger.request("INVITE", "");
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let answers = stranger.heard().await;
    let count = |start: &str| answers.iter().filter(|answer| answer.starts_with(start)).count();
    assert_eq!((world.board.views().active_calls(&a).len(), count("SIP/2.0 486")), (14, 6));
    for _ in 0..2 {
        world.call(&a, "sip:peer@127.0.0.1:5070").await;
    }
    let target = "sip:peer@127.0.0.1:5070".to_owned();
    let place = PhoneCommand::PlaceCall { target, headers: [].into() };
    let refused = world.run(Command::Phone(a.clone(), place)).await.unwrap_err();
    assert_eq!(refused.what, Refused::Calls(16));
    tell("20 INVITEs where 16 calls may be: 14 taken, 6 busy, 2 of 2 own calls placed");
    drop(stranger);
    world.next(&a, "call.placed").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_recorded_is_told_although_its_phone_is_dropped_within_the_second() {
    let mut world = World::new().await;
    let a = world.phone("a", PHONE).await;
    let mut stranger = Stranger::new(&world.network, PHONE);
    for _ in 0..250 {
        stranger.request("OPTIONS", "");
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(kept(&world).told, 0);
    let dropped = NodeCommand::DropPhone { phone: a.clone(), hang_up: true };
    world.run(Command::Node(dropped)).await.unwrap();
    let kept = kept(&world);
    // Fifty, and the responses to them.
    assert_eq!((kept.received, kept.sent, kept.told, kept.not_recorded), (200, 200, 1, 100), "{kept:?}");
    drop(stranger);
    world.next(&a, "phone.dropped").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn every_message_that_is_taken_is_recorded_and_the_others_are_told_to_come_later() {
    let world = World::new().await;
    world.run(Command::add("a".parse().unwrap(), own_port(), Secret::new("x".into()))).await.unwrap();
    let mut stranger = Stranger::new(&world.network, PHONE);
    for _ in 0..50 {
        for _ in 0..20 {
            stranger.request("MESSAGE", "Content-Type: text/plain\r\n");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let answers = stranger.heard().await;
    let count = |start: &str| answers.iter().filter(|line| line.starts_with(start)).count();
    let (taken, later) = (count("SIP/2.0 200"), count("SIP/2.0 503"));
    let kinds = |kind: &str| world.board.journal().query_blocking(&Query::of_kinds(&[kind])).unwrap().len();
    assert_eq!((kinds("message.received"), kinds("sip.received"), kinds("sip.sent")), (taken, taken, taken));
    // 200 at once and 100 in the half second.
    assert!((280..=310).contains(&taken) && later > 0, "{taken} taken, {later} later");
    let refusal = answers.iter().find(|line| line.starts_with("SIP/2.0 503")).unwrap();
    assert_eq!(header(refusal, "Retry-After"), "10");
    tell(&format!("{} MESSAGEs, {taken} taken and recorded, {later} told to come later", stranger.sent));
    drop(stranger);
    world.end().await;
}

fn own_port() -> PhoneSpec {
    PhoneSpec { local_port: PHONE, register: false, ..spec("127.0.0.1:5060", "a") }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_repeats_itself_without_end_is_bounded_and_its_call_goes_on() {
    let mut world = World::new().await;
    let a = world.phone("a", PHONE).await;
    let peer = Peer::new(&world.network, 5070, PHONE);
    let (call, _) = world.called_by(&peer, &a).await;
    let before = kept(&world);
    for _ in 0..500 {
        for _ in 0..20 {
            peer.request("INVITE", 1, "", EVENTS);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = kept(&world);
    let received = after.received - before.received;
    // 4,000 at once and 2,000 in the second.
    assert!((5_000..=6_100).contains(&received) && after.told > 0, "{after:?}");
    world.hang_up(call, &peer).await;
    tell(&format!(
        "10000 repeats in a call, {received} recorded, {} told as not recorded",
        after.not_recorded
    ));
    drop(peer);
    world.end().await;
}

/// Returns the resident memory of this process in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}

/// Sends on a thread of its own as fast as it can, and returns how many messages that was.
fn flood(
    phone: u16,
    a_second: u32,
    time: Duration,
    message: impl Fn(u64) -> Vec<u8> + Send + 'static,
) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (since, mut sent) = (Instant::now(), 0_u64);
        while since.elapsed() < time {
            let due = u64::from(a_second) * since.elapsed().as_millis() as u64 / 1000;
            while sent < due {
                drop(socket.send_to(&message(sent), ("127.0.0.1", phone)));
                sent += 1;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        sent
    })
}

fn invite(nth: u64) -> Vec<u8> {
    format!(
        "INVITE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{nth}\r\nMax-Forwards: 70\r\n\
         From: <sip:s@127.0.0.1>;tag=s{nth}\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: s{nth}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:s@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Two phones of one process in a call, each with its own port; the first is flooded.
struct Pair {
    board: Switchboard,
    port: u16,
    call: offhook::id::CallId,
}

async fn talking(folder: &std::path::Path) -> Pair {
    let board = start(folder).await;
    let mut ports = Vec::new();
    for name in ["a", "b"] {
        let spec = PhoneSpec { auto_answer: name == "b", ..spec("127.0.0.1:5060", name) };
        ports.push(add(&board, name, spec).await);
    }
    let target = format!("sip:b@127.0.0.1:{}", ports[1]);
    let place = PhoneCommand::PlaceCall { target, headers: [].into() };
    let call = execute(&board, Command::Phone("a".parse().unwrap(), place)).await.call.unwrap();
    let established = async {
        while board.views().call(call).is_none_or(|call| call.phase != CallPhase::Established) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), established).await.unwrap();
    Pair { board, port: ports[0], call }
}

/// Returns how long a flood lasts; a variable makes it longer than needed here, for measurements.
fn seconds() -> Duration {
    let seconds = std::env::var("OFFHOOK_TEST_FLOOD_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// Floods the first phone for some seconds and reports what became of its call; the journal may
/// take at most `megabytes`.
async fn survive(
    name: &str,
    a_second: u32,
    megabytes: u64,
    message: impl Fn(u64) -> Vec<u8> + Send + 'static,
) {
    let folder = tempfile::tempdir().unwrap();
    let pair = talking(folder.path()).await;
    let before = resident();
    let flood = flood(pair.port, a_second, seconds(), message);
    let (mut slowest, mut most) = (Duration::ZERO, 0);
    while !flood.is_finished() {
        let since = Instant::now();
        // What a tool does: a command that its phone must answer.
        execute(&pair.board, Command::Phone("a".parse().unwrap(), PhoneCommand::Unregister)).await;
        slowest = slowest.max(since.elapsed());
        most = most.max(resident());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let sent = flood.join().unwrap();
    execute(&pair.board, Command::Call(on(pair.call), CallCommand::HangUp)).await;
    let statistics = async {
        loop {
            let of_call = Query::of_call(pair.call);
            let facts = pair.board.journal().query_blocking(&of_call).unwrap();
            let last = facts.iter().rev().find_map(|envelope| {
                let Event::Media(MediaEvent::Statistics { statistics, .. }) = &envelope.event else {
                    return None;
                };
                Some(statistics.clone())
            });
            match last {
                Some(last) if facts.iter().any(|envelope| envelope.event.kind() == "call.ended") => {
                    break last;
                }
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let statistics = tokio::time::timeout(Duration::from_secs(20), statistics).await.unwrap();
    pair.board.shutdown().await.unwrap();
    let size: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(statistics.received_packets > 100, "{statistics:?}");
    assert_eq!(statistics.lost, 0, "{statistics:?}");
    assert!(slowest < Duration::from_secs(2), "a command took {slowest:?}");
    assert!(most.saturating_sub(before) < 150 << 20, "memory grew from {before} to {most}");
    assert!(size < (megabytes << 20) * seconds().as_secs() / 3, "the journal has {size} bytes");
    tell(&format!(
        "{name}: {sent} datagrams in {} s, {} of own audio received, {} lost, slowest command {} ms, memory {} MB, \
         journal {} kB",
        seconds().as_secs(),
        statistics.received_packets,
        statistics.lost,
        slowest.as_millis(),
        most >> 20,
        size >> 10
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_datagrams_leave_an_own_call_as_it_is() {
    survive("500 bytes", 20_000, 4, |nth| {
        let mut message = invite(nth);
        message.splice(..6, *b"NOTHIN");
        message.resize(500, b'x');
        message
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_strangers_leave_an_own_call_as_it_is() {
    survive("INVITEs", 1_000, 4, invite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_datagrams_leave_an_own_call_as_it_is() {
    survive("60 kB", 1_700, 16, |nth| {
        let mut message = invite(nth);
        let subject = format!("Subject: {}\r\n", "x".repeat(60_000));
        let at = message.len() - 2;
        message.splice(at..at, subject.into_bytes());
        message
    })
    .await;
}
