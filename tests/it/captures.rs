//! Captures of phones: what is in the files, what they are called, and what is said of them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use offhook::{
    artifact::{ArtifactFolder, ArtifactKind, Sidecar},
    capture::{CaptureFormat, CaptureOptions},
    command::{CallCommand, Command, NodeCommand, PhoneChanges, PhoneCommand},
    event::{CaptureEvent, Event, PhoneSpec},
    id::{CallId, PhoneId},
    journal::Query,
    secret::Secret,
};

use crate::support::{World, on, peer::Peer, spec, tone};

/// A datagram in a capture.
struct Packet {
    at: Duration,
    from: u16,
    to: u16,
    payload: Vec<u8>,
}

impl Packet {
    fn first_line(&self) -> String {
        String::from_utf8_lossy(&self.payload).lines().next().unwrap_or_default().to_owned()
    }
}

/// Reads a classic capture of IPv4 datagrams, with the means of the format's description alone.
fn packets(file: &Path) -> Vec<Packet> {
    let bytes = std::fs::read(file).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((number(0), number(20)), (0xA1B2_C3D4, 101), "microseconds, whole IP packets");
    let (mut packets, mut at) = (Vec::new(), 24);
    while at < bytes.len() {
        let (kept, whole) = (number(at + 8) as usize, number(at + 12) as usize);
        let packet = &bytes[at + 16..at + 16 + kept];
        assert_eq!((kept, packet[0], packet[9]), (whole, 0x45, 17), "a whole UDP datagram over IPv4");
        assert_eq!(packet[12..20], [127, 0, 0, 1, 127, 0, 0, 1]);
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        packets.push(Packet {
            at: Duration::from_secs(number(at).into()) + Duration::from_micros(number(at + 4).into()),
            from: port(20),
            to: port(22),
            payload: packet[28..].to_vec(),
        });
        at += 16 + kept;
    }
    packets
}

fn options(folder: &Path) -> CaptureOptions {
    CaptureOptions::under(ArtifactFolder::under(ArtifactKind::Captures, &folder.join("captures")))
}

/// A world that writes into `folder`, with a captured phone and a peer beside it.
async fn captured(folder: &Path, change: impl FnOnce(&mut CaptureOptions)) -> (World, PhoneId, Peer) {
    let mut captures = options(folder);
    change(&mut captures);
    let world = World::changed(|options| {
        options.captures = captures;
        options.recordings = ArtifactFolder::under(ArtifactKind::Recordings, &folder.join("recordings"));
    })
    .await;
    let a: PhoneId = "a".parse().unwrap();
    let spec =
        PhoneSpec { local_port: 5061, register: false, capture_enabled: true, ..spec("127.0.0.1:5060", "a") };
    world.run(Command::add(a.clone(), spec, Secret::new("x".into()))).await.unwrap();
    let peer = Peer::new(&world.network, 5070, 5061);
    (world, a, peer)
}

/// The captures in the folder of phone `a`, oldest first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("captures/a")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| {
        path.file_stem().unwrap().to_string_lossy().split_once("2026").unwrap().1.to_owned()
    });
    files
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files(folder).into_iter().map(name).collect()
}

/// Everything that was said about captures: the call it was said of, and what.
fn told(world: &World) -> Vec<(Option<CallId>, CaptureEvent)> {
    let all = world.board.journal().query_blocking(&Query::of_kinds(&["capture.*"])).unwrap();
    let fact = |event: &Event| if let Event::Capture(event) = event { event.clone() } else { panic!() };
    all.iter().map(|envelope| (envelope.subject.call, fact(&envelope.event))).collect()
}

fn path(file: &Path) -> String {
    file.display().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_captured_from_its_first_message_to_its_last_with_its_media() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    assert_eq!(names(folder.path()), Vec::<String>::new(), "nothing has passed yet");
    let (call, to) = world.called_by(&peer, &a).await;
    world.run(Command::Call(on(call), CallCommand::Record { on: true })).await.unwrap();
    world
        .run(Command::Call(on(call), CallCommand::Play { sound: tone(440.0), repeat: false }))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.request("BYE", 2, &to, "");
    world.next(&a, "call.ended").await;
    world.next(&a, "capture.stopped").await;

    let [file] = &files(folder.path())[..] else { panic!("{:?}", names(folder.path())) };
    assert_eq!(names(folder.path()), ["call_0_20260101_000000_001000.pcap"]);
    let packets = packets(file);
    assert!(packets.is_sorted_by_key(|packet| packet.at));
    let sip: Vec<String> = packets
        .iter()
        .filter(|packet| [packet.from, packet.to].contains(&5061))
        .map(|packet| format!("{} {}", packet.from, packet.first_line()))
        .collect();
    let lines: Vec<&str> = sip.iter().map(String::as_str).collect();
    assert_eq!(
        lines,
        [
            "5070 INVITE sip:a@127.0.0.1:5061 SIP/2.0",
            "5061 SIP/2.0 200 OK",
            "5070 ACK sip:a@127.0.0.1:5061 SIP/2.0",
            "5070 BYE sip:a@127.0.0.1:5061 SIP/2.0",
            "5061 SIP/2.0 200 OK",
        ]
    );
    let view = world.board.views().call(call).unwrap();
    let port: u16 = view.media_local.as_deref().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let rtp: Vec<&Packet> = packets.iter().filter(|packet| packet.from == port).collect();
    assert!((45..=60).contains(&rtp.len()), "{}", rtp.len());
    assert!(rtp.iter().all(|packet| packet.payload.len() == 172 && packet.payload[0] == 0x80));

    let stopped = CaptureEvent::Stopped {
        path: path(file),
        packets: packets.len() as u64,
        bytes: std::fs::metadata(file).unwrap().len(),
    };
    let early = path(&file.with_file_name("capture_20260101_000000_001000.pcap"));
    assert_eq!(
        told(&world),
        [
            (None, CaptureEvent::Started { path: early.clone(), continues: None }),
            (Some(call), CaptureEvent::CallAdded { path: path(file), renamed_from: Some(early) }),
            (None, stopped),
        ]
    );
    assert_eq!(view.captures, [path(file)]);
    drop(peer);
    // The recording has the capture's stem, and its description names the capture.
    let recording = folder.path().join("recordings/a/call_0_20260101_000000_001000.wav");
    assert_eq!(view.recordings[0].path, path(&recording));
    world.end().await;
    assert_eq!(Sidecar::read(&recording).unwrap().pcap, Some(path(file)));
}

#[tokio::test(start_paused = true)]
async fn each_call_has_a_file_and_calls_at_once_share_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    let other = Peer::new(&world.network, 5080, 5061);
    let sdp = crate::support::peer::EVENTS;
    // One right after the other: the first file ends with the second call's INVITE.
    for _ in 0..2 {
        let call = world.calls(&a, &peer, sdp).await;
        world.hang_up(call, &peer).await;
        world.next(&a, "call.ended").await;
    }
    let third = world.calls(&a, &peer, sdp).await;
    let fourth = world.calls(&a, &other, sdp).await;
    for (call, peer) in [(third, &peer), (fourth, &other)] {
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.hang_up(call, peer).await;
        world.next(&a, "call.ended").await;
    }
    drop((peer, other));
    let board = world.board.clone();
    world.end().await;
    let stems: Vec<String> = names(folder.path()).iter().map(|name| name[..6].to_owned()).collect();
    assert_eq!(stems, ["call_0", "call_1", "call_2"]);
    let files = files(folder.path());
    let invites = |file: &PathBuf| {
        packets(file).iter().filter(|packet| packet.first_line().starts_with("INVITE ")).count()
    };
    assert_eq!(files.iter().map(invites).collect::<Vec<_>>(), [1, 1, 2]);
    for file in &files[..2] {
        let lines: Vec<String> = packets(file).iter().map(Packet::first_line).collect();
        let bye = lines.iter().position(|line| line.starts_with("BYE ")).unwrap();
        assert!(lines[bye..].iter().any(|line| line == "SIP/2.0 200 OK"), "{lines:?}");
    }
    let captures = |call| board.views().call(call).unwrap().captures.clone();
    assert_eq!((captures(third), captures(fourth)), (vec![path(&files[2])], vec![path(&files[2])]));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_right_after_another_has_its_own_file_from_its_invite_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    let b = world.phone("b", 5062).await;
    for _ in 0..2 {
        let call = world.call(&b, "sip:a@127.0.0.1:5061").await;
        world.next(&a, "call.incoming").await;
        world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
        world.next(&a, "call.ended").await;
    }
    drop(peer);
    world.end().await;
    let files = files(folder.path());
    let stems: Vec<String> = names(folder.path()).iter().map(|name| name[..6].to_owned()).collect();
    assert_eq!(stems, ["call_1", "call_3"], "b's own calls are 0 and 2");
    for file in &files {
        let first = &packets(file)[0];
        assert_eq!(first.from, 5062);
        assert!(first.first_line().starts_with("INVITE "), "{}", first.first_line());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_in_a_flood_share_files_and_only_the_newest_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    // Room for one small file beside the present one.
    let (mut world, a, peer) = captured(folder.path(), |options| {
        options.form.most_bytes = 20_000;
        options.form.most_files = 2;
    })
    .await;
    let b = world.phone("b", 5062).await;
    // Within ten seconds.
    for _ in 0..40 {
        let call = world.call(&b, "sip:a@127.0.0.1:5061").await;
        world.next(&a, "call.incoming").await;
        world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
        world.next(&a, "call.ended").await;
    }
    drop(peer);
    let board = world.board.clone();
    world.end().await;
    let facts = board.journal().query_blocking(&Query::of_kinds(&["capture.*"])).unwrap();
    let count = |kind: &str| facts.iter().filter(|envelope| envelope.event.kind() == kind).count();
    // Ten for calls; the others because a file had its size, and again with the call that was up.
    let begun = count("capture.started");
    let full = facts.iter().filter(|envelope| envelope.event.data()["continues"].is_string()).count();
    assert_eq!((begun - full, count("capture.failed")), (10, 0));
    assert!((40..=40 + full).contains(&count("capture.call_added")));
    assert_eq!(files(folder.path()).len(), begun - count("capture.removed"));
    let size: u64 = files(folder.path()).iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    assert!(size <= 42_000, "{size}");
}

#[tokio::test(start_paused = true)]
async fn a_capture_ends_with_its_phone_and_for_the_same_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    let call = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    let dropped = Command::Node(NodeCommand::DropPhone { phone: a.clone(), hang_up: true });
    let (dropped, ()) = tokio::join!(world.run(dropped), peer.agrees());
    dropped.unwrap();
    drop(peer);
    let facts = world.board.journal().query_blocking(&Query::default()).unwrap();
    let cause = |kind: &str| facts.iter().find(|fact| fact.event.kind() == kind).map(|fact| &fact.cause);
    assert_eq!(cause("capture.stopped"), cause("phone.dropped"), "{}", world.story());
    assert!(world.board.views().call(call).unwrap().end.is_some());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_goes_off_and_on_within_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    let call = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    for on in [false, true] {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let changes = PhoneChanges { capture_enabled: Some(on), ..PhoneChanges::default() };
        world.run(Command::Phone(a.clone(), PhoneCommand::Update(changes))).await.unwrap();
        assert_eq!(world.board.views().phone(&a).unwrap().spec.capture_enabled, on);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    drop(peer);
    let board = world.board.clone();
    world.end().await;
    let [first, second] = &files(folder.path())[..] else { panic!("{:?}", names(folder.path())) };
    assert!(names(folder.path()).iter().all(|name| name.starts_with("call_0_2026")));
    let [before, after] = [first, second].map(|file| packets(file));
    assert!(before[0].first_line().starts_with("INVITE ") && after[0].payload[0] == 0x80);
    let pause = after[0].at - before.last().unwrap().at;
    assert!((980..=1040).contains(&pause.as_millis()), "{pause:?}");
    assert_eq!(board.views().call(call).unwrap().captures, [path(first), path(second)]);
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_cannot_be_written_is_told_and_the_next_call_tries_again() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("captures");
    std::fs::write(&in_the_way, "").unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    let call = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    // The file would have been completed by now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.count("capture.failed"), 1, "{}", world.story());
    std::fs::remove_file(&in_the_way).unwrap();
    let again = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    world.hang_up(again, &peer).await;
    world.next(&a, "capture.stopped").await;
    let kinds: Vec<_> = told(&world).iter().map(|(_, event)| event.kind()).collect();
    assert_eq!(kinds, ["capture.failed", "capture.started", "capture.call_added", "capture.stopped"]);
    assert_eq!(names(folder.path()).len(), 1);
    assert!(packets(&files(folder.path())[0])[0].first_line().starts_with("INVITE "));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_was_removed_meanwhile_is_not_said_to_be_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |_| {}).await;
    let call = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    // The file is begun and renamed by a thread.
    while world.count("capture.call_added") == 0 {
        std::thread::yield_now();
    }
    let file = files(folder.path()).remove(0);
    std::fs::remove_file(&file).unwrap();
    // Somebody else's by now.
    std::fs::write(&file, "").unwrap();
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    drop(peer);
    let board = world.board.clone();
    world.end().await;
    let facts = board.journal().query_blocking(&Query::of_kinds(&["capture.*"])).unwrap();
    let kinds: Vec<_> = facts.iter().map(|envelope| envelope.event.kind()).collect();
    assert_eq!(kinds, ["capture.started", "capture.call_added", "capture.failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_capture_goes_on_in_further_files_and_keeps_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) = captured(folder.path(), |options| {
        options.form.most_bytes = 20_000;
        options.form.most_files = 3;
    })
    .await;
    let call = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    world
        .run(Command::Call(on(call), CallCommand::Play { sound: tone(440.0), repeat: false }))
        .await
        .unwrap();
    // 100 packets of 216 bytes a file: ten seconds are five files.
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    drop(peer);
    let board = world.board.clone();
    world.end().await;
    let left = files(folder.path());
    assert_eq!(left.len(), 3, "{:?}", names(folder.path()));
    for file in &left {
        let size = std::fs::metadata(file).unwrap().len();
        assert!(size <= 20_300, "{size}");
    }
    let facts = board.journal().query_blocking(&Query::of_kinds(&["capture.*"])).unwrap();
    let count = |kind: &str| facts.iter().filter(|envelope| envelope.event.kind() == kind).count();
    assert_eq!(
        (count("capture.started"), count("capture.stopped")),
        (count("capture.removed") + 3, count("capture.removed") + 3)
    );
    assert!(count("capture.removed") >= 2);
    let gaps = left.windows(2).map(|two| packets(&two[1])[0].at - packets(&two[0]).last().unwrap().at);
    assert!(gaps.into_iter().all(|gap| gap <= Duration::from_millis(20)), "nothing is missing between them");
}

#[tokio::test(start_paused = true)]
async fn pcapng_names_the_phone_and_says_of_each_packet_which_call_it_belongs_to() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, a, peer) =
        captured(folder.path(), |options| options.form.format = CaptureFormat::Pcapng).await;
    let call = world.calls(&a, &peer, crate::support::peer::EVENTS).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
    assert!(names(folder.path())[0].ends_with(".pcapng"));
    let bytes = std::fs::read(&files(folder.path())[0]).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut packets, mut of_call, mut named) = (0, 0, 0, false);
    while at < bytes.len() {
        let block = &bytes[at..at + number(at + 4) as usize];
        let has = |text: &[u8]| block.windows(text.len()).any(|part| part == text);
        match number(at) {
            // if_name, one byte long.
            1 => named = has(&[2, 0, 1, 0, b'a', 0, 0, 0]),
            6 => {
                packets += 1;
                of_call += usize::from(has(b"\x01\x00\x06\x00call-0"));
            }
            _ => {}
        }
        at += block.len();
    }
    assert!(named && packets > 50 && of_call == packets, "{named} {packets} {of_call}");
}
