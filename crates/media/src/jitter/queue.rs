//! Encoded packets that wait for their time.

use std::collections::VecDeque;

use crate::codec::Codec;

/// Packets kept at most: more than half a second of the shortest.
const MOST: usize = 64;

/// A packet as it came.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) timestamp: u32,
    /// Its duration in timestamp units.
    pub(super) units: u32,
    pub(super) codec: Codec,
    pub(super) payload: Vec<u8>,
}

/// Packets in the order of their timestamps.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    packets: VecDeque<Packet>,
    /// Buffers of packets that were played.
    spare: Vec<Vec<u8>>,
}

impl Queue {
    /// Puts a packet in its place; of two with the same timestamp the newer stays. Returns whether
    /// there was room.
    pub(super) fn insert(&mut self, timestamp: u32, units: u32, codec: Codec, payload: &[u8]) -> bool {
        let ahead = |packet: &Packet| timestamp.wrapping_sub(packet.timestamp).cast_signed();
        let place = self.packets.iter().rposition(|packet| ahead(packet) >= 0).map_or(0, |index| index + 1);
        let known = place.checked_sub(1).and_then(|index| self.packets.get_mut(index));
        if let Some(packet) = known.filter(|packet| packet.timestamp == timestamp) {
            packet.payload.clear();
            packet.payload.extend_from_slice(payload);
            (packet.units, packet.codec) = (units, codec);
            return true;
        }
        if self.packets.len() >= MOST {
            return false;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.extend_from_slice(payload);
        self.packets.insert(place, Packet { timestamp, units, codec, payload: buffer });
        true
    }

    pub(super) fn front(&self) -> Option<&Packet> {
        self.packets.front()
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        self.packets.pop_front()
    }

    /// Takes back the memory of a packet.
    pub(super) fn recycle(&mut self, packet: Packet) {
        let mut buffer = packet.payload;
        buffer.clear();
        self.spare.push(buffer);
    }

    pub(super) fn clear(&mut self) {
        while let Some(packet) = self.pop() {
            self.recycle(packet);
        }
    }
}
