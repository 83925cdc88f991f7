//! From what a tap saw to IP packets, as a file of link type 101 (LINKTYPE_RAW) holds them.
//!
//! RFC 791 and 8200 (IP), 768 (UDP), 9293 (TCP), 1071 (checksums). A datagram becomes one packet
//! however long it is: the fragments and the link below were not seen. Bytes of a connection become
//! segments whose numbers go on from what was seen of it before; no handshake and no bare
//! acknowledgement is made up. The headers are few enough to write here; `etherparse` proves them
//! in the tests.

mod connections;
mod header;

use std::iter;
use std::net::SocketAddr;

use connections::Connections;
use header::Ends;

/// Most bytes of a connection in one packet: what IPv4 leaves beside both headers.
const MOST_SEGMENT: usize = 65_495;

/// Why there is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// One end has an IPv4 address and the other an IPv6 one.
    #[error("no packet can go from {from} to {to}")]
    MixedFamilies {
        /// The sender.
        from: SocketAddr,
        /// The receiver.
        to: SocketAddr,
    },
    /// More than a datagram can hold.
    #[error("{bytes} bytes do not fit a datagram")]
    TooLong {
        /// Bytes of payload.
        bytes: usize,
    },
}

/// Makes packets, and keeps what it needs to number those of connections.
///
/// Addresses that map IPv4 into IPv6 count as IPv4 (RFC 4291 section 2.5.5.2), and an unspecified
/// address takes the family of the other end.
///
/// ```
/// use offhook_capture::frame::Framer;
///
/// let mut framer = Framer::default();
/// let (from, to) = ("192.0.2.1:5060".parse()?, "192.0.2.2:5060".parse()?);
/// assert_eq!(framer.udp(from, to, b"hello")?.len(), 20 + 8 + 5);
/// assert_eq!(framer.tcp(from, to, &[0; 100_000])?.count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Framer {
    packets: Vec<u8>,
    /// Where each packet of `packets` ends.
    ends: Vec<usize>,
    /// Identification of the next IPv4 packet, so that no two look like copies of each other.
    identification: u16,
    connections: Connections,
}

impl Framer {
    /// Returns the IP packet of one datagram.
    ///
    /// # Errors
    /// If the ends are of different families, or the payload is too long for a datagram.
    pub fn udp(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Result<&[u8], FrameError> {
        let ends = Ends::new(from, to)?;
        self.packets.clear();
        ends.push_udp(payload, self.next_identification(), &mut self.packets)?;
        Ok(&self.packets)
    }

    /// Returns the IP packets of bytes that went over a connection; none for no bytes.
    ///
    /// # Errors
    /// If the ends are of different families.
    pub fn tcp(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<impl Iterator<Item = &[u8]>, FrameError> {
        let ends = Ends::new(from, to)?;
        self.packets.clear();
        self.ends.clear();
        for part in bytes.chunks(MOST_SEGMENT) {
            let numbers = self.connections.send(ends, part.len());
            ends.push_tcp(part, numbers, self.next_identification(), &mut self.packets)?;
            self.ends.push(self.packets.len());
        }
        let starts = iter::once(0).chain(self.ends.iter().copied());
        let packets = &self.packets;
        Ok(starts.zip(&self.ends).filter_map(|(start, end)| packets.get(start..*end)))
    }

    const fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}
