//! Reading a journal: from memory what is there, from the file what is older.
//!
//! Whatever waits for the file does so on a blocking thread, one at a time; memory is read in short
//! stretches.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Attached, Fold, Gone, Interest, Journal, JournalError, KeptFold, Query,
    fold::{Following, Named, keeping},
    gaps::Gaps,
    snapshot,
    sqlite::Source,
};
use crate::{
    event::{Cause, Envelope, Subject, SystemEvent},
    id::Seq,
};

/// Events examined in memory at once: few enough to hold the lock only briefly.
const SCAN: usize = 1024;

/// Events that a reader takes at once.
const TAKE: usize = 64;

/// Events read from the file at once.
const PAGE: usize = 512;

/// What a reader finds.
pub(super) enum Found {
    /// The reader has seen everything; the next event it wants wakes it.
    Nothing,
    /// The next events, and the position up to which there are no others.
    Page { events: VecDeque<Arc<Envelope>>, seen: Seq },
    /// The next events are in the file.
    OnDisk,
    /// They are no longer kept.
    Gone(Gone),
}

/// A stretch of events that are only in the file.
struct Stored {
    events: Vec<Arc<Envelope>>,
    /// Everything up to here is in `events` or was never written.
    shown: Seq,
    /// Whether the stretch can no longer be read.
    gone: bool,
}

/// A query in progress: what it found, and where to continue.
struct Search {
    query: Query,
    found: Vec<Arc<Envelope>>,
    /// Forwards, everything up to here is done; backwards, everything from here on.
    edge: Seq,
    done: bool,
}

/// Where the next part of a search is.
enum Part {
    Memory,
    File(Query),
}

impl Journal {
    /// Attaches `fold` and applies every event to it, past and future; blocks the thread while
    /// older events are read back.
    pub fn attach<F: Fold + Sync + 'static>(&self, fold: F) -> Attached<F> {
        self.follow(Following::new(fold, Seq(0), None), Seq(0), "", 0)
    }

    /// Attaches a kept fold: loads its saved copy, or starts it empty, and applies everything
    /// since. Blocks as [`attach`](Self::attach) does. From now on it is saved, if the journal has
    /// a disk.
    pub fn attach_kept<F: KeptFold>(&self) -> Attached<F> {
        let disk = self.inner.disk.as_ref();
        let kept = disk.and_then(|disk| snapshot::load::<F>(&disk.folder, &disk.source));
        let (fold, seen) = kept.unwrap_or_default();
        self.follow(Following::new(fold, seen, Some(keeping::<F>)), seen, F::NAME, F::VERSION)
    }

    fn follow<F: Fold + Sync + 'static>(
        &self,
        mut following: Following<F>,
        mut shown: Seq,
        name: &'static str,
        version: u32,
    ) -> Attached<F> {
        let horizon = self.inner.shared.lock().horizon;
        let mut gaps = Gaps::default();
        // Events on disk are applied without the lock; only the last stretch, from memory, needs
        // it.
        loop {
            while let Some(page) = self.stored_page(shown) {
                gaps.look(shown, &page.events, horizon);
                if page.gone {
                    tracing::error!(after = %shown, up_to = %page.shown, "events cannot be read; a view lacks them");
                }
                following.show(&page.events, page.shown);
                shown = page.shown;
            }
            let state = self.inner.shared.lock();
            if self.inner.disk.is_some() && shown < state.memory.complete_after() {
                continue;
            }
            let following = Arc::new(following);
            let named = Named { following: Arc::clone(&following), name, version };
            self.inner.shared.add_fold(&state, Arc::new(named));
            drop(state);
            gaps.untold().for_each(|(after, count)| self.tell_missing(after, count));
            return Attached::new(following, Arc::clone(&self.inner.shared));
        }
    }

    /// Reports events that are missing although nobody retired them.
    pub(super) fn tell_missing(&self, after: Seq, count: u64) {
        tracing::error!(%after, count, "events are missing from the journal");
        self.append(Subject::system(), Cause::Start, SystemEvent::Missing { after, count });
    }

    /// Returns the position up to which events are no longer kept; 0 while all are.
    #[must_use]
    pub fn kept_after(&self) -> Seq {
        let state = self.inner.shared.lock();
        match self.inner.disk {
            Some(_) => state.horizon,
            None => state.memory.complete_after(),
        }
    }

    /// Returns one event, if it is still kept.
    pub async fn get(&self, seq: Seq) -> Option<Arc<Envelope>> {
        self.get_many(&[seq]).await.pop()
    }

    /// Returns those of the events that are still kept, in the order requested.
    pub async fn get_many(&self, wanted: &[Seq]) -> Vec<Arc<Envelope>> {
        let mut found: Vec<Option<Arc<Envelope>>> = Vec::with_capacity(wanted.len());
        let mut older = Vec::new();
        for stretch in wanted.chunks(SCAN) {
            let state = self.inner.shared.lock();
            for seq in stretch {
                let in_memory = *seq > state.memory.complete_after();
                if !in_memory {
                    older.push((found.len(), *seq));
                }
                found.push(in_memory.then(|| state.memory.get(*seq).cloned()).flatten());
            }
        }
        if !older.is_empty() && self.inner.disk.is_some() {
            let stored = self.beside(move |source| {
                let seqs: Vec<_> = older.iter().map(|(_, seq)| *seq).collect();
                source.get_many(&seqs).map(|events| (older, events))
            });
            match stored.await {
                Some(Ok((older, events))) => {
                    for ((place, _), event) in older.into_iter().zip(events) {
                        if let Some(slot) = found.get_mut(place) {
                            *slot = event;
                        }
                    }
                }
                Some(Err(error)) => tracing::error!(%error, "journal cannot be read"),
                None => {}
            }
        }
        found.into_iter().flatten().collect()
    }

    /// Returns the selected events.
    ///
    /// # Errors
    /// [`JournalError`] if older events cannot be read back.
    pub async fn query(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        let mut search = Search::new(query);
        loop {
            match search.part(self) {
                None => return Ok(search.end()),
                // Searching a large memory must not starve the other tasks.
                Some(Part::Memory) => tokio::task::yield_now().await,
                Some(Part::File(part)) => {
                    let stored = self.beside(move |source| stored(source, &part)).await;
                    search.found.extend(stored.transpose()?.unwrap_or_default());
                }
            }
        }
    }

    /// Returns the selected events, blocking the thread while older ones are read back.
    ///
    /// # Errors
    /// [`JournalError`] if older events cannot be read back.
    pub fn query_blocking(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        let mut search = Search::new(query);
        loop {
            match (search.part(self), &self.inner.disk) {
                (None, _) => return Ok(search.end()),
                (Some(Part::File(part)), Some(disk)) => search.found.extend(stored(&disk.source, &part)?),
                (Some(Part::Memory | Part::File(_)), _) => {}
            }
        }
    }

    /// Looks up what a reader that has seen everything up to `seen` reads next. If there is
    /// nothing, the next event it wants wakes it.
    pub(super) fn look(&self, place: usize, seen: Seq, interest: &Interest) -> Found {
        let mut state = self.inner.shared.lock();
        if state.watchers.is_armed(place) {
            return Found::Nothing;
        }
        let mut seen = state.watchers.first(place).map_or(seen, |first| seen.max(before(first)));
        if seen < state.horizon {
            return Found::Gone(Gone { oldest: after(state.horizon) });
        }
        let complete_after = state.memory.complete_after();
        if seen < complete_after {
            return match self.inner.disk {
                Some(_) => Found::OnDisk,
                None => Found::Gone(Gone { oldest: after(complete_after) }),
            };
        }
        let mut events = VecDeque::new();
        for envelope in state.memory.after(seen, SCAN) {
            seen = envelope.seq;
            if interest.concerns(envelope) {
                events.push_back(Arc::clone(envelope));
                if events.len() == TAKE {
                    break;
                }
            }
        }
        if events.is_empty() && seen >= state.head {
            state.watchers.arm(place);
            return Found::Nothing;
        }
        Found::Page { events, seen }
    }

    /// Reads the next stretch after `seen` from the file: the events a reader wants, and the
    /// position up to which there are no others.
    pub(super) async fn stored_after(
        &self,
        seen: Seq,
        interest: &Arc<Interest>,
    ) -> Result<(VecDeque<Arc<Envelope>>, Seq), Gone> {
        let (journal, interest) = (self.clone(), Arc::clone(interest));
        let page = self.beside(move |source| {
            let mut page = journal.stored_page(seen)?;
            // Check after reading: this also catches what another process has removed meanwhile.
            match source.horizon() {
                Ok(horizon) if horizon <= seen => {}
                Ok(horizon) => return Some(Stored { events: Vec::new(), shown: horizon, gone: true }),
                Err(error) => tracing::error!(%error, "journal cannot be read"),
            }
            page.events.retain(|envelope| interest.concerns(envelope));
            Some(page)
        });
        match page.await.flatten() {
            Some(page) if page.gone => Err(Gone { oldest: after(page.shown) }),
            Some(page) => Ok((page.events.into(), page.shown)),
            // Memory reaches back to here by now.
            None => Ok((VecDeque::new(), seen)),
        }
    }

    /// Returns the position up to which a reader that has seen everything up to `seen` has nothing
    /// to read.
    pub(super) fn position_of(&self, place: usize, seen: Seq) -> Seq {
        let state = self.inner.shared.lock();
        match state.watchers.first(place) {
            _ if state.watchers.is_armed(place) => state.head,
            Some(first) => seen.max(before(first)),
            None => seen,
        }
    }

    /// Runs `work` on the file on a blocking thread; returns `None` if the journal has no file.
    async fn beside<T: Send + 'static>(&self, work: impl FnOnce(&Source) -> T + Send + 'static) -> Option<T> {
        let disk = self.inner.disk.as_ref()?;
        // One at a time: there is one connection, and waiting for it must not hold a thread.
        let turn = disk.turn.acquire().await;
        let journal = self.clone();
        let done =
            tokio::task::spawn_blocking(move || journal.inner.disk.as_ref().map(|disk| work(&disk.source)));
        let done = done.await;
        drop(turn);
        match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "reading the journal failed");
                None
            }
        }
    }

    /// Reads the next stretch after `after` that is only in the file; `None` if there is no such
    /// stretch.
    fn stored_page(&self, after: Seq) -> Option<Stored> {
        let disk = self.inner.disk.as_ref()?;
        let (complete_after, durable) = {
            let state = self.inner.shared.lock();
            (state.memory.complete_after(), state.health().durable)
        };
        if after >= complete_after {
            return None;
        }
        let before = Some(Seq(complete_after.0.saturating_add(1)));
        let stretch = Query { after: Some(after), before, limit: Some(PAGE), ..Query::default() };
        let page = match disk.source.select(&stretch) {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "journal cannot be read");
                return Some(Stored { events: Vec::new(), shown: complete_after, gone: true });
            }
        };
        Some(match (page.events.last(), page.damaged) {
            (Some(last), _) => Stored { shown: last.seq, events: page.events, gone: false },
            (None, Some((seq, fault))) => {
                tracing::error!(%seq, error = %fault, "a stored event cannot be understood");
                Stored { events: Vec::new(), shown: seq, gone: true }
            }
            // Nothing on disk: a hole in the numbers, unless the disk had failed before.
            (None, None) => {
                Stored { events: Vec::new(), shown: complete_after, gone: durable < Some(complete_after) }
            }
        })
    }
}

impl Search {
    fn new(query: &Query) -> Self {
        let (after, before) = (query.after.unwrap_or_default(), query.before.unwrap_or(Seq(u64::MAX)));
        let edge = if query.newest_first { before } else { after };
        Self { query: query.clone(), found: Vec::new(), edge, done: after >= before }
    }

    /// Searches the next stretch of memory, or returns the part of the file to search next; `None`
    /// when the search is done.
    fn part(&mut self, journal: &Journal) -> Option<Part> {
        if self.done || self.wanted() == Some(0) {
            return None;
        }
        let state = journal.inner.shared.lock();
        if self.query.newest_first {
            let page: Vec<_> = state.memory.before(self.edge, SCAN).cloned().collect();
            drop(state);
            let Some(last) = page.last() else {
                self.done = true;
                return Some(Part::File(Query { before: Some(self.edge), ..self.rest() }));
            };
            self.edge = last.seq;
            self.done = self.query.after.is_some_and(|after| after >= self.edge);
            self.take(page);
        } else {
            let complete_after = state.memory.complete_after();
            if self.edge < complete_after {
                drop(state);
                let end = after(complete_after);
                let before = Some(self.query.before.map_or(end, |before| before.min(end)));
                let part = Query { after: Some(self.edge), before, ..self.rest() };
                self.edge = complete_after;
                return Some(Part::File(part));
            }
            let page: Vec<_> = state.memory.after(self.edge, SCAN).cloned().collect();
            drop(state);
            let last = page.last()?;
            self.edge = last.seq;
            self.done = self.query.before.is_some_and(|before| self.edge >= before);
            self.take(page);
        }
        Some(Part::Memory)
    }

    fn take(&mut self, page: Vec<Arc<Envelope>>) {
        self.found.extend(page.into_iter().filter(|envelope| self.query.matches(envelope)));
    }

    /// Returns how many more are wanted; `None` if there is no limit.
    fn wanted(&self) -> Option<usize> {
        self.query.limit.map(|limit| limit.saturating_sub(self.found.len()))
    }

    fn rest(&self) -> Query {
        Query { limit: self.wanted(), ..self.query.clone() }
    }

    fn end(mut self) -> Vec<Arc<Envelope>> {
        self.found.truncate(self.query.limit.unwrap_or(usize::MAX));
        self.found
    }
}

/// Queries the file only.
fn stored(source: &Source, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
    let page = source.select(query)?;
    match page.damaged {
        None => Ok(page.events),
        Some((seq, source)) => Err(JournalError::Damaged { seq, source }),
    }
}

const fn after(seq: Seq) -> Seq {
    Seq(seq.0.saturating_add(1))
}

const fn before(seq: Seq) -> Seq {
    Seq(seq.0.saturating_sub(1))
}
