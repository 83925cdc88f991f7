//! The four-byte payload of a telephone event, digits and sets of events.
//!
//! RFC 4733 sections 2.3, 2.4.1 and 3.2.

use std::fmt;

/// A DTMF digit, or the hook flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

/// Digit characters in the order of their event codes.
const DIGITS: [char; 17] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D', '!'];

impl Digit {
    /// The hook flash, written `!`.
    pub const FLASH: Self = Self(16);

    /// Finds the digit of a character: `0`–`9`, `*`, `#`, `A`–`D` in any case, `!` for flash.
    #[must_use]
    pub fn from_char(character: char) -> Option<Self> {
        let upper = character.to_ascii_uppercase();
        DIGITS.iter().position(|digit| *digit == upper).and_then(|code| u8::try_from(code).ok()).map(Self)
    }

    /// Finds the digit of an event code of RFC 4733.
    #[must_use]
    pub const fn from_event(code: u8) -> Option<Self> {
        if code <= 16 { Some(Self(code)) } else { None }
    }

    /// Returns the event code.
    #[must_use]
    pub const fn event(self) -> u8 {
        self.0
    }

    /// Returns the character.
    #[must_use]
    pub fn as_char(self) -> char {
        DIGITS.get(usize::from(self.0)).copied().unwrap_or('!')
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.as_char())
    }
}

/// Set of event codes, as an `fmtp` line lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventSet([u64; 4]);

impl EventSet {
    /// The sixteen DTMF digits.
    pub const DTMF: Self = Self([0xFFFF, 0, 0, 0]);
    /// The sixteen digits and the hook flash.
    pub const DTMF_AND_FLASH: Self = Self([0x1_FFFF, 0, 0, 0]);

    /// Reads a list such as `0-15,66,70`; `None` when it is not one.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let mut set = Self::default();
        for item in list.split(',') {
            let (first, last) = item.trim().split_once('-').unwrap_or((item.trim(), item.trim()));
            for code in first.parse::<u8>().ok()?..=last.parse::<u8>().ok()? {
                set.insert(code);
            }
        }
        Some(set)
    }

    /// Adds a code.
    pub fn insert(&mut self, code: u8) {
        if let Some(word) = self.0.get_mut(usize::from(code / 64)) {
            *word |= 1 << (code % 64);
        }
    }

    /// Returns whether a code is in the set.
    #[must_use]
    pub fn contains(self, code: u8) -> bool {
        self.0.get(usize::from(code / 64)).is_some_and(|word| word & (1 << (code % 64)) != 0)
    }

    /// Returns the codes in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a & e, b & f, c & g, d & h])
    }
}

impl fmt::Display for EventSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut codes = (0..=255u8).filter(|code| self.contains(*code)).peekable();
        while let Some(first) = codes.next() {
            let mut last = first;
            while let Some(next) = codes.next_if(|next| Some(*next) == last.checked_add(1)) {
                last = next;
            }
            write!(formatter, "{separator}{first}")?;
            if last != first {
                write!(formatter, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// One event in the payload of a telephone-event packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPayload {
    /// Event code.
    pub event: u8,
    /// Whether this packet ends the event.
    pub end: bool,
    /// Power below zero dBm0, 0 to 63.
    pub volume: u8,
    /// Duration so far, in timestamp units.
    pub duration: u16,
}

impl EventPayload {
    /// Reads the events of a payload, one after the other; bytes too few for another one are
    /// ignored.
    pub fn parse_all(payload: &[u8]) -> impl Iterator<Item = Self> {
        payload.as_chunks::<4>().0.iter().map(|[event, flags, high, low]| Self {
            event: *event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([*high, *low]),
        })
    }

    /// Returns the payload as sent.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        let flags = (if self.end { 0x80 } else { 0 }) | (self.volume & 0x3F);
        [self.event, flags, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_have_the_event_codes_of_the_rfc() {
        for (character, code) in [('0', 0), ('9', 9), ('*', 10), ('#', 11), ('A', 12), ('d', 15), ('!', 16)] {
            let digit = Digit::from_char(character).unwrap();
            assert_eq!(digit.event(), code);
            assert_eq!(Digit::from_event(code), Some(digit));
            assert_eq!(digit.as_char(), character.to_ascii_uppercase());
        }
        assert_eq!(Digit::from_char('x'), None);
        assert_eq!(Digit::from_event(17), None);
    }

    #[test]
    fn event_lists_are_read_and_written_as_ranges() {
        for list in ["0-16", "0-15,66,70", "5", "0-255"] {
            assert_eq!(EventSet::parse(list).unwrap().to_string(), list);
        }
        assert_eq!(EventSet::parse("0-11, 16").unwrap().to_string(), "0-11,16");
        assert_eq!(EventSet::parse("vbd=yes"), None);
        assert_eq!(EventSet::DTMF.to_string(), "0-15");
        assert_eq!(EventSet::DTMF_AND_FLASH.to_string(), "0-16");
    }

    #[test]
    fn a_payload_is_four_bytes_with_end_volume_and_duration() {
        let payload = EventPayload { event: 5, end: true, volume: 10, duration: 1600 };
        assert_eq!(payload.to_bytes(), [5, 0x8A, 0x06, 0x40]);
        let next = EventPayload { event: 6, end: false, volume: 0, duration: 1 };
        let two = [payload.to_bytes(), next.to_bytes()].concat();
        assert!(EventPayload::parse_all(&two).eq([payload, next]));
        assert!(EventPayload::parse_all(&two[..7]).eq([payload]));
        assert_eq!(EventPayload::parse_all(&[1, 2, 3]).next(), None);
    }
}
