//! The end of the program in the middle of calls with a peer that has fallen silent, whichever way
//! it is asked to end.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use offhook::net::SystemNetwork;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::support::peer::{EVENTS, Peer, header};

/// The longest the end may take.
pub(super) const END: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// How far the call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Outbound, ringing at the peer.
    Ringing,
    /// Inbound, not answered yet.
    Incoming,
    /// Established.
    Talking,
}

/// How the program is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Signal(&'static str),
    /// The client closes its end of the input.
    EndOfInput,
    /// Nobody reads the output any more; the input stays open.
    ClosedOutput,
    /// The client stopped reading long ago, and closes the input.
    UnreadOutput,
}

/// The program with a phone, as its client sees it.
pub(super) struct Program {
    pub(super) child: Child,
    input: ChildStdin,
    output: Option<Lines<BufReader<ChildStdout>>>,
    asked: u64,
    /// Where the phone listens.
    port: u16,
}

impl Program {
    pub(super) async fn start(mut command: Command, registrar: u16) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let output = Some(BufReader::new(output).lines());
        let mut program = Self { child, input, output, asked: 0, port: 0 };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"}});
        program.ask("initialize", hello).await;
        program.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        let phone = json!({"phone_id": "a", "domain": format!("127.0.0.1:{registrar}"), "username": "a",
            "password": "x", "register": false});
        program.tool("add_phone", phone).await;
        let bound = program.tool("query_events", json!({"events": ["phone.bound"]})).await.to_string();
        let (_, after) = bound.split_once("127.0.0.1:").unwrap_or_else(|| panic!("{bound}"));
        program.port = after.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap();
        program
    }

    async fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn send(&mut self, method: &str, params: Value) {
        self.asked += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})).await;
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(method, params).await;
        loop {
            let line = timeout(PATIENCE, self.output.as_mut().unwrap().next_line()).await.unwrap().unwrap();
            let answer: Value = serde_json::from_str(&line.expect("an answer")).unwrap();
            if answer["id"] == json!(self.asked) {
                return answer["result"].clone();
            }
        }
    }

    pub(super) async fn tool(&mut self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": name, "arguments": arguments})).await
    }

    /// Brings a call to its phase; after that the peer answers nothing.
    pub(super) async fn call(&mut self, peer: &mut Peer, phase: Phase) {
        peer.talks_to(self.port);
        if phase == Phase::Incoming {
            peer.request("INVITE", 1, "", EVENTS);
            peer.next("SIP/2.0 100").await;
            return;
        }
        let uri = format!("sip:peer@127.0.0.1:{}", peer.port());
        self.tool("make_call", json!({"phone_id": "a", "dest_uri": uri})).await;
        let invite = peer.next("INVITE").await;
        if phase == Phase::Ringing {
            peer.answer(&invite, "180 Ringing", "", "");
            let ringing = json!({"events": ["call.ringing"], "after": 0, "within_ms": 10_000});
            let told = self.tool("wait_for_event", ringing).await.to_string();
            assert!(told.contains("call.ringing"), "{told}");
        } else {
            peer.answer(&invite, "200 OK", "", EVENTS);
            peer.next("ACK").await;
        }
    }

    /// Ends it; returns how long that took, its exit status and what it wrote to standard error.
    pub(super) async fn end(mut self, ending: Ending) -> (Duration, ExitStatus, String) {
        if ending == Ending::UnreadOutput {
            // More than a pipe holds.
            for _ in 0..30 {
                self.send("tools/list", json!({})).await;
            }
        }
        let since = Instant::now();
        let mut input = Some(self.input);
        match ending {
            Ending::Signal(name) => {
                let id = self.child.id().unwrap().to_string();
                assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
            }
            Ending::EndOfInput | Ending::UnreadOutput => drop(input.take()),
            Ending::ClosedOutput => {
                drop(self.output.take());
                // It is noticed with the next answer.
                let ping = b"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}\n";
                input.as_mut().unwrap().write_all(ping).await.unwrap();
            }
        }
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it goes on after {ending:?}")).unwrap();
        let took = since.elapsed();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        (took, status, said)
    }
}

pub(super) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(["mcp", "--data"]).arg(folder);
    command
}

/// Returns how many facts of a kind a later process finds.
fn count(folder: &Path, kind: &str) -> u32 {
    let file: PathBuf = folder.join("journal.db");
    let journal = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    journal.query_row("SELECT count(*) FROM events WHERE kind = ?1", [kind], |row| row.get(0)).unwrap()
}

async fn ends(phase: Phase, ending: Ending) {
    let folder = tempfile::tempdir().unwrap();
    let mut peer = Peer::anywhere(&SystemNetwork::default());
    let mut program = Program::start(program(folder.path()), peer.port()).await;
    program.call(&mut peer, phase).await;
    let (took, status, said) = program.end(ending).await;
    assert!(status.success(), "{phase:?}, {ending:?}: {status}: {said}");
    assert!(took < END, "{phase:?}, {ending:?}: {took:?}");
    let farewell = match phase {
        Phase::Ringing => "CANCEL",
        Phase::Incoming => "SIP/2.0 603",
        Phase::Talking => "BYE",
    };
    let sent = peer.next_within(farewell, Duration::from_secs(1)).await;
    assert!(sent.is_some(), "{phase:?}, {ending:?}: no {farewell}: {said}");
    // A refusal is an end; CANCEL and BYE only ask for one.
    let ended = u32::from(phase == Phase::Incoming);
    assert_eq!(count(folder.path(), "call.ended"), ended, "{phase:?}, {ending:?}");
    assert_eq!(count(folder.path(), "call.ending"), 1, "{phase:?}, {ending:?}");
    let told = said.contains("its calls stay up in the journal");
    assert_eq!(told, phase != Phase::Incoming, "{phase:?}, {ending:?}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_ends_in_time_at_any_phase_and_says_what_is_left() {
    let endings = [
        Ending::Signal("TERM"),
        Ending::Signal("INT"),
        Ending::Signal("HUP"),
        Ending::EndOfInput,
        Ending::ClosedOutput,
        Ending::UnreadOutput,
    ];
    for phase in [Phase::Ringing, Phase::Incoming, Phase::Talking] {
        let all = endings.map(|ending| tokio::spawn(ends(phase, ending)));
        for one in all {
            one.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_ends_in_time_when_the_disk_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut peer = Peer::anywhere(&SystemNetwork::default());
    // Writing beyond the file size limit fails as on a full disk, if the signal that comes with it
    // is ignored.
    let mut command = Command::new("sh");
    let deaf = "trap '' XFSZ; exec \"$0\" mcp --data \"$1\"";
    command.args(["-c", deaf, env!("CARGO_BIN_EXE_offhook")]).arg(folder.path());
    let mut program = Program::start(command, peer.port()).await;
    program.call(&mut peer, Phase::Talking).await;
    let id = program.child.id().unwrap().to_string();
    assert!(Command::new("prlimit").args(["--pid", &id, "--fsize=1"]).status().await.unwrap().success());
    let full = async {
        while program.tool("server_status", json!({})).await["structuredContent"]["journal_failure"].is_null()
        {
            program.tool("unregister", json!({"phone_id": "a"})).await;
        }
    };
    timeout(PATIENCE, full).await.expect("the disk is not full");
    let (took, status, said) = program.end(Ending::EndOfInput).await;
    assert!(took < END, "{took:?}: {said}");
    assert!(!status.success() && said.contains("journal"), "{status}: {said}");
    let bye = peer.next_within("BYE", Duration::from_secs(1)).await.expect("a BYE");
    assert!(header(&bye, "CSeq").ends_with("BYE"));
}
