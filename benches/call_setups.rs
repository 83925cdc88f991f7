//! Complete calls a second against Debian's SIPp as callee, journal on disk; SIPp's own caller for
//! comparison.
//!
//! Both callers are stepped up until a call fails or the rate is not reached three times in a row; the highest clean rate
//! counts. With a rate as argument (`cargo bench --bench call_setups -- 2500`) only ours is run, at that rate, for a profiler.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench reports and may stop"
)]

mod support {
    pub(crate) mod processor;
}

use std::{
    process::{Child, Command as Process, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    command::{CallCommand, CallSelector, Command, Execute, PhoneCommand},
    config::Limits,
    event::{CallEvent, Cause, EndCause, Event, PhoneSpec, Surface},
    id::{PhoneId, Seq},
    journal::{Interest, Journal},
    net::SystemNetwork,
    secret::Secret,
    switchboard::{Options, Switchboard},
    wall::Wall,
};

use support::processor::processor_time;
use tokio::task::JoinSet;

/// The program's own allocator (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where SIPp answers.
const CALLEE: &str = "127.0.0.1:45060";
/// Length of one step.
const STEP: Duration = Duration::from_secs(4);
/// A failed step may have met a pause of the machine, so it is tried this many times.
const TRIES: usize = 3;
/// Rate at which the processor time of a call is reported.
const MEASURED: u32 = 2500;
/// Rates that are tried first, calls a second; then each is a twentieth above the one before.
const RATES: &[u32] =
    &[100, 200, 300, 400, 500, 650, 800, 1000, 1250, 1500, 2000, 2500, 3000, 3500, 4000, 5000];

struct Callee(Child);

impl Callee {
    fn start() -> Self {
        let port = CALLEE.rsplit_once(':').map(|(_, port)| port).unwrap();
        // Its default of 64 KB holds a hundredth of a second of messages, and it pauses longer than
        // that when its first calls are four seconds old; both callers would then be judged by how
        // that pause hits them.
        let child = Process::new("sipp")
            .args(["-sn", "uas", "-i", "127.0.0.1", "-p", port, "-mp", "46000", "-nostdin"])
            .args(["-buff_size", "1048576"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed: cargo xtask setup says how");
        Self(child)
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn main() {
    // `cargo test` shows at a low rate that it still works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let wanted = std::env::args().find_map(|argument| argument.parse().ok());
    if let Some(rate) = wanted.or((!is_bench).then_some(20)) {
        let _callee = Callee::start();
        offhook(rate);
        return;
    }
    let mut each = None;
    let ours = highest(|rate| {
        let step = offhook(rate);
        if rate == MEASURED && step.clean {
            each = Some(step.each);
        }
        step.clean
    });
    let theirs = highest(sipp);
    println!("bench: call_setups/offhook = {ours} calls/s");
    println!("bench: call_setups/sipp = {theirs} calls/s");
    if let Some(each) = each {
        println!("bench: call_setups/core_at_{MEASURED} = {:.3} ms/call", each.as_secs_f64() * 1e3);
    }
    println!("bench: call_setups/ratio = {:.2} offhook/sipp", f64::from(ours) / f64::from(theirs.max(1)));
}

fn rates() -> impl Iterator<Item = u32> {
    let last = RATES.last().copied();
    let above = std::iter::successors(last, |rate| Some(rate + rate / 20)).skip(1);
    RATES.iter().copied().chain(above)
}

fn highest(mut step: impl FnMut(u32) -> bool) -> u32 {
    let mut clean = |rate: &u32| {
        (0..TRIES).any(|_| {
            let _callee = Callee::start();
            step(*rate)
        })
    };
    rates().take_while(|rate| clean(rate)).last().unwrap_or(0)
}

/// Runs SIPp's own caller for one step; clean when no call failed and the rate was kept.
fn sipp(rate: u32) -> bool {
    let calls = rate * STEP.as_secs() as u32;
    let started = Instant::now();
    let status = Process::new("sipp")
        .args(["-sn", "uac", "-i", "127.0.0.1", "-p", "45061", "-mp", "47000", "-nostdin", "-d", "0"])
        .args(["-r", &rate.to_string(), "-m", &calls.to_string(), "-timeout", "20s", CALLEE])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("sipp runs");
    let kept = started.elapsed() < STEP + STEP / 4;
    println!(
        "  sipp {rate}/s: {} in {:.1?}",
        if status.success() { "clean" } else { "failed" },
        started.elapsed()
    );
    status.success() && kept
}

/// The outcome of a step.
struct Step {
    clean: bool,
    /// Processor time of one call.
    each: Duration,
}

/// Runs our caller for one step, in a runtime of its own.
fn offhook(rate: u32) -> Step {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // As a task among others, as in programs that use phones; the thread outside would have to be
    // woken for each call.
    let step = runtime.block_on(runtime.spawn(calls(rate))).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(1));
    step
}

fn caller() -> PhoneSpec {
    PhoneSpec { register: false, ..PhoneSpec::new(CALLEE, "caller") }
}

async fn calls(rate: u32) -> Step {
    let folder = tempfile::tempdir().unwrap();
    let wall = Wall::system();
    let network = Arc::new(SystemNetwork::default());
    let options = Options {
        journal: Journal::open(folder.path(), wall).unwrap(),
        // One phone places all calls, so its queue is as long as that of SIPp's one socket.
        limits: Limits {
            calls: 100_000,
            calls_per_phone: 100_000,
            waiting_messages_per_phone: 10_000,
            ..Limits::default()
        },
        media_workers: 1,
        ..Options::in_memory(network, wall, u64::from(rate))
    };
    let board = Switchboard::start(options).await.unwrap();
    let phone: PhoneId = "caller".parse().unwrap();
    let cause = Cause::command(Surface::Library);
    let add = Command::add(phone.clone(), caller(), Secret::new(String::new()));
    board.execute(add, cause.clone()).await.unwrap();
    let (started, spent) = (Instant::now(), processor_time());
    let watcher = tokio::spawn(hang_up_when_up(board.clone(), rate * STEP.as_secs() as u32));
    let mut clock = tokio::time::interval(Duration::from_millis(1));
    let mut placed = 0;
    // As in SIPp, no call waits for the one before.
    let mut placing = JoinSet::new();
    while placed < rate * STEP.as_secs() as u32 {
        clock.tick().await;
        let due = (started.elapsed().as_secs_f64() * f64::from(rate)) as u32;
        while placed < due.min(rate * STEP.as_secs() as u32) {
            let call = Command::Phone(
                phone.clone(),
                PhoneCommand::PlaceCall { target: "service".into(), headers: [].into() },
            );
            let (board, cause) = (board.clone(), cause.clone());
            placing.spawn(async move { board.execute(call, cause).await.is_ok() });
            placed += 1;
        }
        while let Some(done) = placing.try_join_next() {
            if !done.unwrap() {
                println!("  offhook {rate}/s: refused after {placed}");
                return Step { clean: false, each: Duration::ZERO };
            }
        }
    }
    let done = tokio::time::timeout(Duration::from_secs(20), watcher).await;
    let elapsed = started.elapsed();
    let (clean, outcome) = match done {
        Ok(failed) => {
            let failed = failed.unwrap();
            (failed == 0, format!("{failed} failed"))
        }
        Err(_) => (false, "not all have ended".to_owned()),
    };
    let each = (processor_time() - spent) / placed;
    let events = board.journal().head();
    board.shutdown().await.unwrap();
    println!("  offhook {rate}/s: {outcome} in {elapsed:.1?}, {events} events, {each:.0?} of a core a call");
    Step { clean: clean && elapsed < STEP + STEP / 4, each }
}

/// Hangs up each call when it is complete; returns how many did not end well.
async fn hang_up_when_up(board: Switchboard, calls: u32) -> u32 {
    let interest = Interest::of_kinds(&["call.established", "call.ended"]);
    let mut reader = board.journal().reader_of(Seq(0), interest);
    let mut hanging_up = JoinSet::new();
    let (mut ended, mut failed) = (0, 0);
    while ended < calls {
        let envelope = reader.next().await.unwrap();
        match (&envelope.event, envelope.subject.call) {
            (Event::Call(CallEvent::Established { .. }), Some(call)) => {
                let hang_up = Command::Call(CallSelector::call(call), CallCommand::HangUp);
                let (board, cause) = (board.clone(), Cause::Event { seq: envelope.seq });
                hanging_up.spawn(async move { board.execute(hang_up, cause).await.is_ok() });
            }
            (Event::Call(CallEvent::Ended { cause, .. }), _) => {
                ended += 1;
                failed += u32::from(*cause != EndCause::Normal);
            }
            _ => {}
        }
        while let Some(done) = hanging_up.try_join_next() {
            failed += u32::from(!done.unwrap_or(false));
        }
    }
    failed
}
