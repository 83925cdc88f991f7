//! Scenarios as users have them: the shipped files on the simulated lab, the reference, the
//! program's exit codes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command as Process, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use offhook::{
    config::Pool,
    event::{Cause, Surface, Verdict},
    lab::{Lab, LabOptions},
    scenario::{
        self, Context, Host, Known, RunActor, RunArguments, RunHandle, RunSummary, Scenario, Terms, reference,
    },
    sim,
    switchboard::{Options, Switchboard},
    wall::Wall,
};

use super::scenario_exercise;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn shipped() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// The shipped scenarios that virtual time suffices for: threads write captures in real time, which
/// it does not wait for. The interop tests run all.
pub(crate) fn simulated() -> Vec<PathBuf> {
    let writes = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().any(|line| line.starts_with("tags: ") && line.contains("files"))
    };
    let mut files = shipped();
    files.retain(|path| !writes(path));
    files
}

/// Reads a document that can be run.
pub(crate) fn scenario_of(text: &str) -> Scenario {
    let reading = scenario::check_yaml(text, Some("s.yaml"), &Known::default());
    assert!(reading.is_runnable(), "{:?}", reading.findings);
    reading.scenario.unwrap()
}

/// A lab and a switchboard on one simulated network.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) board: Switchboard,
    /// How long runs wait for accounts.
    pub(crate) lease_wait: Duration,
}

impl World {
    pub(crate) async fn new() -> Self {
        let network = sim::Network::new(3);
        let bind = "10.0.0.1:5060".parse().unwrap();
        let options = LabOptions { bind, seed: Some(7), ..LabOptions::default() };
        let lab = Lab::start(Arc::new(network.host("10.0.0.1".parse().unwrap())), options).unwrap();
        let wall = Wall::starting_at("2026-01-02T03:04:05Z".parse().unwrap());
        let host = Arc::new(network.host("10.0.0.2".parse().unwrap()));
        let board = Switchboard::start(Options::in_memory(host, wall, 11)).await.unwrap();
        Self { lab, board, lease_wait: Duration::from_secs(30) }
    }

    pub(crate) async fn start(&self, text: &str) -> RunHandle {
        self.board.start_run(scenario_of(text), self.terms()).await.unwrap()
    }

    /// Returns the terms of runs in this world.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            profile: Some(self.lab.profile()),
            lease_wait: self.lease_wait,
            captured: false,
            cause: Cause::command(Surface::Library),
        }
    }

    /// Returns where they live.
    pub(crate) fn host(&self) -> Arc<dyn Host> {
        Arc::new(self.board.clone())
    }

    pub(crate) async fn run(&self, text: &str) -> RunSummary {
        self.start(text).await.wait().await
    }

    /// Asserts that a finished run left no call and no phone.
    pub(crate) fn nothing_left(&self) {
        assert!(self.board.views().all_active_calls().is_empty());
        assert!(self.board.views().phones().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn every_shipped_scenario_passes_on_the_simulated_lab() {
    let world = World::new().await;
    let mut failed = Vec::new();
    for path in simulated() {
        let text = fs::read_to_string(&path).unwrap();
        let summary = world.run(&text).await;
        if summary.verdict != Verdict::Passed {
            failed.push(format!("{}: {:?} {}", path.display(), summary.verdict, summary.reason));
        }
        world.nothing_left();
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_canceled_run_leaves_no_call_and_no_phone() {
    let world = World::new().await;
    let text = "phones: {a: {}}\nsteps: [{make_call: {phone: a, to: '${echo}'}}, {expect: call.established}, {hold_for: 50s}]\n";
    let handle = world.start(text).await;
    let mut reader = world.board.journal().reader(handle.after());
    while reader.next().await.unwrap().event.kind() != "call.established" {}
    handle.canceler().cancel("enough");
    let summary = handle.wait().await;
    assert_eq!((summary.verdict, summary.reason.as_str()), (Verdict::Skipped, "enough"));
    assert!(summary.run.outcome().left_over.is_empty());
    world.nothing_left();
    tokio::time::sleep(Duration::from_secs(75)).await;
    let live = world.lab.live();
    assert_eq!((live.legs, live.sessions, live.media_legs, live.bindings), (0, 0, 0, 0));
}

/// Panics instead of executing commands.
struct Broken;

impl offhook::command::Execute for Broken {
    fn execute(
        &self,
        _: offhook::command::Command,
        _: Cause,
    ) -> std::pin::Pin<
        Box<dyn Future<Output = Result<offhook::command::Outcome, offhook::command::Rejection>> + Send + '_>,
    > {
        Box::pin(async { panic!("a bug") })
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_panics_fails_its_step_and_nothing_else() {
    let wall = Wall::starting_at("2026-01-02T03:04:05Z".parse().unwrap());
    let journal = offhook::journal::Journal::in_memory(wall);
    let views = offhook::view::Views::attach(&journal);
    let text = "phones: []\nsteps: [{hangup_all: {phone: a}}, {expect: call.ended}]\n";
    let reading = scenario::check_yaml(text, None, &Known::default());
    let context = Context {
        execute: Arc::new(Broken),
        journal,
        pool: Pool::new(views.next_run_id()),
        views,
        terms: Terms {
            lease_wait: Duration::from_secs(30),
            profile: None,
            captured: false,
            cause: Cause::command(Surface::Library),
        },
    };
    let (arguments, handle) = RunArguments::new(reading.scenario.unwrap(), context, None);
    ractor::Actor::spawn(None, RunActor, arguments).await.unwrap();
    let summary = handle.wait().await;
    assert_eq!(summary.verdict, Verdict::Failed);
    assert!(summary.reason.contains("the command broke on our side"), "{}", summary.reason);
}

#[test]
fn damaged_files_are_refused_or_run_to_their_end() {
    let corpus = fs::read_dir(root().join("fuzz/corpus/scenario")).unwrap();
    let mut seeds: Vec<Vec<u8>> = corpus.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    seeds.extend(shipped().iter().map(|path| fs::read(path).unwrap()));
    let mut runnable = 0_usize;
    for seed in &seeds {
        assert!(scenario_exercise::scenario(seed), "{}", String::from_utf8_lossy(seed));
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let pieces = b"{}[]:-&*#$~\n\"',|?";
    for _ in 0..1_500 {
        let mut bytes = seeds[random(seeds.len())].clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, pieces[random(pieces.len())]),
            }
        }
        runnable += usize::from(scenario_exercise::scenario(&bytes));
    }
    assert!(
        runnable > 100,
        "most slips hit words that mean nothing to a run; {runnable} of 1500 could be run"
    );
}

#[test]
fn every_shipped_scenario_checks_without_a_finding() {
    for path in shipped() {
        let reading = scenario::check_yaml(&fs::read_to_string(&path).unwrap(), None, &Known::default());
        assert!(reading.findings.is_empty(), "{}: {:?}", path.display(), reading.findings);
        assert!(!reading.scenario.unwrap().tags.is_empty(), "{} has no tag", path.display());
    }
}

/// Compares a file with what it must be; `INSTA_UPDATE=always` rewrites it.
fn up_to_date(path: &Path, wanted: &str) {
    if std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
        fs::write(path, wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), wanted, "{} is out of date", path.display());
}

#[test]
fn the_reference_and_the_schema_are_up_to_date() {
    let folder = root().join("docs/reference");
    let schema = serde_json::to_string_pretty(&reference::schema()).unwrap() + "\n";
    up_to_date(&folder.join("scenario.schema.json"), &schema);
    let page = folder.join("scenarios.md");
    let mut text = fs::read_to_string(&page).unwrap();
    for (name, wanted) in
        [("actions", reference::actions_table()), ("rules", reference::rules_table() + "\n")]
    {
        let (open, close) = (format!("<!-- {name}: generated -->\n"), format!("<!-- /{name} -->"));
        let start = text.find(&open).unwrap() + open.len();
        let end = text.find(&close).unwrap();
        text.replace_range(start..end, &wanted);
    }
    up_to_date(&page, &text);
}

fn offhook(arguments: &[&str]) -> Output {
    // What failed runs leave does not belong in the home of whoever runs the tests.
    let state = tempfile::tempdir().unwrap();
    let mut process = Process::new(env!("CARGO_BIN_EXE_offhook"));
    process.args(arguments).current_dir(root()).env("XDG_STATE_HOME", state.path()).output().unwrap()
}

#[test]
fn the_exit_code_tells_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = write("good.yaml", "phones: {a: {}}\ntags: [x]\nsteps: [{expect: phone.registered}]\n");
    let bad = write(
        "bad.yaml",
        "phones: {a: {}}\nsteps: [{expect: {event: phone.unregistered, within: 100ms}}, {unregister: a}]\n",
    );
    let broken = write("broken.yaml", "steps: [{make_cal: 600}]\n");
    let greedy = write(
        "greedy.yaml",
        "phones: {a: {domain: '127.0.0.1:1', username: x, password: y}}\ntimeout: 3s\nsteps: [{expect: phone.registered}]\n",
    );
    let junit = folder.path().join("junit.xml").display().to_string();
    for (arguments, code) in [
        (vec!["run", &good, "--json", "--junit", &junit], 0),
        (vec!["run", &good, "--junit", "/no/such/folder/junit.xml"], 3),
        (vec!["run", &good, "--data", "/proc/no-folder"], 3),
        (vec!["run", &bad], 1),
        (vec!["run", &good, &broken], 2),
        (vec!["check", &broken], 2),
        (vec!["check", &good, "--json"], 0),
        (vec!["run", "no-such-file.yaml"], 2),
        (vec!["run", &greedy], 3),
        (vec!["run", &good, "--tag", "y"], 5),
    ] {
        let output = offhook(&arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        if arguments.contains(&"--json") {
            for line in out.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
    assert!(fs::read_to_string(junit).unwrap().contains("tests=\"1\" failures=\"0\""));
}

#[test]
fn an_interrupt_cleans_up_and_exits_with_130() {
    for signal in ["INT", "TERM", "HUP"] {
        let child = Process::new(env!("CARGO_BIN_EXE_offhook"))
            .args(["run", "scenarios/negative-nobody-answers.yaml", "--json"])
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let ringing = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("\"call.ringing\"")));
        assert!(ringing.is_some());
        let killed = Process::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        let said = |word: &str| rest.iter().any(|line| line.contains(word));
        assert!(said("\"call.ended\""), "{signal}: the call is ended on the wire");
        assert!(said("\"phone.dropped\""), "{signal}: the phone is dropped");
        assert!(said("\"verdict\":\"skipped\""), "{signal}: {rest:?}");
    }
}
