//! Phones calling each other over a simulated network in virtual time: real actors, real engines,
//! no sockets.

use std::{net::IpAddr, time::Duration};

use offhook::{
    command::{CallCommand, CallSelector, Code, Command, CommandKind, PhoneCommand, Refused, Sound},
    event::{CallEvent, EndCause, Event, MediaEvent, Party},
    sim,
};

use crate::support::{World, on, tone};

#[tokio::test(start_paused = true)]
async fn two_phones_call_talk_and_hang_up() {
    let mut world = World::new().await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let outbound = world.call(&a, "sip:b@127.0.0.1:5062").await;

    let incoming = world.next(&b, "call.incoming").await;
    let inbound = incoming.subject.call.unwrap();
    world.run(Command::Call(on(inbound), CallCommand::Answer { status: 180 })).await.unwrap();
    let ringing = world.next(&a, "call.ringing").await;
    assert_eq!(
        ringing.event,
        CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false }.into()
    );
    world.run(Command::Call(on(inbound), CallCommand::Answer { status: 200 })).await.unwrap();
    world.next(&a, "call.established").await;
    world.next(&b, "call.established").await;

    world
        .run(Command::Call(on(outbound), CallCommand::Play { sound: tone(1000.0), repeat: false }))
        .await
        .unwrap();
    let heard = world.next(&b, "media.tone_started").await;
    let Event::Media(MediaEvent::ToneStarted { hz, .. }) = heard.event else { panic!("{heard:?}") };
    assert!((hz - 1000.0).abs() < 10.0, "{hz}");

    world
        .run(Command::Call(on(outbound), CallCommand::SendDigits { digits: "12#".into(), duration: None }))
        .await
        .unwrap();
    for expected in ['1', '2', '#'] {
        let digit = world.next(&b, "dtmf.received").await;
        let Event::Media(MediaEvent::DigitReceived { digit, .. }) = digit.event else { panic!() };
        assert_eq!(digit, expected);
    }

    world.run(Command::Call(on(outbound), CallCommand::HangUp)).await.unwrap();
    for (phone, by) in [(&a, Party::Local), (&b, Party::Remote)] {
        let ended = world.next(phone, "call.ended").await;
        let Event::Call(CallEvent::Ended { by: who, cause, .. }) = &ended.event else { panic!() };
        assert_eq!((*who, *cause), (by, EndCause::Normal), "{phone}");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_can_cancel_and_a_callee_can_refuse() {
    let mut world = World::new().await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);

    let canceled = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let incoming = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(incoming), CallCommand::Answer { status: 180 })).await.unwrap();
    world.next(&a, "call.ringing").await;
    world.run(Command::Call(on(canceled), CallCommand::HangUp)).await.unwrap();
    let ended = world.next(&b, "call.ended").await;
    assert!(
        matches!(&ended.event, Event::Call(CallEvent::Ended { cause: EndCause::Canceled, .. })),
        "{ended:?}"
    );
    world.next(&a, "call.ended").await;

    let refused = world.call(&a, "sip:b@127.0.0.1:5062").await;
    world.next(&b, "call.incoming").await;
    world
        .run(Command::Call(CallSelector::any_of(b.clone()), CallCommand::Reject { status: 486 }))
        .await
        .unwrap();
    let ended = world.next(&a, "call.ended").await;
    assert_eq!(ended.subject.call, Some(refused));
    let Event::Call(CallEvent::Ended { cause, status, by, .. }) = &ended.event else { panic!() };
    assert_eq!((*cause, *status, *by), (EndCause::Rejected, Some(486), Party::Remote));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn hold_and_resume_are_seen_on_both_sides() {
    let mut world = World::new().await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let call = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let inbound = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(inbound), CallCommand::Answer { status: 200 })).await.unwrap();
    world.next(&a, "call.established").await;

    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let held = world.next(&b, "call.held").await;
    assert_eq!(held.event, CallEvent::Held { by: Party::Remote }.into());
    let held = world.next(&a, "call.held").await;
    assert_eq!(held.event, CallEvent::Held { by: Party::Local }.into());
    world.run(Command::Call(on(call), CallCommand::Resume)).await.unwrap();
    world.next(&b, "call.resumed").await;
    world.next(&a, "call.resumed").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_refused_with_what_can() {
    let mut world = World::new().await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let nothing =
        world.run(Command::Call(CallSelector::any_of(a.clone()), CallCommand::HangUp)).await.unwrap_err();
    assert_eq!((nothing.code, nothing.what), (Code::NotFound, Refused::NoCallOf(a.clone())));
    let unknown =
        world.run(Command::Phone("nobody".parse().unwrap(), PhoneCommand::Register)).await.unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);

    let call = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let early = world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap_err();
    assert_eq!(
        (early.code, early.legal.as_slice()),
        (Code::WrongState, [CommandKind::Record, CommandKind::HangUp].as_slice())
    );
    let theirs = CallSelector { phone: Some(b.clone()), call: Some(call) };
    let theirs = world.run(Command::Call(theirs, CallCommand::HangUp)).await.unwrap_err();
    assert_eq!(theirs.what, Refused::CallOfAnother { call, owner: a, named: b.clone() });
    world.next(&b, "call.incoming").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_sound_that_is_stopped_before_it_is_ready_is_not_played() {
    let mut world = World::new().await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let call = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let inbound = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(inbound), CallCommand::Answer { status: 200 })).await.unwrap();
    world.next(&a, "call.established").await;
    // Generating ten minutes of tone takes longer than sending the call a message.
    let long = Sound::Tone { hz: vec![440.0], level_dbfs: -10.0, duration: Some(Duration::from_secs(600)) };
    let play = Command::Call(on(call), CallCommand::Play { sound: long, repeat: false });
    let stop = Command::Call(on(call), CallCommand::StopPlaying);
    let (played, stopped) = tokio::join!(world.run(play.clone()), world.run(stop));
    assert_eq!((played.unwrap_err().what, stopped.is_ok()), (Refused::SoundOvertaken, true));
    assert_eq!(world.board.views().call(call).unwrap().playing, None);

    // A sound that is refused replaces nothing.
    let nowhere = CallCommand::Play { sound: Sound::File("/nowhere.wav".into()), repeat: false };
    let (played, refused) =
        tokio::join!(world.run(play.clone()), world.run(Command::Call(on(call), nowhere)));
    assert!(refused.is_err(), "{refused:?}");
    assert!(played.is_ok(), "{played:?}");
    let view = world.board.views().call(call).unwrap();
    assert_eq!(view.playing.as_ref().map(|playing| playing.source.as_str()), Some("tone 440"));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_there_ends_the_call_by_a_timer() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let (here, nowhere) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 9]));
    world.network.set_link(here, nowhere, sim::Link { loss: 1.0, ..sim::Link::default() });
    world.call(&a, "sip:b@127.0.0.9:5062").await;
    let ended = world.next_within(&a, "call.ended", Duration::from_secs(40)).await;
    let Event::Call(CallEvent::Ended { cause, .. }) = &ended.event else { panic!() };
    assert_eq!(*cause, EndCause::TimedOut);
    world.end().await;
}
