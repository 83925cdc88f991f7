//! What a lab reports to whoever runs it.

use offhook::lab::LabOptions;
use tokio::sync::mpsc;

use super::world::World;

#[tokio::test(start_paused = true)]
async fn registrations_calls_digits_and_refusals_are_told() {
    let (told, mut heard) = mpsc::channel(100);
    let world = World::with(LabOptions { told: Some(told), ..LabOptions::default() });
    let a = world.registered("6001").await;
    let call = a.call("603");
    a.answered(call).await;
    a.send_digits("7");
    a.ended(call).await;
    let refused = a.call("606");
    a.ended(refused).await;
    world.settle(&[&a]).await;
    let mut lines = Vec::new();
    while let Ok(told) = heard.try_recv() {
        lines.push(told.to_string());
    }
    assert!(lines[0].starts_with("6001 registered from 10.0.1."), "{lines:?}");
    let wanted = [
        "6001 calls 603",
        "6001 and 603 are connected",
        "603 hears digit 7 from 6001",
        "6001 and 603 hung up",
        "6001 calls 606",
        "call to 606 of 6001 refused with 486",
    ];
    assert_eq!(lines[1..], wanted);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_listen_holds_up_nothing() {
    let (told, heard) = mpsc::channel(1);
    let world = World::with(LabOptions { told: Some(told), ..LabOptions::default() });
    let a = world.registered("6001").await;
    let call = a.call("600");
    a.answered(call).await;
    drop(heard);
    a.hang_up(call);
    a.ended(call).await;
    world.settle(&[&a]).await;
}
