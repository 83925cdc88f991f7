//! From sound to payloads: what waits until it fills a packet, and when a packet leaves.
//!
//! Sound comes in frames of 20 ms, packets hold 10 to 60. The first packet leaves when it is full,
//! the others at regular distances after it:
//!
//! ```text
//! frames            0    20    40    60    80
//! packets of 40 ms       20          60
//! packets of 30 ms       20       50       80
//! packets of 10 ms  0 10 20 30 40 50 60 70 80
//! ```

use std::time::{Duration, Instant};

use crate::codec::Codec;

/// Samples on their way into packets.
#[derive(Debug, Default)]
pub(super) struct Packetizer {
    samples: Vec<i16>,
    /// Timestamp of the first sample.
    from: u32,
    /// When the next packet leaves; `None` while the first is not full.
    due: Option<Instant>,
}

impl Packetizer {
    /// Takes the sound of a tick, whose first sample has `timestamp`; a first packet that it fills leaves at `now`.
    pub(super) fn push(&mut self, now: Instant, timestamp: u32, sound: &[i16], length: usize) {
        if self.samples.is_empty() {
            self.from = timestamp;
        }
        self.samples.extend_from_slice(sound);
        if self.due.is_none() && self.is_full(length) {
            self.due = Some(now);
        }
    }

    /// Returns when the next packet leaves, if one of `length` samples is full.
    pub(super) fn due(&self, length: usize) -> Option<Instant> {
        self.due.filter(|_| self.is_full(length))
    }

    /// Returns the first packet and its timestamp.
    pub(super) fn front(&self, length: usize) -> Option<(u32, &[i16])> {
        let samples = self.samples.get(..length).filter(|samples| !samples.is_empty())?;
        Some((self.from, samples))
    }

    /// Forgets the first packet, which has left.
    pub(super) fn left(&mut self, codec: Codec, length: usize, packet_time: Duration) {
        self.samples.drain(..length.min(self.samples.len()));
        self.from = self.from.wrapping_add(codec.units(packet_time));
        self.due = self.due.map(|due| due + packet_time);
    }

    /// Forgets everything; the next packet leaves when it is full.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.due = None;
    }

    fn is_full(&self, length: usize) -> bool {
        length > 0 && self.samples.len() >= length
    }
}
