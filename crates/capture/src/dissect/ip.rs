//! IP headers of both versions.
//!
//! RFC 791 section 3.1, RFC 8200 sections 3 and 4, RFC 4302 (authentication header). What is
//! encrypted stays so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::fields::Fields;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

/// Most extension headers of a packet.
const MOST_EXTENSIONS: usize = 16;

/// A packet, or a fragment of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IpPacket<'a> {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    /// Number of the protocol of the payload.
    pub(crate) protocol: u8,
    pub(crate) payload: &'a [u8],
    pub(crate) fragment: Option<Fragment>,
    /// Whether the end of the payload was not captured.
    pub(crate) is_cut: bool,
}

/// Which part of a packet a fragment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) identification: u32,
    /// Bytes before it.
    pub(crate) offset: usize,
    pub(crate) is_last: bool,
}

impl<'a> IpPacket<'a> {
    /// Reads a packet of either version; `None` if it is neither or its header makes no sense.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::version_4(bytes),
            6 => Self::version_6(bytes),
            _ => None,
        }
    }

    fn version_4(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::network(bytes);
        let header_bytes = usize::from(fields.u8()? & 0x0F) * 4;
        fields.u8()?;
        let total = usize::from(fields.u16()?);
        let identification = u32::from(fields.u16()?);
        let flags = fields.u16()?;
        fields.u8()?;
        let protocol = fields.u8()?;
        fields.u16()?;
        let (from, to) = (Ipv4Addr::from_bits(fields.u32()?), Ipv4Addr::from_bits(fields.u32()?));
        fields.take(header_bytes.checked_sub(20)?)?;
        let rest = fields.rest();
        // Zero when the network card still had to cut it into packets.
        let length = if total == 0 { rest.len() } else { total.checked_sub(header_bytes)? };
        let offset = usize::from(flags & 0x1FFF) * 8;
        let is_last = flags & 0x2000 == 0;
        let fragment = (offset > 0 || !is_last).then_some(Fragment { identification, offset, is_last });
        Some(Self {
            from: from.into(),
            to: to.into(),
            protocol,
            payload: rest.get(..length).unwrap_or(rest),
            fragment,
            is_cut: rest.len() < length,
        })
    }

    fn version_6(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::network(bytes);
        fields.u32()?;
        let length = usize::from(fields.u16()?);
        let next = fields.u8()?;
        fields.u8()?;
        let (from, to) = (Ipv6Addr::from(fields.array::<16>()?), Ipv6Addr::from(fields.array::<16>()?));
        let rest = fields.rest();
        // Zero when the length is in an option, or as above.
        let length = if length == 0 { rest.len() } else { length };
        let payload = rest.get(..length).unwrap_or(rest);
        let packet = Self {
            from: from.into(),
            to: to.into(),
            protocol: next,
            payload,
            fragment: None,
            is_cut: rest.len() < length,
        };
        packet.behind_extensions()
    }

    /// Skips extension headers in front of the payload, up to a fragment of one.
    pub(super) fn behind_extensions(mut self) -> Option<Self> {
        for _ in 0..MOST_EXTENSIONS {
            let mut fields = Fields::network(self.payload);
            let unit = match self.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HOST_IDENTITY | SHIM6 => 8,
                AUTHENTICATION => 4,
                FRAGMENT => {
                    self.protocol = fields.u8()?;
                    fields.u8()?;
                    let offset = usize::from(fields.u16()?);
                    let identification = fields.u32()?;
                    self.payload = fields.rest();
                    let (is_last, offset) = (offset & 1 == 0, offset & !7);
                    if offset == 0 && is_last {
                        // The whole packet (RFC 6946).
                        continue;
                    }
                    self.fragment = Some(Fragment { identification, offset, is_last });
                    return Some(self);
                }
                _ => return Some(self),
            };
            self.protocol = fields.u8()?;
            // Without the first eight bytes, in units of the header.
            let units = usize::from(fields.u8()?);
            self.payload = self.payload.get(8 + units * unit..)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn six(next: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [0x60, 0, 0, 0, length[0], length[1], next, 64];
        [&head, [0x20; 16].as_slice(), &[0x21; 16], payload].concat()
    }

    #[test]
    fn options_of_ipv4_and_padding_behind_it_are_no_payload() {
        let head = [0x46, 0, 0, 26, 0, 9, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        let packet = [&head, [1, 1, 1, 1].as_slice(), b"ab", &[0; 20]].concat();
        let read = IpPacket::read(&packet).unwrap();
        assert_eq!((read.protocol, read.payload, read.is_cut), (17, b"ab".as_slice(), false));
        assert_eq!((read.from, read.fragment), ([192, 0, 2, 1].into(), None));
        let read = IpPacket::read(&packet[..25]).unwrap();
        assert_eq!((read.payload, read.is_cut), (b"a".as_slice(), true));
    }

    #[test]
    fn a_length_of_zero_means_all_that_is_there() {
        let head = [0x45, 0, 0, 0, 0, 9, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        assert_eq!(IpPacket::read(&[&head, b"abc".as_slice()].concat()).unwrap().payload, b"abc");
        let mut packet = six(6, b"abc");
        packet[5] = 0;
        assert_eq!(IpPacket::read(&packet).unwrap().payload, b"abc");
    }

    #[test]
    fn headers_that_make_no_sense_are_no_packet() {
        let head = [0x45, 0, 0, 20, 0, 9, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        assert!(IpPacket::read(&head).is_some());
        for (at, byte) in [(0, 0x44), (0, 0x46), (0, 0x55), (3, 19)] {
            let mut bad = head;
            bad[at] = byte;
            assert_eq!(IpPacket::read(&bad), None, "{at}");
        }
        (0..20).for_each(|length| assert_eq!(IpPacket::read(&head[..length]), None));
    }

    #[test]
    fn extension_headers_of_ipv6_are_skipped() {
        let chain = [
            [ROUTING, 0, 1, 4, 0, 0, 0, 0].as_slice(),
            &[AUTHENTICATION, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            // Its length counts words of four bytes, the first two of them not.
            &[DESTINATION_OPTIONS, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[17, 0, 1, 4, 0, 0, 0, 0],
            b"payload",
        ];
        let packet = six(HOP_BY_HOP, &chain.concat());
        let read = IpPacket::read(&packet).unwrap();
        assert_eq!((read.protocol, read.payload), (17, b"payload".as_slice()));
        assert_eq!(read.from, IpAddr::from([0x20; 16]));
        assert_eq!(IpPacket::read(&packet[..50]), None, "cut within its extensions");
        let endless = six(HOP_BY_HOP, &[HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0].repeat(40));
        assert_eq!(IpPacket::read(&endless), None);
    }

    #[test]
    fn fragments_of_both_versions_say_which_part_they_are() {
        let head = [0x45, 0, 0, 21, 0xAB, 0xCD, 0x20, 3, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 7];
        let fragment = IpPacket::read(&head).unwrap().fragment;
        assert_eq!(fragment, Some(Fragment { identification: 0xABCD, offset: 24, is_last: false }));
        let packet = six(FRAGMENT, &[17, 0, 0, 24, 1, 2, 3, 4, 7]);
        let read = IpPacket::read(&packet).unwrap();
        assert_eq!(read.fragment, Some(Fragment { identification: 0x0102_0304, offset: 24, is_last: true }));
        assert_eq!((read.protocol, read.payload), (17, [7].as_slice()));
        let atomic = six(FRAGMENT, &[17, 0, 0, 0, 1, 2, 3, 4, 7]);
        assert_eq!(IpPacket::read(&atomic).unwrap().fragment, None);
    }
}
