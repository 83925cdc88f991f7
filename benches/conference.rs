//! A conference of 32 calls on one core: processor time in comparison with the same calls apart, and how well one media worker
//! keeps its pace.
//!
//! Two phones call each other over loopback, and each called leg plays a tone. So each call counts as two legs, one of them a
//! member, and the kernel's work for both ends is in the figures. The runtime has one thread.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench reports and may stop"
)]

mod support {
    pub(crate) mod phones;
    pub(crate) mod processor;
    pub(crate) mod size;
}

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    command::{Command, NodeCommand, PhoneCommand},
    event::{Event, MediaEvent},
    id::{CallId, Seq},
    journal::{Journal, Query},
    net::SystemNetwork,
    switchboard::{Options, Switchboard},
    wall::Wall,
};
use support::{
    phones::{add, play, run},
    processor::processor_time,
    size::in_short,
};

/// The program's own allocator (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Members.
const CALLS: usize = 32;
/// How often each state is measured, in turns, so that a disturbance from outside does not hit one of them alone.
fn rounds() -> u32 {
    in_short(5, 1)
}
/// Length of one measurement.
fn span() -> Duration {
    in_short(Duration::from_secs(4), Duration::from_millis(500))
}
/// Time between two calls, so that set-up disturbs nothing.
const PAUSE: Duration = Duration::from_millis(10);
/// Where the called phone listens.
const CALLEE_PORT: u16 = 45_262;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::spawn(measure()).await.unwrap() });
    runtime.shutdown_timeout(Duration::from_secs(1));
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let wall = Wall::system();
    let options = Options {
        journal: Journal::open(folder.path(), wall).unwrap(),
        media_workers: 1,
        ..Options::in_memory(Arc::new(SystemNetwork::default()), wall, 1)
    };
    let board = Switchboard::start(options).await.unwrap();
    let caller = add(&board, "caller", 0).await;
    add(&board, "callee", CALLEE_PORT).await;
    let before = board.journal().head();
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let target = format!("sip:callee@127.0.0.1:{CALLEE_PORT}");
        let place = PhoneCommand::PlaceCall { target, headers: [].into() };
        calls.push(run(&board, Command::Phone(caller.clone(), place)).await.call.unwrap());
        tokio::time::sleep(PAUSE).await;
    }
    let playing = play_when_heard(&board, before);
    tokio::time::timeout(Duration::from_secs(20), playing).await.expect("every leg hears a packet");

    let (mut apart, mut together) = (Share::default(), Share::default());
    for _ in 0..rounds() {
        apart.add(&board).await;
        confer(&board, calls.clone()).await;
        together.add(&board).await;
        // Two members are the least; the rest is apart again.
        confer(&board, calls.iter().take(2).copied().collect()).await;
    }
    let members = members_heard(&board);
    println!("  {CALLS} calls, {} legs; {members} places told", board.media_load().legs);
    let (apart_share, together_share) = (apart.percent(), together.percent());
    println!("bench: conference/calls_apart = {apart_share:.2} % of a core");
    println!("bench: conference/calls_together = {together_share:.2} % of a core");
    println!("bench: conference/ratio = {:.2}", together_share / apart_share);
    let leg = apart_share / (2 * CALLS) as f64;
    let mixing = (together_share - apart_share) / CALLS as f64;
    println!("bench: conference/processor_of_32_members = {:.2} % of a core", (leg + mixing) * CALLS as f64);
    println!("bench: conference/late_ticks = {} of {}", together.late_ticks, together.ticks);
    println!("bench: conference/worst_delay = {:.1} ms", board.media_load().worst_delay_us as f64 / 1000.0);
    run(&board, Command::Phone(caller, PhoneCommand::HangUpAll)).await;
    board.shutdown().await.unwrap();
}

/// Processor time in one state.
#[derive(Default)]
struct Share {
    wall: Duration,
    busy: Duration,
    ticks: u64,
    late_ticks: u64,
}

impl Share {
    async fn add(&mut self, board: &Switchboard) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (load, busy, started) = (board.media_load(), processor_time(), Instant::now());
        tokio::time::sleep(span()).await;
        self.wall += started.elapsed();
        self.busy += processor_time() - busy;
        let after = board.media_load();
        self.ticks += after.ticks - load.ticks;
        self.late_ticks += after.late_ticks - load.late_ticks;
    }

    fn percent(&self) -> f64 {
        100.0 * self.busy.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// Starts a tone on each called leg once every leg has heard its first packet.
async fn play_when_heard(board: &Switchboard, after: Seq) {
    let mut reader = board.journal().reader(after);
    let mut heard = 0;
    while heard < 2 * CALLS {
        let envelope = reader.next().await.unwrap();
        let (Event::Media(MediaEvent::FirstPacket { .. }), Some(call), Some(phone)) =
            (&envelope.event, envelope.subject.call, &envelope.subject.phone)
        else {
            continue;
        };
        heard += 1;
        if phone.as_str() == "callee" {
            play(board, call, 300.0 + 70.0 * heard as f64 / 2.0, -30.0).await;
        }
    }
}

async fn confer(board: &Switchboard, calls: Vec<CallId>) {
    run(board, Command::Node(NodeCommand::Conference { phone: None, calls })).await;
}

/// Counts the facts in which a call hears all others.
fn members_heard(board: &Switchboard) -> usize {
    let kinds = ["media.conference_joined", "media.conference_changed"];
    let told = board.journal().query_blocking(&Query::of_kinds(&kinds)).unwrap();
    let hears_all = |event: &Event| match event {
        Event::Media(
            MediaEvent::ConferenceJoined { hears, .. } | MediaEvent::ConferenceChanged { hears, .. },
        ) => hears.len() == CALLS - 1,
        Event::Phone(_)
        | Event::Call(_)
        | Event::Media(_)
        | Event::Capture(_)
        | Event::Sip(_)
        | Event::Run(_)
        | Event::System(_) => false,
    };
    let whole = told.iter().filter(|fact| hears_all(&fact.event)).count();
    assert!(whole >= CALLS, "{whole} calls heard all others");
    whole
}
