//! Transfers: REFER, and INVITE with Replaces.

use offhook_media::sdp::Direction;
use offhook_sip::{
    message::{HeaderName, StatusCode},
    session::{EndCause, SessionEvent},
    user_agent::SessionId,
};

use super::{
    phone::Phone,
    world::{World, connected},
};

/// Waits for NOTIFYs until one is final, and returns their status lines.
async fn progress(phone: &Phone, call: SessionId) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let (request, message) = phone
            .session(call, "a NOTIFY", |event| match event {
                SessionEvent::Notify { request, message } => Some((*request, message.clone())),
                _ => None,
            })
            .await;
        phone.act(|agent, now| agent.reply_status(now, request, StatusCode::OK)).unwrap();
        lines.push(String::from_utf8(message.body().to_vec()).unwrap().trim().to_owned());
        if message.header(HeaderName::SubscriptionState).unwrap().starts_with("terminated") {
            return lines;
        }
    }
}

fn refer(phone: &Phone, call: SessionId, number: &str) {
    let to = format!("<{}>", phone.uri(number));
    phone.act(|agent, now| agent.refer(now, call, &to, Vec::new())).unwrap();
}

async fn refer_answered(phone: &Phone, call: SessionId) -> u16 {
    phone
        .session(call, "an answer to the REFER", |event| match event {
            SessionEvent::RequestDone { outcome, .. } => outcome.as_ref().ok()?.status().map(|it| it.code()),
            _ => None,
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_blind_transfer_joins_the_other_two_even_from_hold() {
    for hold in [false, true] {
        let world = World::new();
        let (a, b, c) =
            (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
        let (at_a, at_b) = connected(&a, &b).await;
        if hold {
            a.reoffer(at_a, Direction::SendOnly);
            b.accept_reoffer(at_b).await;
            a.modified(at_a).await;
        }
        refer(&a, at_a, "6003");
        assert_eq!(refer_answered(&a, at_a).await, 202);
        let (at_c, invite, offer) = c.incoming().await;
        assert_eq!(invite.from().unwrap().uri.user(), Some("6002"), "c sees who will talk to it");
        c.respond(at_c, 180, None, None);
        c.accept(at_c, &offer.unwrap());
        let told = progress(&a, at_a).await;
        let since = tokio::time::Instant::now();
        assert_eq!(told.first().map(String::as_str), Some("SIP/2.0 100 Trying"));
        assert!(told.contains(&"SIP/2.0 180 Ringing".to_owned()), "{told:?}");
        assert_eq!(told.last().map(String::as_str), Some("SIP/2.0 200 OK"));
        let again = b.accept_reoffer(at_b).await;
        assert!(!again.contains("a=sendonly"), "b is taken back: {again}");
        b.hears(20).await;
        c.hears(20).await;
        assert_eq!(a.ended(at_a).await, EndCause::Bye, "the lab lets go of a");
        // RFC 5589 §6.1: the BYE is the transferor's; only one that never says it is hung up on.
        assert_eq!(since.elapsed().as_secs(), 32);
        c.hang_up(at_c);
        assert_eq!(b.ended(at_b).await, EndCause::Bye);
        world.settle(&[&a, &b, &c]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_somebody_busy_leaves_the_call_as_it_was() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (at_a, at_b) = connected(&a, &b).await;
    refer(&a, at_a, "6003");
    let (at_c, ..) = c.incoming().await;
    c.respond(at_c, 486, None, None);
    assert_eq!(progress(&a, at_a).await.last().map(String::as_str), Some("SIP/2.0 486 Busy Here"));
    for number in ["6999", "606", "6004"] {
        refer(&a, at_a, number);
        let last = progress(&a, at_a).await.pop().unwrap();
        assert!(last.starts_with("SIP/2.0 4"), "{number}: {last}");
    }
    a.hears(10).await;
    b.hears(10).await;
    a.hang_up(at_a);
    b.ended(at_b).await;
    world.settle(&[&a, &b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn the_transferor_may_hang_up_before_the_target_answers() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (at_a, at_b) = connected(&a, &b).await;
    refer(&a, at_a, "6003");
    let (at_c, _, offer) = c.incoming().await;
    a.hang_up(at_a);
    a.ended(at_a).await;
    c.accept(at_c, &offer.unwrap());
    b.accept_reoffer(at_b).await;
    b.hears(20).await;
    c.hears(20).await;
    b.hang_up(at_b);
    c.ended(at_c).await;
    world.settle(&[&a, &b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_left_alone_by_a_failed_transfer_is_hung_up() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (at_a, at_b) = connected(&a, &b).await;
    refer(&a, at_a, "6003");
    let (at_c, ..) = c.incoming().await;
    a.hang_up(at_a);
    a.ended(at_a).await;
    c.respond(at_c, 603, None, None);
    assert_eq!(b.ended(at_b).await, EndCause::Bye);
    world.settle(&[&a, &b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn the_transferred_phone_may_hang_up_while_the_target_rings() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (at_a, at_b) = connected(&a, &b).await;
    refer(&a, at_a, "6003");
    let (at_c, ..) = c.incoming().await;
    c.respond(at_c, 180, None, None);
    b.hang_up(at_b);
    assert_eq!(c.ended(at_c).await, EndCause::Cancel);
    a.ended(at_a).await;
    world.settle(&[&a, &b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_transferred_to_a_test_number() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    refer(&a, at_a, "601");
    assert_eq!(progress(&a, at_a).await.last().map(String::as_str), Some("SIP/2.0 200 OK"));
    b.accept_reoffer(at_b).await;
    let before = b.stats().sound_received;
    b.hears(100).await;
    let heard = b.stats().sound_received - before;
    assert!(heard.as_millis() > 1500, "b hears the tone, not silence: {heard:?}");
    a.ended(at_a).await;
    b.hang_up(at_b);
    b.ended(at_b).await;
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn an_attended_transfer_joins_the_two_calls_of_one_phone() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (first, at_b) = connected(&a, &b).await;
    let (second, at_c) = connected(&a, &c).await;
    let dialog = a.act(|agent, _| agent.session(second)).unwrap().dialog.unwrap();
    let replaces = format!(
        "{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}",
        dialog.call_id.replace('@', "%40"),
        dialog.remote_tag,
        dialog.local_tag
    );
    let to = format!("<{}?Replaces={replaces}>", a.uri("6003"));
    a.act(|agent, now| agent.refer(now, first, &to, Vec::new())).unwrap();
    assert_eq!(refer_answered(&a, first).await, 202);
    assert_eq!(progress(&a, first).await.last().map(String::as_str), Some("SIP/2.0 200 OK"));
    b.accept_reoffer(at_b).await;
    c.accept_reoffer(at_c).await;
    b.hears(20).await;
    c.hears(20).await;
    assert_eq!((a.ended(first).await, a.ended(second).await), (EndCause::Bye, EndCause::Bye));
    b.hang_up(at_b);
    c.ended(at_c).await;
    world.settle(&[&a, &b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn an_invite_with_replaces_takes_the_place_of_a_phone_in_its_call() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (at_a, at_b) = connected(&a, &b).await;
    let dialog = b.act(|agent, _| agent.session(at_b)).unwrap().dialog.unwrap();
    let replaces = format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.remote_tag, dialog.local_tag);
    let offer = c.offer();
    let at_c = c.invite("6002", Some(offer), vec![(HeaderName::Replaces, replaces)]);
    a.accept_reoffer(at_a).await;
    c.answered(at_c).await;
    assert_eq!(b.ended(at_b).await, EndCause::Bye);
    a.hears(20).await;
    c.hears(20).await;
    a.hang_up(at_a);
    c.ended(at_c).await;
    let offer = c.offer();
    let gone =
        c.invite("6002", Some(offer), vec![(HeaderName::Replaces, "x;to-tag=1;from-tag=2".to_owned())]);
    assert_eq!(c.refused(gone).await.0, 481);
    world.settle(&[&a, &b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_refused_when_the_call_ends_before_it_is_let_in() {
    let world = World::new();
    let (a, b, c) =
        (world.registered("6001").await, world.registered("6002").await, world.registered("6003").await);
    let (at_a, at_b) = connected(&a, &b).await;
    let dialog = b.act(|agent, _| agent.session(at_b)).unwrap().dialog.unwrap();
    let replaces = format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.remote_tag, dialog.local_tag);
    let offer = c.offer();
    let at_c = c.invite("6002", Some(offer), vec![(HeaderName::Replaces, replaces)]);
    a.session(at_a, "a re-INVITE", |event| matches!(event, SessionEvent::Reoffered { .. }).then_some(()))
        .await;
    a.hang_up(at_a);
    assert_eq!(c.refused(at_c).await.0, 487);
    b.ended(at_b).await;
    world.settle(&[&b, &c]).await;
}

#[tokio::test(start_paused = true)]
async fn a_test_number_cannot_be_sent_away() {
    let world = World::new();
    let a = world.registered("6001").await;
    let call = a.call("600");
    a.answered(call).await;
    refer(&a, call, "6002");
    assert_eq!(refer_answered(&a, call).await, 603);
    a.hears(10).await;
    a.hang_up(call);
    a.ended(call).await;
    world.settle(&[&a]).await;
}
