//! What a pcapng file says about an interface: its link type and the unit of its times.
//!
//! draft-ietf-opsawg-pcapng section 4.2, options `if_tsresol` and `if_tsoffset`.

use std::time::Duration;

use crate::fields::{Fields, Order};

const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;
const END: u16 = 0;

const NANOSECONDS: u128 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) linktype: u32,
    /// Most bytes of a packet; zero is no limit.
    pub(super) snapshot_bytes: u32,
    unit: Unit,
    /// Seconds to add to every time.
    offset: i64,
}

/// What a second is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    PowerOfTen(u8),
    PowerOfTwo(u8),
}

impl Interface {
    /// Reads the body of an interface description; `None` if it is too short.
    pub(super) fn read(body: &[u8], order: Order) -> Option<Self> {
        let mut fields = Fields::new(body, order);
        let linktype = u32::from(fields.u16()?);
        fields.u16()?;
        let snapshot_bytes = fields.u32()?;
        let mut interface = Self { linktype, snapshot_bytes, unit: Unit::PowerOfTen(6), offset: 0 };
        interface.options(fields, order);
        Some(interface)
    }

    /// Reads the options, as far as they can be read.
    fn options(&mut self, mut fields: Fields<'_>, order: Order) -> Option<()> {
        loop {
            let (code, length) = (fields.u16()?, usize::from(fields.u16()?));
            let value = fields.take(length)?;
            fields.take(length.next_multiple_of(4) - length)?;
            match (code, value) {
                (END, _) => return None,
                (TIME_RESOLUTION, [resolution]) if *resolution < 0x80 => {
                    self.unit = Unit::PowerOfTen(*resolution);
                }
                (TIME_RESOLUTION, [resolution]) => self.unit = Unit::PowerOfTwo(*resolution & 0x7F),
                (TIME_OFFSET, value) => self.offset = Fields::new(value, order).i64().unwrap_or_default(),
                _ => {}
            }
        }
    }

    /// Returns the time of so many units; one before the epoch is the epoch.
    pub(super) fn time(self, units: u64) -> Duration {
        let units = u128::from(units);
        let nanoseconds = match self.unit {
            Unit::PowerOfTen(power @ ..=9) => units * 10_u128.pow(u32::from(9 - power)),
            Unit::PowerOfTen(power) => {
                10_u128.checked_pow(u32::from(power - 9)).map_or(0, |divisor| units / divisor)
            }
            Unit::PowerOfTwo(power) => (units * NANOSECONDS) >> power,
        };
        let offset = i128::from(self.offset) * NANOSECONDS as i128;
        let total = u128::try_from(nanoseconds as i128 + offset).unwrap_or_default();
        let seconds = u64::try_from(total / NANOSECONDS).unwrap_or(u64::MAX);
        Duration::new(seconds, (total % NANOSECONDS) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[u8]) -> Interface {
        Interface::read(&[&[1, 0, 0, 0, 0, 0, 0, 0], options].concat(), Order::Little).unwrap()
    }

    #[test]
    fn times_are_microseconds_unless_said_otherwise() {
        let at = Duration::new(1_700_000_000, 123_456_000);
        assert_eq!(with(&[]).time(1_700_000_000_123_456), at);
        assert_eq!(
            with(&[9, 0, 1, 0, 3, 0, 0, 0]).time(1_700_000_000_123),
            Duration::new(1_700_000_000, 123_000_000)
        );
        assert_eq!(with(&[9, 0, 1, 0, 9, 0, 0, 0]).time(1_700_000_000_123_456_000), at);
        assert_eq!(with(&[9, 0, 1, 0, 12, 0, 0, 0]).time(1_500_000_000_000), Duration::from_millis(1500));
        assert_eq!(with(&[9, 0, 1, 0, 0x8A, 0, 0, 0]).time(1536), Duration::from_millis(1500));
    }

    #[test]
    fn an_offset_is_added_in_seconds() {
        let options = [[9, 0, 1, 0, 0, 0, 0, 0].as_slice(), &[14, 0, 8, 0], &1000_i64.to_le_bytes()].concat();
        assert_eq!(with(&options).time(5), Duration::from_secs(1005));
        let options = [[14, 0, 8, 0].as_slice(), &(-10_i64).to_le_bytes()].concat();
        assert_eq!(with(&options).time(11_000_000), Duration::from_secs(1));
        assert_eq!(with(&options).time(9_000_000), Duration::ZERO);
    }

    #[test]
    fn no_resolution_and_no_time_is_too_extreme() {
        for resolution in 0..=u8::MAX {
            for offset in [i64::MIN, 0, i64::MAX] {
                let options =
                    [[9, 0, 1, 0, resolution, 0, 0, 0, 14, 0, 8, 0].as_slice(), &offset.to_le_bytes()]
                        .concat();
                let _time = with(&options).time(u64::MAX);
            }
        }
    }

    #[test]
    fn options_that_are_cut_or_come_after_the_end_do_not_count() {
        assert_eq!(with(&[0, 0, 0, 0, 9, 0, 1, 0, 3, 0, 0, 0]), with(&[]));
        assert_eq!(with(&[9, 0, 200, 0, 3, 0, 0, 0]), with(&[]));
        assert_eq!(
            with(&[2, 0, 3, 0, b'a', b'b', b'c', 0, 9, 0, 1, 0, 3, 0, 0, 0]).unit,
            Unit::PowerOfTen(3)
        );
    }
}
