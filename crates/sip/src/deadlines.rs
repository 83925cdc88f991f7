//! Pending deadlines: at most one per key, the earliest found in logarithmic time.
//!
//! Setting a key again moves its deadline, so a stale firing cannot happen.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Deadlines by key.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    by_time: BTreeMap<(Instant, u64), K>,
    by_key: BTreeMap<K, (Instant, u64)>,
    count: u64,
}

impl<K: Copy + Ord> Deadlines<K> {
    pub(crate) const fn new() -> Self {
        Self { by_time: BTreeMap::new(), by_key: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn set(&mut self, key: K, now: Instant, after: Duration) {
        // Equal deadlines fire in the order in which they were set.
        self.count = self.count.wrapping_add(1);
        // A zero interval in the configuration must not make an endless loop of firings.
        let slot = (now + after.max(Duration::from_millis(1)), self.count);
        if let Some(old) = self.by_key.insert(key, slot) {
            self.by_time.remove(&old);
        }
        self.by_time.insert(slot, key);
    }

    pub(crate) fn stop(&mut self, key: K) {
        if let Some(slot) = self.by_key.remove(&key) {
            self.by_time.remove(&slot);
        }
    }

    pub(crate) fn stop_all(&mut self, keys: RangeInclusive<K>) {
        while let Some((&key, &slot)) = self.by_key.range(keys.clone()).next() {
            self.by_key.remove(&key);
            self.by_time.remove(&slot);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, K)> {
        self.by_time.first_key_value().map(|(&(at, _), &key)| (at, key))
    }

    /// Takes out the earliest deadline if it has passed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (&(at, _), _) = self.by_time.first_key_value()?;
        if at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.by_time.values().copied()
    }
}
