//! `kill -9` in mid-call: the next start leaves no channel on Asterisk and registers again.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::probe::lab_port;

/// The program as an MCP client sees it.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Program {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offhook"))
            .arg("mcp")
            .arg("--data")
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut program = Self { child, input, output, requests: 0 };
        let client = json!({ "name": "restart", "version": "1" });
        program.request(
            "initialize",
            &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }),
        );
        program.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        program
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a client does, by closing its input.
    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }

    fn write(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
        self.input.flush().unwrap();
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == json!(id) {
                return answer["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.request("tools/call", &json!({ "name": tool, "arguments": arguments }));
        result["structuredContent"].clone()
    }

    /// Waits for something to happen to a phone in this life of the program, which began when the
    /// phone's port was last bound.
    fn wait(&mut self, kind: &str, phone: &str) {
        let bound = self.call(
            "query_events",
            &json!({ "events": ["phone.bound"], "phone_id": phone, "newest_first": true, "limit": 1 }),
        );
        let since = bound["events"][0]["seq"].as_u64().unwrap();
        let found = self.call(
            "wait_for_event",
            &json!({ "events": [kind], "phone_id": phone, "after": since, "within_ms": 8000 }),
        );
        assert_eq!(found["found"], json!(true), "{kind} on {phone}: {found}");
    }
}

/// A manager session on the lab Asterisk; one for all queries, because each closed connection
/// occupies a port for a minute.
struct Manager(BufReader<TcpStream>);

impl Manager {
    fn log_in() -> Self {
        let stream = TcpStream::connect(("127.0.0.1", lab_port("OFFHOOK_LAB_AMI_PORT", 5138))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut manager = Self(BufReader::new(stream));
        manager.ask("Login\r\nUsername: offhook\r\nSecret: offhook-lab\r\nEvents: off");
        manager
    }

    fn ask(&mut self, action: &str) {
        self.0.get_mut().write_all(format!("Action: {action}\r\n\r\n").as_bytes()).unwrap();
    }

    /// Returns the channels of these extensions.
    fn channels(&mut self, of: [&str; 2]) -> Vec<String> {
        self.ask("CoreShowChannels");
        let mut found = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "Asterisk closed the manager session");
            if line.starts_with("Event: CoreShowChannelsComplete") {
                return found;
            }
            let channel = line.strip_prefix("Channel: ").map(|channel| channel.trim().to_owned());
            found.extend(channel.filter(|channel| of.iter().any(|extension| channel.contains(extension))));
        }
    }

    /// Polls until there are `wanted` channels besides those that were there `before`.
    fn until(&mut self, of: [&str; 2], before: &[String], wanted: usize, within: Duration) -> Vec<String> {
        let started = Instant::now();
        loop {
            let mut found = self.channels(of);
            found.retain(|channel| !before.contains(channel));
            if found.len() == wanted || started.elapsed() > within {
                return found;
            }
        }
    }
}

/// The program with two phones on the lab, one for each extension.
fn start_with_phones(data: &Path, phones: [(&str, &str); 2], auto_answer: bool) -> (Program, String) {
    let domain = format!("127.0.0.1:{}", lab_port("OFFHOOK_LAB_SIP_PORT", 5070));
    let mut program = Program::start(data);
    for (phone, extension) in phones {
        let added = program.call(
            "add_phone",
            &json!({
                "phone_id": phone, "domain": domain, "username": extension, "password": format!("secret{extension}"),
                "auto_answer": auto_answer,
            }),
        );
        assert_eq!(added["is_registered"], json!(true), "{added}");
    }
    (program, domain)
}

#[test]
fn after_kill_9_in_mid_call_the_next_start_leaves_no_channel_and_registers_again() {
    const EXTENSIONS: [&str; 2] = ["PJSIP/6007", "PJSIP/6008"];
    let data = tempfile::tempdir().unwrap();
    // What another program left on a shared lab is not our concern.
    let mut asterisk = Manager::log_in();
    let before = asterisk.channels(EXTENSIONS);
    let (mut first, domain) = start_with_phones(data.path(), [("up", "6007"), ("ringing", "6008")], false);
    // One call is up (echo), the other only rings (nobody ever answers).
    first.call("up_make_call", &json!({ "dest_uri": format!("sip:600@{domain}") }));
    first.call("ringing_make_call", &json!({ "dest_uri": format!("sip:605@{domain}") }));
    first.wait("call.ringing", "ringing");
    first.wait("call.established", "up");
    let up = asterisk.until(EXTENSIONS, &before, 2, Duration::from_secs(5));
    assert_eq!(up.len(), 2, "{up:?}");
    first.kill();
    assert_eq!(asterisk.until(EXTENSIONS, &before, 2, Duration::ZERO), up, "Asterisk does not know yet");

    let mut second = Program::start(data.path());
    let left = asterisk.until(EXTENSIONS, &before, 0, Duration::from_secs(5));
    assert!(left.is_empty(), "{left:?}");
    for phone in ["up", "ringing"] {
        second.wait("phone.registered", phone);
        second.wait("call.ended", phone);
        let history = second.call(&format!("{phone}_get_call_history"), &json!({}));
        assert_eq!(history["total_count"], json!(1), "{history}");
    }
    second.end();
}

/// One phone of the program calls the other through Asterisk; `kill -9` comes some milliseconds
/// after the call was requested, anywhere between the first INVITE and the media of both legs.
#[test]
fn whenever_kill_9_comes_during_a_set_up_the_next_start_leaves_no_channel() {
    const EXTENSIONS: [&str; 2] = ["PJSIP/6009", "PJSIP/6010"];
    let mut asterisk = Manager::log_in();
    let before = asterisk.channels(EXTENSIONS);
    for after_ms in (0..12).chain([15, 20, 30, 50]) {
        let data = tempfile::tempdir().unwrap();
        let (mut first, domain) =
            start_with_phones(data.path(), [("caller", "6009"), ("callee", "6010")], true);
        first.call("caller_make_call", &json!({ "dest_uri": format!("sip:6010@{domain}") }));
        #[expect(clippy::disallowed_methods, reason = "the moment of the kill is what this test varies")]
        std::thread::sleep(Duration::from_millis(after_ms));
        first.kill();

        let mut second = Program::start(data.path());
        for phone in ["caller", "callee"] {
            // By the time it answers this, Asterisk has read everything that the first life sent.
            second.wait("phone.registered", phone);
        }
        // An answer that was never acknowledged is retransmitted after half a second
        // (RFC 3261 §13.3.1.4, T1), then after one, then after two; the new process acknowledges it
        // and hangs up.
        let left = asterisk.until(EXTENSIONS, &before, 0, Duration::from_secs(5));
        assert!(left.is_empty(), "killed after {after_ms} ms: {left:?}");
        second.end();
    }
}

/// Dropping a phone becomes a fact before its call is ended on the wire; `kill -9` comes in
/// between, or a little later.
#[test]
fn whenever_kill_9_comes_while_a_phone_is_dropped_the_next_start_leaves_no_channel() {
    const EXTENSIONS: [&str; 2] = ["PJSIP/6009", "PJSIP/6010"];
    let mut asterisk = Manager::log_in();
    let before = asterisk.channels(EXTENSIONS);
    for after_us in [0, 300, 600, 1_000, 1_500, 2_000, 3_000, 5_000] {
        let data = tempfile::tempdir().unwrap();
        let (mut first, domain) = start_with_phones(data.path(), [("up", "6009"), ("idle", "6010")], false);
        first.call("up_make_call", &json!({ "dest_uri": format!("sip:600@{domain}") }));
        first.wait("call.established", "up");
        let arguments = json!({ "name": "drop_phone", "arguments": { "phone_id": "up" } });
        first.write(&json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": arguments }));
        #[expect(clippy::disallowed_methods, reason = "the moment of the kill is what this test varies")]
        std::thread::sleep(Duration::from_micros(after_us));
        first.kill();

        let mut second = Program::start(data.path());
        second.wait("phone.registered", "idle");
        let left = asterisk.until(EXTENSIONS, &before, 0, Duration::from_secs(5));
        assert!(left.is_empty(), "killed after {after_us} us: {left:?}");
        second.end();
    }
}
