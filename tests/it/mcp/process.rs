//! The program itself as an MCP server: only JSON-RPC on standard output, a quick start, a clean end.

use std::{
    io::{BufRead, BufReader, Seek, Write},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

fn start() -> Child {
    Command::new(env!("CARGO_BIN_EXE_offhook"))
        .args(["mcp", "--recordings", "/nonexistent"])
        .env("OFFHOOK_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Feeds the server, closes its input and returns what it printed; every line must be JSON-RPC.
fn feed(input: &[u8]) -> (Vec<Value>, String) {
    let mut child = start();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let lines: Vec<Value> = lines.collect();
    assert!(lines.iter().all(|line| line["jsonrpc"] == "2.0"), "{text}");
    (lines, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn by_id(lines: &[Value], id: u64) -> &Value {
    lines.iter().find(|line| line["id"] == json!(id)).unwrap_or_else(|| panic!("no answer to {id}"))
}

#[test]
fn hostile_input_gets_nothing_but_json_rpc() {
    let mut input = b"\x00\x01\xfe\xff garbage\nGET / HTTP/1.1\r\n\r\n".to_vec();
    input.extend(format!("{HELLO}\n").bytes());
    input.extend(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    input.extend(b"\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"no/such\"}\n[1,{},\"x\"]\n");
    input.extend(vec![b'['; 200_000]);
    input.push(b'\n');
    input.extend(vec![b'a'; 17 * 1024 * 1024]);
    input.extend(b"\n{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/list\"}\n");
    let password = r#"{"phone_id":"a","domain":"127.0.0.1","username":"a","password":"p4ssw0rd-marker"}"#;
    input.extend(format!("{{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{{\"name\":\"add_phone\",\"arguments\":{password}}}}}\n").bytes());
    let (lines, log) = feed(&input);
    assert_eq!(by_id(&lines, 1)["result"]["serverInfo"]["name"], "offhook");
    assert_eq!(by_id(&lines, 2)["error"]["code"], -32601);
    assert!(by_id(&lines, 3)["result"]["tools"].as_array().unwrap().len() >= 16);
    assert!(by_id(&lines, 4)["result"].is_object());
    let refused = lines.iter().filter(|line| line["id"].is_null() && line["error"].is_object()).count();
    assert_eq!(refused, 2 + 3 + 1 + 1, "garbage, HTTP, a batch of three, nesting, a long line: {refused}");
    assert!(!log.contains("p4ssw0rd-marker"), "a password is in the log");
    assert!(!lines.iter().any(|line| line.to_string().contains("p4ssw0rd-marker")));
}

#[test]
fn requests_before_the_end_of_input_are_answered() {
    let status =
        r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"server_status","arguments":{}}}"#;
    let (lines, _) = feed(format!("{HELLO}\n{status}").as_bytes());
    assert_eq!(by_id(&lines, 9)["result"]["structuredContent"]["phones"], 0);
}

/// Starts the server through `command`, performs the handshake and sends it a signal.
fn signaled(mut command: Command, signal: &str) -> Child {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(format!("{HELLO}\n").as_bytes()).unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("serverInfo"), "{first}");
    let killed = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child
}

#[test]
fn a_signal_ends_the_server_in_order() {
    for signal in ["TERM", "INT", "HUP"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(["mcp", "--recordings", "/nonexistent"]);
        let mut child = signaled(command, signal);
        let before = Instant::now();
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{signal}: {ended:?}");
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    }
}

/// What a client may write before it says hello: nothing that counts, and what is answered.
const EARLY: [&str; 3] = [
    "not json",
    r#"{"jsonrpc":"2.0","id":N,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":N,"method":"tools/list"}"#,
];

/// Returns 15,000 lines, each with an id of its own.
fn early(line: &str) -> Vec<u8> {
    (0..15_000).map(|id: u32| line.replace('N', &id.to_string()) + "\n").collect::<String>().into_bytes()
}

/// Starts a server whose output nobody reads.
fn unread(input: Stdio) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(["mcp", "--recordings", "/nonexistent"]).stdin(input);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Returns how a process ended within five seconds of now; one that goes on is killed.
fn ended(mut child: Child) -> Option<ExitStatus> {
    let id = child.id().to_string();
    let (told, end) = mpsc::channel();
    let waiting = std::thread::spawn(move || told.send(child.wait().unwrap()).ok());
    let status = end.recv_timeout(Duration::from_secs(5)).ok();
    if status.is_none() {
        assert!(Command::new("kill").args(["-s", "KILL", &id]).status().unwrap().success());
    }
    waiting.join().unwrap();
    status
}

/// Waits until a pipe takes no further line.
fn full(pipe: &ChildStdout) {
    let since = Instant::now();
    while rustix::io::ioctl_fionread(pipe).unwrap() < 60_000 {
        assert!(since.elapsed() < Duration::from_secs(5), "it says too little");
        std::thread::yield_now();
    }
}

#[test]
fn the_end_of_input_ends_a_server_that_nobody_ever_read() {
    for line in EARLY {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&early(line)).unwrap();
        file.rewind().unwrap();
        let status = ended(unread(file.into()));
        assert!(status.is_some_and(|status| status.success()), "{line}: {status:?}");
    }
}

#[test]
fn a_signal_ends_a_server_that_nobody_ever_read() {
    for line in EARLY {
        let mut child = unread(Stdio::piped());
        let mut input = child.stdin.take().unwrap();
        let lines = early(line);
        // Keeps its end open; what the server does not take, it cannot write.
        let writer = std::thread::spawn(move || {
            drop(input.write_all(&lines));
            input
        });
        full(child.stdout.as_ref().unwrap());
        let killed = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let status = ended(child);
        assert!(status.is_some_and(|status| status.success()), "{line}: {status:?}");
        drop(writer.join().unwrap());
    }
}

#[test]
fn a_server_started_to_outlive_its_terminal_does() {
    let mut command = Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_offhook"), "mcp", "--recordings", "/nonexistent"]);
    let mut child = signaled(command, "HUP");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
    assert!(answer.contains("\"id\":2"), "{answer}");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
