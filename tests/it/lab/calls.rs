//! Calls between registered phones.

use std::time::Duration;

use offhook_media::sdp::Direction;
use offhook_sip::{
    message::{HeaderName, Method, StatusCode},
    session::{EndCause, SessionEvent},
    user_agent::{Body, Event},
};

use super::{
    phone::text,
    world::{World, connected},
};

#[tokio::test(start_paused = true)]
async fn two_phones_hear_each_other_through_the_relay_and_either_may_hang_up() {
    for caller_ends in [true, false] {
        let world = World::new();
        let (a, b) = (world.registered("6001").await, world.registered("6002").await);
        let at_a = a.call("6002");
        let (at_b, invite, offer) = b.incoming().await;
        assert_eq!(invite.from().unwrap().display.as_deref(), Some("Ann"));
        assert_eq!(invite.from().unwrap().uri.user(), Some("6001"));
        let offer = text(&offer);
        assert!(offer.contains("c=IN IP4 10.0.0.1"), "media go through the lab: {offer}");
        b.respond(at_b, 180, None, None);
        assert_eq!(a.provisional(at_a).await, (180, None));
        b.accept(at_b, offer.as_bytes());
        assert!(a.answered(at_a).await.contains("c=IN IP4 10.0.0.1"));
        a.play_tone();
        b.hears(50).await;
        a.hears(50).await;
        assert!(b.stats().received_dbfs.unwrap() > -20.0, "b hears the tone");
        assert_eq!((a.stats().lost, b.stats().lost), (0, 0));
        assert_eq!(world.lab.live().media_legs, 2);
        let (first, second) = if caller_ends { ((&a, at_a), (&b, at_b)) } else { ((&b, at_b), (&a, at_a)) };
        first.0.hang_up(first.1);
        assert_eq!(second.0.ended(second.1).await, EndCause::Bye);
        world.settle(&[&a, &b]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn own_headers_of_the_caller_reach_the_called_phone() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let headers = vec![
        (HeaderName::Other("X-Ticket".into()), "42".to_owned()),
        (HeaderName::Subject, "lunch".to_owned()),
    ];
    let body = a.offer();
    let call = a.invite("6002", Some(body), headers);
    let (at_b, invite, _) = b.incoming().await;
    assert_eq!(invite.header(HeaderName::Other("X-Ticket".into())).as_deref(), Some("42"));
    assert_eq!(invite.header(HeaderName::Subject).as_deref(), Some("lunch"));
    assert!(invite.header(HeaderName::Authorization).is_none(), "credentials stay at the lab");
    b.respond(at_b, 603, None, None);
    assert_eq!(a.refused(call).await.0, 603);
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_phone_passes_with_its_own_words() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    for (code, reason, expected) in [
        (486, "In The Bath", (486, "In The Bath")),
        (480, "Asleep", (480, "Asleep")),
        (603, "No", (603, "No")),
        (302, "Elsewhere", (480, "Temporarily Unavailable")),
        (407, "Who", (403, "Forbidden")),
    ] {
        let call = a.call("6002");
        let (at_b, ..) = b.incoming().await;
        b.respond(at_b, code, Some(reason), None);
        let (status, words) = a.refused(call).await;
        assert_eq!((status, words.as_str()), expected);
    }
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn numbers_that_lead_nowhere_say_so() {
    let world = World::new();
    let a = world.registered("6001").await;
    for (number, status) in [("6999", 404), ("700", 404), ("6003", 480), ("606", 486), ("607", 503)] {
        let call = a.call(number);
        assert_eq!(a.refused(call).await.0, status, "{number}");
    }
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_the_right_password_is_forbidden() {
    let world = World::new();
    let _b = world.registered("6002").await;
    for (user, password) in [("6001", "guess"), ("7777", "secret7777")] {
        let phone = world.phone_with(user, password, offhook::net::Transport::Udp);
        let call = phone.call("6002");
        assert_eq!(phone.refused(call).await.0, 403, "{user}");
    }
    world.settle(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_canceled_call_stops_ringing() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let at_a = a.call("6002");
    let (at_b, ..) = b.incoming().await;
    b.respond(at_b, 180, None, None);
    a.provisional(at_a).await;
    a.hang_up(at_a);
    assert_eq!(b.ended(at_b).await, EndCause::Cancel);
    assert_eq!(a.ended(at_a).await, EndCause::Cancel);
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_and_the_caller_hears_of_it_after_the_limit() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    for (number, limit) in [("6002", 30), ("96002", 3)] {
        let started = tokio::time::Instant::now();
        let at_a = a.call(number);
        let (at_b, ..) = b.incoming().await;
        b.respond(at_b, 180, None, None);
        assert_eq!(a.refused(at_a).await.0, 480);
        assert_eq!(started.elapsed().as_secs(), limit);
        assert_eq!(b.ended(at_b).await, EndCause::Cancel);
    }
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_vanished_is_unavailable() {
    let world = World::new();
    let a = world.registered("6001").await;
    drop(world.registered("6002").await);
    let call = a.call("6002");
    assert_eq!(a.refused(call).await.0, 480);
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn every_contact_rings_and_the_first_to_answer_wins() {
    let world = World::new();
    let a = world.registered("6001").await;
    let (desk, mobile) = (world.registered("6002").await, world.registered("6002").await);
    let at_a = a.call("6002");
    let (at_desk, ..) = desk.incoming().await;
    let (at_mobile, _, offer) = mobile.incoming().await;
    desk.respond(at_desk, 180, None, None);
    mobile.accept(at_mobile, &offer.unwrap());
    a.answered(at_a).await;
    assert_eq!(desk.ended(at_desk).await, EndCause::Cancel);
    a.hears(10).await;
    mobile.hears(10).await;
    a.hang_up(at_a);
    mobile.ended(at_mobile).await;
    world.settle(&[&a, &desk, &mobile]).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_phones_that_answer_at_once_one_keeps_the_call() {
    let world = World::new();
    let a = world.registered("6001").await;
    let (desk, mobile) = (world.registered("6002").await, world.registered("6002").await);
    let at_a = a.call("6002");
    let (at_desk, _, desk_offer) = desk.incoming().await;
    let (at_mobile, _, mobile_offer) = mobile.incoming().await;
    desk.accept(at_desk, &desk_offer.unwrap());
    mobile.accept(at_mobile, &mobile_offer.unwrap());
    a.answered(at_a).await;
    assert_eq!(mobile.ended(at_mobile).await, EndCause::Bye, "the second answer is acknowledged and ended");
    desk.hears(10).await;
    a.hang_up(at_a);
    assert_eq!(desk.ended(at_desk).await, EndCause::Bye);
    world.settle(&[&a, &desk, &mobile]).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_passed_on_is_answered_when_the_call_ends_first() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    let body = Body { content_type: "application/dtmf".to_owned(), bytes: b"5".to_vec() };
    a.act(|agent, now| agent.info(now, at_a, body)).unwrap();
    let info = b.session(at_b, "an INFO", |event| matches!(event, SessionEvent::Info { .. }).then_some(()));
    info.await;
    b.hang_up(at_b);
    a.ended(at_a).await;
    // b never answers the INFO; the lab must not wait for it forever.
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn when_all_contacts_refuse_the_most_telling_refusal_passes() {
    let world = World::new();
    let a = world.registered("6001").await;
    let (desk, mobile) = (world.registered("6002").await, world.registered("6002").await);
    let at_a = a.call("6002");
    let (at_desk, ..) = desk.incoming().await;
    let (at_mobile, ..) = mobile.incoming().await;
    desk.respond(at_desk, 486, None, None);
    mobile.respond(at_mobile, 480, None, None);
    assert_eq!(a.refused(at_a).await.0, 486);
    world.settle(&[&a, &desk, &mobile]).await;
}

#[tokio::test(start_paused = true)]
async fn hold_and_resume_pass_both_ways() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    for (one, at_one, two, at_two) in [(&a, at_a, &b, at_b), (&b, at_b, &a, at_a)] {
        one.reoffer(at_one, Direction::SendOnly);
        let offered = two.accept_reoffer(at_two).await;
        assert!(offered.contains("a=sendonly") && offered.contains("10.0.0.1"), "{offered}");
        assert!(one.modified(at_one).await.contains("a=recvonly"));
        let silent = one.stats().packets_received;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(one.stats().packets_received - silent <= 2, "the held phone is silent");
        one.reoffer(at_one, Direction::SendRecv);
        two.accept_reoffer(at_two).await;
        one.modified(at_one).await;
        one.hears(10).await;
        two.hears(10).await;
    }
    a.hang_up(at_a);
    b.ended(at_b).await;
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_leaves_the_call_as_it_was() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    a.reoffer(at_a, Direction::SendOnly);
    b.session(at_b, "a re-INVITE", |event| matches!(event, SessionEvent::Reoffered { .. }).then_some(()))
        .await;
    b.respond(at_b, 488, None, None);
    let status = a.session(at_a, "a refusal", |event| match event {
        SessionEvent::ModifyFailed { status, .. } => status.map(|status| status.code()),
        _ => None,
    });
    assert_eq!(status.await, 488);
    b.hears(10).await;
    a.hears(10).await;
    b.hang_up(at_b);
    a.ended(at_a).await;
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn an_offer_in_the_answer_goes_through_and_back_in_the_ack() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let at_a = a.invite("6002", None, Vec::new());
    let (at_b, _, offer) = b.incoming().await;
    assert_eq!(offer, None);
    let late = b.offer();
    b.respond(at_b, 200, None, Some(late));
    let sdp = a.session(at_a, "an answer", |event| match event {
        SessionEvent::Answered { sdp, .. } => sdp.clone(),
        _ => None,
    });
    let answer = a.answer_to(&sdp.await);
    a.act(|agent, now| agent.acknowledge(now, at_a, answer)).unwrap();
    let sdp = b.session(at_b, "the ACK", |event| match event {
        SessionEvent::Acknowledged { sdp } => sdp.clone(),
        _ => None,
    });
    b.agree(&sdp.await);
    a.hears(10).await;
    b.hears(10).await;
    a.hang_up(at_a);
    b.ended(at_b).await;
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn early_media_of_the_called_phone_is_heard_before_the_answer() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let at_a = a.call("6002");
    let (at_b, _, offer) = b.incoming().await;
    let early = b.answer_to(&offer.unwrap());
    b.play_tone();
    b.respond(at_b, 183, None, Some(early.clone()));
    let (status, sdp) = a.provisional(at_a).await;
    assert_eq!(status, 183);
    a.agree(&sdp.unwrap());
    a.hears(20).await;
    b.respond(at_b, 200, None, Some(early));
    a.session(at_a, "an answer", |event| matches!(event, SessionEvent::Answered { .. }).then_some(())).await;
    a.hears(10).await;
    a.hang_up(at_a);
    b.ended(at_b).await;
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn digits_pass_as_telephone_events_and_info_as_info() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    a.send_digits("12#");
    b.digits("12#").await;
    let body = Body { content_type: "application/dtmf-relay".to_owned(), bytes: b"Signal=5\r\n".to_vec() };
    a.act(|agent, now| agent.info(now, at_a, body)).unwrap();
    let (request, message) = b
        .session(at_b, "an INFO", |event| match event {
            SessionEvent::Info { request, message } => Some((*request, message.clone())),
            _ => None,
        })
        .await;
    assert_eq!(message.body(), b"Signal=5\r\n");
    b.act(|agent, now| agent.reply_status(now, request, StatusCode::OK)).unwrap();
    let done = a.session(at_a, "its outcome", |event| match event {
        SessionEvent::RequestDone { outcome, .. } => outcome.as_ref().ok().and_then(|it| it.status()),
        _ => None,
    });
    assert_eq!(done.await, StatusCode::OK);
    a.hang_up(at_a);
    b.ended(at_b).await;
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn messages_reach_the_other_phone_or_say_why_not() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    for (number, status) in [("6999", 404), ("6003", 480)] {
        let response = a.request(Method::Message, number, &[], Some("hello")).await.unwrap();
        assert_eq!(response.status().unwrap().code(), status, "{number}");
    }
    let reader = async {
        let (id, message) = b
            .event("a message", |event| match event {
                Event::Request { id, message, .. } => Some((*id, message.clone())),
                _ => None,
            })
            .await;
        b.act(|agent, now| agent.reply_status(now, id, StatusCode::OK)).unwrap();
        message
    };
    let (response, message) = tokio::join!(a.request(Method::Message, "6002", &[], Some("hällo")), reader);
    assert_eq!(response.unwrap().status().unwrap().code(), 200);
    assert_eq!((message.body(), message.from().unwrap().uri.user()), ("hällo".as_bytes(), Some("6001")));
    let subscribe = [(HeaderName::Event, "presence")];
    let response = a.request(Method::Subscribe, "6002", &subscribe, None).await.unwrap();
    assert_eq!(response.status().unwrap().code(), 405);
    assert!(!response.allow().contains(&Method::Subscribe));
    let response = a.request(Method::Options, "6002", &[], None).await.unwrap();
    assert_eq!(response.status().unwrap().code(), 200);
    world.settle(&[&a, &b]).await;
}
