//! Pairs of neighboring ports for RTP and RTCP, RFC 3550 §11: even for RTP, the next one for RTCP.
//!
//! A free list, first in first out. Taking and returning a pair cost the same however many are in
//! use, and a port rests as long as possible before it is reused, so that late packets of an old
//! call do not reach a new one.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

/// A range of ports, shared by clones.
#[derive(Clone, Debug)]
pub(crate) struct MediaPorts {
    free: Arc<Mutex<VecDeque<u16>>>,
}

/// An even port and the next one, returned when dropped.
#[derive(Debug)]
pub(crate) struct PortPair {
    free: Arc<Mutex<VecDeque<u16>>>,
    even: u16,
}

impl MediaPorts {
    /// Creates the pairs in `range`, starting at a place that `seed` chooses.
    pub(crate) fn new(range: RangeInclusive<u16>, seed: u64) -> Self {
        let last = *range.end();
        let mut free: VecDeque<u16> = range
            .filter(|port| port % 2 == 0 && *port > 0 && port.checked_add(1).is_some_and(|odd| odd <= last))
            .collect();
        if let Ok(pairs) = u64::try_from(free.len())
            && let Some(turn) = seed.checked_rem(pairs)
            && let Ok(turn) = usize::try_from(turn)
        {
            free.rotate_left(turn);
        }
        Self { free: Arc::new(Mutex::new(free)) }
    }

    /// Takes the pair that has rested longest.
    pub(crate) fn take(&self) -> Option<PortPair> {
        let even = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some(PortPair { free: Arc::clone(&self.free), even })
    }

    /// Returns how many pairs are free.
    pub(crate) fn free(&self) -> usize {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl PortPair {
    /// Returns the even port.
    pub(crate) const fn even(&self) -> u16 {
        self.even
    }

    /// Returns the port after it.
    pub(crate) const fn odd(&self) -> u16 {
        self.even | 1
    }
}

impl Drop for PortPair {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.even);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_whole_and_come_back_last() {
        let ports = MediaPorts::new(1001..=1006, 0);
        assert_eq!(ports.free(), 2, "1002/1003 and 1004/1005; 1006 has no neighbor");
        let first = ports.take().unwrap();
        assert_eq!((first.even(), first.odd()), (1002, 1003));
        drop(first);
        let second = ports.take().unwrap();
        assert_eq!(second.even(), 1004, "the pair given back rests");
        let third = ports.take().unwrap();
        assert_eq!(third.even(), 1002);
        assert!(ports.take().is_none());
    }

    #[test]
    fn the_top_of_the_port_space_does_not_wrap() {
        assert_eq!(MediaPorts::new(65_534..=65_535, 7).take().unwrap().odd(), 65_535);
    }
}
