//! The shipped scenarios, as a user runs them: against the embedded lab PBX and against the lab Asterisk.

use std::process::Command;

use crate::probe::lab_port;

fn run(against: &str) {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let output = Command::new(env!("CARGO_BIN_EXE_offhook"))
        .args(["run", "scenarios", "--against", against, "--junit"])
        .arg(&junit)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let report = std::fs::read_to_string(junit).unwrap();
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap();
    let shipped = files.filter(|file| {
        file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|ending| ending == "yaml"))
    });
    assert_eq!(report.matches("<testcase ").count(), shipped.count(), "every file is a test case\n{report}");
    assert!(!report.contains("<failure"), "{report}");
}

#[test]
fn the_shipped_scenarios_pass_against_the_embedded_lab() {
    run("lab");
}

#[test]
fn the_shipped_scenarios_pass_against_asterisk() {
    run(&format!("sip:127.0.0.1:{}", lab_port("OFFHOOK_LAB_SIP_PORT", 5070)));
}
