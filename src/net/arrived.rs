//! What one drain of a media socket yields: datagrams with their times of arrival.

use std::{net::SocketAddr, time::Instant};

/// Most datagrams per system call; more wait in the socket for the next call.
pub(super) const ROOM: usize = 8;
/// Bytes for each: the kernel may deliver 64 equal-sized datagrams of a stream as one piece.
const SLOT: usize = 1 << 16;

/// A reusable buffer for datagrams.
pub struct Batch {
    bytes: Vec<u8>,
    arrived: Vec<Place>,
    /// The buffer was filled, so more may be waiting.
    full: bool,
}

struct Place {
    from: SocketAddr,
    at: Instant,
    start: usize,
    end: usize,
}

/// A datagram that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// Where it came from.
    pub from: SocketAddr,
    /// When it reached this machine, on tokio's clock: as the kernel noted it, not when it was
    /// read.
    pub at: Instant,
    /// Its content.
    pub bytes: &'a [u8],
}

impl Batch {
    /// Allocates the buffer.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: vec![0; ROOM * SLOT], arrived: Vec::new(), full: false }
    }

    /// Returns what the last drain read, in order of arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = Arrived<'_>> {
        self.arrived.iter().map(|Place { from, at, start, end }| Arrived {
            from: *from,
            at: *at,
            bytes: self.bytes.get(*start..*end).unwrap_or_default(),
        })
    }

    /// Returns whether more may be waiting in the socket.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) fn clear(&mut self) {
        self.arrived.clear();
        self.full = false;
    }

    /// Returns the slot for each datagram.
    pub(super) fn slots(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(SLOT)
    }

    /// Notes what was read into slot `slot`: datagrams of `stride` bytes, the last possibly
    /// shorter.
    pub(super) fn note(&mut self, slot: usize, from: SocketAddr, at: Instant, length: usize, stride: usize) {
        let end = slot * SLOT + length.min(SLOT);
        let starts = (slot * SLOT..end).step_by(stride.max(1));
        self.arrived.extend(starts.map(|start| Place {
            from,
            at,
            start,
            end: end.min(start + stride.max(1)),
        }));
        self.full |= slot + 1 == ROOM;
    }

    /// Copies a datagram in; returns whether there was room.
    pub(crate) fn put(&mut self, from: SocketAddr, at: Instant, bytes: &[u8]) -> bool {
        let slot = self.arrived.len();
        let Some(room) = self.slots().nth(slot) else { return false };
        let length = bytes.len().min(room.len());
        for (to, byte) in room.iter_mut().zip(bytes) {
            *to = *byte;
        }
        self.note(slot, from, at, length, length);
        true
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.datagrams().map(|arrived| (arrived.from, arrived.bytes.len()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_that_came_as_one_piece_are_taken_apart() {
        let (from, at) = (SocketAddr::from(([127, 0, 0, 1], 9)), Instant::now());
        let mut batch = Batch::new();
        for (slot, byte) in batch.slots().take(2).zip(1..) {
            slot[..5].fill(byte);
        }
        batch.note(0, from, at, 5, 2);
        batch.note(1, from, at, 3, 3);
        let found: Vec<&[u8]> = batch.datagrams().map(|arrived| arrived.bytes).collect();
        assert_eq!(found, [&[1, 1][..], &[1, 1], &[1], &[2, 2, 2]]);
        assert!(!batch.is_full());
        batch.clear();
        assert_eq!(batch.datagrams().count(), 0);
    }

    #[test]
    fn a_batch_without_room_says_so() {
        let (from, at) = (SocketAddr::from(([127, 0, 0, 1], 9)), Instant::now());
        let mut batch = Batch::new();
        for _ in 0..ROOM {
            assert!(!batch.is_full() && batch.put(from, at, b"x"));
        }
        assert!(batch.is_full() && !batch.put(from, at, b"x"));
        assert_eq!(batch.datagrams().count(), ROOM);
    }
}
