//! Facts are on disk before messages are on the wire (docs/decisions/0009): real sockets, a real database, real time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use offhook::{
    command::{CallCommand, CallSelector, Command, NodeCommand, PhoneCommand, Sound},
    id::{PhoneId, Seq},
};
use rusqlite::Connection;
use tokio::net::UdpSocket;

use crate::support::{
    folder::{beside_a_peer, execute},
    peer::{EVENTS, tag},
};

/// Reads what a later process would find.
struct Successor(Connection);

impl Successor {
    fn of(folder: &Path) -> Self {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        Self(Connection::open_with_flags(folder.join("journal.db"), flags).unwrap())
    }

    /// Counts events of a kind whose data contain a text.
    fn knows(&self, kind: &str, text: &str) -> u32 {
        let count = "SELECT count(*) FROM events WHERE kind = ?1 AND instr(data, ?2) > 0";
        self.0.query_row(count, (kind, text), |row| row.get(0)).unwrap()
    }
}

#[tokio::test]
async fn an_invite_and_an_ack_leave_after_the_facts_that_end_their_call() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = beside_a_peer(folder.path(), true).await;
    let port = peer.port();
    let successor = Successor::of(folder.path());
    for nth in 1..=20 {
        let target = format!("sip:peer@127.0.0.1:{port}");
        execute(
            &board,
            Command::Phone("a".parse().unwrap(), PhoneCommand::PlaceCall { target, headers: [].into() }),
        )
        .await;
        let invite = peer.next("INVITE").await;
        assert_eq!(successor.knows("call.placed", ""), nth);
        assert_eq!(successor.knows("sip.sent", "INVITE sip:peer@"), nth);
        peer.answer(&invite, "200 OK", "", EVENTS);
        peer.next("ACK").await;
        assert_eq!(successor.knows("call.dialog", r#""confirmed":true"#), nth);
        execute(&board, Command::Node(NodeCommand::HangUpAll)).await;
        let bye = peer.next("BYE").await;
        peer.answer(&bye, "200 OK", "", "");
    }
    board.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_200_leaves_after_the_facts_that_end_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = beside_a_peer(folder.path(), true).await;
    let successor = Successor::of(folder.path());
    peer.request("INVITE", 1, "", EVENTS);
    let ok = peer.next("SIP/2.0 200").await;
    assert_eq!(successor.knows("call.incoming", ""), 1);
    assert_eq!(successor.knows("call.dialog", r#""confirmed":true"#), 1);
    let to = tag(&crate::support::peer::header(&ok, "To"));
    peer.request("ACK", 1, &to, "");
    peer.request("BYE", 2, &to, "");
    peer.next("SIP/2.0 200").await;
    board.shutdown().await.unwrap();
}

/// Receives what the peer's side of a call hears.
struct Ear(UdpSocket);

impl Ear {
    async fn open() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    /// Returns a session description that sends media here.
    fn description(&self) -> String {
        EVENTS.replace("9000", &self.0.local_addr().unwrap().port().to_string())
    }

    /// Sends loud sound to a port for ever (RFC 3550 §5.1, PCMU).
    async fn speaks_to(self, port: u16) {
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for sequence in 0_u16.. {
            clock.tick().await;
            let mut packet = vec![0x80, 0];
            packet.extend(sequence.to_be_bytes());
            packet.extend((u32::from(sequence) * 160).to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend([0x00, 0x80].repeat(80));
            self.0.send_to(&packet, ("127.0.0.1", port)).await.unwrap();
        }
    }

    /// Waits for a packet of this payload type that is not silence.
    async fn hears(&self, payload_type: u8) {
        let loud = |payload: &[u8]| payload.iter().any(|sample| sample & 0x7f < 0x7e);
        self.wait_for(|packet| packet[1] & 0x7f == payload_type && loud(&packet[12..])).await;
    }

    /// Waits for a telephone-event of this digit (RFC 4733 2.3).
    async fn hears_digit(&self, digit: u8) {
        self.wait_for(|packet| packet[1] & 0x7f == 101 && packet[12] == digit).await;
    }

    async fn wait_for(&self, wanted: impl Fn(&[u8]) -> bool) {
        let mut packet = [0; 2048];
        let heard = async {
            loop {
                let length = self.0.recv(&mut packet).await.unwrap();
                if wanted(&packet[..length]) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard).await.expect("to hear something");
    }
}

#[tokio::test]
async fn the_mix_of_a_conference_leaves_after_its_facts() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = beside_a_peer(folder.path(), true).await;
    let a: PhoneId = "a".parse().unwrap();
    let (listener, speaker) = (Ear::open().await, Ear::open().await);
    let mut media = 0;
    for ear in [&listener, &speaker] {
        let target = format!("sip:peer@127.0.0.1:{}", peer.port());
        let place = PhoneCommand::PlaceCall { target, headers: [].into() };
        execute(&board, Command::Phone(a.clone(), place)).await;
        let invite = peer.next("INVITE").await;
        media = invite
            .lines()
            .find_map(|line| line.strip_prefix("m=audio "))
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        peer.answer(&invite, "200 OK", "", &ear.description());
        peer.next("ACK").await;
    }
    let talks = tokio::spawn(speaker.speaks_to(media));
    let mut heard = board.journal().reader(Seq(0));
    while heard.next().await.unwrap().event.kind() != "media.first_packet" {}
    board.journal().flush().await.unwrap();
    let hold = Connection::open(folder.path().join("journal.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    let since = Instant::now();
    let confer = NodeCommand::Conference { phone: Some(a), calls: Vec::new() };
    execute(&board, Command::Node(confer)).await;
    listener.hears(0).await;
    let took = since.elapsed();
    assert!((900..3000).contains(&took.as_millis()), "after {took:?}");
    hold.execute_batch("ROLLBACK").unwrap();
    talks.abort();
    execute(&board, Command::Node(NodeCommand::HangUpAll)).await;
    peer.agrees().await;
    peer.agrees().await;
    board.shutdown().await.unwrap();
}

#[tokio::test]
async fn digits_and_sounds_leave_after_their_facts() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = beside_a_peer(folder.path(), true).await;
    let port = peer.port();
    let successor = Successor::of(folder.path());
    let (ear, a): (_, PhoneId) = (Ear::open().await, "a".parse().unwrap());
    let target = format!("sip:peer@127.0.0.1:{port}");
    execute(&board, Command::Phone(a.clone(), PhoneCommand::PlaceCall { target, headers: [].into() })).await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "", &ear.description());
    peer.next("ACK").await;
    let tone = Sound::Tone { hz: vec![440.0], level_dbfs: -10.0, duration: None };
    for (command, payload_type, fact) in [
        (CallCommand::SendDigits { digits: "5".into(), duration: None }, 101, "dtmf.sent"),
        (CallCommand::Play { sound: tone, repeat: false }, 0, "media.playback_started"),
    ] {
        board.journal().flush().await.unwrap();
        // Whoever waits for this lock is blocked for five seconds: a disk that hangs without an
        // error.
        let hold = Connection::open(folder.path().join("journal.db")).unwrap();
        hold.execute_batch("BEGIN IMMEDIATE").unwrap();
        let since = Instant::now();
        execute(&board, Command::Call(CallSelector::any_of(a.clone()), command)).await;
        ear.hears(payload_type).await;
        let took = since.elapsed();
        assert!((900..3000).contains(&took.as_millis()), "{fact} after {took:?}");
        hold.execute_batch("ROLLBACK").unwrap();
    }
    board.journal().flush().await.unwrap();

    // Two requests at the same time are held back for the same second.
    let hold = Connection::open(folder.path().join("journal.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    let since = Instant::now();
    for digits in ["7", "8"] {
        let digits = CallCommand::SendDigits { digits: digits.into(), duration: None };
        execute(&board, Command::Call(CallSelector::any_of(a.clone()), digits)).await;
    }
    ear.hears_digit(8).await;
    let took = since.elapsed();
    assert!((1_000..1_900).contains(&took.as_millis()), "the second after {took:?}");
    hold.execute_batch("ROLLBACK").unwrap();
    board.journal().flush().await.unwrap();

    // A disk that works causes no noticeable delay.
    let since = Instant::now();
    let digits = CallCommand::SendDigits { digits: "6".into(), duration: None };
    execute(&board, Command::Call(CallSelector::any_of(a.clone()), digits)).await;
    ear.hears_digit(6).await;
    assert!(since.elapsed() < Duration::from_millis(800), "{:?}", since.elapsed());
    assert_eq!(successor.knows("dtmf.sent", r#""digits":"6""#), 1);

    // What is still waiting when the call ends is not sent.
    let hold = Connection::open(folder.path().join("journal.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    let digits = CallCommand::SendDigits { digits: "9".into(), duration: None };
    execute(&board, Command::Call(CallSelector::any_of(a.clone()), digits)).await;
    execute(&board, Command::Call(CallSelector::any_of(a), CallCommand::HangUp)).await;
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    hold.execute_batch("ROLLBACK").unwrap();
    let mut ended = board.journal().reader(Seq(0));
    while ended.next().await.unwrap().event.kind() != "call.ended" {}
    board.journal().flush().await.unwrap();
    assert_eq!(successor.knows("dtmf.cut", r#""digits":"9""#), 1);
    board.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_answer_to_a_re_offer_leaves_after_its_fact() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = beside_a_peer(folder.path(), true).await;
    let successor = Successor::of(folder.path());
    peer.request("INVITE", 1, "", EVENTS);
    let ok = peer.next("SIP/2.0 200").await;
    let to = tag(&crate::support::peer::header(&ok, "To"));
    peer.request("ACK", 1, &to, "");
    for nth in 1..=20 {
        let direction = if nth % 2 == 1 { "sendonly" } else { "sendrecv" };
        let offer =
            EVENTS.replace("o=- 1 1 ", &format!("o=- 1 {} ", nth + 1)) + &format!("a={direction}\r\n");
        peer.request("INVITE", nth + 1, &to, &offer);
        peer.next("SIP/2.0 200").await;
        assert_eq!(successor.knows("call.modified", ""), nth);
        peer.request("ACK", nth + 1, &to, "");
    }
    peer.request("BYE", 22, &to, "");
    peer.next("SIP/2.0 200").await;
    board.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_disk_that_hangs_holds_messages_back_for_a_second_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = beside_a_peer(folder.path(), true).await;
    let port = peer.port();
    let invited = async |user: &str| {
        let since = Instant::now();
        let target = format!("sip:{user}@127.0.0.1:{port}");
        execute(
            &board,
            Command::Phone("a".parse().unwrap(), PhoneCommand::PlaceCall { target, headers: [].into() }),
        )
        .await;
        let invite = peer.next(&format!("INVITE sip:{user}@")).await;
        let took = since.elapsed();
        peer.answer(&invite, "486 Busy Here", "", "");
        took
    };
    // Whoever waits for this lock is blocked for five seconds: a disk that hangs without an error.
    let hold = Connection::open(folder.path().join("journal.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = invited("first").await;
    assert!((900..3000).contains(&first.as_millis()), "{first:?}");
    let second = invited("second").await;
    assert!(second < Duration::from_millis(500), "{second:?}");
    assert_eq!(board.journal().health().failure, None);
    hold.execute_batch("ROLLBACK").unwrap();

    board.journal().flush().await.unwrap();
    invited("third").await;
    let successor = Successor::of(folder.path());
    assert_eq!(successor.knows("sip.sent", "INVITE sip:third@"), 1, "facts come first again");
    board.shutdown().await.unwrap();
}
