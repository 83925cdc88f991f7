//! Reading a journal: from memory what is there, from the file what is older.

use std::{collections::VecDeque, sync::Arc};

use super::{Fold, Gone, Journal, JournalError, Query};
use crate::{event::Envelope, id::Seq};

/// Events taken from memory at a time: few enough to keep the lock short.
const SCAN: usize = 1024;

/// Events read from the file at a time.
const PAGE: usize = 512;

/// A stretch of events that are only in the file.
struct Stored {
    events: Vec<Arc<Envelope>>,
    /// Everything up to here is in `events` or was never written.
    shown: Seq,
    /// Whether the stretch cannot be read any more.
    gone: bool,
}

impl Journal {
    /// Shows `fold` everything that exists and, from then on, every event inside its append.
    pub fn attach(&self, mut fold: impl Fold + 'static) {
        let mut shown = Seq(0);
        // What is on disk is shown without the lock; only the last stretch, from memory, is under it.
        loop {
            while let Some(page) = self.stored_page(shown) {
                if page.gone {
                    tracing::error!(after = %shown, up_to = %page.shown, "events cannot be read; a view lacks them");
                }
                page.events.iter().for_each(|envelope| fold.apply(envelope));
                shown = page.shown;
            }
            let mut state = self.inner.shared.lock();
            if self.inner.disk.is_some() && shown < state.memory.complete_after() {
                continue;
            }
            state.memory.after(shown, usize::MAX).for_each(|envelope| fold.apply(envelope));
            state.folds.push(Box::new(fold));
            return;
        }
    }

    /// Returns one event, if it is still kept.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<Arc<Envelope>> {
        {
            let state = self.inner.shared.lock();
            if seq > state.memory.complete_after() {
                return state.memory.get(seq).cloned();
            }
        }
        let before = Seq(seq.0.saturating_add(1));
        let one = Query { after: Some(Seq(seq.0.checked_sub(1)?)), before: Some(before), ..Query::default() };
        self.stored(&one).ok()?.pop()
    }

    /// Returns the selected events.
    ///
    /// # Errors
    /// [`JournalError`] when older events cannot be read back.
    pub fn query(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        if query.newest_first { self.query_backwards(query) } else { self.query_forwards(query) }
    }

    fn query_forwards(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut after = query.after.unwrap_or_default();
        while found.len() < limit {
            let (complete_after, page): (Seq, Vec<_>) = {
                let state = self.inner.shared.lock();
                (state.memory.complete_after(), state.memory.after(after, SCAN).cloned().collect())
            };
            if after < complete_after {
                let end = Seq(complete_after.0.saturating_add(1));
                let before = Some(query.before.map_or(end, |before| before.min(end)));
                let limit = query.limit.map(|limit| limit.saturating_sub(found.len()));
                found.extend(self.stored(&Query { after: Some(after), before, limit, ..query.clone() })?);
                after = complete_after;
                continue;
            }
            let Some(last) = page.last() else { break };
            after = last.seq;
            found.extend(page.into_iter().filter(|envelope| query.matches(envelope)));
            if query.before.is_some_and(|before| after >= before) {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn query_backwards(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut before = query.before.unwrap_or(Seq(u64::MAX));
        while found.len() < limit && query.after.is_none_or(|after| after < before) {
            let page: Vec<_> = self.inner.shared.lock().memory.before(before, SCAN).cloned().collect();
            let Some(last) = page.last() else {
                let limit = query.limit.map(|limit| limit.saturating_sub(found.len()));
                found.extend(self.stored(&Query { before: Some(before), limit, ..query.clone() })?);
                break;
            };
            before = last.seq;
            found.extend(page.into_iter().filter(|envelope| query.matches(envelope)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Returns the next events after `after`, at most about `limit`.
    pub(super) fn page(&self, mut after: Seq, limit: usize) -> Result<VecDeque<Arc<Envelope>>, Gone> {
        loop {
            {
                let state = self.inner.shared.lock();
                let complete_after = state.memory.complete_after();
                if after >= complete_after {
                    return Ok(state.memory.after(after, limit).cloned().collect());
                }
                if self.inner.disk.is_none() {
                    return Err(Gone { oldest: Seq(complete_after.0.saturating_add(1)) });
                }
            }
            match self.stored_page(after) {
                Some(page) if page.gone => return Err(Gone { oldest: Seq(page.shown.0.saturating_add(1)) }),
                Some(page) if page.events.is_empty() => after = page.shown,
                Some(page) => return Ok(page.events.into()),
                None => {}
            }
        }
    }

    /// Reads the next stretch after `after` that is in the file only; none when there is no such stretch.
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

    /// Asks the file alone.
    fn stored(&self, query: &Query) -> Result<Vec<Arc<Envelope>>, JournalError> {
        let Some(disk) = &self.inner.disk else { return Ok(Vec::new()) };
        let page = disk.source.select(query)?;
        match page.damaged {
            None => Ok(page.events),
            Some((seq, source)) => Err(JournalError::Damaged { seq, source }),
        }
    }
}
