//! The test numbers.

use std::time::Duration;

use offhook_media::{sdp::Direction, session::Fact};
use offhook_sip::{
    session::{EndCause, SessionEvent},
    user_agent::{Body, SessionId},
};
use tokio::time::Instant;

use super::{phone::Phone, world::World};

async fn finish(world: &World, phone: &Phone, call: SessionId) {
    phone.hang_up(call);
    phone.ended(call).await;
    world.settle(&[phone]).await;
}

#[tokio::test(start_paused = true)]
async fn echo_returns_what_was_said() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("600");
    a.answered(call).await;
    a.play_tone();
    a.hears(100).await;
    let stats = a.stats();
    assert!(stats.received_dbfs.unwrap() > -20.0, "{stats:?}");
    assert_eq!(stats.lost, 0);
    a.send_digits("7");
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_may_call_its_own_host_localhost() {
    let world = World::new();
    let a = world.phone_at("6001", "127.0.0.1".parse().unwrap());
    let named = |host: &str| {
        let offer = String::from_utf8(a.offer().bytes).unwrap();
        assert!(offer.contains("c=IN IP4 127.0.0.1\r\n"), "{offer}");
        Some(Body::sdp(offer.replace("c=IN IP4 127.0.0.1", &format!("c=IN IP4 {host}"))))
    };
    let elsewhere = a.invite("600", named("media.example.com"), Vec::new());
    assert_eq!(a.refused(elsewhere).await.0, 488, "the lab asks no name server");
    let call = a.invite("600", named("LocalHost"), Vec::new());
    a.answered(call).await;
    a.play_tone();
    a.hears(100).await;
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn echo_follows_hold_and_resume() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("600");
    a.answered(call).await;
    a.hears(10).await;
    a.reoffer(call, Direction::SendOnly);
    assert!(a.modified(call).await.contains("a=recvonly"));
    let held = a.stats().packets_received;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(a.stats().packets_received - held <= 2);
    a.reoffer(call, Direction::SendRecv);
    a.modified(call).await;
    a.hears(10).await;
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn the_tone_goes_on_until_the_caller_hangs_up() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("601");
    a.answered(call).await;
    a.hears(500).await;
    assert!(a.stats().received_dbfs.unwrap() > -18.0);
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn the_announcement_is_played_once_and_the_lab_hangs_up() {
    let world = World::new();
    let a = world.phone("6001");
    let started = Instant::now();
    let call = a.call("602");
    a.answered(call).await;
    assert_eq!(a.ended(call).await, EndCause::Bye);
    let length = started.elapsed().as_secs_f64();
    assert!((4.0..9.0).contains(&length), "{length}");
    assert!(a.stats().received_dbfs.unwrap() > -40.0);
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn four_digits_are_read_back_at_once_and_fewer_after_a_hash_or_a_wait() {
    let world = World::new();
    let a = world.phone("6001");
    for (keyed, expected) in [("1234", "1234"), ("59#", "59"), ("0", "0"), ("#", "")] {
        let call = a.call("603");
        a.answered(call).await;
        a.hears(20).await;
        a.send_digits(keyed);
        let sent = a.fact("digits sent", |fact| matches!(fact, Fact::DigitsSent { .. }).then_some(()));
        sent.await;
        let waited = Instant::now();
        a.digits(expected).await;
        let quick = keyed != "0";
        assert_eq!(waited.elapsed() < Duration::from_millis(2800), quick, "{keyed}: {:?}", waited.elapsed());
        assert_eq!(a.ended(call).await, EndCause::Bye, "{keyed}");
    }
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn silence_at_the_read_back_ends_the_call_by_itself() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("603");
    a.answered(call).await;
    let started = Instant::now();
    assert_eq!(a.ended(call).await, EndCause::Bye);
    assert_eq!(started.elapsed().as_secs(), 4, "3 s for a digit, 1 s to say goodbye");
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn digits_in_info_are_read_back_too() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("603");
    a.answered(call).await;
    for digit in "42#".chars() {
        let bytes = format!("Signal={digit}\r\nDuration=160\r\n").into_bytes();
        let body = Body { content_type: "application/dtmf-relay".to_owned(), bytes };
        a.act(|agent, now| agent.info(now, call, body)).unwrap();
        a.session(call, "an answer", |event| matches!(event, SessionEvent::RequestDone { .. }).then_some(()))
            .await;
    }
    a.digits("42").await;
    a.ended(call).await;
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn early_media_sounds_for_two_seconds_before_the_echo_answers() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("604");
    let (status, sdp) = a.provisional(call).await;
    assert_eq!(status, 183);
    let started = Instant::now();
    let sdp = sdp.unwrap();
    a.agree(&sdp);
    a.hears(50).await;
    assert!(a.stats().received_dbfs.unwrap() > -25.0, "the ring tone");
    let answer = a.session(call, "an answer", |event| match event {
        SessionEvent::Answered { sdp, .. } => sdp.clone(),
        _ => None,
    });
    assert_eq!(answer.await, sdp, "the answer repeats what the 183 said");
    assert_eq!(started.elapsed().as_secs(), 2);
    a.hears(10).await;
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn a_number_that_never_answers_rings_until_the_caller_cancels() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("605");
    assert_eq!(a.provisional(call).await, (180, None));
    tokio::time::sleep(Duration::from_secs(120)).await;
    a.hang_up(call);
    assert_eq!(a.ended(call).await, EndCause::Cancel);
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn the_slow_number_rings_three_seconds() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.call("608");
    assert_eq!(a.provisional(call).await.0, 180);
    let started = Instant::now();
    a.answered(call).await;
    assert_eq!(started.elapsed().as_secs(), 3);
    a.hears(10).await;
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn a_number_makes_the_offer_when_the_caller_does_not() {
    let world = World::new();
    let a = world.phone("6001");
    let call = a.invite("600", None, Vec::new());
    let offer = a.session(call, "an answer", |event| match event {
        SessionEvent::Answered { sdp, .. } => sdp.clone(),
        _ => None,
    });
    let answer = a.answer_to(&offer.await);
    a.act(|agent, now| agent.acknowledge(now, call, answer)).unwrap();
    a.hears(10).await;
    finish(&world, &a, call).await;
}

#[tokio::test(start_paused = true)]
async fn an_offer_without_a_common_codec_is_not_acceptable() {
    let world = World::new();
    let a = world.phone("6001");
    let offer = "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 18\r\n";
    let call = a.invite("600", Some(Body::sdp(offer)), Vec::new());
    assert_eq!(a.refused(call).await.0, 488);
    let call = a.invite("600", Some(Body::sdp("gibberish")), Vec::new());
    assert_eq!(a.refused(call).await.0, 400);
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn callers_of_the_conference_hear_each_other_and_not_themselves() {
    let world = World::new();
    let phones = ["6001", "6002", "6003"].map(|user| world.phone(user));
    let calls = phones.each_ref().map(|phone| phone.call("609"));
    for (phone, call) in phones.iter().zip(calls) {
        phone.answered(call).await;
    }
    let [a, b, c] = &phones;
    a.play_tone();
    c.hears(100).await;
    let levels = phones.each_ref().map(|phone| phone.stats().received_dbfs.unwrap());
    // Silence consists of the smallest A-law steps of two callers.
    assert!(levels[0] < -55.0, "nobody else has said anything: {levels:?}");
    assert!(levels[1] > -13.0 && levels[2] > -13.0, "{levels:?}");
    // A held caller hears nothing, and the others go on.
    b.reoffer(calls[1], Direction::SendOnly);
    b.modified(calls[1]).await;
    let held = b.stats().packets_received;
    c.hears(50).await;
    assert!(b.stats().packets_received - held <= 2);
    a.hang_up(calls[0]);
    a.ended(calls[0]).await;
    c.hears(50).await;
    b.hang_up(calls[1]);
    b.ended(calls[1]).await;
    finish(&world, c, calls[2]).await;
}
