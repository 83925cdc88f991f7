//! The end of the process while the other side is silent: what it did not confirm is left to the
//! next process (docs/decisions/0009). Real sockets, a real database, real time.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    command::{Command, NodeCommand, PhoneCommand},
    event::{CallEvent, EndCause, Envelope, Event},
    id::PhoneId,
    journal::Query,
    net::{Network, SystemNetwork},
    switchboard::{Options, Switchboard},
    wall::Wall,
};

use crate::support::{
    folder::{beside_a_peer, execute},
    peer::{EVENTS, Peer},
};

/// Facts of calls in a journal, in order.
fn facts(board: &Switchboard) -> Vec<Arc<Envelope>> {
    let all = board.journal().query_blocking(&Query::default()).unwrap();
    all.into_iter().filter(|envelope| matches!(envelope.event, Event::Call(_))).collect()
}

/// A conversation with a peer that then falls silent.
async fn talking(folder: &Path) -> (Switchboard, Peer) {
    let (board, peer) = beside_a_peer(folder, true).await;
    let target = format!("sip:peer@127.0.0.1:{}", peer.port());
    let place = PhoneCommand::PlaceCall { target, headers: [].into() };
    execute(&board, Command::Phone(phone(), place)).await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "200 OK", "", EVENTS);
    peer.next("ACK").await;
    (board, peer)
}

fn phone() -> PhoneId {
    "a".parse().unwrap()
}

/// Ends the process, which asks the peer in vain to end the call.
async fn shut_down(board: Switchboard, peer: &Peer) {
    let since = Instant::now();
    board.shutdown().await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    peer.next("BYE").await;
    let facts = facts(&board);
    let said = |event: &CallEvent| facts.iter().any(|fact| fact.event == Event::Call(event.clone()));
    assert!(said(&CallEvent::Ending {}));
    let ended = facts.iter().find(|fact| matches!(fact.event, Event::Call(CallEvent::Ended { .. })));
    assert_eq!(ended, None, "nobody has confirmed it");
}

/// Starts the next process, lets the peer confirm, and returns the cause and duration of the call's
/// end.
async fn successor(folder: &Path, peer: &mut Peer) -> (Switchboard, EndCause, u64) {
    // Retransmissions of the last process.
    while peer.next_within("", Duration::from_millis(20)).await.is_some() {}
    let network: Arc<dyn Network> = Arc::new(SystemNetwork::default());
    let options = Options::in_folder(network, Wall::system(), 8, folder).unwrap();
    let board = Switchboard::start(options).await.unwrap();
    let bye = peer.next("BYE").await;
    let via = crate::support::peer::header(&bye, "Via");
    let sent_by = via.split([' ', ';']).nth(1).unwrap();
    peer.talks_to(sent_by.rsplit(':').next().unwrap().parse().unwrap());
    peer.answer(&bye, "200 OK", "", "");
    for _ in 0..100 {
        let ended = facts(&board).into_iter().find_map(|fact| match &fact.event {
            Event::Call(CallEvent::Ended { cause, duration_ms, .. }) => Some((*cause, *duration_ms)),
            Event::Call(_)
            | Event::Phone(_)
            | Event::Sip(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Run(_)
            | Event::System(_) => None,
        });
        if let Some((cause, duration_ms)) = ended {
            return (board, cause, duration_ms);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no end within two seconds");
}

#[tokio::test]
async fn a_call_whose_end_nobody_confirmed_is_ended_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let (board, mut peer) = talking(folder.path()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    shut_down(board, &peer).await;
    // The time without a process is not part of the conversation, and neither is the time in which
    // the peer did not answer.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (board, cause, duration_ms) = successor(folder.path(), &mut peer).await;
    assert_eq!(cause, EndCause::ProcessRestarted);
    assert!((300..1000).contains(&duration_ms), "{duration_ms} ms");
    board.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_phone_that_is_being_dropped_leaves_its_call_and_password_to_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let (board, mut peer) = talking(folder.path()).await;
    let dropping = board.clone();
    let dropped = tokio::spawn(async move {
        execute(&dropping, Command::Node(NodeCommand::DropPhone { phone: phone(), hang_up: true })).await;
    });
    let kept = || std::fs::read_to_string(folder.path().join("credentials.json")).unwrap();
    while !facts(&board).iter().any(|fact| fact.event == Event::Call(CallEvent::Ending {})) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shut_down(board, &peer).await;
    dropped.await.unwrap();
    assert!(kept().contains("\"a\""), "{}", kept());
    let (board, cause, _) = successor(folder.path(), &mut peer).await;
    assert_eq!(cause, EndCause::ProcessRestarted);
    board.shutdown().await.unwrap();
    assert!(!kept().contains("\"a\""), "{}", kept());
}

#[tokio::test]
async fn a_phone_that_is_dropped_when_the_time_of_the_process_is_over_waits_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (board, peer) = talking(folder.path()).await;
    board.prepare_to_end();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let since = Instant::now();
    execute(&board, Command::Node(NodeCommand::DropPhone { phone: phone(), hang_up: true })).await;
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    shut_down(board, &peer).await;
}
