//! A leg: an RTP and an RTCP socket, and a voice or a relay behind a mutex that is never held across an await.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use offhook_media::{
    audio::Frame,
    session::{Fact, MediaSession, Output},
};

use super::{
    bridge::Bridge,
    hub::TICK,
    recorder::{Recorder, Taken},
    relay::Aim,
    writers::Writers,
};
use crate::{
    id::PhoneId,
    net::{Batch, MediaPair, MediaSocket, Sighting, Taps, Traffic, Way},
};

/// How long what arrives at an RTCP socket may wait for the clock. Nothing is played from it, and
/// each datagram carries its time of arrival; a packet every few seconds is not worth a system call
/// per tick.
const REPORTS: Duration = Duration::from_millis(100);
/// Batches that one tick reads from one socket; the kernel may drop what a flood sends beyond that.
const DRAINS: usize = 16;

/// Where a leg's facts go.
pub(super) type Listener = Box<dyn Fn(Notice) + Send>;

/// What a leg noticed, and after which offer/answer exchange.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Number of the plan that the voice followed; 0 before the first.
    pub(crate) epoch: u32,
    /// What it noticed.
    pub(crate) noticed: Noticed,
}

/// What a leg noticed.
#[derive(Debug)]
pub(crate) enum Noticed {
    /// A fact from its voice.
    Voice(Fact),
    /// Reading from or sending to a socket failed; reported only the first time.
    SocketFailed {
        /// Which socket.
        kind: Kind,
        /// The error.
        reason: String,
    },
    /// The disk accepts the recording again.
    RecordingGap {
        /// How much was lost, in milliseconds.
        lost_ms: u64,
    },
    /// Recording has stopped for good; the end of the recording says why.
    RecordingBroken,
}

impl Noticed {
    /// Returns whether its cause is our side or the passing of time, and not something that a
    /// stranger may send without limit.
    pub(crate) const fn is_our_doing(&self) -> bool {
        match self {
            Self::Voice(
                Fact::Statistics(_)
                | Fact::PlaybackFinished
                | Fact::DigitsSent { .. }
                | Fact::DigitsCut { .. }
                | Fact::ReceptionStopped { .. }
                | Fact::ForeignPackets { .. }
                | Fact::Withheld { .. },
            )
            | Self::SocketFailed { .. }
            | Self::RecordingGap { .. }
            | Self::RecordingBroken => true,
            Self::Voice(
                Fact::FirstPacket { .. }
                | Fact::SourceChanged { .. }
                | Fact::SourceDiffers { .. }
                | Fact::ReceptionResumed
                | Fact::PayloadChanged { .. }
                | Fact::DigitStarted { .. }
                | Fact::Digit { .. }
                | Fact::SilenceStarted
                | Fact::SilenceEnded { .. }
                | Fact::ToneStarted { .. }
                | Fact::ToneEnded { .. }
                | Fact::RemoteBye { .. },
            ) => false,
        }
    }
}

/// Which socket of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For media.
    Rtp,
    /// For RTCP.
    Rtcp,
}

impl Kind {
    pub(super) const BOTH: [Self; 2] = [Self::Rtp, Self::Rtcp];
}

/// What the legs of a hub share.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// How many are open.
    pub(super) open: AtomicUsize,
    /// How often reading from or sending to a socket failed.
    pub(super) socket_errors: AtomicU64,
    /// Who writes their recordings.
    pub(super) writers: Arc<Writers>,
    batches: Mutex<Vec<Batch>>,
}

impl Common {
    /// Lends a buffer for datagrams; the pool keeps as many as were ever needed at once.
    pub(super) fn with_batch<T>(&self, work: impl FnOnce(&mut Batch) -> T) -> T {
        let spare = guard(&self.batches).pop();
        let mut batch = spare.unwrap_or_default();
        let result = work(&mut batch);
        guard(&self.batches).push(batch);
        result
    }
}

/// The part of a leg that the clock, the reader and other legs hold.
pub(super) struct Leg {
    pub(super) rtp: Arc<dyn MediaSocket>,
    pub(super) rtcp: Arc<dyn MediaSocket>,
    pub(super) inner: Mutex<Inner>,
    pub(super) common: Arc<Common>,
    taps: Taps,
    phone: Option<PhoneId>,
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").field("local", &self.rtp.local()).finish_non_exhaustive()
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.common.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) role: Role,
    pub(super) aim: Aim,
    pub(super) recorder: Option<Recorder>,
    pub(super) listener: Option<Listener>,
    /// The bridge the voice is in, if any.
    pub(super) bridge: Weak<Bridge>,
    /// Number of the plan that the voice follows.
    epoch: u32,
    /// Whether packets flow.
    pub(super) started: bool,
    /// When a tick next reads the RTCP socket; the first one does so at once.
    reports_due: Option<Instant>,
    /// A socket has failed, and that has been reported.
    failed: bool,
}

impl Inner {
    /// Returns the sockets that this tick reads.
    fn sockets_due(&mut self, due: Instant) -> &'static [Kind] {
        if self.reports_due.is_some_and(|at| at > due) {
            return &[Kind::Rtp];
        }
        self.reports_due = Some(due + REPORTS);
        &Kind::BOTH
    }
}

/// How far a voice in a bridge is with its tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has heard a frame and now has to send one.
    Heard,
    /// It has heard everything; it wants the clock again at this time.
    Over(Instant),
}

/// What becomes of what arrives.
#[derive(Default)]
pub(super) enum Role {
    /// It waits, and is discarded when the leg gets something to do.
    #[default]
    Idle,
    /// It is sent on by another leg.
    Relay(Weak<Leg>),
    /// It goes to a voice of our own, which the clock drives.
    Voice(Box<MediaSession>),
}

impl Leg {
    pub(super) fn new(
        (rtp, rtcp): MediaPair,
        common: Arc<Common>,
        taps: Taps,
        phone: Option<PhoneId>,
    ) -> Self {
        common.open.fetch_add(1, Ordering::Relaxed);
        Self { rtp, rtcp, inner: Mutex::default(), common, taps, phone }
    }

    pub(super) fn socket(&self, kind: Kind) -> &dyn MediaSocket {
        match kind {
            Kind::Rtp => &*self.rtp,
            Kind::Rtcp => &*self.rtcp,
        }
    }

    /// Lets the voice, if there is one outside a bridge, hear what has arrived and do what is due;
    /// returns when it next wants the clock.
    pub(super) fn tick(&self, due: Instant, batch: &mut Batch) -> Option<Instant> {
        let mut inner = guard(&self.inner);
        if inner.bridge.strong_count() > 0 {
            return None;
        }
        let kinds = inner.sockets_due(due);
        self.change(&mut inner, kinds, batch, |voice, _| {
            voice.handle_tick(due);
            voice.packet_due().unwrap_or(due + TICK)
        })
    }

    /// Lets the voice, if there is one, hear what has arrived (in the first round of a tick) and
    /// then its next due frame, which goes into `frame`.
    pub(super) fn hear_frame(
        &self,
        due: Instant,
        first: bool,
        frame: &mut Frame,
        batch: &mut Batch,
    ) -> Option<Turn> {
        let mut inner = guard(&self.inner);
        let kinds = if first { inner.sockets_due(due) } else { &[] };
        self.change(&mut inner, kinds, batch, |voice, _| match voice.hear(due) {
            Some(heard) => {
                frame.copy_from(heard);
                Turn::Heard
            }
            None => Turn::Over(voice.packet_due().unwrap_or(due + TICK)),
        })
    }

    /// After a frame was heard, lets the voice send its own sound mixed with `others`.
    pub(super) fn say_frame(&self, due: Instant, others: &Frame, batch: &mut Batch) {
        self.change(&mut guard(&self.inner), &[], batch, |voice, _| voice.say(due, Some(others)));
    }

    /// Lets the voice hear what has arrived, changes the voice and its epoch, and sends what
    /// follows. What arrived before the change is handled before it.
    pub(super) fn with_voice<T>(
        &self,
        batch: &mut Batch,
        change: impl FnOnce(&mut MediaSession, &mut u32) -> T,
    ) -> Option<T> {
        self.change(&mut guard(&self.inner), &Kind::BOTH, batch, change)
    }

    fn change<T>(
        &self,
        inner: &mut Inner,
        kinds: &[Kind],
        batch: &mut Batch,
        change: impl FnOnce(&mut MediaSession, &mut u32) -> T,
    ) -> Option<T> {
        let Inner { role: Role::Voice(voice), recorder, listener, started, failed, epoch, .. } = inner else {
            return None;
        };
        let mut outlet = Outlet { leg: self, recorder, listener, failed, epoch };
        if *started {
            kinds.iter().for_each(|kind| self.hear(*kind, batch, voice, &mut outlet));
        }
        let result = change(voice, outlet.epoch);
        outlet.empty(voice);
        Some(result)
    }

    fn hear(&self, kind: Kind, batch: &mut Batch, voice: &mut MediaSession, outlet: &mut Outlet<'_>) {
        for _ in 0..DRAINS {
            // The next tick tries again; no other back-off is needed.
            if let Err(error) = self.socket(kind).drain(batch) {
                return outlet.failed(kind, &error);
            }
            for arrived in batch.datagrams() {
                self.show(Way::Received, kind, arrived.from, arrived.at, arrived.bytes);
                match kind {
                    Kind::Rtp => voice.handle_packet(arrived.at, arrived.from, arrived.bytes),
                    Kind::Rtcp => voice.handle_rtcp(arrived.at, arrived.from, arrived.bytes),
                }
                outlet.empty(voice);
            }
            if !batch.is_full() {
                return;
            }
        }
    }

    /// Discards what has arrived: there was nothing to do with it.
    pub(super) fn discard(&self) {
        self.common.with_batch(|batch| {
            for kind in Kind::BOTH {
                for _ in 0..DRAINS {
                    if self.socket(kind).drain(batch).is_err() || !batch.is_full() {
                        break;
                    }
                }
            }
        });
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// The network refused it. It is lost, as any datagram may be; the peer's report shows it.
    pub(super) fn send(&self, kind: Kind, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let before = self.taps.is_listening().then(tokio::time::Instant::now);
        self.socket(kind).try_send(bytes, to)?;
        if let Some(at) = before {
            self.show(Way::Sent, kind, to, at.into_std(), bytes);
        }
        Ok(())
    }

    /// Shows a datagram to the taps.
    pub(super) fn show(&self, way: Way, kind: Kind, remote: SocketAddr, at: Instant, bytes: &[u8]) {
        self.taps.show(|| Sighting {
            way,
            traffic: match kind {
                Kind::Rtp => Traffic::Rtp,
                Kind::Rtcp => Traffic::Rtcp,
            },
            local: self.socket(kind).local(),
            remote,
            at,
            phone: self.phone.as_ref(),
            bytes,
        });
    }

    /// Counts a failure of a socket, and reports the first.
    pub(super) fn failed(&self, kind: Kind, error: &io::Error) {
        let mut inner = guard(&self.inner);
        let Inner { recorder, listener, failed, epoch, .. } = &mut *inner;
        Outlet { leg: self, recorder, listener, failed, epoch }.failed(kind, error);
    }
}

/// Where the outputs of a voice go.
struct Outlet<'a> {
    leg: &'a Leg,
    recorder: &'a mut Option<Recorder>,
    listener: &'a Option<Listener>,
    failed: &'a mut bool,
    epoch: &'a mut u32,
}

impl Outlet<'_> {
    fn tell(&self, noticed: Noticed) {
        if let Some(listener) = self.listener {
            listener(Notice { epoch: *self.epoch, noticed });
        }
    }

    fn failed(&mut self, kind: Kind, error: &io::Error) {
        self.leg.common.socket_errors.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(self.failed, true) {
            tracing::warn!(local = %self.leg.socket(kind).local(), %error, "a media socket failed");
            self.tell(Noticed::SocketFailed { kind, reason: error.to_string() });
        }
    }

    fn send(&mut self, kind: Kind, bytes: &[u8], to: SocketAddr) {
        if let Err(error) = self.leg.send(kind, bytes, to) {
            self.failed(kind, &error);
        }
    }

    /// Empties the voice: packets to the wire, frames to the file, facts to the listener.
    fn empty(&mut self, voice: &mut MediaSession) {
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
                    match self.recorder.as_mut().map(|recorder| recorder.write(*frame)) {
                        Some(Taken::Again { lost_ms }) => self.tell(Noticed::RecordingGap { lost_ms }),
                        Some(Taken::Broken) => self.tell(Noticed::RecordingBroken),
                        Some(Taken::Fine) | None => {}
                    }
                }
                Output::Fact(fact) => self.tell(Noticed::Voice(fact)),
            }
        }
    }
}

/// Locks; a panic elsewhere leaves a session that is still consistent enough to be closed.
pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
