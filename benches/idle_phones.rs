//! Resident memory of a registered phone that does nothing; the lab is another process and does not count.
//!
//! The figure holds everything that a phone takes in this process: sockets' bookkeeping, tasks, its
//! engine and its events in the journal.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench reports and may stop"
)]

mod support {
    pub(crate) mod size;
}

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command as Process, Stdio},
    sync::Arc,
    time::Duration,
};

use offhook::{
    command::{Command, Execute},
    event::{Cause, Event, PhoneEvent, PhoneSpec, Surface},
    id::Seq,
    net::SystemNetwork,
    secret::Secret,
    switchboard::{Options, Switchboard},
    wall::Wall,
};
use support::size::in_short;

/// The program's own allocator (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where the lab listens.
const LAB: &str = "127.0.0.1:45160";
/// Phones of one measurement.
fn phones() -> usize {
    in_short(500, 10)
}
/// What allocators and timers need to come to rest.
fn settle() -> Duration {
    in_short(Duration::from_secs(2), Duration::from_millis(200))
}
/// A laptop registers all of them in a second.
const PATIENCE: Duration = Duration::from_secs(60);

struct LabProcess(Child);

impl LabProcess {
    fn start() -> Self {
        let mut child = Process::new(env!("CARGO_BIN_EXE_offhook"))
            .args(["lab", "--bind", LAB, "--generate", &phones().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut first = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let ready = output.read_line(&mut first).is_ok_and(|length| length > 0);
        let lab = Self(child);
        assert!(ready, "the lab did not start at {LAB}");
        // The lab's list of all users would fill the pipe otherwise.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        lab
    }
}

impl Drop for LabProcess {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn main() {
    let _lab = LabProcess::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (before, after) = runtime.block_on(measure());
    runtime.shutdown_timeout(Duration::from_secs(1));
    let each = after.saturating_sub(before) as f64 / phones() as f64;
    println!("  {before} KB with no phone, {after} KB with {}", phones());
    println!("bench: idle_phone/resident = {each:.1} KB");
}

async fn measure() -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let network = Arc::new(SystemNetwork::default());
    let options = Options {
        registration_wait: Duration::ZERO,
        ..Options::in_folder(network, Wall::system(), 1, folder.path()).unwrap()
    };
    let board = Switchboard::start(options).await.unwrap();
    tokio::time::sleep(settle()).await;
    let before = resident_kb();
    let mut reader = board.journal().reader(Seq(0));
    for number in 0..phones() {
        add(&board, 6001 + number).await;
    }
    let registered = async {
        let mut count = 0;
        while count < phones() {
            let Event::Phone(event) = &reader.next().await.unwrap().event else { continue };
            count += usize::from(matches!(event, PhoneEvent::Registered { .. }));
            assert!(!matches!(event, PhoneEvent::RegistrationFailed { .. }), "a phone was refused");
        }
    };
    tokio::time::timeout(PATIENCE, registered).await.expect("all phones register");
    tokio::time::sleep(settle()).await;
    let after = resident_kb();
    board.shutdown().await.unwrap();
    (before, after)
}

async fn add(board: &Switchboard, user: usize) {
    let spec = PhoneSpec::new(LAB, user.to_string());
    let phone = format!("phone{user}").parse().unwrap();
    let add = Command::add(phone, spec, Secret::new(format!("secret{user}")));
    board.execute(add, Cause::command(Surface::Library)).await.unwrap();
}

/// Returns the resident memory of this process.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
