//! The reader of either format, and the records that it gives.

use std::io::Read;
use std::time::Duration;

use super::classic::Classic;
use super::pcapng::{self, Pcapng};
use super::source::{Got, Source};
use super::{Damage, ReadError};

/// One packet of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, since the Unix epoch; `None` where the format does not say.
    pub at: Option<Duration>,
    /// Number of the interface in its section; zero in classic files.
    pub interface: u32,
    /// Link type of the interface; `None` for an interface that the file does not describe.
    pub linktype: Option<u32>,
    /// The packet, as far as it was kept.
    pub bytes: &'a [u8],
    /// How long it was on the wire, in bytes.
    pub wire_bytes: u32,
}

impl Record<'_> {
    /// Returns whether the end of the packet is missing.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.bytes.len() < self.wire_bytes as usize
    }
}

/// Reads a capture of either format.
///
/// ```
/// use offhook_capture::read::Reader;
/// use offhook_capture::write::{Format, Writer};
/// use std::time::Duration;
///
/// let mut writer = Writer::new(Vec::new(), Format::Pcapng)?;
/// let alice = writer.interface("alice")?;
/// writer.packet(Duration::from_millis(1500), alice, b"packet", None)?;
/// let file = writer.into_inner();
///
/// let mut reader = Reader::new(file.as_slice())?;
/// let record = reader.next_record()?.unwrap();
/// assert_eq!((record.at, record.bytes), (Some(Duration::from_millis(1500)), b"packet".as_slice()));
/// assert_eq!(reader.next_record()?, None);
/// assert!(!reader.is_cut());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    kind: Kind,
    is_over: bool,
}

#[derive(Debug)]
enum Kind {
    Classic(Classic),
    Pcapng(Pcapng),
}

impl<R: Read> Reader<R> {
    /// Reads the header of a capture.
    ///
    /// # Errors
    /// If the input fails, is empty, or does not begin with the whole header of a capture.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut source = Source::new(input);
        let mut magic = [0; 4];
        match source.fill(&mut magic)? {
            Got::Nothing => return Err(ReadError::Empty),
            Got::Part => return Err(ReadError::Unreadable { at: 0, what: Damage::Magic }),
            Got::Whole => {}
        }
        let kind = if magic == pcapng::SECTION_HEADER {
            Kind::Pcapng(Pcapng::open(&mut source)?)
        } else {
            Kind::Classic(Classic::open(magic, &mut source)?)
        };
        Ok(Self { source, kind, is_over: false })
    }

    /// Returns the next packet; `None` at the end, and after an error.
    ///
    /// # Errors
    /// If the input fails, or goes on with what cannot be in a capture.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        if self.is_over {
            return Ok(None);
        }
        // Taken back when there is a record.
        self.is_over = true;
        let record = match &mut self.kind {
            Kind::Classic(classic) => classic.next(&mut self.source)?,
            Kind::Pcapng(pcapng) => pcapng.next(&mut self.source)?,
        };
        self.is_over = record.is_none();
        Ok(record)
    }

    /// Returns whether the file ended within a record, once its end was reached.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.source.is_cut()
    }

    /// Returns the link type of the first interface; `None` before a pcapng file has described one.
    #[must_use]
    pub const fn linktype(&self) -> Option<u32> {
        match &self.kind {
            Kind::Classic(classic) => Some(classic.linktype),
            Kind::Pcapng(pcapng) => pcapng.first_linktype,
        }
    }
}
