//! The password and digest responses of a registration and a call are on the wire and nowhere else.

use std::sync::Arc;

use offhook::{
    command::{CallCommand, Command},
    event::PhoneSpec,
    journal::{Query, export},
    lab::{Lab, LabOptions},
    secret::Secret,
    sim::Recording,
};

use crate::support::{World, on, spec};

/// Password of the lab's first user.
const PASSWORD: &str = "secret6001";

#[tokio::test(start_paused = true)]
async fn neither_a_password_nor_a_digest_response_reaches_the_journal() {
    let mut world = World::new().await;
    world.network.record(Recording::Signaling);
    let lab = Lab::start(Arc::new(world.network.clone()), LabOptions::default()).unwrap();
    let a = "a".parse().unwrap();
    let spec = PhoneSpec { register: true, ..spec(&lab.profile().domain, "6001") };
    let add = Command::add(a, spec, Secret::new(PASSWORD.into()));
    let described = format!("{add:?}");
    world.run(add).await.unwrap();
    let a = "a".parse().unwrap();
    world.next(&a, "phone.registered").await;
    let call = world.call(&a, "600").await;
    world.next(&a, "call.established").await;
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    world.next(&a, "call.ended").await;

    let responses: Vec<String> = world
        .network
        .crossed()
        .iter()
        .filter_map(|crossing| {
            let text = String::from_utf8_lossy(&crossing.bytes).into_owned();
            let value = text.split("response=\"").nth(1)?.split('"').next()?;
            Some(value.to_owned())
        })
        .collect();
    assert!(responses.len() >= 2, "REGISTER and INVITE carried credentials: {responses:?}");

    let mut journal = Vec::new();
    export(world.board.journal(), &Query::default(), &mut journal).unwrap();
    let journal = String::from_utf8(journal).unwrap();
    assert!(journal.contains("response=\\\"***\\\""), "the header is there, its secret is not");
    let seen = [("journal", journal), ("debug", described)];
    for secret in responses.iter().map(String::as_str).chain([PASSWORD]) {
        for (place, text) in &seen {
            assert!(!text.contains(secret), "{secret} is in the {place}");
        }
    }
    lab.stop().await;
    world.end().await;
}
