//! Admission by permit: bounds what waits in an unbounded mailbox and counts what was refused.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Leave to occupy one place in a mailbox; give it back by dropping it when the message is handled.
#[derive(Debug)]
#[must_use = "dropping the permit frees its place"]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// A number of places, shared by its clones.
#[derive(Clone, Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    refused: Arc<AtomicU64>,
}

impl Admission {
    /// Returns an admission with `places` free places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), refused: Arc::new(AtomicU64::new(0)) }
    }

    /// Takes a place, or counts a refusal.
    #[must_use]
    pub fn admit(&self) -> Option<Permit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        place.map(|place| Permit { _place: place })
    }

    /// Waits for a place; for senders that can be slowed down. `None` is never seen while a clone is alive.
    pub async fn wait(&self) -> Option<Permit> {
        Arc::clone(&self.places).acquire_owned().await.ok().map(|place| Permit { _place: place })
    }

    /// Returns how many were refused so far.
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
}
