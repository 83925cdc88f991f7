//! The threads that write recordings and captures: a few for a whole hub.
//!
//! A file that has something to write takes a turn on one of them. A disk that stands still holds
//! up the thread of its own turn; other files use the other threads. Threads start when
//! all are busy, and end when there is nothing to do.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::leg::guard;

/// Most threads: with disks that stand still under three recordings, one is left for all others.
const THREADS: usize = 4;
/// How long an idle thread waits before it ends: five times the interval between the turns of a
/// running recording.
const IDLE: Duration = Duration::from_secs(1);

/// Something that can take a turn.
pub(crate) trait Turn: Send + Sync {
    /// Writes what waits; may block. Returns whether another turn is wanted. None follows a panic.
    fn take(&self) -> bool;
}

/// The threads, and the turns that wait for one.
#[derive(Default)]
pub(crate) struct Writers {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<dyn Turn>>,
    threads: usize,
    /// Threads waiting for something to do.
    idle: usize,
}

impl std::fmt::Debug for Writers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writers").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

impl Writers {
    /// Returns the number of threads.
    pub(super) fn threads(&self) -> usize {
        guard(&self.state).threads
    }

    /// Runs `turn` on the next free thread; never waits.
    ///
    /// # Errors
    /// The system provides no thread, and there is none yet.
    pub(crate) fn queue(self: &Arc<Self>, turn: Arc<dyn Turn>) -> io::Result<()> {
        let mut state = guard(&self.state);
        state.waiting.push_back(Arc::clone(&turn));
        if state.waiting.len() <= state.idle || state.threads >= THREADS {
            self.more.notify_one();
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let seat = Seat { writers: Arc::clone(self), left: false };
        let Err(error) = std::thread::Builder::new().name("writer".to_owned()).spawn(move || seat.work())
        else {
            return Ok(());
        };
        let mut state = guard(&self.state);
        if state.threads > 0 {
            return Ok(());
        }
        state.waiting.retain(|waiting| !Arc::ptr_eq(waiting, &turn));
        Err(error)
    }
}

/// A thread's place among the threads.
struct Seat {
    writers: Arc<Writers>,
    /// It has been given up.
    left: bool,
}

impl Drop for Seat {
    /// Gives up the place of a thread that was never started.
    fn drop(&mut self) {
        if !self.left {
            guard(&self.writers.state).threads -= 1;
        }
    }
}

impl Seat {
    fn work(mut self) {
        while let Some(turn) = self.next() {
            // A panic ends the file whose turn it was, and no other: the thread goes on.
            let again = catch_unwind(AssertUnwindSafe(|| turn.take())).unwrap_or(false);
            if again {
                guard(&self.writers.state).waiting.push_back(turn);
            }
        }
    }

    /// Waits for something to do; if nothing comes for a while, gives up the place and returns
    /// `None`.
    fn next(&mut self) -> Option<Arc<dyn Turn>> {
        let mut state = guard(&self.writers.state);
        if state.waiting.is_empty() {
            state.idle += 1;
            let nothing = |state: &mut State| state.waiting.is_empty();
            let waited = self.writers.more.wait_timeout_while(state, IDLE, nothing);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
        let turn = state.waiting.pop_front();
        if turn.is_none() {
            // Under the lock, so that whoever queues next knows that nobody is left.
            state.threads -= 1;
            self.left = true;
        }
        turn
    }
}
