//! The one thread that writes: takes groups of events and makes them durable.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use super::{mark::Mark, snapshot::Keeper, sqlite::Store, state::Shared};
use crate::event::Envelope;

/// Most events in one transaction, so that a backlog becomes durable step by step.
const TRANSACTION: usize = 2_000;
/// Events after which the folds are saved again, so that a start after a crash does not take long.
const KEEP: usize = 200_000;
/// Number of new events that makes saving the folds at the end worthwhile.
const WORTH: u64 = 2_000;
/// Pause before a failed transaction is retried.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes until asked to end, then releases the folder.
pub(super) fn run(shared: &Arc<Shared>, mut store: Store, keeper: &Keeper, mut mark: Mark) {
    let mut ending = Ending { shared, because: Some("the writer failed") };
    let mut group = Vec::new();
    let mut keeping = Keeping { shared, keeper, written: 0, thread: None };
    while shared.next_group(&mut group) {
        for part in group.chunks(TRANSACTION) {
            if !write(shared, &mut store, part, group.len()) {
                ending.because = Some("the disk refused for too long");
                return;
            }
            part.last().into_iter().for_each(|last| mark.note(last.seq));
        }
        keeping.wrote(group.len());
        if store.others_wrote() && keeper.tell(shared) {
            store.note();
        }
        group.clear();
    }
    keeping.end();
    if let Err(error) = store.finish() {
        // Nothing is lost: the write-ahead log next to the file has it.
        tracing::warn!(%error, "journal keeps its log");
    }
    // The folder is ours until the folds are saved as well.
    keeper.keep(shared, WORTH);
    drop(mark);
    ending.because = None;
}

/// Publishes the end of the writer, even after a panic: nobody waits for a thread that is gone.
pub(super) struct Ending<'a> {
    pub(super) shared: &'a Shared,
    /// Why nothing more is written; `None` if the end was requested.
    pub(super) because: Option<&'static str>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.writer_ended(self.because);
    }
}

/// Writes one transaction, retrying as long as that makes sense.
fn write(shared: &Shared, store: &mut Store, part: &[Arc<Envelope>], waiting: usize) -> bool {
    loop {
        match store.insert(part) {
            Ok(()) => {
                if let Some(last) = part.last() {
                    shared.committed(last.seq);
                }
                return true;
            }
            Err(error) => {
                if !shared.failed(&error.to_string(), waiting, PAUSE) {
                    return false;
                }
            }
        }
    }
}

/// Saves the folds now and then, on a thread of its own: it takes longer than a message may wait
/// for its facts.
struct Keeping<'a> {
    shared: &'a Arc<Shared>,
    keeper: &'a Keeper,
    /// Events written since the last time.
    written: usize,
    thread: Option<JoinHandle<()>>,
}

impl Keeping<'_> {
    fn wrote(&mut self, events: usize) {
        self.written = self.written.saturating_add(events);
        if self.written < KEEP || self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        self.written = 0;
        let (shared, keeper) = (Arc::clone(self.shared), self.keeper.clone());
        let thread = std::thread::Builder::new().name("journal-folds".to_owned());
        self.thread = match thread.spawn(move || keeper.keep(&shared, 0)) {
            Ok(thread) => Some(thread),
            Err(error) => {
                tracing::warn!(%error, "folds are not kept");
                None
            }
        };
    }

    fn end(self) {
        if self.thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("keeping the folds failed");
        }
    }
}
