//! `offhook lab` as a process.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn it_shows_what_a_phone_needs_and_stops_when_asked() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(["lab", "--bind", "127.0.0.1:0", "--generate", "2"]);
    let mut lab = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines();
    let mut card = Vec::new();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap() {
        let last = line.contains("Ctrl-C");
        card.push(line);
        if last {
            break;
        }
    }
    let card = card.join("\n");
    assert!(card.starts_with("lab PBX     127.0.0.1:"), "{card}");
    assert!(card.contains("6002      secret6002") && !card.contains("secret6003"), "{card}");
    assert!(card.contains("600       echo") && card.contains("608       slow answer"), "{card}");
    let asked = Command::new("kill").args(["-TERM", &lab.id().unwrap().to_string()]).status().await.unwrap();
    assert!(asked.success());
    assert_eq!(timeout(PATIENCE, lab.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_cause() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_offhook")).args(["lab", "--bind", &address]).output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains(&format!("cannot listen on {address}: Address already in use")), "{said}");
}
