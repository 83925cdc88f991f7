//! The newest events, in memory.
//!
//! Positions may have holes after the import of a damaged file, so an entry is where its offset says or a little later.

use std::{collections::VecDeque, sync::Arc};

use crate::{event::Envelope, id::Seq};

/// The newest events in order.
#[derive(Debug)]
pub(super) struct Memory {
    events: VecDeque<Arc<Envelope>>,
    capacity: usize,
    /// Every event after this one that exists is in `events`.
    complete_after: Seq,
}

impl Memory {
    /// Makes an empty memory for a journal whose newest event is `head`.
    pub(super) fn new(capacity: usize, head: Seq) -> Self {
        Self { events: VecDeque::new(), capacity: capacity.max(1), complete_after: head }
    }

    /// Adds the newest event and lets go of the oldest ones, as far as `durable` allows.
    pub(super) fn push(&mut self, envelope: Arc<Envelope>, durable: Seq) {
        self.events.push_back(envelope);
        while self.events.len() > self.capacity {
            match self.events.front() {
                Some(oldest) if oldest.seq <= durable => {
                    self.complete_after = oldest.seq;
                    self.events.pop_front();
                }
                Some(_) | None => break,
            }
        }
    }

    /// Returns the position after which nothing is missing here.
    pub(super) const fn complete_after(&self) -> Seq {
        self.complete_after
    }

    /// Returns up to `limit` events after `after`, oldest first.
    pub(super) fn after(&self, after: Seq, limit: usize) -> impl Iterator<Item = &Arc<Envelope>> {
        self.events.range(self.place_after(after)..).take(limit)
    }

    /// Returns up to `limit` events before `before`, newest first.
    pub(super) fn before(&self, before: Seq, limit: usize) -> impl Iterator<Item = &Arc<Envelope>> {
        let to = before.0.checked_sub(1).map_or(0, |last| self.place_after(Seq(last)));
        self.events.range(..to).rev().take(limit)
    }

    /// Returns one event.
    pub(super) fn get(&self, seq: Seq) -> Option<&Arc<Envelope>> {
        let at = self.place_after(Seq(seq.0.checked_sub(1)?));
        self.events.get(at).filter(|envelope| envelope.seq == seq)
    }

    /// Returns the index of the first event after `after`.
    ///
    /// Readers ask for the newest events all the time, and a search through the old ones would pull them all into the cache.
    fn place_after(&self, after: Seq) -> usize {
        let Some(newest) = self.events.back() else { return 0 };
        let behind = usize::try_from(newest.seq.0.saturating_sub(after.0)).unwrap_or(usize::MAX);
        // Without holes exactly this many events follow, with holes fewer.
        let earliest = self.events.len().saturating_sub(behind);
        match self.events.get(earliest) {
            None => earliest,
            Some(event) if event.seq.0 == after.0.saturating_add(1) => earliest,
            Some(_) => self.events.partition_point(|envelope| envelope.seq <= after),
        }
    }
}
