//! Recordings of calls, written independently of the media clock.

use std::{path::Path, time::Duration};

use offhook::{
    artifact::{ArtifactFolder, ArtifactKind},
    command::{CallCommand, Command},
    event::{Event, MediaEvent},
};

use crate::support::{World, on, tone};

async fn world(recordings: &Path) -> World {
    World::changed(|options| options.recordings = ArtifactFolder::under(ArtifactKind::Recordings, recordings))
        .await
}

/// Reads a file that must be complete: its milliseconds and the loudest received sample.
fn heard(file: &str) -> (u64, u16) {
    let bytes = std::fs::read(file).unwrap();
    let length = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
    assert_eq!(bytes.len() - 44, length, "the header says how much there is");
    let left = bytes[44..].as_chunks::<4>().0.iter().map(|both| i16::from_le_bytes([both[0], both[1]]));
    (length as u64 / 32, left.map(i16::unsigned_abs).max().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_call_has_ended_when_its_recording_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(folder.path()).await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let call = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let at_b = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(at_b), CallCommand::Record { on: true })).await.unwrap();
    world.run(Command::Call(on(at_b), CallCommand::Answer { status: 200 })).await.unwrap();
    world.next(&a, "media.started").await;
    world
        .run(Command::Call(on(call), CallCommand::Play { sound: tone(440.0), repeat: false }))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let stopped = world.next(&b, "media.recording_stopped").await;
    let Event::Media(MediaEvent::RecordingStopped { path, duration_ms, .. }) = &stopped.event else {
        panic!()
    };
    let (length_ms, loudest) = heard(path);
    assert_eq!(length_ms, *duration_ms);
    assert!((2900..3200).contains(&length_ms) && loudest > 5000, "{length_ms} ms, {loudest}");
    let media = world.next(&b, "media.stopped").await;
    let ended = world.next(&b, "call.ended").await;
    assert!(stopped.seq < media.seq && media.seq < ended.seq, "{}", world.story());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_recording_goes_off_and_on_within_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(folder.path()).await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let call = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let at_b = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(at_b), CallCommand::Answer { status: 200 })).await.unwrap();
    world.next(&a, "call.established").await;
    for switch in [true, false, true] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.run(Command::Call(on(call), CallCommand::Record { on: switch })).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let stopped = world.next(&a, "media.recording_stopped").await;
        let Event::Media(MediaEvent::RecordingStopped { path, .. }) = &stopped.event else { panic!() };
        lengths.push(heard(path).0);
    }
    assert_eq!(lengths, [500, 1000], "{}", world.story());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_cannot_be_made_is_told_and_the_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    std::fs::write(&in_the_way, "").unwrap();
    let mut world = world(&in_the_way).await;
    let (a, b) = (world.phone("a", 5061).await, world.phone("b", 5062).await);
    let call = world.call(&a, "sip:b@127.0.0.1:5062").await;
    let at_b = world.next(&b, "call.incoming").await.subject.call.unwrap();
    world.run(Command::Call(on(at_b), CallCommand::Answer { status: 200 })).await.unwrap();
    world.next(&a, "call.established").await;
    world.run(Command::Call(on(call), CallCommand::Record { on: true })).await.unwrap();
    world.next(&a, "media.recording_failed").await;
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    world.next(&a, "call.ended").await;
    world.end().await;
}
