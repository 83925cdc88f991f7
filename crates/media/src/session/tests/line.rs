//! The virtual line that the tests of sessions talk over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::negotiate::MediaPlan;
use crate::sdp::Direction;
use crate::session::*;
use crate::testkit::epoch;

pub(super) const TICK: Duration = Duration::from_millis(20);

pub(super) fn alice_at() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

pub(super) fn bob_at() -> SocketAddr {
    "192.0.2.2:5000".parse().unwrap()
}

/// Where the reports of a peer come from.
pub(super) fn reports_of(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip(), peer.port() + 1)
}

/// Two sessions, a line with constant delay between them, and what came out.
pub(super) struct Line {
    pub(super) start: Instant,
    pub(super) ticks: u32,
    pub(super) alice: MediaSession,
    pub(super) bob: MediaSession,
    /// Datagrams on their way: when, whether to Bob, whether RTCP, bytes.
    pub(super) flying: Vec<(Instant, bool, bool, Vec<u8>)>,
    pub(super) delay: Duration,
    pub(super) facts: Vec<(char, Fact)>,
    pub(super) sent: Vec<Vec<u8>>,
    /// When each of them left.
    pub(super) sent_at: Vec<Instant>,
    /// Alice's reports, and when they left.
    pub(super) reports: Vec<(Instant, Vec<u8>)>,
    pub(super) recorded: Vec<RecordFrame>,
}

impl Line {
    pub(super) fn new(configure: impl Fn(&mut SessionConfig)) -> Self {
        let start = epoch();
        let session = |seed| {
            let mut config = SessionConfig { seed, ..SessionConfig::default() };
            configure(&mut config);
            MediaSession::new(config, start)
        };
        let (mut alice, mut bob) = (session(1), session(2));
        alice.set_plan(start, MediaPlan::direct(Codec::PCMA, bob_at()));
        bob.set_plan(start, MediaPlan::direct(Codec::PCMA, alice_at()));
        Self {
            start,
            ticks: 0,
            alice,
            bob,
            flying: Vec::new(),
            delay: Duration::ZERO,
            facts: Vec::new(),
            sent: Vec::new(),
            sent_at: Vec::new(),
            reports: Vec::new(),
            recorded: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.start + TICK * self.ticks
    }

    /// Runs for `ticks`; `lose` decides about every packet from Alice by its number.
    pub(super) fn run(&mut self, ticks: u32, lose: impl Fn(usize) -> bool) {
        for _ in 0..ticks {
            self.at(self.now(), &lose);
            let between = self.now() + TICK / 2;
            let deadlines = [self.alice.next_deadline(), self.bob.next_deadline()];
            if deadlines.into_iter().flatten().any(|due| due <= between) {
                self.at(between, &lose);
            }
            self.ticks += 1;
        }
    }

    pub(super) fn at(&mut self, now: Instant, lose: &impl Fn(usize) -> bool) {
        self.deliver(now);
        self.alice.handle_tick(now);
        self.bob.handle_tick(now);
        self.collect(now, lose);
        self.deliver(now);
    }

    fn collect(&mut self, now: Instant, lose: &impl Fn(usize) -> bool) {
        for (name, from_alice) in [('a', true), ('b', false)] {
            loop {
                let session = if from_alice { &mut self.alice } else { &mut self.bob };
                match session.poll_output() {
                    Some(Output::Packet { bytes, .. }) => {
                        if from_alice {
                            self.sent.push(bytes.clone());
                            self.sent_at.push(now);
                        }
                        if !(from_alice && lose(self.sent.len() - 1)) {
                            self.flying.push((now + self.delay, from_alice, false, bytes));
                        }
                    }
                    Some(Output::Rtcp { to, bytes }) => {
                        assert_eq!(to.port() % 2, 1);
                        if from_alice {
                            self.reports.push((now, bytes.clone()));
                        }
                        self.flying.push((now + self.delay, from_alice, true, bytes));
                    }
                    Some(Output::RecordFrame(frame)) => self.recorded.push(*frame),
                    Some(Output::Fact(fact)) => self.facts.push((name, fact)),
                    None => break,
                }
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        let (due, later) = self.flying.drain(..).partition(|(at, ..)| *at <= now);
        self.flying = later;
        let due: Vec<_> = due;
        for (at, to_bob, is_rtcp, bytes) in due {
            let (session, from) =
                if to_bob { (&mut self.bob, alice_at()) } else { (&mut self.alice, bob_at()) };
            if is_rtcp {
                session.handle_rtcp(at, reports_of(from), &bytes);
            } else {
                session.handle_packet(at, from, &bytes);
            }
        }
    }

    pub(super) fn facts_of(&self, name: char) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |(who, _)| *who == name).map(|(_, fact)| fact)
    }

    pub(super) fn digits(&self, name: char) -> String {
        let digit =
            |fact: &Fact| if let Fact::Digit { digit, .. } = fact { Some(digit.as_char()) } else { None };
        self.facts_of(name).filter_map(digit).collect()
    }
}

pub(super) fn hold(direction: Direction) -> MediaPlan {
    MediaPlan { direction, ..MediaPlan::direct(Codec::PCMA, bob_at()) }
}
