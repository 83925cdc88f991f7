//! How soon a fresh process answers `initialize`, how long a read-only tool takes, and how much
//! memory a thousand phones with tools of their own take.
//!
//! The client writes a request to the child's pipe and waits for the line, so both context switches are in the figure.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench reports and may stop"
)]

mod support {
    pub(crate) mod size;
}

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::size::in_short;

/// Starts that are timed.
fn starts() -> usize {
    in_short(20, 2)
}
/// Calls that are timed.
fn calls() -> usize {
    in_short(1_000, 10)
}
/// Phones that are listed.
const PHONES: usize = 10;
/// Phones of a large node.
fn many_phones() -> usize {
    in_short(1_000, 20)
}
/// Calls that are timed on it.
fn many_calls() -> usize {
    in_short(200, 10)
}

struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offhook"))
            .arg("mcp")
            .arg("--data")
            .arg(folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, requests: 0 }
    }

    /// Returns the resident memory of the server.
    fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn write(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    /// Sends a request and waits for its answer; notifications in between are passed over.
    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        loop {
            if let Some(result) = Self::result_of(id, &self.line()) {
                return result;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.requests += 1;
        let id = self.requests;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the server has gone");
        line
    }

    /// Returns the result of a request if the line is its answer.
    fn result_of(id: u64, line: &str) -> Option<Value> {
        let mut answer: Value = serde_json::from_str(line).unwrap();
        (answer["id"] == id).then(|| {
            assert!(answer["error"].is_null(), "{answer}");
            answer["result"].take()
        })
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

/// Times a call from its request to the last byte of its answer; what the client makes of it is not the server's time.
fn answered(server: &mut Server, tool: &str, arguments: &Value) -> Duration {
    let started = Instant::now();
    let id = server.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
    loop {
        let line = server.line();
        let taken = started.elapsed();
        if let Some(result) = Server::result_of(id, &line) {
            assert_ne!(result["isError"], true, "{result}");
            return taken;
        }
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
    let starts = (0..starts()).map(|index| {
        let folder = folder.path().join(index.to_string());
        let started = Instant::now();
        let mut server = Server::start(&folder, &[]);
        server.initialize();
        // Before the server ends, which takes its own time.
        started.elapsed()
    });
    report("initialize_from_start", starts.collect());

    let mut server = Server::start(&folder.path().join("calls"), &[]);
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
        let times = (0..calls()).map(|_| answered(&mut server, tool, &arguments));
        report(tool, times.collect());
    }
    report("pipe_alone", pipe_alone());
    large_node(&folder.path().join("many"));
}

/// Loads a file of phones and lists their tools once, then lists the phones.
fn large_node(folder: &Path) {
    let many = many_phones();
    let mut server = Server::start(folder, &["--phone-tools", "dynamic"]);
    server.initialize();
    server.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    let bare = server.resident_kb();
    let file = folder.join("phones.yaml");
    let mut text = "defaults: {domain: 127.0.0.1, password: '1', register: false}\nphones:\n".to_owned();
    for index in 0..many {
        text += &format!("- {{phone_id: p{index}, username: u{index}}}\n");
    }
    std::fs::write(&file, text).unwrap();
    let loaded = server.call("load_phones", json!({ "path": file }));
    assert_eq!(loaded["structuredContent"]["status"], "ok");
    let without_tools = server.resident_kb();
    let tools = server.request("tools/list", json!({}));
    assert_eq!(tools["tools"].as_array().unwrap().len(), 17 + 22 * many);
    let with_tools = server.resident_kb();
    println!(
        "  {bare} kB with no phone, {without_tools} kB with {many}, {with_tools} kB with their tools listed"
    );
    println!("bench: many_phones/resident = {:.1} MB", with_tools as f64 / 1000.0);
    let times = (0..many_calls()).map(|_| answered(&mut server, "list_phones", &json!({})));
    report("list_phones_of_1000", times.collect());
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// The share of the pipes and the scheduler in each figure: the same way through a program that
/// only copies.
fn pipe_alone() -> Vec<Duration> {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (cat.stdin.take().unwrap(), BufReader::new(cat.stdout.take().unwrap()));
    let times = (0..calls()).map(|_| {
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
