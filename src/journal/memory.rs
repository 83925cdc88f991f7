//! The newest events, in memory.
//!
//! Positions may have holes after the import of a damaged file, so entries are found by search, not by offset.

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
        let from = self.events.partition_point(|envelope| envelope.seq <= after);
        self.events.iter().skip(from).take(limit)
    }

    /// Returns up to `limit` events before `before`, newest first.
    pub(super) fn before(&self, before: Seq, limit: usize) -> impl Iterator<Item = &Arc<Envelope>> {
        let to = self.events.partition_point(|envelope| envelope.seq < before);
        self.events.range(..to).rev().take(limit)
    }

    /// Returns one event.
    pub(super) fn get(&self, seq: Seq) -> Option<&Arc<Envelope>> {
        let at = self.events.binary_search_by_key(&seq, |envelope| envelope.seq).ok()?;
        self.events.get(at)
    }
}
