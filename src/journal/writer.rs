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
    let mut group = Vec::new();
    while shared.next_group(&mut group) {
        for part in group.chunks(TRANSACTION) {
            if !write(shared, &mut store, part, group.len()) {
                shared.writer_ended(Some("the disk refused for too long"));
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
    shared.writer_ended(None);
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
