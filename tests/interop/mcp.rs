//! The official Python MCP client against the program, in both lifecycles.

use std::process::Command;

#[test]
fn the_python_client_initializes_discovers_lists_and_calls() {
    let python = std::env::var("OFFHOOK_PYTHON").expect("`cargo xtask test` makes the Python environment");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/mcp_client.py");
    let output = Command::new(python)
        .args([script, env!("CARGO_BIN_EXE_offhook"), "mcp"])
        .output()
        .expect("python runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.lines().last(), Some("ok"), "{told}");
    assert!(told.contains("discover: revision 2026-07-28"), "{told}");
}

#[test]
fn the_python_client_calls_through_asterisk_and_the_recording_holds_the_tone() {
    let python = std::env::var("OFFHOOK_PYTHON").expect("`cargo xtask test` makes the Python environment");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/mcp_call.py");
    let folder = tempfile::tempdir().unwrap();
    let port = crate::probe::lab_port("OFFHOOK_LAB_SIP_PORT", 5070).to_string();
    let output = Command::new(python)
        .args([script, &port])
        .arg(folder.path().join("tone.wav"))
        .arg(folder.path().join("recordings"))
        .args([env!("CARGO_BIN_EXE_offhook"), "mcp"])
        .output()
        .expect("python runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.lines().last(), Some("ok"), "{told}");
}
