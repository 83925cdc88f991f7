//! The clock and the sockets of media: one 20 ms clock per worker, one reader per leg.
//!
//! A [`Leg`] is a `MediaSession` with its two sockets behind a mutex that is never held across an await. Facts leave
//! through a closure; packets never do.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use offhook_media::session::{Fact, MediaSession, Output, SessionConfig, StreamStats};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior},
};

use super::recording::Recorder;
use crate::net::{DatagramSocket, Network};

/// Packets are sent and played at this pace.
const TICK: Duration = Duration::from_millis(20);

/// Largest datagram that is read; an RTP packet of G.711 has 172 bytes.
const DATAGRAM: usize = 2048;

/// The process's media workers; legs are spread over them.
#[derive(Debug)]
pub struct MediaHub {
    workers: Vec<Arc<Worker>>,
    next: AtomicUsize,
    tasks: Vec<AbortHandle>,
}

/// How well a hub keeps its pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaLoad {
    /// Legs being driven now.
    pub legs: usize,
    /// Ticks since the start.
    pub ticks: u64,
    /// Ticks that ended more than 20 ms after their time, so that a packet was late by more than that.
    pub late_ticks: u64,
    /// The largest such delay, microseconds.
    pub worst_delay_us: u64,
}

#[derive(Debug, Default)]
struct Worker {
    legs: Mutex<Vec<Weak<Leg>>>,
    more: Notify,
    ticks: AtomicU64,
    late_ticks: AtomicU64,
    worst_delay_us: AtomicU64,
}

impl MediaHub {
    /// Starts `workers` workers; must be called inside a tokio runtime.
    #[must_use]
    pub fn start(workers: usize) -> Self {
        let workers: Vec<_> = (0..workers.max(1)).map(|_| Arc::new(Worker::default())).collect();
        let tasks =
            workers.iter().map(|worker| tokio::spawn(Arc::clone(worker).run()).abort_handle()).collect();
        Self { workers, next: AtomicUsize::new(0), tasks }
    }

    /// Returns how well the pace is kept.
    #[must_use]
    pub fn load(&self) -> MediaLoad {
        self.workers.iter().fold(MediaLoad::default(), |sum, worker| MediaLoad {
            legs: sum.legs + guard(&worker.legs).iter().filter(|leg| leg.strong_count() > 0).count(),
            ticks: sum.ticks + worker.ticks.load(Ordering::Relaxed),
            late_ticks: sum.late_ticks + worker.late_ticks.load(Ordering::Relaxed),
            worst_delay_us: sum.worst_delay_us.max(worker.worst_delay_us.load(Ordering::Relaxed)),
        })
    }

    /// Opens a leg's sockets at `ip`; it stays quiet until [`LegHandle::start`].
    ///
    /// # Errors
    /// No port pair is free.
    pub(crate) fn open(
        &self,
        network: &dyn Network,
        ip: IpAddr,
        config: SessionConfig,
    ) -> io::Result<LegHandle> {
        let (rtp, rtcp) = network.bind_media(ip)?;
        let inner = Inner {
            session: MediaSession::new(config, Instant::now().into_std()),
            recorder: None,
            listener: None,
        };
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let worker = self.workers.get(turn % self.workers.len().max(1)).cloned();
        Ok(LegHandle { leg: Arc::new(Leg { rtp, rtcp, inner: Mutex::new(inner) }), worker, reader: None })
    }
}

impl Drop for MediaHub {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Worker {
    async fn run(self: Arc<Self>) {
        loop {
            // Nothing to drive: sleep without a timer.
            while guard(&self.legs).is_empty() {
                self.more.notified().await;
            }
            let mut clock = tokio::time::interval(TICK);
            clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                let due = clock.tick().await;
                if !self.tick(due) {
                    break;
                }
            }
        }
    }

    /// Drives every leg once; returns whether any is left.
    fn tick(&self, due: Instant) -> bool {
        let legs: Vec<Arc<Leg>> = {
            let mut legs = guard(&self.legs);
            legs.retain(|leg| leg.strong_count() > 0);
            legs.iter().filter_map(Weak::upgrade).collect()
        };
        for leg in &legs {
            // The scheduled time, not the actual one: packets keep their spacing when the worker wakes late.
            leg.with(|inner| inner.session.handle_tick(due.into_std()));
        }
        let delay = due.elapsed();
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.worst_delay_us
            .fetch_max(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if delay > TICK {
            self.late_ticks.fetch_add(1, Ordering::Relaxed);
        }
        !legs.is_empty()
    }
}

/// Where a leg's facts go.
type Listener = Box<dyn Fn(Fact) + Send>;

struct Leg {
    rtp: Arc<dyn DatagramSocket>,
    rtcp: Arc<dyn DatagramSocket>,
    inner: Mutex<Inner>,
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").field("local", &self.rtp.local()).finish_non_exhaustive()
    }
}

struct Inner {
    session: MediaSession,
    recorder: Option<Recorder>,
    listener: Option<Listener>,
}

impl Leg {
    /// Changes the session once and empties it: packets to the wire, frames to the file, facts to the listener.
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = guard(&self.inner);
        let result = change(&mut inner);
        while let Some(output) = inner.session.poll_output() {
            match output {
                Output::Packet { to, bytes } => {
                    // A packet that the network refuses is lost, as any packet may be; the peer's report shows it.
                    drop(self.rtp.try_send(&bytes, to));
                    inner.session.recycle(bytes);
                }
                Output::Rtcp { to, bytes } => {
                    drop(self.rtcp.try_send(&bytes, to));
                    inner.session.recycle(bytes);
                }
                Output::RecordFrame(frame) => {
                    if let Some(recorder) = &mut inner.recorder {
                        recorder.write(&frame);
                    }
                }
                Output::Fact(fact) => {
                    if let Some(listener) = &inner.listener {
                        listener(fact);
                    }
                }
            }
        }
        result
    }

    /// Reads both sockets until it is aborted.
    async fn read(self: Arc<Self>) {
        let (mut rtp, mut rtcp) = (vec![0; DATAGRAM], vec![0; 1500]);
        loop {
            let (control, result) = tokio::select! {
                result = self.rtp.receive(&mut rtp) => (false, result),
                result = self.rtcp.receive(&mut rtcp) => (true, result),
            };
            // An error is an ICMP message about one packet; the next read is a fresh one.
            let Ok((length, source)) = result else { continue };
            let now = Instant::now().into_std();
            self.with(|inner| match control {
                false => inner.session.handle_packet(now, source, rtp.get(..length).unwrap_or_default()),
                true => inner.session.handle_rtcp(now, source, rtcp.get(..length).unwrap_or_default()),
            });
        }
    }
}

/// Owns a leg: dropping it closes the sockets and stops its reader.
#[derive(Debug)]
pub(crate) struct LegHandle {
    leg: Arc<Leg>,
    worker: Option<Arc<Worker>>,
    reader: Option<AbortHandle>,
}

impl LegHandle {
    /// Returns the RTP address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.leg.rtp.local()
    }

    /// Names who hears the leg's facts.
    pub(crate) fn listen(&self, listener: impl Fn(Fact) + Send + 'static) {
        guard(&self.leg.inner).listener = Some(Box::new(listener));
    }

    /// Lets packets flow: joins the clock and reads the sockets. Later calls change nothing.
    pub(crate) fn start(&mut self) {
        if self.reader.is_none() {
            self.reader = Some(tokio::spawn(Arc::clone(&self.leg).read()).abort_handle());
            if let Some(worker) = &self.worker {
                guard(&worker.legs).push(Arc::downgrade(&self.leg));
                worker.more.notify_one();
            }
        }
    }

    /// Changes the session and sends what follows.
    pub(crate) fn session<T>(&self, change: impl FnOnce(&mut MediaSession, std::time::Instant) -> T) -> T {
        let now = Instant::now().into_std();
        self.leg.with(|inner| change(&mut inner.session, now))
    }

    /// Closes the session; returns its last figures and what it still had to say, which the listener no longer hears.
    pub(crate) fn close(&self) -> (StreamStats, Vec<Fact>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        self.listen(move |fact| guard(&heard).push(fact));
        let stats = self.session(|session, now| {
            session.close(now);
            session.stats()
        });
        let facts = std::mem::take(&mut *guard(&said));
        (stats, facts)
    }

    /// Starts, replaces or stops the recording; returns the one that was going on.
    pub(crate) fn record(&self, recorder: Option<Recorder>) -> Option<Recorder> {
        let on = recorder.is_some();
        self.leg.with(|inner| {
            inner.session.record(on);
            std::mem::replace(&mut inner.recorder, recorder)
        })
    }
}

impl Drop for LegHandle {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
        guard(&self.leg.inner).listener = None;
    }
}

/// Locks; a panic elsewhere leaves a session that is still consistent enough to be closed.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
