//! One RTP packet, read from bytes or written to them.
//!
//! RFC 3550 section 5.1.

use rtp_rs::{RtpReader, Seq};
use thiserror::Error;

/// Bytes before the payload of a packet we send.
const HEADER_BYTES: usize = 12;

/// Why bytes are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtpParseError {
    /// Shorter than its own header says.
    #[error("packet of {bytes} bytes is cut short")]
    Truncated {
        /// Size of the packet.
        bytes: usize,
    },
    /// The version is not 2.
    #[error("packet version {version} is not 2")]
    Version {
        /// Version found.
        version: u8,
    },
    /// Padding or extension point outside the packet.
    #[error("packet with impossible padding or extension")]
    Inconsistent,
}

/// An RTP packet that borrows its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// Marker bit.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in clock units.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// Payload without padding.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// Returns why the bytes are not an RTP packet.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpParseError> {
        let Some(first) = bytes.first().filter(|_| bytes.len() >= HEADER_BYTES) else {
            return Err(RtpParseError::Truncated { bytes: bytes.len() });
        };
        let version = first >> 6;
        if version != 2 {
            return Err(RtpParseError::Version { version });
        }
        let reader = RtpReader::new(bytes).map_err(|_| RtpParseError::Inconsistent)?;
        Ok(Self {
            marker: reader.mark(),
            payload_type: reader.payload_type(),
            sequence: Seq::into(reader.sequence_number()),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload(),
        })
    }

    /// Appends the packet to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(0x80);
        out.push((u8::from(self.marker) << 7) | (self.payload_type & 0x7F));
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_packet_reads_the_same() {
        let packet = RtpPacket {
            marker: true,
            payload_type: 8,
            sequence: 65_535,
            timestamp: 0xDEAD_BEEF,
            ssrc: 7,
            payload: &[1, 2, 3],
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        assert_eq!(RtpPacket::parse(&bytes), Ok(packet));
    }

    #[test]
    fn what_we_write_is_what_the_reference_builder_writes() {
        let payload = [9u8; 160];
        let ours = RtpPacket {
            marker: false,
            payload_type: 0,
            sequence: 300,
            timestamp: 48_000,
            ssrc: 0x0102_0304,
            payload: &payload,
        };
        let mut bytes = Vec::new();
        ours.write(&mut bytes);
        let theirs = rtp_rs::RtpPacketBuilder::new()
            .payload_type(0)
            .sequence(Seq::from(300))
            .timestamp(48_000)
            .ssrc(0x0102_0304)
            .payload(&payload)
            .build()
            .unwrap();
        assert_eq!(bytes, theirs);
    }

    #[test]
    fn padding_and_extension_are_no_payload() {
        // Padding of four bytes, an extension of one word, one contributing source.
        let bytes = [
            0xB1, 0x08, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 0xAA, 0xBB,
            0, 0, 0, 4,
        ];
        assert_eq!(RtpPacket::parse(&bytes).unwrap().payload, &[0xAA, 0xBB]);
    }

    #[test]
    fn what_is_no_packet_is_named() {
        assert_eq!(RtpPacket::parse(&[0x80; 11]), Err(RtpParseError::Truncated { bytes: 11 }));
        assert_eq!(RtpPacket::parse(&[0x40; 12]), Err(RtpParseError::Version { version: 1 }));
        let mut padded = [0u8; 13];
        padded[0] = 0xA0;
        padded[12] = 200;
        assert_eq!(RtpPacket::parse(&padded), Err(RtpParseError::Inconsistent));
    }
}
