//! What is not built is refused by its name, whichever way it is asked for, and nothing else is done in its place.

use offhook::{
    command::{Code, Command, PhoneChanges, PhoneCommand, Refused},
    event::{PhoneSpec, Transport},
    secret::Secret,
};

use crate::support::{World, beside_a_peer, peer::Peer, spec};

/// Targets that must not be reached in clear, and one over a transport that there is not.
const TARGETS: [&str; 5] = [
    "sips:peer@127.0.0.1:5070",
    "sips:peer@127.0.0.1:5070;transport=tcp",
    "sip:peer@127.0.0.1:5070;transport=tls",
    "<sip:peer@127.0.0.1:5070;transport=TLS>",
    "sip:peer@127.0.0.1:5070;transport=ws",
];

fn call(target: &str) -> PhoneCommand {
    PhoneCommand::PlaceCall { target: target.into(), headers: [].into() }
}

fn message(target: &str) -> PhoneCommand {
    PhoneCommand::SendMessage { to: target.into(), body: "hi".into(), content_type: "text/plain".into() }
}

#[tokio::test(start_paused = true)]
async fn a_phone_is_neither_added_nor_changed_with_what_is_not_built() {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    let given = || PhoneSpec { register: false, ..spec("127.0.0.1:5060", "b") };
    let add =
        Command::add("b".parse().unwrap(), PhoneSpec { srtp: true, ..given() }, Secret::new("x".into()));
    assert_eq!(world.run(add).await.unwrap_err().what, Refused::SrtpNotBuilt);
    let tls = PhoneSpec { transport: Transport::Tls, ..given() };
    let secure = PhoneSpec { domain: "127.0.0.1:5060;transport=tls".into(), ..given() };
    for spec in [tls, secure] {
        let add = Command::add("b".parse().unwrap(), spec, Secret::new("x".into()));
        let refused = world.run(add).await.unwrap_err().to_string();
        assert!(refused.contains("tls, which is not built yet"), "{refused}");
    }
    assert!(world.board.views().phone(&"b".parse().unwrap()).is_none());
    let changes = PhoneChanges { srtp: Some(true), auto_answer: Some(true), ..PhoneChanges::default() };
    let update = Command::Phone(a.clone(), PhoneCommand::Update(changes));
    assert_eq!(world.run(update).await.unwrap_err().what, Refused::SrtpNotBuilt);
    let spec = world.board.views().phone(&a).unwrap().spec.clone();
    assert_eq!((spec.srtp, spec.auto_answer), (false, false));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_must_be_secure_is_not_sent_in_clear() {
    let (world, a, peer) = beside_a_peer().await;
    for target in TARGETS {
        for command in [call(target), message(target)] {
            let refused = world.run(Command::Phone(a.clone(), command)).await.unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument, "{target}");
            assert!(refused.to_string().contains("not"), "{refused}");
        }
    }
    assert_eq!((world.count("call.placed"), world.count("sip.sent")), (0, 0), "{}", world.story());
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_must_be_secure_is_not_sent_in_clear_by_way_of_a_proxy() {
    let mut world = World::new().await;
    let a: offhook::id::PhoneId = "a".parse().unwrap();
    let registrar = Peer::new(&world.network, 5070, 5061);
    let spec = PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5070", "a") };
    world.run(Command::add(a.clone(), spec, Secret::new("x".into()))).await.unwrap();
    let register = registrar.next("REGISTER").await;
    registrar.answer(&register, "200 OK", "Service-Route: <sip:127.0.0.1:5075;lr>\r\n", "");
    world.next(&a, "phone.registered").await;
    for command in [call("sips:b@127.0.0.1:5999"), message("sips:b@127.0.0.1:5999")] {
        let refused = world.run(Command::Phone(a.clone(), command)).await.unwrap_err();
        assert!(refused.to_string().contains("tls, which is not built yet"), "{refused}");
    }
    assert_eq!(world.count("call.placed"), 0);
    drop(registrar);
    world.board.shutdown().await.unwrap();
}
