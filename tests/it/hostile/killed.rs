//! `kill -9` at any moment of a call, seen from the other side: the next process ends every call
//! that the peer believes is up.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command as Process, Stdio},
    sync::Arc,
    time::Duration,
};

use offhook::{
    command::{Command, Execute, NodeCommand, PhoneCommand},
    event::{Cause, Envelope, PhoneSpec, Surface},
    id::PhoneId,
    journal::Query,
    net::SystemNetwork,
    secret::Secret,
    switchboard::Switchboard,
};
use tokio::time::{Instant, timeout};

use super::{next, tell};
use crate::support::{
    folder::start,
    peer::{EVENTS, Peer, header},
    spec,
};

const FOLDER: &str = "OFFHOOK_TEST_CALL_FROM";
const PORT: &str = "OFFHOOK_TEST_CALL_TO";
const NAME: &str = "hostile::killed::every_call_of_a_killed_process_is_ended_on_the_wire";

/// The child's part: places and ends calls until it is killed.
async fn call_for_ever(folder: &Path, port: &str) -> ! {
    let board = start(folder).await;
    let run = async |command| board.execute(command, Cause::command(Surface::Library)).await;
    let spec = PhoneSpec { register: false, ..spec(&format!("127.0.0.1:{port}"), "a") };
    let a: PhoneId = "a".parse().unwrap();
    // An earlier child's phone may be there.
    drop(run(Command::add(a.clone(), spec, Secret::new("x".into()))).await);
    loop {
        for _ in 0..4 {
            let target = format!("sip:peer@127.0.0.1:{port}");
            let place = PhoneCommand::PlaceCall { target, headers: [].into() };
            run(Command::Phone(a.clone(), place)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        run(Command::Node(NodeCommand::HangUpAll)).await.unwrap();
    }
}

/// A callee that answers every call and remembers which ones it believes are up.
struct Callee {
    peer: Peer,
    /// By Call-ID: the INVITE, and whether the 200 was acknowledged.
    up: BTreeMap<String, (String, bool)>,
    /// By Call-ID: the highest CSeq received.
    counted: BTreeMap<String, u32>,
    answered: usize,
    /// When something last arrived.
    heard: Instant,
}

impl Callee {
    /// Does its part until `done` or until the time is over.
    async fn serve(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + time;
        let mut repeat = Instant::now();
        while Instant::now() < end && !done(self) {
            if let Some(message) = self.peer.next_within("", Duration::from_millis(5)).await {
                self.hear(&message);
            }
            // A 2xx is retransmitted until its ACK comes (RFC 3261 §13.3.1.4).
            if repeat.elapsed() > Duration::from_millis(500) {
                repeat = Instant::now();
                for (invite, _) in self.up.values().filter(|(_, acknowledged)| !acknowledged) {
                    self.peer.answer(invite, "200 OK", "", EVENTS);
                }
            }
        }
    }

    fn hear(&mut self, message: &str) {
        self.heard = Instant::now();
        if message.starts_with("SIP/2.0") {
            return;
        }
        let (call, method) = (header(message, "Call-ID"), message.split(' ').next().unwrap_or_default());
        let number: u32 = header(message, "CSeq").split(' ').next().unwrap().parse().unwrap();
        match method {
            "INVITE" => {
                let via = header(message, "Via");
                let sent_by = via.split([' ', ';']).nth(1).unwrap();
                self.peer.talks_to(sent_by.rsplit(':').next().unwrap().parse().unwrap());
                self.peer.answer(message, "200 OK", "", EVENTS);
                self.counted.insert(call.clone(), number);
                self.answered += usize::from(self.up.insert(call, (message.to_owned(), false)).is_none());
            }
            "ACK" => {
                if let Some((_, acknowledged)) = self.up.get_mut(&call) {
                    *acknowledged = true;
                }
            }
            // A CSeq that does not increase is refused (RFC 3261 §12.2.2).
            "BYE" if self.counted.get(&call).is_some_and(|last| number <= *last) => {
                self.peer.answer(message, "500 Server Internal Error", "", "");
            }
            "BYE" => {
                self.peer.answer(message, "200 OK", "", "");
                self.up.remove(&call);
            }
            // The INVITE was never sent, or the call has already ended.
            "CANCEL" if !self.up.contains_key(&call) => {
                self.peer.answer(message, "481 Call/Transaction Does Not Exist", "", "");
            }
            _ => self.peer.answer(message, "200 OK", "", ""),
        }
    }
}

/// Returns what the journal has of a call, one event per line.
fn story(board: &Switchboard, sip_call_id: &str) -> String {
    let of_call = Query { text: Some(sip_call_id.to_owned()), ..Query::default() };
    let line = |envelope: &Arc<Envelope>| {
        let mut data = envelope.event.data();
        if let Some(fields) = data.as_object_mut() {
            fields.remove("message");
        }
        format!(
            "{} {} {:?} {} {data}",
            envelope.seq,
            envelope.at,
            envelope.subject.call,
            envelope.event.kind()
        )
    };
    board.journal().query_blocking(&of_call).unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_call_of_a_killed_process_is_ended_on_the_wire() {
    const KILLS: usize = 12;
    if let (Some(folder), Ok(port)) = (env::var_os(FOLDER), env::var(PORT)) {
        call_for_ever(Path::new(&folder), &port).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::anywhere(&SystemNetwork::default());
    let mut callee =
        Callee { peer, up: BTreeMap::new(), counted: BTreeMap::new(), answered: 0, heard: Instant::now() };
    let (mut luck, mut left) = (0x9e37_79b9_7f4a_7c15, 0);
    for _ in 0..KILLS {
        let answered = callee.answered;
        let mut child = Process::new(env::current_exe().unwrap())
            .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .env(PORT, callee.peer.port().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        callee.serve(Duration::from_secs(30), |callee| callee.answered > answered).await;
        assert!(callee.answered > answered, "the child places no call");
        let moment = Duration::from_millis(u64::try_from(next(&mut luck) % 60).unwrap());
        callee.serve(moment, |_| false).await;
        child.kill().unwrap();
        child.wait().unwrap();
        left += callee.up.len();
        let board = start(folder.path()).await;
        // What the killed process sent may not have been read yet.
        callee.heard = Instant::now();
        let quiet =
            |callee: &Callee| callee.up.is_empty() && callee.heard.elapsed() > Duration::from_millis(300);
        callee.serve(Duration::from_secs(20), quiet).await;
        if let Some((call, (_, acknowledged))) = callee.up.first_key_value() {
            panic!("{call} is up, acknowledged: {acknowledged}\n{}", story(&board, call));
        }
        board.shutdown().await.unwrap();
    }
    let board = start(folder.path()).await;
    let ended = async {
        while !board.views().all_active_calls().is_empty() {
            callee.serve(Duration::from_millis(20), |_| false).await;
        }
    };
    timeout(Duration::from_secs(40), ended).await.expect("every call ends in the journal too");
    let calls = |kind: &str| {
        let facts = board.journal().query_blocking(&Query::of_kinds(&[kind])).unwrap();
        let mut calls: Vec<_> = facts.iter().filter_map(|fact| fact.subject.call).collect();
        calls.sort_unstable();
        calls
    };
    // Each exactly once.
    let (placed, ended) = (calls("call.placed"), calls("call.ended"));
    assert_eq!(placed, ended);
    assert!(left > 0, "no call was up at any kill");
    let (placed, ended) = (placed.len(), ended.len());
    tell(&format!(
        "{KILLS} kills, {} calls answered, {left} up at a kill, 0 left on the wire, {placed} placed and {ended} ended in the \
         journal",
        callee.answered
    ));
    board.shutdown().await.unwrap();
}
