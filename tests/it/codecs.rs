//! Codec lists with unknown names: some of them are left out and reported, a list of nothing else
//! is refused.

use offhook::{
    command::{CallCommand, Code, Command, PhoneChanges, PhoneCommand, Rejection},
    event::PhoneSpec,
    id::PhoneId,
    secret::Secret,
};

use crate::support::{
    World, on,
    peer::{EVENTS, Peer, header, tag},
    spec,
};

fn names(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|&name| name.to_owned()).collect())
}

async fn add(world: &World, codecs: &[&str]) -> Result<PhoneId, Rejection> {
    let phone: PhoneId = "a".parse().unwrap();
    let spec =
        PhoneSpec { local_port: 5061, register: false, codecs: names(codecs), ..spec("127.0.0.1:5060", "a") };
    let password = Secret::new("x".into());
    world.run(Command::add(phone.clone(), spec, password)).await.map(|_| phone)
}

/// Places a call; returns the INVITE and the peer it reached.
async fn offered(world: &World, phone: &PhoneId) -> (String, Peer) {
    let peer = Peer::new(&world.network, 5070, 5061);
    world.call(phone, "sip:peer@127.0.0.1:5070").await;
    (peer.next("INVITE").await, peer)
}

async fn hang_up(world: &mut World, phone: &PhoneId, peer: Peer) {
    world.run(Command::Phone(phone.clone(), PhoneCommand::HangUpAll)).await.unwrap();
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    world.next(phone, "call.ended").await;
}

#[tokio::test(start_paused = true)]
async fn a_list_without_any_codec_that_exists_is_refused_by_name() {
    let world = World::new().await;
    let kept = add(&world, &["PCMA"]).await.unwrap();
    for refused in [
        add(&world, &["opus", "G729"]).await.unwrap_err(),
        world
            .run(Command::Phone(
                kept.clone(),
                PhoneCommand::Update(PhoneChanges {
                    codecs: names(&["opus", "G729"]),
                    auto_answer: Some(true),
                    ..PhoneChanges::default()
                }),
            ))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code, Code::InvalidArgument);
        assert_eq!(refused.to_string(), "no codec of 'opus', 'G729' is available: use PCMA or PCMU or G722");
    }
    // Neither the existing phone nor any of its settings was touched.
    let view = world.board.views().phone(&kept).unwrap();
    assert_eq!((view.spec.codecs.clone(), view.spec.auto_answer), (names(&["PCMA"]), false));
    assert_eq!(view.dropped_at, None);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_does_not_exist_is_left_out_of_a_list() {
    let mut world = World::new().await;
    let a = add(&world, &["opus", "pcma"]).await.unwrap();
    let (invite, peer) = offered(&world, &a).await;
    assert!(invite.contains("RTP/AVP 8 120\r\n"), "{invite}");
    peer.answer(&invite, "200 OK", "", &EVENTS.replace("RTP/AVP 0", "RTP/AVP 8"));
    peer.next("ACK").await;
    world.next(&a, "call.established").await;

    // A running call is offered the available codecs of the new list.
    let codecs = names(&["G729", "PCMU"]);
    let update = PhoneChanges { codecs, ..PhoneChanges::default() };
    world.run(Command::Phone(a.clone(), PhoneCommand::Update(update))).await.unwrap();
    let again = peer.next("INVITE").await;
    assert!(again.contains("RTP/AVP 0 120\r\n"), "{again}");
    peer.answer(&again, "200 OK", "", EVENTS);
    peer.next("ACK").await;
    hang_up(&mut world, &a, peer).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn codecs_that_the_other_side_refused_still_bind_our_answers() {
    let mut world = World::new().await;
    let a = add(&world, &["PCMU", "PCMA"]).await.unwrap();
    let peer = Peer::new(&world.network, 5070, 5061);
    let (_, to) = world.called_by(&peer, &a).await;
    let only = PhoneChanges { codecs: names(&["PCMA"]), ..PhoneChanges::default() };
    world.run(Command::Phone(a.clone(), PhoneCommand::Update(only))).await.unwrap();
    let reinvite = peer.next("INVITE").await;
    assert!(reinvite.contains("PCMA/8000") && !reinvite.contains("PCMU/8000"), "{reinvite}");
    peer.answer(&reinvite, "488 Not Acceptable Here", "", "");
    let asked = world.next(&a, "call.modifying").await;
    assert_eq!(asked.event.data()["codecs"], serde_json::json!(["PCMA"]));
    world.next(&a, "call.modify_failed").await;
    // Hold works all the same, with the codec of the call.
    let call = world.board.views().active_calls(&a)[0].id;
    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let hold = peer.next("INVITE").await;
    assert!(hold.contains("PCMU/8000"), "{hold}");
    peer.answer(&hold, "200 OK", "", EVENTS);
    world.next(&a, "call.held").await;
    // But no offer of theirs leads back to a codec we do not want.
    peer.request("INVITE", 2, &to, EVENTS);
    let refusal = peer.next("SIP/2.0 488").await;
    peer.request("ACK", 2, &tag(&header(&refusal, "To")), "");
    let alaw = EVENTS
        .replace("RTP/AVP 0", "RTP/AVP 8 0")
        .replace("\r\na=rtpmap", "\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap");
    peer.request("INVITE", 3, &to, &alaw);
    let taken = peer.next("SIP/2.0 200").await;
    assert!(taken.contains("PCMA/8000") && !taken.contains("PCMU/8000"), "{taken}");
    peer.request("ACK", 3, &to, "");
    hang_up(&mut world, &a, peer).await;
    world.end().await;
}
