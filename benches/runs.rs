//! Two hundred runs of one small scenario at once, against one of them alone: on loopback sockets, with the embedded lab,
//! whose accounts are enough for a hundred at a time.
//!
//! It fails if a run does. Run with `cargo bench --bench runs`; under `cargo test` a few runs show that it still works.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench reports and may stop"
)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use offhook::{
    config::Limits,
    event::{Cause, Event, PhoneEvent, RunEvent, Surface, Verdict},
    id::RunId,
    journal::Query,
    lab::{LabOptions, Passwords, Users},
    node::{Node, NodeOptions},
    scenario::{Host, Known, RunSummary, Scenario, Terms, check_yaml},
};
use tokio::task::JoinSet;

/// The program's own allocator (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// a calls b, b answers and hangs up, and a sees the call end.
const DOCUMENT: &str = "
name: pair
timeout: 50s
phones: {a: {}, b: {}}
hooks: [{when: call.incoming, on_phone: b, as: in, then: [answer]}]
steps:
  - make_call: {phone: a, to: '${b}', as: out}
  - expect: {all: [{event: call.established, phone: a}, {event: call.established, phone: b}], within: 20s}
  - hold_for: 300ms
  - hangup: $in
  - expect: {ended: $out, cause: normal, by: remote, within: 20s}
";

async fn node(runs: usize) -> Node {
    // Two accounts a run, and enough for half of the runs.
    let users = Users::Generated { count: runs, passwords: Passwords::Lab };
    let options = NodeOptions {
        limits: Limits { runs, ..Limits::default() },
        lab: Some(LabOptions { users, ..LabOptions::default() }),
        ..NodeOptions::system()
    };
    Node::start(options).await.unwrap()
}

fn scenario() -> Scenario {
    let reading = check_yaml(DOCUMENT, None, &Known::default());
    assert!(reading.is_runnable(), "{:?}", reading.findings);
    reading.scenario.unwrap()
}

/// Runs this many at once; one that does not pass ends the bench.
async fn at_once(node: &Node, runs: usize) -> Vec<RunSummary> {
    let terms = Terms {
        profile: node.profile().cloned(),
        lease_wait: Duration::from_secs(50),
        captured: false,
        cause: Cause::command(Surface::Library),
    };
    let mut going = JoinSet::new();
    for _ in 0..runs {
        let handle = node.switchboard().start_run(scenario(), terms.clone()).await.unwrap();
        going.spawn(handle.wait());
    }
    let summaries = going.join_all().await;
    for summary in &summaries {
        assert_eq!(summary.verdict, Verdict::Passed, "{}", summary.reason);
    }
    summaries
}

/// Returns how many runs waited for accounts at the worst moment.
async fn most_waiting(node: &Node) -> usize {
    let events = node.journal().query(&Query::default()).await.unwrap();
    let mut waiting: BTreeSet<RunId> = BTreeSet::new();
    let mut most = 0;
    for envelope in events {
        let Some(run) = envelope.subject.run else { continue };
        match &envelope.event {
            Event::Run(RunEvent::Started { .. }) => drop(waiting.insert(run)),
            Event::Phone(PhoneEvent::Added { .. }) => drop(waiting.remove(&run)),
            Event::Run(_)
            | Event::Phone(_)
            | Event::Call(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Sip(_)
            | Event::System(_) => {}
        }
        most = most.max(waiting.len());
    }
    most
}

/// Returns the most memory that this process ever had resident.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

async fn measure(runs: usize) {
    let node = node(runs).await;
    // The first pays for what is made only once.
    at_once(&node, 1).await;
    let alone = at_once(&node, 1).await.first().unwrap().elapsed;
    let before = peak_kb();
    let begun = Instant::now();
    let summaries = at_once(&node, runs).await;
    let spent = begun.elapsed();
    let grown = peak_kb().saturating_sub(before);
    let mut times: Vec<Duration> = summaries.iter().map(|summary| summary.elapsed).collect();
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    let (median, worst) = (at(runs / 2), at(runs - 1));
    let ratio = |time: Duration| time.as_secs_f64() / alone.as_secs_f64();
    println!(
        "  one alone took {alone:?}; of {runs} at once the median {median:?}, the worst {worst:?}, all {spent:?}"
    );
    println!("bench: runs/{runs} at once = {:.1} runs/s", runs as f64 / spent.as_secs_f64());
    println!("bench: runs/{runs} at once, waiting for accounts at most = {} runs", most_waiting(&node).await);
    println!("bench: runs/{runs} at once, median : one alone = {:.1} times", ratio(median));
    println!("bench: runs/{runs} at once, worst : one alone = {:.1} times", ratio(worst));
    println!("bench: runs/{runs} at once, memory of each = {:.0} KB", grown as f64 / runs as f64);
    node.stop().await.unwrap();
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(if is_bench { 200 } else { 4 }));
}
