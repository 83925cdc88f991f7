//! What the switchboard promises, on a simulated network.

mod adding;
mod conferences;
mod links;
mod runs;
mod supervision;

use std::{sync::Arc, time::Duration};

use super::{Options, Switchboard};
use crate::{
    command::{
        CallCommand, CallSelector, Code, Command, Execute, NodeCommand, Outcome, PhoneCommand, Rejection,
    },
    event::{
        CallEvent, Cause, EndCause, Envelope, Event, PhoneEvent, PhoneSpec, SipEvent, Subject, Surface,
        TimerReason,
    },
    id::{CallId, PhoneId, RunId, Seq},
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
    add(board, name, local_port).await.unwrap()
}

async fn add(board: &Switchboard, name: &str, local_port: u16) -> Result<PhoneId, Rejection> {
    add_spec(board, spec(name, local_port)).await
}

async fn add_spec(board: &Switchboard, spec: PhoneSpec) -> Result<PhoneId, Rejection> {
    let id: PhoneId = spec.username.parse().unwrap();
    let add = Command::add(id.clone(), spec, Secret::new("x".into()));
    board.execute(add, Cause::command(Surface::Library)).await.map(|_| id)
}

/// Settings of a phone that answers automatically.
fn spec(name: &str, local_port: u16) -> PhoneSpec {
    PhoneSpec { local_port, auto_answer: true, register: false, ..PhoneSpec::new("127.0.0.1:5060", name) }
}

async fn drop_phone(board: &Switchboard, phone: &PhoneId, hang_up: bool) -> Result<Outcome, Rejection> {
    let gone = Command::Node(NodeCommand::DropPhone { phone: phone.clone(), hang_up });
    board.execute(gone, Cause::command(Surface::Library)).await
}

/// Makes a phone's actor fail.
fn fail(board: &Switchboard, phone: &PhoneId) {
    board.inner.directory.get(phone).unwrap().cast(PhoneMessage::Fail(None)).unwrap();
}

/// Returns the facts about one phone itself, in order, except those about its registration.
fn life(board: &Switchboard, phone: &PhoneId) -> Vec<&'static str> {
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    let own = all.iter().filter(|e| e.subject.phone.as_ref() == Some(phone));
    own.map(|e| e.event.kind()).filter(|kind| kind.starts_with("phone.")).collect()
}

async fn call(board: &Switchboard, from: &PhoneId, port: u16) -> CallId {
    let target = format!("sip:b@127.0.0.1:{port}");
    let place = Command::Phone(from.clone(), PhoneCommand::PlaceCall { target, headers: [].into() });
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
    let all = journal.query_blocking(&crate::journal::Query::default()).unwrap();
    let line =
        |e: &Arc<Envelope>| format!("{} {:?} {} {}", e.seq, e.subject.phone, e.event.kind(), e.event.data());
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn ended_by(envelope: &Envelope, call: CallId, why: EndCause) -> bool {
    let end = matches!(&envelope.event, Event::Call(CallEvent::Ended { cause, .. }) if *cause == why);
    end && envelope.subject.call == Some(call)
}
