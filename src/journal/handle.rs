//! The handle that everybody holds: append, read, attach folds.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{Fold, Gone, JournalError, Query, Reader, memory::Memory, redact};
use crate::{
    event::{Cause, Envelope, Event, Subject},
    id::Seq,
    wall::Wall,
};

/// Events kept in memory unless told otherwise.
const MEMORY_EVENTS: usize = 100_000;

/// How many events are looked at under one hold of the lock.
const SCAN: usize = 1024;

/// A cheap handle on one journal.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    wall: Wall,
    state: Mutex<State>,
    more: watch::Sender<()>,
}

struct State {
    head: Seq,
    memory: Memory,
    folds: Vec<Box<dyn Fold>>,
}

/// How the journal's disk is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The first disk failure that has not been made up for, in words; absent when all is well.
    pub failure: Option<String>,
}

impl Journal {
    /// Makes a journal that lives and dies with the process.
    #[must_use]
    pub fn in_memory(wall: Wall) -> Self {
        Self::in_memory_with_capacity(wall, MEMORY_EVENTS)
    }

    /// Makes a journal in memory that keeps the newest `capacity` events.
    #[must_use]
    pub fn in_memory_with_capacity(wall: Wall, capacity: usize) -> Self {
        let state = State { head: Seq(0), memory: Memory::new(capacity, Seq(0)), folds: Vec::new() };
        let inner = Inner { wall, state: Mutex::new(state), more: watch::Sender::new(()) };
        Self { inner: Arc::new(inner) }
    }

    /// Appends a fact and returns its position; attached folds have seen it when this returns.
    ///
    /// Never waits for a disk and never fails. Secrets inside SIP messages are removed here.
    pub fn append(&self, subject: Subject, cause: Cause, event: impl Into<Event>) -> Seq {
        let event = redact::event(event.into());
        let seq = {
            let mut state = self.state();
            let seq = Seq(state.head.0.saturating_add(1));
            // The time is taken under the lock, so that it never runs backwards along the journal.
            let at = self.inner.wall.now();
            state.head = seq;
            let envelope = Arc::new(Envelope { seq, at, subject, cause, event });
            for fold in &mut state.folds {
                fold.apply(&envelope);
            }
            state.memory.push(envelope, seq);
            seq
        };
        self.inner.more.send_replace(());
        seq
    }

    /// Shows `fold` everything that exists and, from then on, every event inside its append.
    pub fn attach(&self, mut fold: impl Fold + 'static) {
        let mut state = self.state();
        for envelope in state.memory.after(Seq(0), usize::MAX) {
            fold.apply(envelope);
        }
        state.folds.push(Box::new(fold));
    }

    /// Returns the position of the newest event; 0 in an empty journal.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.state().head
    }

    /// Returns a cursor on everything after `after`.
    #[must_use]
    pub fn reader(&self, after: Seq) -> Reader {
        Reader::new(self.clone(), after)
    }

    /// Returns one event, if it is still kept.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<Arc<Envelope>> {
        self.state().memory.get(seq).cloned()
    }

    /// Returns the selected events.
    ///
    /// # Errors
    /// [`JournalError`] when older events cannot be read back.
    pub fn query(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut after = query.after.unwrap_or_default();
        loop {
            let page: Vec<_> = self.state().memory.after(after, SCAN).cloned().collect();
            let Some(last) = page.last() else { break };
            after = last.seq;
            found.extend(page.into_iter().filter(|envelope| query.matches(envelope)));
            if !query.newest_first && found.len() >= limit {
                break;
            }
        }
        if query.newest_first {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Waits until everything appended so far is durable.
    ///
    /// # Errors
    /// [`JournalError`] when the disk refuses.
    pub async fn flush(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Waits, blocking the thread, until everything appended so far is durable.
    ///
    /// # Errors
    /// [`JournalError`] when the disk refuses.
    pub fn flush_blocking(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Makes everything durable and lets go of the files; later events stay in memory.
    ///
    /// # Errors
    /// [`JournalError`] when the disk refuses.
    pub fn close(&self) -> Result<(), JournalError> {
        self.flush_blocking()
    }

    /// Returns how the disk is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::default()
    }

    /// Returns the clock that dates the events.
    #[must_use]
    pub fn wall(&self) -> Wall {
        self.inner.wall
    }

    pub(super) fn more(&self) -> watch::Receiver<()> {
        self.inner.more.subscribe()
    }

    /// Returns the next events after `after`, at most `limit`.
    pub(super) fn page(&self, after: Seq, limit: usize) -> Result<VecDeque<Arc<Envelope>>, Gone> {
        let state = self.state();
        let complete_after = state.memory.complete_after();
        if after < complete_after {
            return Err(Gone { oldest: Seq(complete_after.0.saturating_add(1)) });
        }
        Ok(state.memory.after(after, limit).cloned().collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A fold that panicked leaves the journal itself whole.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
