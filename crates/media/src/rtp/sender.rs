//! The sending side of a stream: numbering and counting.
//!
//! RFC 3550 section 5.1. SSRC, first sequence number and first timestamp come from the seed; the
//! timestamp follows the ticks of the session whether something is sent or not.

use super::packet::RtpPacket;
use offhook_seed::Seed;

/// Numbers the packets of one source.
#[derive(Debug, Clone)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u64,
    bytes: u64,
    /// Whether the next audio packet starts a talk-spurt.
    starts_spurt: bool,
}

impl Sender {
    /// Makes a sender with random identity.
    #[must_use]
    pub fn new(seed: &mut Seed) -> Self {
        Self {
            ssrc: seed.next_u32(),
            sequence: seed.next_u16(),
            timestamp: seed.next_u32(),
            packets: 0,
            bytes: 0,
            starts_spurt: true,
        }
    }

    /// Returns the synchronization source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Returns the timestamp of the present tick.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Returns the packets sent.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Returns the payload bytes sent.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves the timestamp on.
    pub const fn advance(&mut self, units: u32) {
        self.timestamp = self.timestamp.wrapping_add(units);
    }

    /// Notes a pause: the next audio packet carries the marker.
    pub const fn pause(&mut self) {
        self.starts_spurt = true;
    }

    /// Writes an audio packet whose first sample has `timestamp`.
    pub fn write_audio(&mut self, payload_type: u8, timestamp: u32, payload: &[u8], out: &mut Vec<u8>) {
        let marker = std::mem::take(&mut self.starts_spurt);
        self.write(payload_type, marker, timestamp, payload, out);
    }

    /// Writes a packet with its own marker and timestamp.
    pub fn write(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let packet =
            RtpPacket { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        packet.write(out);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.bytes += payload.len() as u64;
    }
}
