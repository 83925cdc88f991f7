//! UDP datagrams and TCP segments.
//!
//! RFC 768, RFC 9293 section 3.1.

use std::net::SocketAddr;

use super::ip::IpPacket;
use crate::fields::Fields;

const TCP: u8 = 6;
const UDP: u8 = 17;
const UDP_BYTES: usize = 8;
const SYN: u8 = 0x02;

/// What an IP packet carries from one port to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transport<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) payload: &'a [u8],
    pub(crate) content: Content,
    /// Whether the end of the payload was not captured.
    pub(crate) is_cut: bool,
}

/// The protocol, with what matters of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Udp,
    Tcp {
        /// Number of the first byte.
        sequence: u32,
        /// Whether a connection begins, which takes a number itself.
        is_opening: bool,
    },
}

impl<'a> Transport<'a> {
    /// Reads what a whole packet carries; `None` for other protocols, and for headers that make no
    /// sense.
    pub(crate) fn read(packet: &IpPacket<'a>) -> Option<Self> {
        let mut fields = Fields::network(packet.payload);
        if !matches!(packet.protocol, UDP | TCP) {
            return None;
        }
        let from = SocketAddr::new(packet.from, fields.u16()?);
        let to = SocketAddr::new(packet.to, fields.u16()?);
        if packet.protocol == TCP {
            let sequence = fields.u32()?;
            fields.u32()?;
            let header_bytes = usize::from(fields.u8()? >> 4) * 4;
            let flags = fields.u8()?;
            let payload = packet.payload.get(header_bytes.max(20)..)?;
            let content = Content::Tcp { sequence, is_opening: flags & SYN != 0 };
            return Some(Self { from, to, payload, content, is_cut: packet.is_cut });
        }
        let length = usize::from(fields.u16()?);
        fields.u16()?;
        let rest = fields.rest();
        // Zero when it is longer than the field can say (RFC 2675).
        let length = if length == 0 { rest.len() } else { length.checked_sub(UDP_BYTES)? };
        let payload = rest.get(..length).unwrap_or(rest);
        Some(Self { from, to, payload, content: Content::Udp, is_cut: packet.is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, payload: &[u8]) -> IpPacket<'_> {
        let (from, to) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        IpPacket { from, to, protocol, payload, fragment: None, is_cut: false }
    }

    #[test]
    fn a_datagram_ends_where_it_says() {
        let bytes = [0x13, 0xC4, 0x9C, 0x40, 0, 11, 0, 0, b'a', b'b', b'c', 0, 0];
        let read = Transport::read(&packet(17, &bytes)).unwrap();
        assert_eq!((read.from.port(), read.to.port(), read.payload), (5060, 40_000, b"abc".as_slice()));
        assert_eq!(Transport::read(&packet(17, &bytes[..10])).unwrap().payload, b"ab");
        assert_eq!(Transport::read(&packet(17, &bytes[..7])), None);
        let mut short = bytes;
        short[5] = 7;
        assert_eq!(Transport::read(&packet(17, &short)), None);
        assert_eq!(Transport::read(&packet(1, &bytes)), None, "ICMP");
    }

    #[test]
    fn options_of_a_segment_are_no_payload() {
        let head = [0, 1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 5, 0x60, 0x02, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
        let bytes = [&head, b"abc".as_slice()].concat();
        let read = Transport::read(&packet(6, &bytes)).unwrap();
        assert_eq!(read.content, Content::Tcp { sequence: 256, is_opening: true });
        assert_eq!(read.payload, b"abc");
        let mut bad = bytes;
        bad[12] = 0xF0;
        assert_eq!(Transport::read(&packet(6, &bad)), None);
    }
}
