//! The handle that everybody holds: append, read, attach folds.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use tokio::sync::{Notify, Semaphore};

use super::{
    Health, Interest, JournalError, Reader, gaps,
    mark::Mark,
    redact, retention,
    snapshot::Keeper,
    sqlite::{Source, Store},
    state::Shared,
    writer,
};
use crate::{
    event::{Cause, Envelope, Event, Subject},
    id::Seq,
    wall::Wall,
};

/// Name of the file inside a data folder.
pub(super) const FILE: &str = "journal.db";

/// Bytes of events kept in memory by default: about 80,000 typical call events.
const MEMORY: usize = 64 * 1024 * 1024;

/// A cheap handle on one journal.
#[derive(Clone)]
pub struct Journal {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Option<Disk>,
}

pub(super) struct Disk {
    pub(super) folder: PathBuf,
    pub(super) source: Arc<Source>,
    pub(super) keeper: Keeper,
    /// Allows one task at a time to wait for `source`.
    pub(super) turn: Semaphore,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Creates a journal that lives in memory only.
    #[must_use]
    pub fn in_memory(wall: Wall) -> Self {
        Self::in_memory_with_capacity(wall, MEMORY)
    }

    /// Creates a journal in memory that keeps the newest `capacity` bytes of events.
    #[must_use]
    pub fn in_memory_with_capacity(wall: Wall, capacity: usize) -> Self {
        let shared = Arc::new(Shared::new(wall, capacity, Seq(0), false));
        Self { inner: Arc::new(Inner { shared, disk: None }) }
    }

    /// Opens or creates the journal of a data folder; existing events are there for folds, readers
    /// and queries.
    ///
    /// # Errors
    /// [`JournalError::InUse`] if another process writes it, others if its files cannot be used.
    pub fn open(folder: &Path, wall: Wall) -> Result<Self, JournalError> {
        Self::open_with_capacity(folder, wall, MEMORY)
    }

    /// Opens like [`open`](Self::open), but keeps the newest `capacity` bytes of events in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_capacity(folder: &Path, wall: Wall, capacity: usize) -> Result<Self, JournalError> {
        let mark = Mark::lock(folder)?;
        let file = folder.join(FILE);
        let store = Store::open(&file)?;
        retention::finish(folder)?;
        let source = Arc::new(Source::open(&file)?);
        let (end, horizon) = (source.head()?, source.horizon()?);
        // Positions go on after all that were ever given away, also after those whose events are gone.
        let shared = Arc::new(Shared::new(wall, capacity, end.max(mark.reached()), true));
        shared.lock().horizon = horizon;
        let of_writer = Arc::clone(&shared);
        let keeper = Keeper::new(folder, Arc::clone(&source));
        let of_disk = keeper.clone();
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer::run(&of_writer, store, &keeper, mark))
            .map_err(|source| JournalError::Folder { path: folder.to_owned(), source })?;
        let disk = Disk {
            folder: folder.to_owned(),
            source,
            keeper: of_disk,
            turn: Semaphore::new(1),
            writer: Mutex::new(Some(writer)),
        };
        let lost = gaps::lost_end(end.max(horizon), shared.head());
        // Journal what the last process removed but could not report.
        retention::tell(&shared, &disk.source)?;
        let journal = Self { inner: Arc::new(Inner { shared, disk: Some(disk) }) };
        if let Some((after, count)) = lost {
            journal.tell_missing(after, count);
        }
        Ok(journal)
    }

    /// Appends a fact and returns its position; from then on every read of an attached fold
    /// includes it.
    ///
    /// Never waits for a disk and never fails. Secrets inside SIP messages are removed here.
    pub fn append(&self, subject: Subject, cause: Cause, event: impl Into<Event>) -> Seq {
        self.inner.shared.append(subject, cause, redact::event(event.into()))
    }

    /// Appends an event of another journal at its own position, which must be after the newest
    /// here.
    pub(super) fn append_copy(&self, envelope: Envelope) {
        let shared = &self.inner.shared;
        let seq = envelope.seq;
        let event = redact::event(envelope.event);
        shared.push(&mut shared.lock(), Arc::new(Envelope { event, ..envelope }));
        shared.lead_folds(seq);
    }

    /// Returns the position of the newest event; 0 in an empty journal.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.inner.shared.head()
    }

    /// Returns a cursor over everything after `after`.
    #[must_use]
    pub fn reader(&self, after: Seq) -> Reader {
        self.reader_of(after, Interest::everything())
    }

    /// Returns a cursor over what matches `interest` after `after`; nothing else wakes it.
    #[must_use]
    pub fn reader_of(&self, after: Seq, interest: Interest) -> Reader {
        Reader::new(self.clone(), after, interest)
    }

    /// Waits until everything appended so far would survive the death of the process; returns at
    /// once for a journal in memory.
    ///
    /// # Errors
    /// [`JournalError::NotDurable`] if the disk fails or the journal is closed.
    pub async fn flush(&self) -> Result<(), JournalError> {
        if self.inner.disk.is_none() {
            return Ok(());
        }
        let mut health = self.inner.shared.health.subscribe();
        let target = self.inner.shared.hurry();
        // Waiting cannot fail: the sender lives in the journal that `self` holds.
        let settled = health.wait_for(|health| is_settled(health, target)).await.ok();
        settled.map_or(Ok(()), |health| outcome(&health, target))
    }

    /// Waits, without hurrying the disk, until everything up to `seq` would survive the death of
    /// the process, or never will because the disk fails or the journal is closed. Returns the
    /// position up to which that holds; at once for a journal in memory.
    pub async fn settled(&self, seq: Seq) -> Seq {
        if self.inner.disk.is_none() {
            return EVERYTHING;
        }
        let mut health = self.inner.shared.health.subscribe();
        // Waiting cannot fail: the sender lives in the journal that `self` holds.
        let settled = health.wait_for(|health| is_settled(health, seq)).await;
        settled.map_or(EVERYTHING, |health| settled_to(&health))
    }

    /// Returns whether [`settled`](Self::settled) would return at once.
    pub(crate) fn is_settled(&self, seq: Seq) -> bool {
        self.inner.disk.is_none() || is_settled(self.inner.shared.lock().health(), seq)
    }

    /// Returns whether what is appended goes to a disk.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.inner.disk.is_some()
    }

    /// Like [`flush`](Self::flush), but blocks the thread.
    ///
    /// # Errors
    /// [`JournalError::NotDurable`] if the disk fails or the journal is closed.
    pub fn flush_blocking(&self) -> Result<(), JournalError> {
        if self.inner.disk.is_none() {
            return Ok(());
        }
        let target = self.inner.shared.hurry();
        outcome(&self.inner.shared.settle(|health| is_settled(health, target)), target)
    }

    /// Makes everything durable and releases the folder; later events stay in memory.
    ///
    /// # Errors
    /// [`JournalError::NotDurable`] if the disk fails.
    pub async fn close(&self) -> Result<(), JournalError> {
        let journal = self.clone();
        // The writer first has to write its last group and a checkpoint, and nobody knows how slow
        // the disk is.
        match tokio::task::spawn_blocking(move || journal.close_blocking()).await {
            Ok(closed) => closed,
            Err(error) => {
                let durable = self.health().durable.unwrap_or_default();
                Err(JournalError::NotDurable { durable, because: error.to_string() })
            }
        }
    }

    /// Closes like [`close`](Self::close), blocking the thread.
    ///
    /// # Errors
    /// [`JournalError::NotDurable`] if the disk fails.
    pub fn close_blocking(&self) -> Result<(), JournalError> {
        let target = self.head();
        let Some(disk) = &self.inner.disk else { return Ok(()) };
        disk.end(&self.inner.shared);
        outcome(&self.health(), target)
    }

    /// Returns how the disk is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.shared.lock().health().clone()
    }

    /// Returns why facts cannot be kept on disk now; `None` if they can, or if there is no disk.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.inner.disk.as_ref()?;
        let state = self.inner.shared.lock();
        let Health { failure, writing, .. } = state.health();
        failure.clone().or_else(|| (!writing).then(|| "the journal is closed".to_owned()))
    }

    /// Returns the clock that dates the events.
    #[must_use]
    pub fn wall(&self) -> Wall {
        self.inner.shared.wall
    }

    pub(super) fn enter(&self, interest: Interest) -> (usize, Arc<Notify>) {
        self.inner.shared.lock().watchers.enter(interest)
    }

    pub(super) fn leave(&self, place: usize) {
        self.inner.shared.lock().watchers.leave(place);
    }
}

impl Disk {
    /// Lets the writer finish and waits for its end.
    fn end(&self, shared: &Shared) {
        shared.end_writer();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // However it ended, it has reported that itself.
            drop(writer.join());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(disk) = &self.disk {
            disk.end(&self.shared);
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("head", &self.head()).field("health", &self.health()).finish()
    }
}

/// A position that no event reaches.
const EVERYTHING: Seq = Seq(u64::MAX);

/// Returns the position up to which events are on disk or never will be.
fn settled_to(health: &Health) -> Seq {
    if health.failure.is_some() || !health.writing { EVERYTHING } else { health.durable.unwrap_or_default() }
}

fn is_settled(health: &Health, target: Seq) -> bool {
    settled_to(health) >= target
}

fn outcome(health: &Health, target: Seq) -> Result<(), JournalError> {
    match health.durable {
        Some(durable) if durable < target => {
            let because = health.failure.clone().unwrap_or_else(|| "the journal is closed".to_owned());
            Err(JournalError::NotDurable { durable, because })
        }
        Some(_) | None => Ok(()),
    }
}
