//! Admission by permit: limits what waits in an unbounded mailbox and counts what was refused.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permission to occupy one place in a mailbox; drop it when the message has been handled.
#[derive(Debug)]
#[must_use = "dropping the permit frees its place"]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// Bytes per place; larger messages take several places.
const PLACE: usize = 4096;

/// A number of places, shared by clones.
#[derive(Clone, Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    /// How many places there are, including taken ones.
    all: u32,
    refused: Arc<AtomicU64>,
}

impl Admission {
    /// Returns an admission with `places` free places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        let all = u32::try_from(places).unwrap_or(u32::MAX);
        Self { places: Arc::new(Semaphore::new(places)), all, refused: Arc::new(AtomicU64::new(0)) }
    }

    /// Takes a place, or counts a refusal.
    #[must_use]
    pub fn admit(&self) -> Option<Permit> {
        self.admit_bytes(0)
    }

    /// Takes the places for this many bytes, or counts a refusal.
    #[must_use]
    pub fn admit_bytes(&self, bytes: usize) -> Option<Permit> {
        let place = Arc::clone(&self.places).try_acquire_many_owned(self.places_of(bytes)).ok();
        if place.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        place.map(|place| Permit { _place: place })
    }

    /// Waits for the places for this many bytes; for senders that can be slowed down. Never returns
    /// `None` while a clone is alive.
    pub async fn wait(&self, bytes: usize) -> Option<Permit> {
        let places = Arc::clone(&self.places).acquire_many_owned(self.places_of(bytes));
        places.await.ok().map(|place| Permit { _place: place })
    }

    /// Returns how many places this many bytes take: at most as many as there are, so that a large
    /// message waits and then gets in.
    fn places_of(&self, bytes: usize) -> u32 {
        u32::try_from(1 + bytes / PLACE).unwrap_or(u32::MAX).min(self.all).max(1)
    }

    /// Returns how many have been refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns how many places are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_counted_and_a_dropped_permit_frees_its_place() {
        let admission = Admission::new(1);
        let first = admission.admit();
        assert!(first.is_some());
        assert!(admission.admit().is_none());
        assert_eq!(admission.refused(), 1);
        drop(first);
        assert!(admission.admit().is_some());
    }

    #[test]
    fn what_is_large_takes_several_places_but_not_more_than_there_are() {
        let admission = Admission::new(4);
        let large = admission.admit_bytes(2 * PLACE);
        assert_eq!((large.is_some(), admission.free()), (true, 1));
        assert!(admission.admit_bytes(PLACE).is_none());
        drop(large);
        let huge = admission.admit_bytes(100 * PLACE);
        assert_eq!((huge.is_some(), admission.free()), (true, 0));
    }
}
