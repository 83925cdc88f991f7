//! `offhook check`, `run` and `log` as somebody at a terminal meets them.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in, and one for what the program keeps by itself.
struct Desk {
    folder: TempDir,
    state: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), state: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn offhook(&self, line: &[&str]) -> Output {
        let mut offhook = Command::new(env!("CARGO_BIN_EXE_offhook"));
        offhook.args(line).current_dir(self.folder.path()).env("XDG_STATE_HOME", self.state.path());
        offhook.output().unwrap()
    }

    /// Returns the exit code, standard output and standard error.
    fn told(&self, line: &[&str]) -> (i32, String, String) {
        let output = self.offhook(line);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Returns the events that a line of `offhook log` shows.
    fn events(&self, line: &[&str]) -> Vec<Value> {
        let (code, out, err) = self.told(&[line, &["--json"]].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{line:?}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[test]
fn a_lab_that_cannot_be_is_refused_with_what_could_be() {
    let desk = Desk::new();
    desk.write("file", "");
    for (line, code, told) in [
        (["lab", "--generate", "99999999"], 2, "give a number from 1 to 10000"),
        (["lab", "--generate", "0"], 2, "give a number from 1 to 10000"),
        (["lab", "--generate", "many"], 2, "give a number from 1 to 10000"),
        (["lab", "--data", "file"], 3, "offhook lab: file: File exists"),
        (["lab", "--users", "nowhere.yaml"], 3, "cannot read nowhere.yaml"),
    ] {
        let (exit, out, err) = desk.told(&line);
        assert_eq!((exit, out.as_str()), (code, ""), "{line:?}: {err}");
        assert!(err.contains(told), "{line:?}: {err}");
    }
}

#[test]
fn a_report_that_would_wait_for_a_reader_is_refused_before_anything_is_dialed() {
    let desk = Desk::new();
    desk.write(
        "one.yaml",
        "phones: {a: {}}\nsteps: [{make_call: {to: '${echo}'}}, {expect: call.established}]\n",
    );
    let pipe = desk.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (place, code) in [("pipe", 2), (".", 2), ("/dev/null", 0), ("report.xml", 0), ("report.xml", 0)] {
        let (exit, out, err) = desk.told(&["run", "one.yaml", "--junit", place]);
        assert_eq!(exit, code, "{place}: {out}{err}");
        let told = format!("offhook run: --junit {place}: not a regular file; nothing was dialed\n");
        assert_eq!(err, if code == 2 { told } else { String::new() });
    }
}

#[test]
fn a_file_without_an_event_is_not_shown_as_a_quiet_journal() {
    let desk = Desk::new();
    desk.write("empty.jsonl", "");
    desk.write("other.txt", "hello\n");
    for (file, lines) in [("empty.jsonl", 1), ("other.txt", 2)] {
        let (exit, out, err) = desk.told(&["log", "--data", file]);
        assert_eq!((exit, out.as_str(), err.lines().count()), (3, "", lines), "{err}");
        assert!(err.contains(&format!("{file} holds no event")), "{err}");
    }
}

/// A call that is up, and an expectation that does not come true.
const FAILING: &str = "phones: {a: {}}\nsteps:\n  - make_call: {phone: a, to: '${echo}', as: out}\n  \
                       - expect: {event: call.established, phone: a}\n  - expect: {event: media.first_packet, phone: a}\n  \
                       - expect: {ended: $out, within: 200ms}\n";

#[test]
fn the_journal_of_a_run_that_did_not_pass_is_kept_and_shows_everything_of_it() {
    let desk = Desk::new();
    desk.write("bad.yaml", FAILING);
    let (code, out, err) = desk.told(&["run", "bad.yaml"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    let look = out.lines().find_map(|line| line.split_once("offhook log ")).expect("it says where to look");
    let look: Vec<&str> = look.1.split_whitespace().collect();
    assert!(look[1].starts_with(desk.state.path().to_str().unwrap()), "{look:?}");
    let shown = desk.events(&[&["log"], &look[..]].concat());
    for kind in [
        "run.started",
        "phone.registered",
        "sip.sent",
        "sip.received",
        "call.placed",
        "call.established",
        "media.first_packet",
        "run.expectation_failed",
        "call.ended",
        "run.finished",
    ] {
        assert!(kinds(&shown).contains(&kind), "{kind} in {:?}", kinds(&shown));
    }
    // As many as the run told of while it went on.
    let (_, out, _) = desk.told(&["run", "bad.yaml", "--json"]);
    let told = out.lines().filter(|line| line.starts_with("{\"type\":\"event\"")).count();
    let newest = std::fs::read_dir(desk.state.path().join("offhook/failed")).unwrap();
    let lines = newest.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count());
    assert!(lines.into_iter().any(|lines| lines == told), "{told}");
}

#[test]
fn a_blocked_run_is_kept_and_one_that_passed_is_not() {
    let desk = Desk::new();
    desk.write("good.yaml", "phones: {a: {}}\nsteps: [{expect: phone.registered}]\n");
    desk.write(
        "blocked.yaml",
        "phones: {a: {domain: '127.0.0.1:1', username: x, password: y}}\nsteps: [{expect: phone.registered}]\n",
    );
    let (code, out, _) = desk.told(&["run", "good.yaml"]);
    assert_eq!(code, 0, "{out}");
    assert!(!desk.state.path().join("offhook").exists() && !out.contains("offhook log"), "{out}");
    let (code, out, _) = desk.told(&["run", "blocked.yaml"]);
    assert_eq!(code, 3, "{out}");
    let look: Vec<&str> = out.split_once("offhook log ").unwrap().1.split_whitespace().take(4).collect();
    let shown = desk.events(&[&["log"], &look[..]].concat());
    assert!(kinds(&shown).contains(&"phone.registration_failed"), "{:?}", kinds(&shown));
}

#[test]
fn what_a_run_wrote_to_a_folder_is_shown_by_its_number() {
    let desk = Desk::new();
    desk.write("bad.yaml", FAILING);
    let (code, out, _) = desk.told(&["run", "bad.yaml", "--data", "d"]);
    assert!(code == 1 && out.contains("offhook log --data d --run run-1"), "{out}");
    let (all, shown) =
        (desk.events(&["log", "--data", "d"]), desk.events(&["log", "--data", "d", "--run", "run-1"]));
    let of_run = |event: &&Value| event["phone"].as_str().is_some_and(|phone| phone.starts_with("run-1/"));
    let (of_phones, shown_of_phones) = (all.iter().filter(of_run), shown.iter().filter(of_run));
    assert_eq!(of_phones.collect::<Vec<_>>(), shown_of_phones.collect::<Vec<_>>());
    for family in ["sip.", "call.", "media.", "phone.", "run."] {
        assert!(kinds(&shown).iter().any(|kind| kind.starts_with(family)), "{family}");
    }
}

#[test]
fn a_number_of_a_profile_is_known_to_check_once_it_knows_the_profile() {
    let desk = Desk::new();
    desk.write(
        "s.yaml",
        "phones: {a: {}}\nsteps:\n  - make_call: {phone: a, to: '${conf}'}\n  - expect: call.ended\n",
    );
    let profile = |numbers: &str| {
        format!("domain: pbx\naccounts: [{{username: a, password: b}}]\nnumbers: {numbers}\n")
    };
    desk.write("with.yaml", &profile("{conf: '700'}"));
    desk.write("without.yaml", &profile("{room: '700'}"));
    for (line, code, told) in [
        (&["check", "s.yaml"][..], 0, "s.yaml:3:31: warning[undefined-name]"),
        (&["check", "s.yaml", "--against", "with.yaml"], 0, "1 file: 0 errors, 0 warnings"),
        (&["check", "s.yaml", "--against", "without.yaml"], 2, "s.yaml:3:31: error[undefined-name]"),
        (&["check", "s.yaml", "--against", "lab"], 2, "s.yaml:3:31: error[undefined-name]"),
    ] {
        let (exit, out, err) = desk.told(line);
        assert_eq!((exit, err.as_str()), (code, ""), "{line:?}: {out}");
        assert!(out.contains(told), "{line:?}: {out}");
    }
}

#[test]
fn an_error_of_a_profile_is_said_once_with_what_was_meant() {
    let desk = Desk::new();
    desk.write("s.yaml", "phones: {a: {}}\nsteps: [{expect: phone.registered}]\n");
    desk.write("p.yaml", "domian: pbx\naccounts: []\n");
    for line in [&["run", "s.yaml", "--against", "p.yaml"][..], &["check", "s.yaml", "--against", "p.yaml"]] {
        let (code, out, err) = desk.told(line);
        assert_eq!((code, out.as_str()), (2, ""), "{line:?}");
        assert_eq!((err.matches("domian").count(), err.matches("p.yaml").count()), (1, 1), "{err}");
        assert!(err.trim_end().ends_with("(did you mean 'domain'?)"), "{err}");
    }
    let (code, _, err) = desk.told(&["run", "s.yaml", "--against", "nowhere.yaml"]);
    assert!(code == 2 && err.matches("nowhere.yaml").count() == 1, "{err}");
    assert!(!Path::new("nowhere.yaml").exists());
}
