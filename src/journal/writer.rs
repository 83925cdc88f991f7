//! The one thread that writes: takes groups of events and makes them durable.

use std::{fs::File, sync::Arc, time::Duration};

use super::{sqlite::Store, state::Shared};
use crate::event::Envelope;

/// Events in one transaction at most, so that a backlog becomes durable step by step.
const TRANSACTION: usize = 2_000;
/// Pause before a refused transaction is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes until it is asked to end; gives the folder back then.
pub(super) fn run(shared: &Shared, mut store: Store, lock: File) {
    let mut ending = Ending { shared, because: Some("the writer failed") };
    let mut group = Vec::new();
    while shared.next_group(&mut group) {
        for part in group.chunks(TRANSACTION) {
            if !write(shared, &mut store, part, group.len()) {
                ending.because = Some("the disk refused for too long");
                return;
            }
        }
        group.clear();
    }
    if let Err(error) = store.finish() {
        // Nothing is lost: the log beside the file holds it.
        tracing::warn!(%error, "journal keeps its log");
    }
    drop(lock);
    ending.because = None;
}

/// Publishes the end of the writer, also one by a panic: nobody waits for a thread that is gone.
pub(super) struct Ending<'a> {
    pub(super) shared: &'a Shared,
    /// Why nothing more is written; absent when that was asked for.
    pub(super) because: Option<&'static str>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.writer_ended(self.because);
    }
}

/// Writes one transaction, again and again while there is hope.
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
