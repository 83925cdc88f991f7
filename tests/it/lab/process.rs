//! `offhook lab` as a process.

use std::{ops::Range, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::UdpSocket,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn it_shows_what_a_phone_needs_and_stops_when_asked() {
    for signal in ["TERM", "INT", "HUP"] {
        stops_when_asked(signal).await;
    }
}

async fn stops_when_asked(signal: &str) {
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
    let asked =
        Command::new("kill").args(["-s", signal, &lab.id().unwrap().to_string()]).status().await.unwrap();
    assert!(asked.success());
    assert_eq!(timeout(PATIENCE, lab.wait()).await.unwrap().unwrap().code(), Some(0), "{signal}");
}

/// A lab that lets anybody call, and has shown its card.
struct Lab {
    process: Child,
    /// Its output; once this is dropped, nobody reads it any more.
    lines: Option<Lines<BufReader<ChildStdout>>>,
    address: String,
}

impl Lab {
    async fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(["lab", "--bind", "127.0.0.1:0", "--open-calls"]).args(arguments);
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut next = async || timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let address = next().await.split_whitespace().nth(2).unwrap().to_owned();
        while !next().await.contains("Ctrl-C") {}
        Self { process, lines: Some(lines), address }
    }

    /// Lets somebody with a long name call a number that does not exist, again and again.
    async fn hears_calls(&self, calls: Range<usize>) {
        let caller = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (own, lab, name) = (caller.local_addr().unwrap(), &self.address, "x".repeat(1_000));
        for nth in calls {
            let invite = format!(
                "INVITE sip:nobody@{lab} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{nth}\r\nMax-Forwards: 70\r\n\
                 From: <sip:{name}@{own}>;tag=t{nth}\r\nTo: <sip:nobody@{lab}>\r\nCall-ID: c{nth}\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:x@{own}>\r\nContent-Length: 0\r\n\r\n"
            );
            caller.send_to(invite.as_bytes(), lab).await.unwrap();
            let (mut answer, call) = ([0; 4096], format!("Call-ID: c{nth}\r\n"));
            loop {
                let length = timeout(PATIENCE, caller.recv(&mut answer)).await.unwrap().unwrap();
                let answer = String::from_utf8_lossy(&answer[..length]);
                if answer.starts_with("SIP/2.0 404") && answer.contains(&call) {
                    break;
                }
            }
        }
    }

    async fn stops(mut self) {
        let id = self.process.id().unwrap().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(asked.success());
        let ended = timeout(PATIENCE, self.process.wait()).await.expect("the lab does not stop");
        assert_eq!(ended.unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn a_reader_that_reads_no_more_keeps_it_neither_from_working_nor_from_stopping() {
    let lab = Lab::start(&[]).await;
    // Two lines each, of a thousand letters: several times what a pipe holds.
    lab.hears_calls(0..200).await;
    lab.stops().await;
}

#[tokio::test]
async fn a_reader_that_has_left_costs_neither_the_lab_nor_what_its_folder_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::start(&["--data", folder.path().to_str().unwrap()]).await;
    lab.hears_calls(0..1).await;
    let first = timeout(PATIENCE, lab.lines.as_mut().unwrap().next_line()).await.unwrap().unwrap().unwrap();
    assert!(first.ends_with("calls nobody"), "{first}");
    lab.lines = None;
    lab.hears_calls(1..6).await;
    lab.stops().await;
    let log = std::fs::read_to_string(folder.path().join("lab.log")).unwrap();
    assert_eq!(log.matches("calls nobody").count(), 6, "{log}");
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
