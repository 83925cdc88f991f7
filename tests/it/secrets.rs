//! The password and digest responses of a registration and a call are on the wire and nowhere
//! else, and no error about a file shows its passwords.

use std::{path::Path, process::Command as Process, sync::Arc};

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

/// Passwords that are none, and files that are wrong beside one.
const WRONG: [&str; 6] = [
    "[hunter2]",
    "[[hunter2], 12345678]",
    "{hunter2: 12345678}",
    "\"hunter2",
    "hunter2, colour: [hunter2",
    "hunter2, password: hunter2",
];

/// Files that hold a password in the place of `P`, and what reads each.
const FILES: [(&str, &str, &[&str]); 6] = [
    (
        "scenario.yaml",
        "phones:\n  a: {username: u, domain: d, password: P}\nsteps:\n- make_call: {phone: a, to: '600'}\n- wait: 1s\n",
        &["check", "FILE"],
    ),
    (
        "scenario.yaml",
        "phones:\n  a: {username: u, domain: d, password: P}\nsteps:\n- make_call: {phone: a, to: '600'}\n- wait: 1s\n",
        &["run", "FILE"],
    ),
    ("phones.yaml", "phones:\n- {phone_id: a, username: u, domain: d, password: P}\n", &["check", "FILE"]),
    ("pbx.yaml", "domain: d\naccounts:\n- {username: u, password: P}\n", &["check", "FILE"]),
    ("pbx.yaml", "domain: d\naccounts:\n- {username: u, password: P}\n", &["mcp", "--against", "FILE"]),
    (
        "users.yaml",
        "accounts:\n- {username: u, password: P}\n",
        &["lab", "--bind", "127.0.0.1:0", "--users", "FILE"],
    ),
];

/// Returns what the program says of a file, which it refuses.
fn refusal(file: &Path, arguments: &[&str]) -> String {
    let mut command = Process::new(env!("CARGO_BIN_EXE_offhook"));
    for argument in arguments {
        match *argument {
            "FILE" => command.arg(file),
            other => command.arg(other),
        };
    }
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn a_file_that_is_wrong_is_refused_without_its_passwords() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, arguments) in FILES {
        let file = folder.path().join(name);
        for wrong in WRONG {
            std::fs::write(&file, text.replace('P', wrong)).unwrap();
            let said = refusal(&file, arguments);
            assert!(said.contains(name), "{arguments:?} {wrong}: {said}");
            assert!(!said.contains("hunter2") && !said.contains("12345678"), "{arguments:?} {wrong}: {said}");
        }
    }
}
