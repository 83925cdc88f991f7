//! Several packets in one datagram.
//!
//! RFC 3550 section 6.1 and appendix A.2. The first packet need not be a report: RFC 5506 peers exist.

use thiserror::Error;

use super::bye::Bye;
use super::report::{ReceiverReport, SenderReport};
use super::sdes::SourceDescription;

/// Why bytes are not RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// Shorter than a header or than the length field says.
    #[error("packet at byte {offset} is cut short")]
    Truncated {
        /// Start of the packet within the datagram.
        offset: usize,
    },
    /// The version is not 2.
    #[error("packet at byte {offset} has version {version}")]
    Version {
        /// Start of the packet within the datagram.
        offset: usize,
        /// Version found.
        version: u8,
    },
    /// A packet whose contents do not fit its own counts.
    #[error("packet of type {packet_type} at byte {offset} is malformed")]
    Malformed {
        /// Start of the packet within the datagram.
        offset: usize,
        /// Packet type, 200 to 204 for the ones we read.
        packet_type: u8,
    },
}

/// One packet of a compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RtcpPacket {
    /// SR, type 200.
    SenderReport(SenderReport),
    /// RR, type 201.
    ReceiverReport(ReceiverReport),
    /// SDES, type 202.
    SourceDescription(SourceDescription),
    /// BYE, type 203.
    Bye(Bye),
    /// Any other type, body kept as it came.
    Other {
        /// Packet type.
        packet_type: u8,
        /// The five bits behind the padding bit.
        count: u8,
        /// What follows the header, without padding.
        body: Vec<u8>,
    },
}

/// Reads all packets of a datagram.
///
/// # Errors
///
/// Returns the first fault; nothing before it is returned, since the lengths cannot be trusted.
pub fn parse_compound(bytes: &[u8]) -> Result<Vec<RtcpPacket>, RtcpError> {
    let mut packets = Vec::new();
    let mut offset = 0;
    while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
        let (packet, length) = parse_one(rest, offset)?;
        packets.push(packet);
        offset += length;
    }
    if packets.is_empty() { Err(RtcpError::Truncated { offset: 0 }) } else { Ok(packets) }
}

/// Writes packets one after the other.
pub fn write_compound(packets: &[RtcpPacket], out: &mut Vec<u8>) {
    for packet in packets {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let (packet_type, count) = match packet {
            RtcpPacket::SenderReport(report) => (200, report.write(out)),
            RtcpPacket::ReceiverReport(report) => (201, report.write(out)),
            RtcpPacket::SourceDescription(description) => (202, description.write(out)),
            RtcpPacket::Bye(bye) => (203, bye.write(out)),
            RtcpPacket::Other { packet_type, count, body } => {
                out.extend_from_slice(body);
                (*packet_type, *count)
            }
        };
        while !(out.len() - start).is_multiple_of(4) {
            out.push(0);
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        let [high, low] = words.to_be_bytes();
        let header = [0x80 | (count & 0x1F), packet_type, high, low];
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&header);
        }
    }
}

fn parse_one(rest: &[u8], offset: usize) -> Result<(RtcpPacket, usize), RtcpError> {
    let [flags, packet_type, high, low, ..] = *rest else {
        return Err(RtcpError::Truncated { offset });
    };
    let version = flags >> 6;
    if version != 2 {
        return Err(RtcpError::Version { offset, version });
    }
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let body = rest.get(4..length).ok_or(RtcpError::Truncated { offset })?;
    let malformed = RtcpError::Malformed { offset, packet_type };
    let body = if flags & 0x20 == 0 { body } else { without_padding(body).ok_or(malformed)? };
    let count = flags & 0x1F;
    let packet = match packet_type {
        200 => SenderReport::parse(count, body).map(RtcpPacket::SenderReport),
        201 => ReceiverReport::parse(count, body).map(RtcpPacket::ReceiverReport),
        202 => SourceDescription::parse(count, body).map(RtcpPacket::SourceDescription),
        203 => Bye::parse(count, body).map(RtcpPacket::Bye),
        _ => Some(RtcpPacket::Other { packet_type, count, body: body.to_vec() }),
    };
    Ok((packet.ok_or(malformed)?, length))
}

fn without_padding(body: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*body.last()?);
    (padding > 0).then_some(())?;
    body.get(..body.len().checked_sub(padding)?)
}

/// Takes a 32-bit number off the front of `bytes`.
pub(super) fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*number))
}
