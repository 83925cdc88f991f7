//! Facts are on disk before messages are on the wire (docs/decisions/0009): real sockets, a real database, real time.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    command::{Command, Execute, NodeCommand, PhoneCommand},
    event::{Cause, PhoneSpec, Surface},
    id::PhoneId,
    net::{Network, SystemNetwork},
    secret::Secret,
    switchboard::{Options, Switchboard},
    wall::Wall,
};
use rusqlite::Connection;

use crate::support::{
    peer::{EVENTS, Peer, tag},
    spec,
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

async fn execute(board: &Switchboard, command: Command) {
    board.execute(command, Cause::command(Surface::Library)).await.unwrap();
}

/// A switchboard on disk with one phone that answers by itself, and its peer.
async fn beside_a_peer(folder: &Path) -> (Switchboard, Peer, u16) {
    let network: Arc<dyn Network> = Arc::new(SystemNetwork::default());
    let options = Options::in_folder(Arc::clone(&network), Wall::system(), 7, folder).unwrap();
    let board = Switchboard::start(options).await.unwrap();
    // Both ports are the system's choice: one that a test chooses may be another process's a moment later.
    let mut peer = Peer::anywhere(&*network);
    let domain = format!("127.0.0.1:{}", peer.port());
    let spec = PhoneSpec { local_port: 0, register: false, auto_answer: true, ..spec(&domain, "a") };
    let phone: PhoneId = "a".parse().unwrap();
    let added = Command::add(phone.clone(), spec, Secret::new("x".into()));
    execute(&board, added).await;
    let bound = board.views().phone(&phone).and_then(|phone| phone.bound).expect("a bound phone");
    peer.talks_to(bound.port());
    let port = peer.port();
    (board, peer, port)
}

#[tokio::test]
async fn an_invite_and_an_ack_leave_after_the_facts_that_end_their_call() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer, port) = beside_a_peer(folder.path()).await;
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
    let (board, peer, _) = beside_a_peer(folder.path()).await;
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

#[tokio::test]
async fn a_disk_that_hangs_holds_messages_back_for_a_second_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer, port) = beside_a_peer(folder.path()).await;
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
    // Who waits for this lock hears nothing for five seconds: a disk that hangs without an error.
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
