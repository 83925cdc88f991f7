//! Headers of IP, UDP and TCP with their lengths and checksums.
//!
//! RFC 791 section 3.1, RFC 8200 section 3, RFC 768, RFC 9293 section 3.1, RFC 1071.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::FrameError;
use super::connections::Numbers;

const TCP: u16 = 6;
const UDP: u16 = 17;
const IPV4_BYTES: u16 = 20;
const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const HOPS: u16 = 64;
const WINDOW: u16 = u16::MAX;
/// PSH and ACK.
const PUSHED: u16 = 0x18;

/// The ends of a packet, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends {
    hosts: Hosts,
    from_port: u16,
    to_port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hosts {
    V4 { from: Ipv4Addr, to: Ipv4Addr },
    V6 { from: Ipv6Addr, to: Ipv6Addr },
}

impl Ends {
    pub(super) fn new(from: SocketAddr, to: SocketAddr) -> Result<Self, FrameError> {
        let hosts = match (from.ip().to_canonical(), to.ip().to_canonical()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Hosts::V4 { from, to },
            (IpAddr::V6(from), IpAddr::V6(to)) => Hosts::V6 { from, to },
            // A socket for both families is bound to `::` whomever it talks to.
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(to)) => {
                Hosts::V4 { from: Ipv4Addr::UNSPECIFIED, to }
            }
            (IpAddr::V4(from), IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => {
                Hosts::V4 { from, to: Ipv4Addr::UNSPECIFIED }
            }
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(to)) => {
                Hosts::V6 { from: Ipv6Addr::UNSPECIFIED, to }
            }
            (IpAddr::V6(from), IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => {
                Hosts::V6 { from, to: Ipv6Addr::UNSPECIFIED }
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return Err(FrameError::MixedFamilies { from, to });
            }
        };
        Ok(Self { hosts, from_port: from.port(), to_port: to.port() })
    }

    pub(super) const fn reversed(self) -> Self {
        let hosts = match self.hosts {
            Hosts::V4 { from, to } => Hosts::V4 { from: to, to: from },
            Hosts::V6 { from, to } => Hosts::V6 { from: to, to: from },
        };
        Self { hosts, from_port: self.to_port, to_port: self.from_port }
    }

    /// Appends the packet of a datagram.
    pub(super) fn push_udp(
        self,
        payload: &[u8],
        identification: u16,
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        let length = self.push_ip(UDP, UDP_BYTES, payload, identification, out)?;
        let header = |checksum| [self.from_port, self.to_port, length, checksum];
        // Zero would say that there is no checksum.
        let checksum = match self.checksum(UDP, length, &header(0), payload) {
            0 => u16::MAX,
            checksum => checksum,
        };
        push_words(header(checksum), out);
        out.extend_from_slice(payload);
        Ok(())
    }

    /// Appends the packet of a segment.
    pub(super) fn push_tcp(
        self,
        payload: &[u8],
        numbers: Numbers,
        identification: u16,
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        let length = self.push_ip(TCP, TCP_BYTES, payload, identification, out)?;
        let [sequence_high, sequence_low] = halves(numbers.sequence);
        let [acknowledgement_high, acknowledgement_low] = halves(numbers.acknowledgement);
        // Length of the header in words of 32 bits, then the flags.
        let flags = (TCP_BYTES as u16 / 4) << 12 | PUSHED;
        let header = |checksum| {
            [
                self.from_port,
                self.to_port,
                sequence_high,
                sequence_low,
                acknowledgement_high,
                acknowledgement_low,
                flags,
                WINDOW,
                checksum,
                0,
            ]
        };
        push_words(header(self.checksum(TCP, length, &header(0), payload)), out);
        out.extend_from_slice(payload);
        Ok(())
    }

    /// Appends the IP header and returns the length of what it carries.
    fn push_ip(
        self,
        protocol: u16,
        header_bytes: usize,
        payload: &[u8],
        identification: u16,
        out: &mut Vec<u8>,
    ) -> Result<u16, FrameError> {
        let too_long = || FrameError::TooLong { bytes: payload.len() };
        let length = u16::try_from(header_bytes + payload.len()).map_err(|_| too_long())?;
        match self.hosts {
            Hosts::V4 { from, to } => {
                let total = length.checked_add(IPV4_BYTES).ok_or_else(too_long)?;
                let [from_high, from_low] = halves(from.to_bits());
                let [to_high, to_low] = halves(to.to_bits());
                let life = HOPS << 8 | protocol;
                let header = |checksum| {
                    [
                        0x4500,
                        total,
                        identification,
                        DO_NOT_FRAGMENT,
                        life,
                        checksum,
                        from_high,
                        from_low,
                        to_high,
                        to_low,
                    ]
                };
                push_words(header(folded(sum_of(&header(0)))), out);
            }
            Hosts::V6 { from, to } => {
                push_words([0x6000, 0, length, protocol << 8 | HOPS], out);
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&to.octets());
            }
        }
        Ok(length)
    }

    /// Sums the pseudo header, the header and the payload (RFC 8200 section 8.1).
    fn checksum(self, protocol: u16, length: u16, header: &[u16], payload: &[u8]) -> u16 {
        let hosts = match self.hosts {
            Hosts::V4 { from, to } => u64::from(from.to_bits()) + u64::from(to.to_bits()),
            Hosts::V6 { from, to } => sum_of(&from.segments()) + sum_of(&to.segments()),
        };
        folded(hosts + u64::from(protocol) + u64::from(length) + sum_of(header) + sum_of_bytes(payload))
    }
}

fn halves(number: u32) -> [u16; 2] {
    [(number >> 16) as u16, number as u16]
}

fn push_words<const N: usize>(words: [u16; N], out: &mut Vec<u8>) {
    out.extend_from_slice(words.map(u16::to_be_bytes).as_flattened());
}

fn sum_of(words: &[u16]) -> u64 {
    words.iter().map(|word| u64::from(*word)).sum()
}

/// Sums in words of 32 bits, which fold to the same (RFC 1071 section 2).
fn sum_of_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    let whole: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    whole + u64::from(u32::from_be_bytes(last))
}

/// Folds a sum to 16 bits and inverts it.
const fn folded(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    !(sum as u16)
}
