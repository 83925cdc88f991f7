//! A leg: an RTP and an RTCP socket, and a voice or a relay behind a mutex that is never held across an await.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use offhook_media::session::{Fact, MediaSession, Output, StreamStats};
use tokio::{task::AbortHandle, time::Instant};

use super::{
    hub::Worker,
    recorder::{Recorder, Taken},
    relay::Target,
};
use crate::net::DatagramSocket;

/// Largest datagram that is read; an RTP packet of G.711 has 172 bytes.
const DATAGRAM: usize = 2048;

/// Where a leg's facts go.
type Listener = Box<dyn Fn(Noticed) + Send>;

/// What a leg noticed.
#[derive(Debug)]
pub(crate) enum Noticed {
    /// Its voice did.
    Voice(Fact),
    /// The disk takes the recording again.
    RecordingGap {
        /// What it did not take, milliseconds.
        lost_ms: u64,
    },
    /// Nothing is recorded any more; the end of the recording says why.
    RecordingBroken,
}

/// What the clock, the reader and other legs hold of a leg.
pub(super) struct Leg {
    pub(super) rtp: Arc<dyn DatagramSocket>,
    pub(super) rtcp: Arc<dyn DatagramSocket>,
    pub(super) inner: Mutex<Inner>,
    open: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").field("local", &self.rtp.local()).finish_non_exhaustive()
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) role: Role,
    pub(super) target: Target,
    recorder: Option<Recorder>,
    listener: Option<Listener>,
    /// Whether packets flow.
    started: bool,
}

/// What becomes of what arrives.
#[derive(Default)]
pub(super) enum Role {
    /// It is dropped.
    #[default]
    Idle,
    /// It leaves by another leg.
    Relay(Weak<Leg>),
    /// It is heard by a voice of our own, which the clock drives.
    Voice(Box<MediaSession>),
}

/// Which socket of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

impl Leg {
    pub(super) fn new(
        rtp: Arc<dyn DatagramSocket>,
        rtcp: Arc<dyn DatagramSocket>,
        open: Arc<AtomicUsize>,
    ) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self { rtp, rtcp, inner: Mutex::default(), open }
    }

    /// Lets the voice do what is due; returns whether there is one.
    pub(super) fn tick(&self, due: std::time::Instant) -> bool {
        self.with_voice(|voice| voice.handle_tick(due)).is_some()
    }

    /// Changes the voice once and empties it: packets to the wire, frames to the file, facts to the listener.
    fn with_voice<T>(&self, change: impl FnOnce(&mut MediaSession) -> T) -> Option<T> {
        let mut inner = guard(&self.inner);
        let Inner { role: Role::Voice(voice), recorder, listener, .. } = &mut *inner else { return None };
        let tell = |noticed| {
            if let Some(listener) = &*listener {
                listener(noticed);
            }
        };
        let result = change(voice);
        while let Some(output) = voice.poll_output() {
            match output {
                Output::Packet { to, bytes } => {
                    self.send(Kind::Rtp, &bytes, to);
                    voice.recycle(bytes);
                }
                Output::Rtcp { to, bytes } => {
                    self.send(Kind::Rtcp, &bytes, to);
                    voice.recycle(bytes);
                }
                Output::RecordFrame(frame) => {
                    match recorder.as_mut().map(|recorder| recorder.write(*frame)) {
                        Some(Taken::Again { lost_ms }) => tell(Noticed::RecordingGap { lost_ms }),
                        Some(Taken::Broken) => tell(Noticed::RecordingBroken),
                        Some(Taken::Fine) | None => {}
                    }
                }
                Output::Fact(fact) => tell(Noticed::Voice(fact)),
            }
        }
        Some(result)
    }

    /// Sends a datagram. One that the network refuses is lost, as any may be; the peer's report shows it.
    pub(super) fn send(&self, kind: Kind, bytes: &[u8], to: SocketAddr) {
        let socket = match kind {
            Kind::Rtp => &self.rtp,
            Kind::Rtcp => &self.rtcp,
        };
        if let Err(error) = socket.try_send(bytes, to) {
            tracing::debug!(%to, %error, "media packet not sent");
        }
    }

    fn arrived(&self, kind: Kind, from: SocketAddr, bytes: &[u8]) {
        let now = Instant::now().into_std();
        let heard = self.with_voice(|voice| match kind {
            Kind::Rtp => voice.handle_packet(now, from, bytes),
            Kind::Rtcp => voice.handle_rtcp(now, from, bytes),
        });
        if heard.is_none() {
            self.pass_on(kind, from, bytes);
        }
    }

    /// Reads both sockets until it is aborted.
    async fn read(self: Arc<Self>) {
        let (mut rtp, mut rtcp) = (vec![0; DATAGRAM], vec![0; DATAGRAM]);
        loop {
            let (kind, result) = tokio::select! {
                result = self.rtp.receive(&mut rtp) => (Kind::Rtp, result),
                result = self.rtcp.receive(&mut rtcp) => (Kind::Rtcp, result),
            };
            // An error is an ICMP message about one packet; the next read is a fresh one.
            let Ok((length, source)) = result else { continue };
            let buffer = match kind {
                Kind::Rtp => &rtp,
                Kind::Rtcp => &rtcp,
            };
            self.arrived(kind, source, buffer.get(..length).unwrap_or_default());
        }
    }
}

/// Owns a leg with its clones: when the last is dropped, the sockets close and the reader stops.
#[derive(Clone, Debug)]
pub(crate) struct LegHandle {
    owned: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    leg: Arc<Leg>,
    worker: Option<Arc<Worker>>,
    reader: Mutex<Option<AbortHandle>>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(reader) = &*guard(&self.reader) {
            reader.abort();
        }
        // The aborted reader lets go a moment later; nothing may be sent or said on its way out.
        *guard(&self.leg.inner) = Inner::default();
    }
}

impl LegHandle {
    pub(super) fn new(leg: Leg, worker: Option<Arc<Worker>>) -> Self {
        Self { owned: Arc::new(Owned { leg: Arc::new(leg), worker, reader: Mutex::default() }) }
    }

    /// Returns the RTP address; RTCP is on the next port.
    pub(crate) fn local(&self) -> SocketAddr {
        self.owned.leg.rtp.local()
    }

    /// Names who hears the leg's facts.
    pub(crate) fn listen(&self, listener: impl Fn(Noticed) + Send + 'static) {
        guard(&self.owned.leg.inner).listener = Some(Box::new(listener));
    }

    /// Lets packets flow: reads the sockets, and lets the clock drive the voice. Later calls change nothing.
    pub(crate) fn start(&self) {
        let reader = || tokio::spawn(Arc::clone(&self.owned.leg).read()).abort_handle();
        guard(&self.owned.reader).get_or_insert_with(reader);
        self.change(|inner| inner.started = true);
    }

    /// Speaks with a voice of our own from now on, unless it does already.
    pub(crate) fn speak(&self, voice: impl FnOnce(std::time::Instant) -> MediaSession) {
        self.change(|inner| {
            if !matches!(inner.role, Role::Voice(_)) {
                let mut voice = Box::new(voice(Instant::now().into_std()));
                voice.record(inner.recorder.is_some());
                inner.role = Role::Voice(voice);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = guard(&self.owned.leg.inner);
        change(&mut inner);
        let voiced = inner.started && matches!(inner.role, Role::Voice(_));
        drop(inner);
        if let Some(worker) = self.owned.worker.as_ref().filter(|_| voiced) {
            worker.add(&self.owned.leg);
        }
    }

    /// Changes the voice and sends what follows; nothing without a voice.
    pub(crate) fn session<T>(
        &self,
        change: impl FnOnce(&mut MediaSession, std::time::Instant) -> T,
    ) -> Option<T> {
        let now = Instant::now().into_std();
        self.owned.leg.with_voice(|voice| change(voice, now))
    }

    /// Passes what arrives here to the peer of `other`, and the other way round.
    pub(crate) fn relay(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            guard(&one.owned.leg.inner).role = Role::Relay(Arc::downgrade(&two.owned.leg));
        }
    }

    /// Says where packets for the peer of this leg go while it is a relay, until the peer sends from elsewhere.
    pub(crate) fn aim(&self, target: Target) {
        guard(&self.owned.leg.inner).target = target;
    }

    /// Closes the session; returns its last figures and what it still had to say, which the listener no longer hears.
    pub(crate) fn close(&self) -> Option<(StreamStats, Vec<Fact>)> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        self.listen(move |noticed| {
            // A word of the recording would come too late: its end is near.
            if let Noticed::Voice(fact) = noticed {
                guard(&heard).push(fact);
            }
        });
        let stats = self.session(|session, now| {
            session.close(now);
            session.stats()
        })?;
        let facts = std::mem::take(&mut *guard(&said));
        Some((stats, facts))
    }

    /// Starts, replaces or stops the recording; returns the one that was going on.
    pub(crate) fn record(&self, recorder: Option<Recorder>) -> Option<Recorder> {
        let on = recorder.is_some();
        self.session(|session, _| session.record(on));
        std::mem::replace(&mut guard(&self.owned.leg.inner).recorder, recorder)
    }
}

/// Locks; a panic elsewhere leaves a session that is still consistent enough to be closed.
pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
