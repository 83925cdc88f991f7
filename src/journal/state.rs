//! The state shared by the handles and the writer thread.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{fold::Follower, interest::Watchers, memory::Memory};
use crate::{
    event::{Cause, Envelope, Event, Subject},
    id::Seq,
    wall::Wall,
};

/// A group is written when it has this many events ...
const GROUP: usize = 500;
/// ... or when its first event has waited this long.
const GATHER: Duration = Duration::from_millis(1);
/// How far folds may fall behind before an appender brings them up to date.
const LAG: u64 = 256;
/// Events that may wait for the disk; beyond that, the journal goes on in memory only.
const BACKLOG: usize = 400_000;

/// How the disk is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The newest event on disk; `None` in a journal without one.
    pub durable: Option<Seq>,
    /// The disk failure that has not been recovered from; `None` when all is well.
    pub failure: Option<String>,
    /// Whether later events will reach the disk; false in memory, after `close`, and after a
    /// failure that lasted too long.
    pub writing: bool,
}

/// Everything under the journal's one lock.
pub(super) struct State {
    pub(super) head: Seq,
    pub(super) memory: Memory,
    pub(super) watchers: Watchers,
    /// No event after this one has ever been removed from the file.
    pub(super) horizon: Seq,
    health: Health,
    pending: Vec<Arc<Envelope>>,
    flush: bool,
    closing: bool,
}

/// The state, and what wakes those who wait for it to change.
pub(super) struct Shared {
    state: Mutex<State>,
    /// A copy of the head in the state, readable without the lock.
    head: AtomicU64,
    folds: RwLock<Vec<Arc<dyn Follower>>>,
    /// Every fold has applied the events up to here; later ones must stay in memory.
    folded: AtomicU64,
    /// Dates the events.
    pub(super) wall: Wall,
    /// The last removal that has been journaled.
    pub(super) told: Mutex<i64>,
    work: Condvar,
    settled: Condvar,
    pub(super) health: watch::Sender<Health>,
}

impl State {
    fn push(&mut self, envelope: Arc<Envelope>, folded: Seq) -> bool {
        let mut wake = false;
        if self.health.writing {
            self.pending.push(Arc::clone(&envelope));
            wake = self.pending.len() == 1 || self.pending.len() == GROUP;
            if self.pending.len() > BACKLOG {
                self.give_up("the disk is too slow");
            }
        }
        let durable = match self.health.durable {
            Some(durable) if self.health.writing => durable,
            Some(_) | None => envelope.seq,
        };
        self.memory.push(Arc::clone(&envelope), durable.min(folded));
        self.watchers.happened(&envelope);
        wake
    }

    fn give_up(&mut self, because: &str) {
        self.health.writing = false;
        let because = self.health.failure.get_or_insert_with(|| because.to_owned());
        tracing::error!(error = %because, lost = self.pending.len(), "journal goes on in memory only");
        self.pending = Vec::new();
    }

    pub(super) const fn health(&self) -> &Health {
        &self.health
    }
}

impl Shared {
    /// Creates the state of a journal whose newest event is `head`; `on_disk` if there is a writer.
    pub(super) fn new(wall: Wall, capacity: usize, head: Seq, on_disk: bool) -> Self {
        let health = Health { durable: on_disk.then_some(head), failure: None, writing: on_disk };
        let state = State {
            head,
            memory: Memory::new(capacity, head),
            watchers: Watchers::new(),
            horizon: Seq(0),
            health: health.clone(),
            pending: Vec::new(),
            flush: false,
            closing: false,
        };
        Self {
            state: Mutex::new(state),
            head: AtomicU64::new(head.0),
            folds: RwLock::default(),
            folded: AtomicU64::new(u64::MAX),
            wall,
            told: Mutex::new(0),
            work: Condvar::new(),
            settled: Condvar::new(),
            health: watch::Sender::new(health),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A fold that panicked leaves the journal itself intact.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a fact without secrets and returns its position.
    pub(super) fn append(&self, subject: Subject, cause: Cause, event: Event) -> Seq {
        let mut state = self.lock();
        let seq = Seq(state.head.0.saturating_add(1));
        // The time is taken under the lock, so that it never runs backwards along the journal.
        let at = self.wall.now();
        let wake_writer = self.push(&mut state, Arc::new(Envelope { seq, at, subject, cause, event }));
        drop(state);
        if wake_writer {
            self.wake_writer();
        }
        self.lead_folds(seq);
        seq
    }

    /// Adds the newest event; returns whether the writer must be woken.
    pub(super) fn push(&self, state: &mut State, envelope: Arc<Envelope>) -> bool {
        let was_writing = state.health.writing;
        let seq = envelope.seq;
        state.head = seq;
        let wake = state.push(envelope, Seq(self.folded.load(Ordering::Acquire)));
        self.head.store(seq.0, Ordering::Release);
        if was_writing && !state.health.writing {
            self.publish(state);
        }
        wake
    }

    /// Returns the position of the newest event.
    pub(super) fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    /// Adds a fold. It must have applied everything that is not in memory; holding `_state` keeps
    /// that true.
    pub(super) fn add_fold(&self, _state: &MutexGuard<'_, State>, fold: Arc<dyn Follower>) {
        self.folds.write().unwrap_or_else(PoisonError::into_inner).push(fold);
        self.note_folded();
    }

    /// Returns the folds that follow.
    pub(super) fn folds(&self) -> Vec<Arc<dyn Follower>> {
        self.folds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes up to which event every fold is current.
    pub(super) fn note_folded(&self) {
        let folds = self.folds.read().unwrap_or_else(PoisonError::into_inner);
        let seen = folds.iter().map(|fold| fold.seen().0).min();
        self.folded.store(seen.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Brings the folds up to date if they are far behind `seq`, so that memory need not wait for a
    /// reader.
    pub(super) fn lead_folds(&self, seq: Seq) {
        if seq.0.saturating_sub(self.folded.load(Ordering::Acquire)) >= LAG {
            self.folds().iter().for_each(|fold| fold.follow(self));
        }
    }

    /// Wakes the writer.
    pub(super) fn wake_writer(&self) {
        self.work.notify_one();
    }

    /// Asks the writer to write at once; returns the position up to which it will.
    pub(super) fn hurry(&self) -> Seq {
        let mut state = self.lock();
        state.flush = true;
        self.work.notify_one();
        state.head
    }

    /// Waits, blocking the thread, until the disk's health is as `wanted`.
    pub(super) fn settle(&self, wanted: impl Fn(&Health) -> bool) -> Health {
        let mut state = self.lock();
        while !wanted(&state.health) {
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.health.clone()
    }

    /// Asks the writer to write what there is and to end.
    pub(super) fn end_writer(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// Waits for the next group and swaps it with `empty`; returns false when the writer is to end.
    pub(super) fn next_group(&self, empty: &mut Vec<Arc<Envelope>>) -> bool {
        let mut state = self.lock();
        while state.pending.is_empty() && !state.closing {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let first = Instant::now();
        while state.pending.len() < GROUP && !state.flush && !state.closing {
            let Some(left) = GATHER.checked_sub(first.elapsed()) else { break };
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.flush = false;
        std::mem::swap(&mut state.pending, empty);
        if empty.is_empty() {
            // Under this lock, so that no event can still be queued for a writer that is gone.
            state.health.writing = false;
        }
        !empty.is_empty()
    }

    /// Notes that everything up to `durable` is on disk.
    pub(super) fn committed(&self, durable: Seq) {
        self.change_health(|state| {
            // A journal that gave up keeps its reason.
            if state.health.writing && state.health.failure.take().is_some() {
                tracing::info!(%durable, "journal reaches the disk again");
            }
            state.health.durable = Some(durable);
        });
    }

    /// Notes a failure and pauses; returns false if there is no use in trying again.
    pub(super) fn failed(&self, because: &str, waiting: usize, pause: Duration) -> bool {
        self.change_health(|state| {
            tracing::error!(error = because, "journal cannot be written");
            state.health.failure = Some(because.to_owned());
        });
        let until = Instant::now() + pause;
        let mut state = self.lock();
        while !state.closing && state.health.writing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return state.pending.len().saturating_add(waiting) <= BACKLOG;
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Notes that nothing more will be written; `failure` is the reason, unless the end was
    /// requested.
    pub(super) fn writer_ended(&self, failure: Option<&str>) {
        self.change_health(|state| {
            if let Some(because) = failure {
                state.give_up(because);
            }
            state.health.writing = false;
        });
    }

    fn change_health(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        self.publish(&state);
    }

    /// Notifies those who wait for the disk; under the lock, so that two changes cannot be
    /// published in the wrong order.
    fn publish(&self, state: &State) {
        self.health.send_replace(state.health.clone());
        self.settled.notify_all();
    }
}
