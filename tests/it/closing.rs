//! A phone that is dropped while its first REGISTER is pending: no binding is left behind, and
//! nobody waits long.

use std::time::Duration;

use offhook::{
    command::{Command, NodeCommand},
    event::{Event, PhoneEvent, PhoneSpec},
    id::PhoneId,
    secret::Secret,
};
use tokio::time::Instant;

use crate::support::{
    World,
    peer::{Peer, header},
    spec,
};

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";

/// A phone whose REGISTER has reached its registrar, which has not responded yet.
async fn registering(world: &World) -> (PhoneId, Peer, String) {
    let registrar = Peer::new(&world.network, 5060, 5061);
    let a: PhoneId = "a".parse().unwrap();
    let spec = PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5060", "a") };
    let add = Command::add(a.clone(), spec, Secret::new("x".into()));
    world.run(add).await.unwrap();
    let register = registrar.next("REGISTER").await;
    (a, registrar, register)
}

/// Drops the phone while the registrar does something; returns how long dropping took.
async fn dropped(world: &World, a: &PhoneId, registrar: impl Future<Output = ()>) -> Duration {
    let since = Instant::now();
    let drop_phone = async {
        world.run(Command::Node(NodeCommand::DropPhone { phone: a.clone(), hang_up: true })).await.unwrap();
        since.elapsed()
    };
    tokio::join!(drop_phone, registrar).0
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_accepted_after_the_drop_is_taken_back() {
    let world = World::new().await;
    let (a, registrar, register) = registering(&world).await;
    let took = dropped(&world, &a, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        registrar.answer(&register, "401 Unauthorized", CHALLENGE, "");
        let again = next_but(&registrar, &register).await.expect("a REGISTER with credentials");
        tokio::time::sleep(Duration::from_millis(300)).await;
        registrar.answer(&again, "200 OK", "Expires: 300\r\n", "");
        let leaving = registrar.next("REGISTER").await;
        assert_eq!(header(&leaving, "Expires"), "0");
        registrar.answer(&leaving, "200 OK", "", "");
    })
    .await;
    assert!((600..700).contains(&took.as_millis()), "{took:?}");
    let story = world.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
    let last = story.iter().rev().find(|envelope| matches!(envelope.event, Event::Phone(_))).unwrap();
    assert_eq!(last.event, PhoneEvent::Unregistered { status: Some(200) }.into(), "{}", world.story());
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_never_answers_delays_a_drop_by_a_second() {
    let world = World::new().await;
    let (a, registrar, _) = registering(&world).await;
    let took = dropped(&world, &a, async {}).await;
    assert_eq!(took.as_secs(), 1, "{took:?}");
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_the_drop_leaves_nothing_to_take_back() {
    let world = World::new().await;
    let (a, registrar, register) = registering(&world).await;
    let took = dropped(&world, &a, async {
        registrar.answer(&register, "403 Forbidden", "", "");
        assert_eq!(next_but(&registrar, &register).await, None);
    })
    .await;
    assert!(took < Duration::from_millis(100), "{took:?}");
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_was_refused_is_dropped_at_once() {
    let mut world = World::new().await;
    let (a, registrar, register) = registering(&world).await;
    registrar.answer(&register, "503 Service Unavailable", "", "");
    world.next(&a, "phone.registration_failed").await;
    assert_eq!(dropped(&world, &a, async {}).await, Duration::ZERO);
    drop(registrar);
    world.end().await;
}

/// Waits up to ten seconds for a REGISTER that is not a retransmission of this one.
async fn next_but(registrar: &Peer, register: &str) -> Option<String> {
    while let Some(next) = registrar.next_within("REGISTER", Duration::from_secs(10)).await {
        if header(&next, "CSeq") != header(register, "CSeq") {
            return Some(next);
        }
    }
    None
}
