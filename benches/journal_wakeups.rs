//! What uninterested readers cost an append: 500 readers wait while 10,000 events happen that
//! concern one of them.
//!
//! The same run measures 500 readers that are all interested, which is what each append would cost
//! if it woke everybody.
//! Run with `cargo bench --bench journal_wakeups`; under `cargo test` one short round shows that it still works.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports to a terminal")]

use std::time::{Duration, Instant};

use offhook::{
    event::{Cause, RunEvent, Subject},
    id::{RunId, Seq},
    journal::{About, Interest, Journal},
    wall::Wall,
};
use tokio::{runtime::Builder, task::JoinSet};

/// The run that all events are about.
const BUSY: RunId = RunId(0);

/// Appends `events` facts of one run while `readers` wait; returns the time until the readers
/// concerned have all of them.
fn measure(readers: u64, events: u64, interest: impl Fn(u64) -> Interest) -> Duration {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let journal = Journal::in_memory(Wall::system());
        let mut concerned = JoinSet::new();
        let mut others = JoinSet::new();
        for nth in 0..readers {
            let interest = interest(nth);
            let cares = interest.subjects.is_empty() || interest.subjects.contains(&About::Run(BUSY));
            let mut reader = journal.reader_of(Seq(0), interest);
            let read =
                async move { while reader.next().await.is_ok_and(|envelope| envelope.seq.0 < events) {} };
            if cares {
                concerned.spawn(read)
            } else {
                others.spawn(read)
            };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let started = Instant::now();
        for n in 0..events {
            let event = RunEvent::Log { message: String::new() };
            journal.append(Subject::run(BUSY), Cause::Start, event);
            // Events come one by one; a burst would wake every reader only once.
            if n % 4 == 0 {
                tokio::task::yield_now().await;
            }
        }
        while let Some(read) = concerned.join_next().await {
            read.unwrap();
        }
        let spent = started.elapsed();
        others.abort_all();
        spent
    })
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, readers, events) = if is_bench { (5, 500, 10_000) } else { (1, 20, 200) };
    let best = |interest: &dyn Fn(u64) -> Interest| {
        let rounds = (0..rounds).map(|_| measure(readers, events, interest));
        rounds.min().unwrap_or_default().as_secs_f64() * 1e6 / f64::from(u32::try_from(events).unwrap())
    };
    let of_own_run = |nth| Interest::everything().about(About::Run(RunId(nth)));
    let one = best(&of_own_run);
    let all = best(&|_| Interest::everything());
    println!("bench: journal wake-ups, 1 of {readers} readers concerned = {one:.2} us an event");
    println!("bench: journal wake-ups, {readers} of {readers} readers concerned = {all:.2} us an event");
    println!("bench: journal wake-ups, all : one = {:.0} times", all / one);
}
