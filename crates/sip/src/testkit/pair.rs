//! Two engines, a virtual clock and a network that loses, repeats and delays on order.

use super::script::{Desk, Later, Script};
use crate::ids::Ids;
use crate::message::Message;
use crate::user_agent::{Config, Event, Flow, Input, Output, Transmit, Transport, UserAgent};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One of the two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The left one, who usually begins.
    A,
    /// The right one.
    B,
}

impl Side {
    /// Returns the peer.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What happens to one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is lost.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It arrives this much later than others.
    Delay(Duration),
}

/// How the network behaves. Faults hit datagrams only; streams deliver.
#[derive(Debug, Clone)]
pub struct Network {
    /// Time from one peer to the other.
    pub latency: Duration,
    /// Faults by datagram number, counted from 0 over both directions, retransmissions included.
    pub faults: BTreeMap<usize, Fault>,
    /// Losses in a thousand.
    pub loss: u64,
    /// Repeats in a thousand.
    pub duplication: u64,
    /// Largest random extra delay, which reorders.
    pub jitter: Duration,
    /// Lets what is due at the same instant happen in random order, to explore races.
    pub shuffled: bool,
    /// Refuses connections.
    pub refuses_tcp: bool,
    /// Seed of the random faults.
    pub seed: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            faults: BTreeMap::new(),
            loss: 0,
            duplication: 0,
            jitter: Duration::ZERO,
            shuffled: false,
            refuses_tcp: false,
            seed: 1,
        }
    }
}

/// One message as it was sent, for ladders and assertions.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Virtual time since the start.
    pub at: Duration,
    /// Who sent it.
    pub from: Side,
    /// The path.
    pub flow: Flow,
    /// The message; `None` for a keep-alive.
    pub message: Option<Message>,
    /// The same bytes were sent before.
    pub retransmission: bool,
    /// What the network did to it.
    pub fault: Option<Fault>,
}

/// Something did not come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("still busy after {steps} steps")]
pub struct Livelock {
    /// Steps that were taken.
    pub steps: usize,
}

/// One engine with its address, its user and what it reported.
pub struct Peer {
    /// The engine.
    pub agent: UserAgent,
    /// Its address, for UDP and TCP alike.
    pub address: SocketAddr,
    /// What it reported, with the virtual time since the start.
    pub events: Vec<(Duration, Event)>,
    script: Option<Box<dyn Script>>,
    deadline: Option<Instant>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("address", &self.address)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

enum Happening {
    Delivery { to: Side, flow: Flow, bytes: Vec<u8> },
    Failure { to: Side, flow: Flow },
    Action { on: Side, action: Later },
}

/// Two user agents joined by a network.
pub struct Pair {
    /// The left peer.
    pub a: Peer,
    /// The right peer.
    pub b: Peer,
    /// How the network behaves.
    pub network: Network,
    /// Everything that was sent; cleared by the user where it grows too long.
    pub sent: Vec<Sent>,
    /// Keeps `sent` and `events`; benchmarks turn it off.
    pub recording: bool,
    start: Instant,
    now: Instant,
    happenings: BTreeMap<(Instant, u64), Happening>,
    count: u64,
    datagrams: usize,
    dice: Ids,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("a", &self.a).field("b", &self.b).finish_non_exhaustive()
    }
}

const A: ([u8; 4], u16) = ([192, 0, 2, 1], 5060);
const B: ([u8; 4], u16) = ([192, 0, 2, 2], 5060);

impl Default for Pair {
    fn default() -> Self {
        Self::new(Config::new(1), Config::new(2), Network::default())
    }
}

impl Pair {
    /// Joins two engines; addresses that the settings leave open are 192.0.2.1 and 192.0.2.2, UDP and TCP.
    pub fn new(a: Config, b: Config, network: Network) -> Self {
        let start = super::epoch();
        let peer = |mut config: Config, default: ([u8; 4], u16)| {
            let address = config.address(Transport::Udp).unwrap_or_else(|| SocketAddr::from(default));
            config.local.entry(Transport::Udp).or_insert(address);
            config.local.entry(Transport::Tcp).or_insert(address);
            Peer { agent: UserAgent::new(config), address, events: Vec::new(), script: None, deadline: None }
        };
        Self {
            a: peer(a, A),
            b: peer(b, B),
            dice: Ids::new(network.seed),
            network,
            sent: Vec::new(),
            recording: true,
            start,
            now: start,
            happenings: BTreeMap::new(),
            count: 0,
            datagrams: 0,
        }
    }

    /// Returns one peer.
    pub const fn peer(&self, side: Side) -> &Peer {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// Returns one peer for changes.
    pub const fn peer_mut(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Lets a script react to one peer's events.
    pub fn script(&mut self, side: Side, script: impl Script + 'static) {
        self.peer_mut(side).script = Some(Box::new(script));
    }

    /// Returns the virtual time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Returns the virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    /// Returns how many datagrams were sent.
    pub const fn datagrams(&self) -> usize {
        self.datagrams
    }

    /// Acts on one engine now and sends what follows.
    pub fn act<T>(&mut self, side: Side, action: impl FnOnce(&mut UserAgent, Instant) -> T) -> T {
        let now = self.now;
        let result = action(&mut self.peer_mut(side).agent, now);
        self.drain(side);
        result
    }

    /// Acts on one engine after a while.
    pub fn after(
        &mut self,
        side: Side,
        wait: Duration,
        action: impl FnOnce(&mut UserAgent, Instant) + 'static,
    ) {
        self.schedule(wait, Happening::Action { on: side, action: Box::new(action) });
    }

    /// Delivers bytes to one peer as if the other had sent them.
    pub fn inject(&mut self, to: Side, bytes: &[u8]) {
        let flow = Flow {
            transport: Transport::Udp,
            local: self.peer(to).address,
            remote: self.peer(to.other()).address,
        };
        self.schedule(Duration::ZERO, Happening::Delivery { to, flow, bytes: bytes.to_vec() });
    }

    /// Runs until nothing is pending.
    ///
    /// # Errors
    /// When a hundred thousand steps were not enough.
    pub fn drive(&mut self) -> Result<(), Livelock> {
        self.drive_bounded(100_000)
    }

    /// Runs until nothing is pending, for at most `steps` steps.
    ///
    /// # Errors
    /// When the steps were not enough.
    pub fn drive_bounded(&mut self, steps: usize) -> Result<(), Livelock> {
        for _ in 0..steps {
            if !self.step(None) {
                return Ok(());
            }
        }
        Err(Livelock { steps })
    }

    /// Runs for a while of virtual time; what is due later stays pending.
    ///
    /// # Errors
    /// When a hundred thousand steps were not enough.
    pub fn drive_for(&mut self, time: Duration) -> Result<(), Livelock> {
        let end = self.now + time;
        for _ in 0..100_000 {
            if !self.step(Some(end)) {
                self.now = end;
                return Ok(());
            }
        }
        Err(Livelock { steps: 100_000 })
    }

    /// Returns what either engine still holds; empty when everything came to rest.
    pub fn leftovers(&self) -> Vec<String> {
        let of = |name: &'static str, peer: &Peer| {
            peer.agent.leftovers().into_iter().map(move |line| format!("{name}: {line}")).collect::<Vec<_>>()
        };
        let mut all = of("a", &self.a);
        all.extend(of("b", &self.b));
        all
    }

    /// Takes the next step in time; false when there is none before `end`.
    fn step(&mut self, end: Option<Instant>) -> bool {
        let happening = self.happenings.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.a.deadline.into_iter().chain(self.b.deadline).min();
        let Some(next) = happening.into_iter().chain(deadline).min() else { return false };
        if end.is_some_and(|end| next > end) {
            return false;
        }
        self.now = self.now.max(next);
        if happening.is_some_and(|at| at <= next) {
            if let Some(happening) = self.take_due(next) {
                self.happen(happening);
            }
        } else {
            let side = if self.a.deadline == Some(next) { Side::A } else { Side::B };
            self.act(side, |agent, now| agent.handle_input(now, Input::Timeout));
        }
        true
    }

    /// Takes the first happening that is due, or any of those that are due at the same instant.
    fn take_due(&mut self, at: Instant) -> Option<Happening> {
        if !self.network.shuffled {
            return self.happenings.pop_first().map(|(_, happening)| happening);
        }
        let due: Vec<(Instant, u64)> =
            self.happenings.range(..=(at, u64::MAX)).map(|(&key, _)| key).collect();
        let chosen = usize::try_from(self.dice.below(due.len() as u64)).unwrap_or(0);
        self.happenings.remove(due.get(chosen)?)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Delivery { to, flow, bytes } => {
                self.act(to, |agent, now| agent.handle_input(now, Input::Received { flow, bytes: &bytes }));
            }
            Happening::Failure { to, flow } => {
                self.act(to, |agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
            }
            Happening::Action { on, action } => self.act(on, action),
        }
    }

    fn schedule(&mut self, wait: Duration, happening: Happening) {
        self.count += 1;
        self.happenings.insert((self.now + wait, self.count), happening);
    }

    /// Empties one engine's outputs.
    fn drain(&mut self, side: Side) {
        loop {
            match self.peer_mut(side).agent.poll_output() {
                Output::Transmit(transmit) => self.transmit(side, &transmit),
                Output::Event(event) => self.event(side, event),
                Output::Fired(_) => {}
                Output::Timeout(next) => {
                    self.peer_mut(side).deadline = next.map(|(at, _)| at);
                    return;
                }
            }
        }
    }

    fn event(&mut self, side: Side, event: Event) {
        let (now, elapsed, recording) = (self.now, self.elapsed(), self.recording);
        let mut later = Vec::new();
        let peer = self.peer_mut(side);
        if let Some(script) = &mut peer.script {
            script.event(&mut Desk { agent: &mut peer.agent, now, later: &mut later }, &event);
        }
        if recording {
            peer.events.push((elapsed, event));
        }
        for (wait, action) in later {
            self.schedule(wait, Happening::Action { on: side, action });
        }
    }

    fn transmit(&mut self, from: Side, transmit: &Transmit) {
        let to = from.other();
        let flow = transmit.flow;
        let datagram = !flow.transport.is_reliable();
        let fault = if datagram { self.fault() } else { None };
        let retransmission =
            matches!(transmit.kind, crate::user_agent::TransmitKind::Message { retransmission: true, .. });
        if self.recording {
            let message = transmit.message().cloned();
            self.sent.push(Sent { at: self.elapsed(), from, flow, message, retransmission, fault });
        }
        if !datagram && self.network.refuses_tcp {
            self.schedule(Duration::ZERO, Happening::Failure { to: from, flow });
            return;
        }
        // Nobody answers at any address but the peer's.
        if transmit.message().is_none() || flow.remote != self.peer(to).address {
            return;
        }
        let back = Flow { transport: flow.transport, local: flow.remote, remote: self.peer(from).address };
        let extra = match fault {
            Some(Fault::Drop) => return,
            Some(Fault::Delay(extra)) => extra,
            Some(Fault::Duplicate) | None => Duration::ZERO,
        };
        let copies = if fault == Some(Fault::Duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = if datagram { self.jitter() } else { Duration::ZERO };
            let bytes = transmit.bytes().to_vec();
            let wait = self.network.latency + extra + jitter;
            self.schedule(wait, Happening::Delivery { to, flow: back, bytes });
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        let number = self.datagrams;
        self.datagrams += 1;
        if let Some(&fault) = self.network.faults.get(&number) {
            return Some(fault);
        }
        let roll =
            if self.network.loss + self.network.duplication > 0 { self.dice.below(1_000) } else { 1_000 };
        if roll < self.network.loss {
            Some(Fault::Drop)
        } else if roll < self.network.loss + self.network.duplication {
            Some(Fault::Duplicate)
        } else {
            None
        }
    }

    fn jitter(&mut self) -> Duration {
        let most = self.network.jitter.as_millis() as u64;
        if most == 0 { Duration::ZERO } else { Duration::from_millis(self.dice.below(most)) }
    }
}
