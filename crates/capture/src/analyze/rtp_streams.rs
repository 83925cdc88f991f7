//! RTP streams by addresses and source, over both versions of IP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::numbering::Numbering;

/// Most streams that are kept.
const MOST: usize = 4096;

/// The header of a packet that counts (RFC 3550 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) ssrc: u32,
}

impl Header {
    /// Reads the fixed part of a header, whether or not the packet was captured to its end.
    pub(super) const fn read(payload: &[u8]) -> Option<Self> {
        let [_, kind, high, low, _, _, _, _, a, b, c, d, ..] = *payload else { return None };
        Some(Self {
            payload_type: kind & 0x7F,
            sequence: u16::from_be_bytes([high, low]),
            ssrc: u32::from_be_bytes([a, b, c, d]),
        })
    }
}

/// Which stream a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) ssrc: u32,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) first_packet: u64,
    pub(super) packets: u64,
    pub(super) numbering: Numbering,
    /// Payload types with their packets, in the order of their first.
    pub(super) payload_types: Vec<(u8, u64)>,
    pub(super) first_at: Option<Duration>,
    pub(super) last_at: Option<Duration>,
    pub(super) longest_gap: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct RtpStreams {
    streams: BTreeMap<Key, Stream>,
    /// Packets of streams that are not kept.
    pub(super) left_out: u64,
}

impl RtpStreams {
    /// Counts the packet that is packet number `number` of the capture.
    pub(super) fn add(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        header: Header,
        number: u64,
        at: Option<Duration>,
    ) {
        let key = Key { from, to, ssrc: header.ssrc };
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.numbering.add(header.sequence);
            stream.add(header, at);
        } else if self.streams.len() < MOST {
            let mut stream = Stream {
                first_packet: number,
                packets: 0,
                numbering: Numbering::new(header.sequence),
                payload_types: Vec::new(),
                first_at: at,
                last_at: at,
                longest_gap: None,
            };
            stream.add(header, at);
            let _none = self.streams.insert(key, stream);
        } else {
            self.left_out += 1;
        }
    }

    /// Returns the streams in the order of their first packets.
    pub(super) fn into_sorted(self) -> Vec<(Key, Stream)> {
        let mut streams: Vec<(Key, Stream)> = self.streams.into_iter().collect();
        streams.sort_by_key(|(_, stream)| stream.first_packet);
        streams.iter_mut().for_each(|(_, stream)| stream.numbering.end());
        streams
    }
}

impl Stream {
    fn add(&mut self, header: Header, at: Option<Duration>) {
        self.packets += 1;
        match self.payload_types.iter_mut().find(|(number, _)| *number == header.payload_type) {
            Some((_, packets)) => *packets += 1,
            // There are 128 of them at most.
            None => self.payload_types.push((header.payload_type, 1)),
        }
        if self.packets > 1 {
            let gap = at.zip(self.last_at).map(|(at, last)| at.saturating_sub(last));
            self.longest_gap = self.longest_gap.max(gap);
        }
        self.last_at = at.or(self.last_at);
    }
}
