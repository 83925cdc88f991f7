//! The clock: each worker owns one of 20 ms and ticks every voice that is assigned to it; it stands still without any.
//!
//! Packets of 10 and 30 ms leave in the middle between two ticks too. The voices that have one waiting, and only these, get
//! a half tick then.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior},
};

use super::{
    handle::LegHandle,
    leg::{Common, Leg, guard},
};
use crate::{id::PhoneId, net::Network};

/// Sound is heard and said at this pace.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// From a tick to the middle before the next one: the time of packets that are not whole ticks long.
const HALF: Duration = Duration::from_millis(10);

/// The media workers of a process or of a lab; legs are spread over them.
#[derive(Debug)]
pub struct MediaHub {
    workers: Vec<Arc<Worker>>,
    next: AtomicUsize,
    common: Arc<Common>,
    tasks: Vec<AbortHandle>,
}

/// How well a hub keeps its pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaLoad {
    /// Legs being driven now.
    pub legs: usize,
    /// Ticks since the start, half ones included.
    pub ticks: u64,
    /// Ticks that ended more than 20 ms after their time, so that a packet was late by more than that.
    pub late_ticks: u64,
    /// The largest such delay, microseconds.
    pub worst_delay_us: u64,
    /// How often a media socket refused to be read or to send.
    pub socket_errors: u64,
}

/// One clock and the voices on it.
#[derive(Debug, Default)]
pub(super) struct Worker {
    legs: Mutex<Vec<Weak<Leg>>>,
    common: Arc<Common>,
    more: Notify,
    ticks: AtomicU64,
    late_ticks: AtomicU64,
    worst_delay_us: AtomicU64,
}

/// What a tick found out.
#[derive(Default)]
struct Ticked {
    /// Legs that have no voice any more.
    silent: Vec<Weak<Leg>>,
    /// Legs with a packet that is due before the next tick.
    between: Vec<Weak<Leg>>,
}

impl MediaHub {
    /// Starts `workers` workers; must be called inside a tokio runtime.
    #[must_use]
    pub fn start(workers: usize) -> Self {
        let common = Arc::<Common>::default();
        let worker = |_| Arc::new(Worker { common: Arc::clone(&common), ..Worker::default() });
        let workers: Vec<_> = (0..workers.max(1)).map(worker).collect();
        let tasks =
            workers.iter().map(|worker| tokio::spawn(Arc::clone(worker).run()).abort_handle()).collect();
        Self { workers, next: AtomicUsize::new(0), common, tasks }
    }

    /// Returns how well the pace is kept.
    #[must_use]
    pub fn load(&self) -> MediaLoad {
        let socket_errors = self.common.socket_errors.load(Ordering::Relaxed);
        let none = MediaLoad { socket_errors, ..MediaLoad::default() };
        self.workers.iter().fold(none, |sum, worker| MediaLoad {
            legs: sum.legs + guard(&worker.legs).iter().filter(|leg| leg.strong_count() > 0).count(),
            ticks: sum.ticks + worker.ticks.load(Ordering::Relaxed),
            late_ticks: sum.late_ticks + worker.late_ticks.load(Ordering::Relaxed),
            worst_delay_us: sum.worst_delay_us.max(worker.worst_delay_us.load(Ordering::Relaxed)),
            ..sum
        })
    }

    /// Returns how many legs are open, quiet ones and relays included.
    pub(crate) fn open_legs(&self) -> usize {
        self.common.open.load(Ordering::Relaxed)
    }

    /// Opens a leg's sockets at `ip`, for `phone` if it is one's; it stays quiet until [`LegHandle::start`].
    ///
    /// # Errors
    /// No port pair is free.
    pub(crate) fn open(
        &self,
        network: &dyn Network,
        ip: IpAddr,
        phone: Option<PhoneId>,
    ) -> io::Result<LegHandle> {
        let sockets = network.bind_media(ip)?;
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let worker = self.workers.get(turn % self.workers.len().max(1)).cloned();
        let leg = Leg::new(sockets, Arc::clone(&self.common), network.taps().clone(), phone);
        Ok(LegHandle::new(leg, worker))
    }
}

impl Drop for MediaHub {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Worker {
    /// Ticks for `leg` while it lives and has a voice.
    pub(super) fn add(&self, leg: &Arc<Leg>) {
        let mut legs = guard(&self.legs);
        if !legs.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(leg))) {
            legs.push(Arc::downgrade(leg));
            drop(legs);
            self.more.notify_one();
        }
    }

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
                let all = guard(&self.legs).clone();
                let Ticked { silent, between } = self.tick(due, &all);
                if !self.keep_but(&silent) {
                    break;
                }
                // Late ones follow at once: the clock does not tick meanwhile.
                if !between.is_empty() {
                    tokio::time::sleep_until(due + HALF).await;
                    self.tick(due + HALF, &between);
                }
            }
        }
    }

    /// Forgets the legs that are gone, and `silent` ones; returns whether any is left.
    fn keep_but(&self, silent: &[Weak<Leg>]) -> bool {
        let mut legs = guard(&self.legs);
        legs.retain(|leg| leg.strong_count() > 0 && !silent.iter().any(|silent| silent.ptr_eq(leg)));
        !legs.is_empty()
    }

    /// Drives each of `legs` once.
    fn tick(&self, due: Instant, legs: &[Weak<Leg>]) -> Ticked {
        // The scheduled time, not the actual one: packets keep their spacing when the worker wakes late.
        let at = due.into_std();
        let next = at + HALF;
        let mut ticked = Ticked::default();
        self.common.with_batch(|batch| {
            for (known, leg) in legs.iter().filter_map(|leg| Some((leg, leg.upgrade()?))) {
                match leg.tick(at, batch) {
                    None => ticked.silent.push(Weak::clone(known)),
                    Some(wanted) if wanted <= next => ticked.between.push(Weak::clone(known)),
                    Some(_) => {}
                }
            }
        });
        let delay = due.elapsed();
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.worst_delay_us
            .fetch_max(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if delay > TICK {
            self.late_ticks.fetch_add(1, Ordering::Relaxed);
        }
        ticked
    }
}
