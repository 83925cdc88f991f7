//! G.711 call legs in one process: processor time of a leg, and how well two media workers keep their pace.
//!
//! Two phones call each other over loopback, every leg playing a tone, receiving one, watching for tones and silence,
//! and exchanging RTCP; so each call counts as two legs, and the kernel's work for both ends is in the figure.
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
    artifact::{ArtifactFolder, ArtifactKind},
    capture::CaptureOptions,
    command::{Command, PhoneChanges, PhoneCommand},
    config::Limits,
    event::{CaptureEvent, Event, MediaEvent},
    id::Seq,
    journal::Journal,
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

/// Calls; twice as many legs.
fn calls() -> usize {
    in_short(250, 4)
}
/// Length of the measurement.
fn span() -> Duration {
    in_short(Duration::from_secs(10), Duration::from_secs(1))
}
/// Time between two calls, so that set-up disturbs nothing.
const PAUSE: Duration = Duration::from_millis(10);
/// Where the called phone listens.
const CALLEE_PORT: u16 = 45_260;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
    runtime.shutdown_timeout(Duration::from_secs(1));
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let wall = Wall::system();
    let options = Options {
        journal: Journal::open(folder.path(), wall).unwrap(),
        // Both ends are ours, and an eighth of all places is not for callers.
        limits: Limits { calls: 3 * calls(), calls_per_phone: calls(), ..Limits::default() },
        captures: CaptureOptions::under(ArtifactFolder::in_data(ArtifactKind::Captures, folder.path())),
        media_workers: 2,
        ..Options::in_memory(Arc::new(SystemNetwork::default()), wall, 1)
    };
    let board = Switchboard::start(options).await.unwrap();
    let caller = add(&board, "caller", 0).await;
    add(&board, "callee", CALLEE_PORT).await;
    let before = board.journal().head();
    for _ in 0..calls() {
        let target = format!("sip:callee@127.0.0.1:{CALLEE_PORT}");
        run(&board, Command::Phone(caller.clone(), PhoneCommand::PlaceCall { target, headers: [].into() }))
            .await;
        tokio::time::sleep(PAUSE).await;
    }
    let playing = play_when_heard(&board, before);
    tokio::time::timeout(Duration::from_secs(20), playing).await.expect("every leg hears a packet");
    tokio::time::sleep(Duration::from_secs(1)).await;

    let load = board.media_load();
    let share = processor_share().await;
    let after = board.media_load();
    let legs = after.legs as f64;
    let ticks = after.ticks - load.ticks;
    println!("  {legs} legs, {share:.1} % of a core together, {ticks} ticks");
    println!("bench: media_legs/processor_of_a_leg = {:.3} % of a core", share / legs);
    println!("bench: media_legs/late_ticks = {} of {ticks}", after.late_ticks - load.late_ticks);
    println!("bench: media_legs/worst_delay = {:.1} ms", after.worst_delay_us as f64 / 1000.0);
    report_captured(&board, share).await;
    let head = board.journal().head();
    run(&board, Command::Phone(caller, PhoneCommand::HangUpAll)).await;
    report_loss(&board, head).await;
    board.shutdown().await.unwrap();
}

/// Returns the processor time of this process over a while, in percent of a core.
async fn processor_share() -> f64 {
    let (busy, started) = (processor_time(), Instant::now());
    tokio::time::sleep(span()).await;
    let (wall, busy) = (started.elapsed(), processor_time() - busy);
    100.0 * busy.as_secs_f64() / wall.as_secs_f64()
}

/// Reports what it costs to capture both phones, as a multiple of the same calls uncaptured, and
/// what the files miss.
async fn report_captured(board: &Switchboard, share: f64) {
    let before = board.journal().head();
    capture(board, true).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let captured = processor_share().await;
    capture(board, false).await;
    let mut reader = board.journal().reader(before);
    let (mut stopped, mut packets, mut lost) = (0, 0, 0);
    let mut begun = 0;
    while begun < 2 || stopped < begun {
        let Event::Capture(event) = &reader.next().await.unwrap().event else { continue };
        match event {
            CaptureEvent::Started { .. } => begun += 1,
            CaptureEvent::Stopped { packets: held, .. } => {
                stopped += 1;
                packets += held;
            }
            CaptureEvent::Gap { lost: missing, .. } => lost += missing,
            CaptureEvent::CallAdded { .. } | CaptureEvent::Removed { .. } => {}
            CaptureEvent::Failed { path, reason } => {
                println!("bench: media_legs/captured = nothing, {path}: {reason}");
                return;
            }
        }
    }
    println!("bench: media_legs/captured = {:.2} of the time without", captured / share);
    println!("bench: media_legs/missing_in_captures = {lost} of {} packets", packets + lost);
}

async fn capture(board: &Switchboard, on: bool) {
    for name in ["caller", "callee"] {
        let changes = PhoneChanges { capture_enabled: Some(on), ..PhoneChanges::default() };
        run(board, Command::Phone(name.parse().unwrap(), PhoneCommand::Update(changes))).await;
    }
}

/// Starts a tone on each leg once it has heard its first packet.
async fn play_when_heard(board: &Switchboard, after: Seq) {
    let mut reader = board.journal().reader(after);
    let mut heard = 0;
    while heard < 2 * calls() {
        let envelope = reader.next().await.unwrap();
        let (Event::Media(MediaEvent::FirstPacket { .. }), Some(call)) =
            (&envelope.event, envelope.subject.call)
        else {
            continue;
        };
        heard += 1;
        play(board, call, 440.0, -10.0).await;
    }
}

/// Reports what the legs counted on their sockets in the same seconds.
async fn report_loss(board: &Switchboard, after: Seq) {
    let mut reader = board.journal().reader(after);
    let (mut stopped, mut received, mut lost, mut jitter) = (0, 0, 0, 0.0_f64);
    let all = async {
        while stopped < 2 * calls() {
            if let Event::Media(MediaEvent::Stopped { statistics, .. }) = &reader.next().await.unwrap().event
            {
                stopped += 1;
                received += statistics.received_packets;
                lost += statistics.lost;
                jitter = jitter.max(statistics.jitter_max_ms);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("every leg ends");
    println!("bench: media_legs/lost = {lost} of {} packets", received + lost);
    println!("bench: media_legs/largest_jitter = {jitter:.1} ms");
}
