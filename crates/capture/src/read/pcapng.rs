//! pcapng: sections of blocks, some of which are packets.
//!
//! draft-ietf-opsawg-pcapng sections 3, 4.1 to 4.4 and the packet block of older versions (appendix
//! A). A section has its own byte order and interfaces. Blocks of other kinds are skipped whatever
//! is in them.

use std::io::Read;

use super::interface::Interface;
use super::source::{Got, Source};
use super::{Damage, MOST_PACKET_BYTES, ReadError, Record};
use crate::fields::{Fields, Order};

/// How a section begins, in either byte order.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and both lengths of a block, in bytes.
const FRAME_BYTES: u32 = 12;
/// The shortest section header: frame, byte order, version, length of the section.
const LEAST_SECTION: u32 = FRAME_BYTES + 16;
/// What is kept of a block: a packet and the fields before it.
const MOST_BODY: usize = MOST_PACKET_BYTES + 20;
/// Most interfaces of a section.
const MOST_INTERFACES: usize = 65_536;

#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    pub(super) first_linktype: Option<u32>,
    body: Vec<u8>,
}

/// Where the packet is in a body, and what is said about it.
#[derive(Debug, Clone, Copy)]
struct Place {
    interface: u32,
    units: Option<u64>,
    start: usize,
    kept: u32,
    whole: u32,
}

impl Pcapng {
    /// Reads what follows the first type in the header of the first section.
    pub(super) fn open<R: Read>(source: &mut Source<R>) -> Result<Self, ReadError> {
        let mut pcapng =
            Self { order: Order::Little, interfaces: Vec::new(), first_linktype: None, body: Vec::new() };
        let mut length = [0; 4];
        if source.fill(&mut length)? == Got::Whole && pcapng.section(length, source)? {
            Ok(pcapng)
        } else {
            Err(source.damage(Damage::HeaderCut))
        }
    }

    /// Reads the rest of a section header; `false` if the file ends in it.
    fn section<R: Read>(&mut self, length: [u8; 4], source: &mut Source<R>) -> Result<bool, ReadError> {
        let mut order = [0; 4];
        if source.fill(&mut order)? != Got::Whole {
            return Ok(source.cut());
        }
        self.order = match order {
            [0x1A, 0x2B, 0x3C, 0x4D] => Order::Big,
            [0x4D, 0x3C, 0x2B, 0x1A] => Order::Little,
            _ => return Err(source.damage(Damage::ByteOrder)),
        };
        self.interfaces.clear();
        let length = Fields::new(&length, self.order).u32().filter(|length| *length >= LEAST_SECTION);
        let length = length.ok_or_else(|| source.damage(Damage::BlockLength))?;
        // The byte order was read already.
        self.rest_of_block(length, 4, 0, source)
    }

    /// Reads the body of a block, keeping `most` bytes of it, and checks its lengths; `false` if
    /// the file ends in it.
    fn rest_of_block<R: Read>(
        &mut self,
        length: u32,
        before: u32,
        most: usize,
        source: &mut Source<R>,
    ) -> Result<bool, ReadError> {
        let body = length.checked_sub(FRAME_BYTES + before).filter(|_| length.is_multiple_of(4));
        let body = body.ok_or_else(|| source.damage(Damage::BlockLength))?;
        if !source.body(u64::from(body), most, &mut self.body)? {
            return Ok(false);
        }
        let mut again = [0; 4];
        if source.fill(&mut again)? != Got::Whole {
            return Ok(source.cut());
        }
        if Fields::new(&again, self.order).u32() != Some(length) {
            return Err(source.damage(Damage::BlockLength));
        }
        Ok(true)
    }

    pub(super) fn next<R: Read>(&mut self, source: &mut Source<R>) -> Result<Option<Record<'_>>, ReadError> {
        let place = loop {
            let mut head = [0; 8];
            match source.fill(&mut head)? {
                Got::Whole => {}
                Got::Nothing => return Ok(None),
                Got::Part => {
                    source.cut();
                    return Ok(None);
                }
            }
            let [a, b, c, d, length @ ..] = head;
            if [a, b, c, d] == SECTION_HEADER {
                if self.section(length, source)? {
                    continue;
                }
                return Ok(None);
            }
            let mut fields = Fields::new(&head, self.order);
            let (kind, length) = (fields.u32().unwrap_or_default(), fields.u32().unwrap_or_default());
            let is_known = matches!(kind, INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
            if !self.rest_of_block(length, 0, if is_known { MOST_BODY } else { 0 }, source)? {
                return Ok(None);
            }
            if kind == INTERFACE_DESCRIPTION {
                self.add_interface(source)?;
            } else if is_known {
                let place = self.place(kind).ok_or_else(|| source.damage(Damage::BlockLength))?;
                if u64::from(place.kept) > u64::from(length - FRAME_BYTES) - place.start as u64 {
                    return Err(source.damage(Damage::PacketLength));
                }
                break place;
            }
        };
        Ok(Some(self.record(place)))
    }

    fn add_interface<R: Read>(&mut self, source: &Source<R>) -> Result<(), ReadError> {
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(source.damage(Damage::Interfaces));
        }
        let interface = Interface::read(&self.body, self.order);
        let interface = interface.ok_or_else(|| source.damage(Damage::BlockLength))?;
        self.first_linktype.get_or_insert(interface.linktype);
        self.interfaces.push(interface);
        Ok(())
    }

    /// Reads the fields of a block with a packet; `None` if the block is too short for them.
    fn place(&self, kind: u32) -> Option<Place> {
        let mut fields = Fields::new(&self.body, self.order);
        if kind == SIMPLE_PACKET {
            let whole = fields.u32()?;
            // How much was kept follows from the snapshot length of the only interface.
            let most = self.interfaces.first().map_or(0, |interface| interface.snapshot_bytes);
            let kept = if most == 0 { whole } else { whole.min(most) };
            return Some(Place { interface: 0, units: None, start: 4, kept, whole });
        }
        let interface = if kind == PACKET {
            let interface = fields.u16()?;
            // How many packets were dropped before this one.
            fields.u16()?;
            u32::from(interface)
        } else {
            fields.u32()?
        };
        let units = u64::from(fields.u32()?) << 32 | u64::from(fields.u32()?);
        let (kept, whole) = (fields.u32()?, fields.u32()?);
        Some(Place { interface, units: Some(units), start: 20, kept, whole })
    }

    fn record(&self, place: Place) -> Record<'_> {
        let interface = usize::try_from(place.interface).ok().and_then(|at| self.interfaces.get(at));
        let data = self.body.get(place.start..).unwrap_or_default();
        Record {
            at: place.units.zip(interface).map(|(units, interface)| interface.time(units)),
            interface: place.interface,
            linktype: interface.map(|interface| interface.linktype),
            bytes: data.get(..place.kept as usize).unwrap_or(data),
            wire_bytes: place.whole.max(place.kept),
        }
    }
}
