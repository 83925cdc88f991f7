//! One clock for every voice of a lab; it stands still while nobody speaks.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::leg::Inside;

/// Duration of a frame.
const TICK: Duration = Duration::from_millis(20);

/// The clock; it ends when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Clock {
    shared: Arc<Shared>,
    _task: Arc<Task>,
}

#[derive(Default)]
struct Shared {
    voices: Mutex<Vec<Weak<Inside>>>,
    more: Notify,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Clock {
    pub(super) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(run(Arc::clone(&shared))).abort_handle();
        Self { shared, _task: Arc::new(Task(task)) }
    }

    /// Ticks for `leg` while it lives and has a voice.
    pub(super) fn add(&self, leg: &Arc<Inside>) {
        self.shared.lock().push(Arc::downgrade(leg));
        self.shared.more.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Inside>>> {
        self.voices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(shared: Arc<Shared>) {
    loop {
        shared.more.notified().await;
        let mut ticks = interval(TICK);
        // A session makes up for late ticks by itself.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let now = ticks.tick().await.max(Instant::now()).into_std();
            // Taken out while they work, so that a leg may be added meanwhile.
            let mut voices = std::mem::take(&mut *shared.lock());
            voices.retain(|leg| leg.upgrade().is_some_and(|leg| leg.tick(now)));
            let mut kept = shared.lock();
            kept.extend(voices);
            if kept.is_empty() {
                break;
            }
        }
    }
}
