//! How soon a fresh process answers `initialize`, and how long a tool takes that only reads.
//!
//! The client writes a request to the child's pipe and waits for the line, so both context switches are in the figure.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench reports and may stop"
)]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Starts that are timed.
const STARTS: usize = 20;
/// Calls that are timed.
const CALLS: usize = 1_000;
/// Phones that are listed.
const PHONES: usize = 10;

struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offhook"))
            .arg("mcp")
            .arg("--data")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, requests: 0 }
    }

    fn write(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    /// Sends a request and waits for its answer; notifications in between are passed over.
    fn request(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server has gone");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{answer}");
                return answer["result"].take();
            }
        }
    }

    fn initialize(&mut self) {
        let client = json!({ "name": "bench", "version": "1" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        let result = self.request("initialize", params);
        assert!(result["serverInfo"]["name"].is_string(), "{result}");
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.request("tools/call", json!({ "name": tool, "arguments": arguments }));
        assert_ne!(result["isError"], true, "{result}");
        result
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let starts = (0..STARTS).map(|index| {
        let folder = folder.path().join(index.to_string());
        let started = Instant::now();
        let mut server = Server::start(&folder);
        server.initialize();
        // Before the server ends, which takes its own time.
        started.elapsed()
    });
    report("initialize_from_start", starts.collect());

    let mut server = Server::start(&folder.path().join("calls"));
    server.initialize();
    server.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    for index in 0..PHONES {
        let arguments = json!({
            "phone_id": format!("p{index}"), "domain": "127.0.0.1", "username": "u", "password": "", "register": false,
        });
        server.call("add_phone", arguments);
    }
    for (tool, arguments) in [
        ("list_phones", json!({})),
        ("get_phone", json!({ "phone_id": "p1" })),
        ("server_status", json!({})),
        ("query_events", json!({})),
        ("p1_get_call_history", json!({})),
    ] {
        let times = (0..CALLS).map(|_| timed(|| drop(server.call(tool, arguments.clone()))));
        report(tool, times.collect());
    }
    report("pipe_alone", pipe_alone());
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// What the pipes and the machine's scheduler take of each figure: the same way through a program that only copies.
fn pipe_alone() -> Vec<Duration> {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (cat.stdin.take().unwrap(), BufReader::new(cat.stdout.take().unwrap()));
    let times = (0..CALLS).map(|_| {
        timed(|| {
            input.write_all(b"{}\n").unwrap();
            assert!(output.read_line(&mut String::new()).unwrap() > 0);
        })
    });
    let times = times.collect();
    drop(input);
    cat.wait().unwrap();
    times
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    println!("bench: mcp_latency/{name}/median = {:.2} ms", ms(times.get(times.len() / 2)));
    println!("bench: mcp_latency/{name}/99th = {:.2} ms", ms(times.get(times.len() * 99 / 100)));
    println!("bench: mcp_latency/{name}/max = {:.2} ms", ms(times.last()));
}
