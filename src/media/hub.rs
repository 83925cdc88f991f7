//! The clock: each worker ticks every voice and every bridge assigned to it every 20 ms, and
//! stands still without any.
//!
//! Packets of 10 and 30 ms are also due halfway between two ticks. Only voices that have such a
//! packet waiting get a half tick then.

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
    bridge::{Bridge, BridgeHandle},
    handle::LegHandle,
    leg::{Common, Leg, guard},
};
use crate::{
    id::PhoneId,
    net::{Batch, Network},
};

/// The pace at which sound is heard and sent.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// From a tick to halfway before the next one, when packets that are not whole ticks long are due.
const HALF: Duration = Duration::from_millis(10);

/// The media workers of a process or of a lab; legs are spread over them.
#[derive(Debug)]
pub struct MediaHub {
    first: Arc<Worker>,
    others: Vec<Arc<Worker>>,
    next: AtomicUsize,
    common: Arc<Common>,
    tasks: Vec<AbortHandle>,
}

/// How well a hub keeps its pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaLoad {
    /// Legs being driven now.
    pub legs: usize,
    /// Ticks since the start, including half ticks.
    pub ticks: u64,
    /// Ticks that ended more than 20 ms after they were due, so that some packet was at least that
    /// late.
    pub late_ticks: u64,
    /// The largest such delay in microseconds.
    pub worst_delay_us: u64,
    /// How often reading from or sending to a media socket failed.
    pub socket_errors: u64,
}

/// One clock and what it drives.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// Each with how often it was added: what is added while it is ticked goes on, even if that tick
    /// found nothing to drive.
    pub(super) driven: Mutex<Vec<(Driven, u64)>>,
    common: Arc<Common>,
    more: Notify,
    ticks: AtomicU64,
    late_ticks: AtomicU64,
    worst_delay_us: AtomicU64,
}

/// What a clock drives.
#[derive(Clone, Debug)]
pub(super) enum Driven {
    /// A voice on its own.
    Leg(Weak<Leg>),
    /// Voices that hear each other.
    Bridge(Weak<Bridge>),
}

impl Driven {
    /// Drives it once; returns when it next wants the clock, or `None` if nothing is left to drive.
    fn tick(&self, due: std::time::Instant, batch: &mut Batch) -> Option<std::time::Instant> {
        match self {
            Self::Leg(leg) => leg.upgrade()?.tick(due, batch),
            Self::Bridge(bridge) => bridge.upgrade()?.tick(due, batch),
        }
    }

    /// Returns how many legs it has.
    fn legs(&self) -> usize {
        match self {
            Self::Leg(leg) => usize::from(leg.strong_count() > 0),
            Self::Bridge(bridge) => bridge.upgrade().map_or(0, |bridge| bridge.members()),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leg(one), Self::Leg(two)) => one.ptr_eq(two),
            (Self::Bridge(one), Self::Bridge(two)) => one.ptr_eq(two),
            (Self::Leg(_), Self::Bridge(_)) | (Self::Bridge(_), Self::Leg(_)) => false,
        }
    }
}

/// The result of a tick.
#[derive(Default)]
struct Ticked {
    /// What has no voice any more.
    silent: Vec<(Driven, u64)>,
    /// What has a packet due before the next tick.
    between: Vec<(Driven, u64)>,
}

impl MediaHub {
    /// Starts `workers` workers; must be called inside a tokio runtime.
    #[must_use]
    pub fn start(workers: usize) -> Self {
        let common = Arc::<Common>::default();
        let worker = |_| Arc::new(Worker { common: Arc::clone(&common), ..Worker::default() });
        let (first, others): (_, Vec<_>) = (worker(0), (1..workers).map(worker).collect());
        let run = |worker: &Arc<Worker>| tokio::spawn(Arc::clone(worker).run()).abort_handle();
        let tasks = std::iter::once(&first).chain(&others).map(run).collect();
        Self { first, others, next: AtomicUsize::new(0), common, tasks }
    }

    /// Returns how well the hub keeps its pace.
    #[must_use]
    pub fn load(&self) -> MediaLoad {
        let socket_errors = self.common.socket_errors.load(Ordering::Relaxed);
        let none = MediaLoad { socket_errors, ..MediaLoad::default() };
        std::iter::once(&self.first).chain(&self.others).fold(none, |sum, worker| MediaLoad {
            // Iterate over a copy: dropping the last clone of a bridge moves its members back,
            // which locks the list.
            legs: sum.legs + worker.all().iter().map(|(one, _)| one.legs()).sum::<usize>(),
            ticks: sum.ticks + worker.ticks.load(Ordering::Relaxed),
            late_ticks: sum.late_ticks + worker.late_ticks.load(Ordering::Relaxed),
            worst_delay_us: sum.worst_delay_us.max(worker.worst_delay_us.load(Ordering::Relaxed)),
            ..sum
        })
    }

    /// Returns the threads that write files.
    pub(crate) fn writers(&self) -> Arc<super::Writers> {
        Arc::clone(&self.common.writers)
    }

    /// Returns how many legs are open, idle ones and relays included.
    pub(crate) fn open_legs(&self) -> usize {
        self.common.open.load(Ordering::Relaxed)
    }

    /// Opens a leg's sockets at `ip`, for `phone` if it belongs to one; nothing flows until
    /// [`LegHandle::start`].
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
        let leg = Leg::new(sockets, Arc::clone(&self.common), network.taps().clone(), phone);
        Ok(LegHandle::new(leg, self.next_worker()))
    }

    pub(crate) fn bridge(&self) -> BridgeHandle {
        BridgeHandle::new(self.next_worker())
    }

    fn next_worker(&self) -> Arc<Worker> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        Arc::clone(self.others.get(turn).unwrap_or(&self.first))
    }
}

impl Drop for MediaHub {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Worker {
    /// Ticks `new` as long as it lives and has a voice.
    pub(super) fn add(&self, new: Driven) {
        let mut driven = guard(&self.driven);
        if let Some((_, times)) = driven.iter_mut().find(|(known, _)| known.is(&new)) {
            *times = times.wrapping_add(1);
            return;
        }
        driven.push((new, 0));
        drop(driven);
        self.more.notify_one();
    }

    async fn run(self: Arc<Self>) {
        loop {
            // Nothing to drive: sleep without a timer.
            while guard(&self.driven).is_empty() {
                self.more.notified().await;
            }
            let mut clock = tokio::time::interval(TICK);
            clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                let due = clock.tick().await;
                let all = self.all();
                let Ticked { silent, between } = self.tick(due, &all);
                if !self.keep_but(&silent) {
                    break;
                }
                // The clock does not tick during this wait; if it takes too long, the next ticks
                // follow at once.
                if !between.is_empty() {
                    tokio::time::sleep_until(due + HALF).await;
                    self.tick(due + HALF, &between);
                }
            }
        }
    }

    fn all(&self) -> Vec<(Driven, u64)> {
        guard(&self.driven).clone()
    }

    /// Removes what is gone and what is `silent`, unless it was added again meanwhile; returns
    /// whether anything is left.
    fn keep_but(&self, silent: &[(Driven, u64)]) -> bool {
        let mut driven = guard(&self.driven);
        driven.retain(|(one, times)| !silent.iter().any(|(silent, then)| silent.is(one) && then == times));
        !driven.is_empty()
    }

    /// Drives all of `driven` once.
    fn tick(&self, due: Instant, driven: &[(Driven, u64)]) -> Ticked {
        // The scheduled time, not the actual one: packets keep their spacing when the worker wakes
        // late.
        let at = due.into_std();
        let next = at + HALF;
        let mut ticked = Ticked::default();
        self.common.with_batch(|batch| {
            for one in driven {
                match one.0.tick(at, batch) {
                    None => ticked.silent.push(one.clone()),
                    Some(wanted) if wanted <= next => ticked.between.push(one.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_again_while_a_tick_finds_it_silent_goes_on() {
        let (worker, leg) = (Worker::default(), Driven::Leg(Weak::new()));
        worker.add(leg.clone());
        let ticked = worker.all();
        worker.add(leg);
        assert!(worker.keep_but(&ticked), "it was added after that tick had looked");
        assert!(!worker.keep_but(&worker.all()), "it is silent");
    }
}
