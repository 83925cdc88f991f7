//! Calls per second on one core: two engines joined by the test pair set up calls, acknowledge them and hang up.
//!
//! The calls start one after the other while earlier ones still linger, as they do under load: transactions
//! absorb repeats for 32 virtual seconds. Run with `cargo bench -p offhook-sip --bench sip_calls`; under
//! `cargo test` one short round shows that it still works.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench reports to a terminal"
)]

use std::time::{Duration, Instant};

use offhook_sip::message::{NameAddr, StatusCode, Uri};
use offhook_sip::session::{Invite, SessionEvent};
use offhook_sip::testkit::{Desk, Network, Pair, SDP, Side};
use offhook_sip::user_agent::{Body, Config, Destination, Event};

/// The allocator of the program (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers every call at once: 180 and 200.
fn callee(desk: &mut Desk<'_>, event: &Event) {
    if let Event::Session { id, event: SessionEvent::Incoming { .. } } = event {
        let (agent, now) = (&mut *desk.agent, desk.now);
        agent.respond(now, *id, StatusCode::RINGING, None, None, Vec::new()).unwrap();
        agent.respond(now, *id, StatusCode::OK, None, Some(Body::sdp(SDP)), Vec::new()).unwrap();
    }
}

/// Hangs up as soon as the call is answered, and counts the calls that ended.
fn caller(desk: &mut Desk<'_>, event: &Event) {
    if let Event::Session { id, event: SessionEvent::Answered { .. } } = event {
        desk.agent.hang_up(desk.now, *id, Vec::new()).unwrap();
    }
}

/// Plays `calls` calls, `per_second` of them in a second of virtual time, and returns what one second of work achieves.
fn play(calls: u32, per_second: u32) -> (f64, usize) {
    let mut pair = Pair::new(Config::new(1), Config::new(2), Network::default());
    pair.recording = false;
    pair.script(Side::A, caller);
    pair.script(Side::B, callee);
    let target = Uri::parse("sip:bob@192.0.2.2").expect("a uri");
    let from: NameAddr = "Alice <sip:alice@192.0.2.1>".parse().expect("an address");
    let mut invite = Invite::new(target, from, Destination::udp(pair.b.address));
    invite.body = Some(Body::sdp(SDP));
    let gap = Duration::from_secs(1) / per_second;
    let mut open = 0;
    let start = Instant::now();
    for _ in 0..calls {
        let invite = invite.clone();
        pair.act(Side::A, |agent, now| agent.invite(now, invite));
        pair.drive_for(gap).expect("no livelock");
        open = open.max(pair.a.agent.transactions() + pair.b.agent.transactions());
    }
    while pair.a.agent.sessions() + pair.b.agent.sessions() > 0 {
        pair.drive_for(Duration::from_secs(1)).expect("no livelock");
    }
    let spent = start.elapsed();
    pair.drive().expect("no livelock");
    assert_eq!(pair.leftovers(), Vec::<String>::new());
    (f64::from(calls) / spent.as_secs_f64(), open)
}

fn main() {
    let short = !std::env::args().any(|argument| argument == "--bench");
    let rounds: &[(u32, u32)] = if short { &[(50, 100)] } else { &[(20_000, 100), (20_000, 1_000)] };
    println!("calls set up and ended, both ends in one thread (6 messages a call):");
    for &(calls, per_second) in rounds {
        let best = (0..3)
            .map(|_| play(calls, per_second))
            .fold((0.0, 0), |best: (f64, usize), round| if round.0 > best.0 { round } else { best });
        println!(
            "  offered {per_second:>5}/s: {:>8.0} calls/s of work, {} transactions open at most",
            best.0, best.1
        );
    }
}
