//! Classic pcap: a header, then packets.
//!
//! draft-ietf-opsawg-pcap sections 4 and 5. The magic number tells the byte order and the unit of
//! the times.

use std::io::Read;
use std::time::Duration;

use super::source::{Got, Source};
use super::{Damage, MOST_PACKET_BYTES, ReadError, Record};
use crate::fields::{Fields, Order};

/// Bits of the field that are the link type; those above tell of frame check sequences.
const LINKTYPE_BITS: u32 = 0x03FF_FFFF;

#[derive(Debug)]
pub(super) struct Classic {
    order: Order,
    /// Nanoseconds of one unit of the fraction of a second.
    unit: u64,
    pub(super) linktype: u32,
    packet: Vec<u8>,
}

impl Classic {
    /// Reads what follows the magic number in the header.
    pub(super) fn open<R: Read>(magic: [u8; 4], source: &mut Source<R>) -> Result<Self, ReadError> {
        let (order, unit) = match magic {
            [0xA1, 0xB2, 0xC3, 0xD4] => (Order::Big, 1000),
            [0xD4, 0xC3, 0xB2, 0xA1] => (Order::Little, 1000),
            [0xA1, 0xB2, 0x3C, 0x4D] => (Order::Big, 1),
            [0x4D, 0x3C, 0xB2, 0xA1] => (Order::Little, 1),
            _ => return Err(ReadError::Unreadable { at: 0, what: Damage::Magic }),
        };
        let mut header = [0; 20];
        let got = source.fill(&mut header)?;
        // Version, two unused fields and the snapshot length say nothing about how to read on.
        let [.., a, b, c, d] = header;
        match Fields::new(&[a, b, c, d], order).u32().filter(|_| got == Got::Whole) {
            Some(linktype) => {
                Ok(Self { order, unit, linktype: linktype & LINKTYPE_BITS, packet: Vec::new() })
            }
            None => Err(source.damage(Damage::HeaderCut)),
        }
    }

    pub(super) fn next<R: Read>(&mut self, source: &mut Source<R>) -> Result<Option<Record<'_>>, ReadError> {
        let mut header = [0; 16];
        match source.fill(&mut header)? {
            Got::Whole => {}
            Got::Nothing => return Ok(None),
            Got::Part => {
                source.cut();
                return Ok(None);
            }
        }
        let mut fields = Fields::new(&header, self.order);
        let mut number = || fields.u32().unwrap_or_default();
        let (seconds, fraction, kept, whole) = (number(), number(), number(), number());
        if !source.body(u64::from(kept), MOST_PACKET_BYTES, &mut self.packet)? {
            return Ok(None);
        }
        let fraction = Duration::from_nanos(u64::from(fraction) * self.unit);
        Ok(Some(Record {
            at: Some(Duration::from_secs(u64::from(seconds)) + fraction),
            interface: 0,
            linktype: Some(self.linktype),
            bytes: &self.packet,
            wire_bytes: whole.max(kept),
        }))
    }
}
