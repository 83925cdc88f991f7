//! A conference outlives the failure of a member.

use super::*;
use crate::event::MediaEvent;

#[tokio::test(start_paused = true)]
async fn a_call_that_crashes_leaves_its_conference_and_the_others_go_on() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(call(&board, &a, 5062).await);
    }
    let confer = NodeCommand::Conference { phone: Some(a.clone()), calls: calls.clone() };
    board.execute(Command::Node(confer), Cause::command(Surface::Library)).await.unwrap();
    let failing = calls.remove(1);
    board.inner.directory.get(&a).unwrap().cast(PhoneMessage::Fail(Some(failing))).unwrap();
    for left in &calls {
        let told =
            seen(&board, |e| e.subject.call == Some(*left) && e.event.kind() == "media.conference_changed");
        let told = told.await;
        let Event::Media(MediaEvent::ConferenceChanged { members, .. }) = &told.event else { panic!() };
        assert_eq!((members, &told.cause), (&calls, &Cause::Failure));
    }
    let crashed = board.views().call(failing).unwrap();
    assert_eq!((crashed.is_active(), &crashed.conference), (true, &None), "its BYE is on its way");
    seen(&board, |e| ended_by(e, failing, EndCause::Crashed)).await;
    drop_phone(&board, &b, true).await.unwrap();
    board.shutdown().await.unwrap();
    assert_eq!(board.media_load().legs, 0);
}
