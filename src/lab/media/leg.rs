//! One side of a call: an RTP and an RTCP socket, and what happens to what they receive.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use offhook_media::{
    dtmf::DigitMethod,
    negotiate::MediaPlan,
    session::{Fact, MediaSession, Output, SendDigitsError, SessionConfig, Source},
};
use tokio::{sync::mpsc, task::AbortHandle};

use super::clock::Clock;
use crate::net::{DatagramSocket, Network};

/// Largest packet that is relayed; RTP fits an Ethernet frame.
const LARGEST: usize = 2048;
/// Length of a digit and of the pause after it.
const DIGIT: std::time::Duration = std::time::Duration::from_millis(150);

/// Something that a voice noticed, and on which leg.
pub(in crate::lab) type MediaFact = (u64, Fact);

/// Where a peer wants its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::lab) struct Target {
    pub(in crate::lab) rtp: Option<SocketAddr>,
    pub(in crate::lab) rtcp: Option<SocketAddr>,
}

/// Makes legs.
pub(in crate::lab) struct Media {
    network: Arc<dyn Network>,
    clock: Clock,
    facts: mpsc::Sender<MediaFact>,
    seed: AtomicU64,
    alive: Arc<AtomicUsize>,
}

impl Media {
    pub(in crate::lab) fn new(network: Arc<dyn Network>, seed: u64, facts: mpsc::Sender<MediaFact>) -> Self {
        Self { network, clock: Clock::start(), facts, seed: AtomicU64::new(seed), alive: Arc::default() }
    }

    /// Opens two ports at `ip`.
    pub(in crate::lab) fn open(&self, ip: IpAddr) -> io::Result<MediaLeg> {
        let (rtp, rtcp) = self.network.bind_media(ip)?;
        let id = self.seed.fetch_add(1, Ordering::Relaxed);
        self.alive.fetch_add(1, Ordering::Relaxed);
        let inside = Arc::new(Inside {
            id,
            rtp,
            rtcp,
            alive: Arc::clone(&self.alive),
            facts: self.facts.clone(),
            wiring: Mutex::default(),
        });
        let reader = tokio::spawn(read(Arc::clone(&inside))).abort_handle();
        Ok(MediaLeg { outside: Arc::new(Outside { inside, reader, clock: self.clock.clone() }) })
    }

    /// Returns how many legs are open.
    pub(in crate::lab) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }
}

/// A leg; its ports are closed when the last clone is dropped.
#[derive(Clone)]
pub(in crate::lab) struct MediaLeg {
    outside: Arc<Outside>,
}

struct Outside {
    inside: Arc<Inside>,
    reader: AbortHandle,
    clock: Clock,
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.reader.abort();
        // The aborted reader lets go a moment later; nothing may be sent on its way out.
        self.inside.lock().role = Role::Idle;
    }
}

/// What reader, clock and other legs hold of a leg.
pub(super) struct Inside {
    id: u64,
    rtp: Arc<dyn DatagramSocket>,
    rtcp: Arc<dyn DatagramSocket>,
    alive: Arc<AtomicUsize>,
    facts: mpsc::Sender<MediaFact>,
    wiring: Mutex<Wiring>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Wiring {
    target: Target,
    role: Role,
}

#[derive(Default)]
enum Role {
    #[default]
    Idle,
    Relay(Weak<Inside>),
    Voice(Box<MediaSession>),
}

impl MediaLeg {
    pub(in crate::lab) fn id(&self) -> u64 {
        self.outside.inside.id
    }

    /// Returns the RTP address; RTCP is on the next port.
    pub(in crate::lab) fn address(&self) -> SocketAddr {
        self.outside.inside.rtp.local()
    }

    /// Says where packets for the peer of this leg go, until it sends from elsewhere.
    pub(in crate::lab) fn aim(&self, target: Target) {
        self.outside.inside.lock().target = target;
    }

    /// Passes what arrives here to the peer of `other`, and the other way round.
    pub(in crate::lab) fn relay(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            one.outside.inside.lock().role = Role::Relay(Arc::downgrade(&two.outside.inside));
        }
    }

    /// Speaks with a voice of our own: follows `plan`, and plays `source`.
    pub(in crate::lab) fn speak(&self, now: Instant, plan: MediaPlan, source: Source) {
        let inside = &self.outside.inside;
        let mut wiring = inside.lock();
        let (mut voice, speaks) = match std::mem::take(&mut wiring.role) {
            Role::Voice(voice) => (voice, true),
            Role::Idle | Role::Relay(_) => (
                Box::new(MediaSession::new(
                    SessionConfig {
                        seed: inside.id,
                        cname: "lab".to_owned(),
                        statistics_interval: None,
                        reception_timeout: None,
                        ..SessionConfig::default()
                    },
                    now,
                )),
                false,
            ),
        };
        voice.set_plan(now, plan);
        voice.play(source);
        wiring.role = Role::Voice(voice);
        drop(wiring);
        if !speaks {
            self.outside.clock.add(inside);
        }
    }

    /// Follows a changed plan and goes on playing; nothing without a voice.
    pub(in crate::lab) fn replan(&self, now: Instant, plan: MediaPlan) {
        self.with_voice(|voice| voice.set_plan(now, plan));
    }

    /// Plays something else; nothing without a voice.
    pub(in crate::lab) fn play(&self, source: Source) {
        self.with_voice(|voice| voice.play(source));
    }

    /// Sends digits as telephone events, or as tones where the peer does not know events.
    pub(in crate::lab) fn send_digits(&self, digits: &str) -> Result<(), SendDigitsError> {
        let sent =
            self.with_voice(|voice| match voice.send_digits(DigitMethod::Rfc4733, digits, DIGIT, DIGIT) {
                Err(SendDigitsError::NotNegotiated) => {
                    voice.send_digits(DigitMethod::InBand, digits, DIGIT, DIGIT)
                }
                done => done,
            });
        sent.unwrap_or(Err(SendDigitsError::NotSending))
    }

    fn with_voice<T>(&self, act: impl FnOnce(&mut MediaSession) -> T) -> Option<T> {
        match &mut self.outside.inside.lock().role {
            Role::Voice(voice) => Some(act(voice)),
            Role::Idle | Role::Relay(_) => None,
        }
    }
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Wiring> {
        self.wiring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the voice do what is due; returns whether there is one.
    pub(super) fn tick(&self, now: Instant) -> bool {
        let mut wiring = self.lock();
        let Role::Voice(voice) = &mut wiring.role else { return false };
        voice.handle_tick(now);
        self.drain(voice);
        true
    }

    fn drain(&self, voice: &mut MediaSession) {
        while let Some(output) = voice.poll_output() {
            match output {
                Output::Packet { to, bytes } => {
                    send(&*self.rtp, &bytes, to);
                    voice.recycle(bytes);
                }
                Output::Rtcp { to, bytes } => send(&*self.rtcp, &bytes, to),
                Output::Fact(fact) => {
                    if self.facts.try_send((self.id, fact)).is_err() {
                        tracing::warn!("a fact of the lab's media was lost");
                    }
                }
                Output::RecordFrame(_) => {}
            }
        }
    }

    fn arrived(&self, kind: Kind, from: SocketAddr, bytes: &[u8]) {
        let mut wiring = self.lock();
        let other = match &mut wiring.role {
            Role::Idle => return,
            Role::Voice(voice) => {
                let now = tokio::time::Instant::now().into_std();
                match kind {
                    Kind::Rtp => voice.handle_packet(now, from, bytes),
                    Kind::Rtcp => voice.handle_rtcp(now, from, bytes),
                }
                self.drain(voice);
                return;
            }
            Role::Relay(other) => other.upgrade(),
        };
        // A phone behind address translation is reached where it sends from.
        let aim = match kind {
            Kind::Rtp => &mut wiring.target.rtp,
            Kind::Rtcp => &mut wiring.target.rtcp,
        };
        if aim.is_some() {
            *aim = Some(from);
        }
        drop(wiring);
        let Some(other) = other else { return };
        let Some(target) = other.partner_target(self) else { return };
        let (socket, to) = match kind {
            Kind::Rtp => (&other.rtp, target.rtp),
            Kind::Rtcp => (&other.rtcp, target.rtcp),
        };
        if let Some(to) = to {
            send(&**socket, bytes, to);
        }
    }

    /// Returns where packets from `sender` go, unless this leg has another partner by now.
    fn partner_target(&self, sender: &Self) -> Option<Target> {
        let wiring = self.lock();
        let ours = matches!(&wiring.role, Role::Relay(partner) if std::ptr::eq(partner.as_ptr(), sender));
        ours.then_some(wiring.target)
    }

    fn poll(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<(Kind, usize, SocketAddr)> {
        for (kind, socket) in [(Kind::Rtp, &self.rtp), (Kind::Rtcp, &self.rtcp)] {
            loop {
                match socket.poll_receive(cx, buffer) {
                    Poll::Ready(Ok((length, from))) => return Poll::Ready((kind, length, from)),
                    Poll::Ready(Err(error)) => tracing::debug!(%error, "receive error on a media socket"),
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Rtp,
    Rtcp,
}

fn send(socket: &dyn DatagramSocket, bytes: &[u8], to: SocketAddr) {
    if let Err(error) = socket.try_send(bytes, to) {
        tracing::debug!(%to, %error, "media packet not sent");
    }
}

async fn read(inside: Arc<Inside>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let (kind, length, from) = poll_fn(|cx| inside.poll(cx, &mut buffer)).await;
        if let Some(bytes) = buffer.get(..length) {
            inside.arrived(kind, from, bytes);
        }
    }
}
