//! Changing a phone's password and realm: what uses the new ones, and which phones register again.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command, PhoneChanges, PhoneCommand},
    event::PhoneSpec,
    id::PhoneId,
    secret::Secret,
};
use offhook_sip::{
    auth::{Challenger, Secret as Known, Verdict},
    message::Message,
};

use crate::support::{
    World, on,
    peer::{EVENTS, Peer, header},
    spec,
};

fn update(phone: &PhoneId, changes: PhoneChanges) -> Command {
    Command::Phone(phone.clone(), PhoneCommand::Update(changes))
}

fn new_password(phone: &PhoneId) -> Command {
    update(phone, PhoneChanges { password: Some(Secret::new("new".into())), ..PhoneChanges::default() })
}

fn challenge(challenger: &mut Challenger, peer: &Peer, request: &str) {
    let value = challenger.issue(tokio::time::Instant::now().into_std(), false);
    let header = format!("Proxy-Authenticate: {value}\r\n");
    peer.answer(request, "407 Proxy Authentication Required", &header, "");
}

/// Returns how a request answers the challenge with this password.
fn answers(challenger: &mut Challenger, request: &str, password: &str) -> Verdict {
    let message = Message::parse(request.as_bytes()).unwrap();
    let answer = message.proxy_authorization().unwrap().into_iter().next();
    let known = Known::Password(password.to_owned());
    let now = tokio::time::Instant::now().into_std();
    challenger.verify(now, answer.as_ref(), message.method().as_str(), message.body(), |_| Some(known))
}

#[tokio::test(start_paused = true)]
async fn a_running_call_answers_challenges_with_the_new_password() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let mut challenger = Challenger::new("r", 1);
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    challenge(&mut challenger, &peer, &invite);
    peer.next("ACK").await;
    let invite = peer.next("INVITE").await;
    assert_eq!(answers(&mut challenger, &invite, "x"), Verdict::Ok("a".into()));
    peer.answer(&invite, "200 OK", "", EVENTS);
    peer.next("ACK").await;
    world.next(&a, "call.established").await;

    world.run(new_password(&a)).await.unwrap();
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    challenge(&mut challenger, &peer, &bye);
    let bye = peer.next("BYE").await;
    assert_eq!(answers(&mut challenger, &bye, "new"), Verdict::Ok("a".into()), "{bye}");
    peer.answer(&bye, "200 OK", "", "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_running_call_answers_no_challenge_of_a_realm_that_is_no_longer_the_phones() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (call, _) = world.called_by(&peer, &a).await;

    let realm = Some("other".to_owned());
    world.run(update(&a, PhoneChanges { realm, ..PhoneChanges::default() })).await.unwrap();
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    peer.answer(&bye, "407 Proxy Authentication Required", challenge, "");
    assert_eq!(peer.next_within("BYE", Duration::from_secs(40)).await, None);
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn only_a_phone_that_is_registered_registers_again() {
    let world = World::new().await;
    let registrar = Peer::new(&world.network, 5060, 5061);
    let a = world.phone("a", 5061).await;
    let since = tokio::time::Instant::now();
    world.run(new_password(&a)).await.unwrap();
    assert_eq!(since.elapsed(), Duration::ZERO, "nothing is waited for");
    assert_eq!(registrar.next_within("REGISTER", Duration::from_secs(60)).await, None);

    // When asked to, it does register; from then on the registrar gets a new password too.
    let (register, ()) = tokio::join!(world.run(Command::Phone(a.clone(), PhoneCommand::Register)), async {
        let request = registrar.next("REGISTER").await;
        registrar.answer(&request, "200 OK", "Expires: 300\r\n", "");
    });
    register.unwrap();
    let (updated, ()) = tokio::join!(world.run(new_password(&a)), async {
        let request = registrar.next("REGISTER").await;
        registrar.answer(&request, "200 OK", "Expires: 300\r\n", "");
    });
    updated.unwrap();

    // Unregistered, it stays so.
    let (left, ()) = tokio::join!(world.run(Command::Phone(a.clone(), PhoneCommand::Unregister)), async {
        let request = registrar.next("REGISTER").await;
        assert_eq!(header(&request, "Expires"), "0");
        registrar.answer(&request, "200 OK", "", "");
    });
    left.unwrap();
    world.run(new_password(&a)).await.unwrap();
    assert_eq!(registrar.next_within("REGISTER", Duration::from_secs(60)).await, None);
    drop(registrar);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_password_is_none_for_the_registrar_too() {
    let world = World::new().await;
    let registrar = Peer::new(&world.network, 5060, 5061);
    let a: PhoneId = "a".parse().unwrap();
    let add = Command::add(
        a.clone(),
        PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5060", "a") },
        Secret::new("x".into()),
    );
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    let (added, ()) = tokio::join!(world.run(add), async {
        let request = registrar.next("REGISTER").await;
        registrar.answer(&request, "401 Unauthorized", challenge, "");
        let request = registrar.next("REGISTER").await;
        registrar.answer(&request, "200 OK", "Expires: 300\r\n", "");
    });
    added.unwrap();
    let none = PhoneChanges { password: Some(Secret::default()), ..PhoneChanges::default() };
    let (updated, ()) = tokio::join!(world.run(update(&a, none)), async {
        let request = registrar.next("REGISTER").await;
        assert!(!request.contains("Authorization:"), "{request}");
        registrar.answer(&request, "200 OK", "Expires: 300\r\n", "");
    });
    updated.unwrap();
    drop(registrar);
    world.end().await;
}
