//! What an event costs a run in which a hundred lists wait, and what an expectation costs that
//! looks back at 20,000 events.
//!
//! Run with `cargo bench --bench scenario_events`; under `cargo test` one short round shows that it still works.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports to a terminal")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    event::{CallEvent, Cause, Envelope, Event, MediaEvent, PhoneEvent, Subject, Surface},
    id::{CallId, RunId, Seq},
    scenario::{
        Known, check_yaml,
        machine::{Machine, Output, Setup},
    },
};

/// Each call and each message begins a list that waits for something that never comes.
const DOCUMENT: &str = "
timeout: 600s
phones: []
hooks:
  - {when: call.incoming, once: false, then: [{expect: {event: call.established, within: 500s}}]}
  - {when: message.received, once: false, then: [{expect: {tone: 440, within: 500s}}]}
steps: [{wait: 500s}, {expect: call.ended}]
";

/// A run and the events that it was shown.
struct World {
    machine: Machine,
    now: Instant,
    events: u64,
}

impl World {
    fn new() -> Self {
        let reading = check_yaml(DOCUMENT, None, &Known::default());
        assert!(reading.is_runnable(), "{:?}", reading.findings);
        let setup = Setup {
            run: RunId(1),
            cause: Cause::command(Surface::Library),
            profile: None,
            phones: Vec::new(),
            lease_wait: Duration::ZERO,
            captured: false,
        };
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let mut world = Self {
            machine: Machine::new(Arc::new(reading.scenario.unwrap()), setup, at),
            now: Instant::now(),
            events: 0,
        };
        world.machine.start(world.now, Seq(0));
        world.drain();
        world
    }

    /// Drains the machine, which must want nothing but appends.
    fn drain(&mut self) -> usize {
        std::iter::from_fn(|| self.machine.poll_output())
            .inspect(|output| assert!(matches!(output, Output::Append { .. }), "{output:?}"))
            .count()
    }

    fn show(&mut self, events: u64, event: impl Fn() -> Event) -> Duration {
        let shown: Vec<_> = (0..events)
            .map(|nth| {
                Arc::new(Envelope {
                    seq: Seq(self.events + nth + 1),
                    at: "2026-01-02T03:04:05Z".parse().unwrap(),
                    subject: Subject { call: Some(CallId(self.events + nth)), ..Subject::default() },
                    cause: Cause::Start,
                    event: event(),
                })
            })
            .collect();
        self.events += events;
        let started = Instant::now();
        for envelope in &shown {
            self.machine.on_event(self.now, envelope);
        }
        started.elapsed()
    }
}

fn incoming() -> Event {
    let [remote, local, sip_call_id] = ["a", "b", "c"].map(str::to_owned);
    CallEvent::Incoming { remote, local, sip_call_id, contact: None }.into()
}

fn message() -> Event {
    let [from, to, body, content_type] = ["a", "b", "c", "text/plain"].map(str::to_owned);
    PhoneEvent::MessageReceived { from, to, body, content_type }.into()
}

fn each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (lists, events, looking_back) = if is_bench { (100, 20_000, 100) } else { (5, 200, 5) };
    let mut world = World::new();
    world.show(lists, incoming);
    assert!(world.drain() as u64 >= lists, "each call begins a list");
    let event = world.show(events, || MediaEvent::SilenceStarted { epoch: 1 }.into());
    assert_eq!(world.drain(), 0, "nobody waits for silence");
    let mut world = World::new();
    // Every one of these may be what the expectation waits for.
    world.show(events, || MediaEvent::ToneStarted { hz: 1000.0, level_dbfs: -10.0, epoch: 1 }.into());
    assert_eq!(world.drain(), 0, "nobody waits yet");
    let expectation = world.show(looking_back, message);
    assert!(world.drain() as u64 >= looking_back, "each message begins a list");
    println!("bench: run, an event while {lists} lists wait = {:.2} us", each(event, events));
    println!(
        "bench: run, an expectation that looks back at {events} events = {:.1} us",
        each(expectation, looking_back)
    );
}
