//! Arguments and files that name something that is no file: a pipe that nobody writes to, a device without an end.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use super::tell;
use crate::support::folder::pipe;

/// A scenario that needs no more than a phone system.
const SCENARIO: &str =
    "phones: [a]\nsteps:\n- make_call: {phone: a, to: \"${echo}\"}\n- expect: call.established\n";

/// Runs the program, which must end by itself; returns how, and what it said.
async fn run(arguments: &[&str], what: &Path) -> (ExitStatus, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(arguments.iter().map(|argument| argument.replace("PATH", what.to_str().unwrap())));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let ended = timeout(Duration::from_secs(10), command.output()).await;
    let output = ended.unwrap_or_else(|_| panic!("{arguments:?} goes on with {}", what.display())).unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn an_argument_that_names_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("scenario.yaml");
    fs::write(&scenario, SCENARIO).unwrap();
    let scenario = scenario.to_str().unwrap();
    let arguments: [&[&str]; 9] = [
        &["check", "PATH"],
        &["run", "PATH"],
        &["check", scenario, "--against", "PATH"],
        &["run", scenario, "--against", "PATH"],
        &["mcp", "--against", "PATH"],
        &["lab", "--bind", "127.0.0.1:0", "--users", "PATH"],
        &["log", "--data", "PATH"],
        &["mcp", "--data", "PATH"],
        &["lab", "--bind", "127.0.0.1:0", "--data", "PATH"],
    ];
    for what in [pipe(folder.path()), PathBuf::from("/dev/zero")] {
        for given in arguments {
            let (status, said) = run(given, &what).await;
            assert!(!status.success(), "{given:?}: {said}");
            assert!(said.contains(what.to_str().unwrap()), "{given:?}: {said}");
        }
    }
    tell("9 arguments, each once a pipe and once a device: all refused");
}

/// What a file is that is none.
const NEITHER: [&str; 2] = ["a pipe", "a device"];

/// Puts something in the place of a file that is none.
fn replace(file: &Path, what: &str) {
    drop(fs::remove_file(file));
    if what == "a pipe" {
        assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
    } else {
        symlink("/dev/zero", file).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_another_names_or_that_a_folder_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("pbx.yaml"), "domain: 127.0.0.1\naccounts: [{username: u, password_file: secret}]\n")
        .unwrap();
    fs::create_dir(path("scenarios")).unwrap();
    fs::write(path("play.yaml"), SCENARIO.replace("- expect: call.established", "- play_audio: sound.wav"))
        .unwrap();
    for what in NEITHER {
        for (file, arguments, given) in [
            ("secret", &["mcp", "--against", "PATH"][..], "pbx.yaml"),
            ("scenarios/one.yaml", &["check", "PATH"], "scenarios"),
            ("sound.wav", &["check", "PATH"], "play.yaml"),
        ] {
            replace(&path(file), what);
            let (status, said) = run(arguments, &path(given)).await;
            assert!(!status.success(), "{file} is {what}: {said}");
        }
        for file in ["credentials.json", "journal.db", "journal.lock"] {
            let data = tempfile::tempdir().unwrap();
            replace(&data.path().join(file), what);
            let (status, said) = run(&["mcp", "--data", "PATH"], data.path()).await;
            assert!(!status.success() && said.contains("it is no regular file"), "{file} is {what}: {said}");
            assert!(said.contains(file) || file == "journal.lock", "{file} is {what}: {said}");
        }
        // What is only kept to be faster is made anew.
        let data = tempfile::tempdir().unwrap();
        replace(&data.path().join("journal.views"), what);
        let (status, said) = run(&["mcp", "--data", "PATH"], data.path()).await;
        assert!(status.success(), "{what}: {said}");
    }
    tell("7 files, each once a pipe and once a device: 6 refused, 1 made anew");
}
