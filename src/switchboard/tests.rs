//! Failures stay where they happen: a call, a phone, a process.

use std::{sync::Arc, time::Duration};

use super::{Options, Switchboard};
use crate::{
    command::{AddPhone, CallSelector, Command, Execute},
    event::{CallEvent, Cause, EndCause, Envelope, Event, PhoneSpec, Surface},
    id::{CallId, PhoneId, Seq},
    journal::Journal,
    phone::PhoneMessage,
    secret::Secret,
    sim,
    wall::Wall,
};

fn wall() -> Wall {
    Wall::starting_at("2026-01-01T00:00:00Z".parse().unwrap())
}

async fn board(network: &sim::Network, journal: Journal) -> Switchboard {
    let options = Options { journal, ..Options::in_memory(Arc::new(network.clone()), wall(), 7) };
    Switchboard::start(options).await.unwrap()
}

async fn phone(board: &Switchboard, name: &str, local_port: u16) -> PhoneId {
    let id: PhoneId = name.parse().unwrap();
    let spec = PhoneSpec {
        domain: "127.0.0.1:5060".into(),
        username: name.into(),
        realm: None,
        transport: crate::event::Transport::Udp,
        transport_text: None,
        local_port,
        codecs: None,
        auto_answer: true,
        srtp: false,
        register: false,
        recording_enabled: false,
        capture_enabled: false,
    };
    let add = AddPhone { phone: id.clone(), spec, password: Secret::new("x".into()) };
    board.execute(Command::AddPhone(add), Cause::command(Surface::Library)).await.unwrap();
    id
}

async fn call(board: &Switchboard, from: &PhoneId, port: u16) -> CallId {
    let target = format!("sip:b@127.0.0.1:{port}");
    let place = Command::PlaceCall { phone: from.clone(), target, headers: [].into() };
    let call = board.execute(place, Cause::command(Surface::Library)).await.unwrap().call.unwrap();
    seen(board, |e| e.subject.call == Some(call) && e.event.kind() == "call.established").await;
    call
}

/// Waits for an event, wherever in the journal it is.
async fn seen(board: &Switchboard, wanted: impl Fn(&Envelope) -> bool) -> Arc<Envelope> {
    let mut reader = board.journal().reader(Seq(0));
    let found = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let envelope = reader.next().await.unwrap();
            if wanted(&envelope) {
                return envelope;
            }
        }
    });
    let Ok(envelope) = found.await else { panic!("not seen:\n{}", story(board.journal())) };
    envelope
}

fn story(journal: &Journal) -> String {
    let all = journal.query(&crate::journal::Query::default()).unwrap();
    let line =
        |e: &Arc<Envelope>| format!("{} {:?} {} {}", e.seq, e.subject.phone, e.event.kind(), e.event.data());
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn ended_by(envelope: &Envelope, call: CallId, why: EndCause) -> bool {
    let end = matches!(&envelope.event, Event::Call(CallEvent::Ended { cause, .. }) if *cause == why);
    end && envelope.subject.call == Some(call)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_ended_on_the_wire_and_its_sibling_goes_on() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let sibling = call(&board, &a, 5062).await;
    let failing = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[1].id;

    let actor = board.inner.directory.get(&a).unwrap();
    actor.cast(PhoneMessage::Fail(Some(failing))).unwrap();
    seen(&board, |e| ended_by(e, failing, EndCause::Crashed)).await;
    // The other side saw an ordinary BYE.
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    assert_eq!(board.views().active_calls(&a).iter().map(|c| c.id).collect::<Vec<_>>(), [sibling]);

    let hold = Command::Hold { call: CallSelector::call(sibling) };
    board.execute(hold, Cause::command(Surface::Library)).await.unwrap();
    seen(&board, |e| e.subject.call == Some(sibling) && e.event.kind() == "call.held").await;
    board.shutdown().await.unwrap();
    assert_eq!(board.views().all_active_calls().len(), 0, "{}", story(board.journal()));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_fails_comes_back_and_ends_what_it_left() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;

    board.inner.directory.get(&a).unwrap().cast(PhoneMessage::Fail(None)).unwrap();
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    // It works again, with identifiers of its own.
    call(&board, &a, 5062).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_replaces_a_failed_one_ends_its_calls_and_comes_back_itself() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;

    board.inner.directory.get(&a).unwrap().cast(PhoneMessage::Fail(None)).unwrap();
    seen(&board, |e| e.event.kind() == "phone.crashed").await;
    // Added again during the pause before the restart.
    phone(&board, "a", 5061).await;
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let restarts = || story(board.journal()).matches("phone.restarted").count();
    assert_eq!(restarts(), 0, "the replaced one stays gone");

    board.inner.directory.get(&a).unwrap().cast(PhoneMessage::Fail(None)).unwrap();
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    call(&board, &a, 5062).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_left_behind_ends_in_the_journal_although_its_phone_is_dropped_before_the_wire_answers() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    network.set_filter(|_| sim::Fate::Lost);
    board.inner.directory.get(&a).unwrap().cast(PhoneMessage::Fail(None)).unwrap();
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for phone in [a, b] {
        let gone = Command::DropPhone { phone, hang_up: true };
        board.execute(gone, Cause::command(Surface::Library)).await.unwrap();
    }
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    assert_eq!(board.views().all_active_calls().len(), 0, "{}", story(board.journal()));
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_leaves_calls_that_the_next_one_ends() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let first = board(&network, journal.clone()).await;
    let a = phone(&first, "a", 5061).await;
    let left = call(&first, &a, 5062).await;
    // Death: actors and sockets vanish without a word, the journal stays.
    first.inner.root.kill();
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let second = board(&network, journal).await;
    seen(&second, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    let remote = seen(&theirs, |e| e.event.kind() == "call.ended").await;
    assert!(matches!(&remote.event, Event::Call(CallEvent::Ended { cause: EndCause::Normal, .. })));
    assert!(theirs.views().active_calls(&b).is_empty());
    assert!(second.views().phone(&a).is_some(), "the phone is taken up again");
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

// Two threads and real time: with one thread the actors happen to run in the harmless order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_can_be_used_again_at_once() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    for _ in 0..300 {
        let a = phone(&board, "a", 5061).await;
        let gone = Command::DropPhone { phone: a, hang_up: true };
        board.execute(gone, Cause::command(Surface::Library)).await.unwrap();
    }
    // Replacing needs no drop.
    phone(&board, "a", 5061).await;
    phone(&board, "a", 5061).await;
    assert_eq!(board.views().phones().len(), 1);
    board.shutdown().await.unwrap();
}
