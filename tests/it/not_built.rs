//! What is not built is refused by its name, whichever way it is asked for, and nothing is sent instead.

use offhook::{
    command::{Code, Command, PhoneChanges, PhoneCommand, Refused},
    event::PhoneSpec,
    id::PhoneId,
    secret::Secret,
};

use crate::support::{World, beside_a_peer, spec};

/// Targets that RFC 3261 §26.2.2 or their own parameter keeps from going in clear.
const SECURE: [&str; 5] = [
    "sips:bob@127.0.0.1:5070",
    "SIPS:bob@127.0.0.1:5070;transport=tcp",
    "sip:bob@127.0.0.1:5070;transport=tls",
    "sip:bob@127.0.0.1:5070;transport=ws",
    "<sip:bob@127.0.0.1:5070;transport=WSS>",
];

#[tokio::test(start_paused = true)]
async fn what_wants_tls_or_websockets_is_neither_called_nor_written_to() {
    let (world, a, peer) = beside_a_peer().await;
    for target in SECURE {
        let (to, headers) = (target.to_owned(), [].into());
        let call = PhoneCommand::PlaceCall { target: to.clone(), headers };
        let message = PhoneCommand::SendMessage { to, body: "hi".into(), content_type: "text/plain".into() };
        for command in [call, message] {
            let refused = world.run(Command::Phone(a.clone(), command)).await.unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument, "{target}");
            assert!(
                refused.to_string().contains("not built yet: use udp or tcp")
                    || refused.to_string().contains("which is not secure"),
                "{refused}"
            );
        }
    }
    for kind in ["sip.sent", "call.placed", "message.sent"] {
        assert_eq!(world.count(kind), 0, "{kind}");
    }
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn no_phone_has_a_registrar_that_wants_them() {
    let world = World::new().await;
    for domain in ["127.0.0.1:5070;transport=tls", "pbx.test;transport=ws", "sips:127.0.0.1", "sips:pbx.test"]
    {
        let add = Command::add("a".parse().unwrap(), spec(domain, "a"), Secret::new("x".into()));
        let refused = world.run(add).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument, "{domain}: {refused}");
    }
    assert_eq!((world.count("phone.added"), world.count("sip.sent")), (0, 0));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn srtp_is_refused_where_a_phone_is_made_and_where_it_is_changed() {
    let world = World::new().await;
    let a: PhoneId = "a".parse().unwrap();
    let plain = PhoneSpec { register: false, ..spec("127.0.0.1:5070", "a") };
    let wanted = PhoneSpec { srtp: true, ..plain.clone() };
    let refused = world.run(Command::add(a.clone(), wanted, Secret::new("x".into()))).await.unwrap_err();
    assert_eq!((refused.code, refused.what), (Code::InvalidArgument, Refused::SrtpNotBuilt));
    assert_eq!(world.count("phone.added"), 0);
    world.run(Command::add(a.clone(), plain.clone(), Secret::new("x".into()))).await.unwrap();
    // What stands beside it is not done either.
    let changes = PhoneChanges { auto_answer: Some(true), srtp: Some(true), ..PhoneChanges::default() };
    let refused = world.run(Command::Phone(a.clone(), PhoneCommand::Update(changes))).await.unwrap_err();
    assert_eq!((refused.code, refused.what), (Code::InvalidArgument, Refused::SrtpNotBuilt));
    assert_eq!(world.board.views().phone(&a).unwrap().spec, plain);
    let off = PhoneChanges { srtp: Some(false), capture_enabled: Some(false), ..PhoneChanges::default() };
    world.run(Command::Phone(a.clone(), PhoneCommand::Update(off))).await.unwrap();
    world.end().await;
}
