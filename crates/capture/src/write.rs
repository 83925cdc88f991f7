//! Captures to files: classic pcap, or pcapng with an interface for each phone and comments.
//!
//! draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Packets are whole IP packets (link type
//! 101). Classic files have microseconds and no place for interfaces and comments; pcapng files
//! have nanoseconds. The few fields are written here because the reader has to be ours in any case
//! (`read` says why); `pcap-file` 2.0 is the oracle of the tests.

use std::io::{self, Write};
use std::time::Duration;

/// IP packets without a link header.
const LINKTYPE_RAW: u16 = 101;
/// Longest packet that is written whole, in bytes: longer than any IP packet, and what tcpdump
/// writes.
const SNAPSHOT_BYTES: u32 = 262_144;
/// Longest value of an option, in bytes.
const MOST_OPTION: usize = 0xFFFC;
/// Makes four bytes of any remainder.
const PADDING: [u8; 3] = [0; 3];

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;

/// The two formats of captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap, which everything reads.
    Pcap,
    /// pcapng, which says which phone a packet belongs to.
    Pcapng,
}

/// An interface of the file that it was added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface(u32);

/// Writes a capture, a record at a time and in little-endian order.
///
/// Each record is several small writes: put a `BufWriter` around a file. After an error the file
/// may end within a record, which readers take as its end; nothing more should be written then.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    format: Format,
    interfaces: u32,
    written: u64,
    /// The options of the block in the making.
    options: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// If the output fails.
    pub fn new(output: W, format: Format) -> io::Result<Self> {
        let mut writer = Self { output, format, interfaces: 0, written: 0, options: Vec::new() };
        match format {
            Format::Pcap => {
                // Magic number, version 2.4, two fields that are always zero.
                writer.put(&0xA1B2_C3D4_u32.to_le_bytes())?;
                writer.put(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
                writer.put(&SNAPSHOT_BYTES.to_le_bytes())?;
                writer.put(&u32::from(LINKTYPE_RAW).to_le_bytes())?;
            }
            Format::Pcapng => {
                // Byte order, version 1.0, and a section of unknown length.
                let mut body = 0x1A2B_3C4D_u32.to_le_bytes().to_vec();
                body.extend([1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
                writer.option(APPLICATION, b"offhook");
                writer.block(SECTION_HEADER, &body, &[])?;
            }
        }
        Ok(writer)
    }

    /// Adds an interface, at any time; a classic capture has no place for its name.
    ///
    /// # Errors
    /// If the output fails.
    pub fn interface(&mut self, name: &str) -> io::Result<Interface> {
        let interface = Interface(self.interfaces);
        if self.format == Format::Pcapng {
            let [low, high] = LINKTYPE_RAW.to_le_bytes();
            let [a, b, c, d] = SNAPSHOT_BYTES.to_le_bytes();
            self.option(INTERFACE_NAME, up_to(name, MOST_OPTION).as_bytes());
            // Ten to the power of minus nine: nanoseconds.
            self.option(TIME_RESOLUTION, &[9]);
            self.block(INTERFACE_DESCRIPTION, &[low, high, 0, 0, a, b, c, d], &[])?;
        }
        self.interfaces += 1;
        Ok(interface)
    }

    /// Writes one IP packet that was seen at a time since the Unix epoch; a classic capture drops
    /// the comment.
    ///
    /// # Errors
    /// If the output fails, or the interface is one of another file.
    pub fn packet(
        &mut self,
        at: Duration,
        interface: Interface,
        packet: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        if interface.0 >= self.interfaces {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such interface in this capture"));
        }
        let kept = packet.get(..SNAPSHOT_BYTES as usize).unwrap_or(packet);
        let (bytes, whole) = (kept.len() as u32, u32::try_from(packet.len()).unwrap_or(u32::MAX));
        match self.format {
            Format::Pcap => {
                // Seconds end in the year 2106.
                let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
                let mut fields = [0; 16];
                join(&[seconds, at.subsec_micros(), bytes, whole], &mut fields);
                self.put(&fields)?;
                self.put(kept)
            }
            Format::Pcapng => {
                // Nanoseconds end in the year 2554.
                let nanoseconds = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
                let (high, low) = ((nanoseconds >> 32) as u32, nanoseconds as u32);
                if let Some(comment) = comment {
                    self.option(COMMENT, up_to(comment, MOST_OPTION).as_bytes());
                }
                let mut fields = [0; 20];
                join(&[interface.0, high, low, bytes, whole], &mut fields);
                self.block(ENHANCED_PACKET, &fields, kept)
            }
        }
    }

    /// Returns how many bytes the capture has so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Returns the format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the output, for example to take out what was written to memory.
    pub const fn output(&mut self) -> &mut W {
        &mut self.output
    }

    /// Passes everything on to where it goes.
    ///
    /// # Errors
    /// If the output fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Ends the capture, which needs no last words, and returns the output, not flushed.
    pub fn into_inner(self) -> W {
        self.output
    }

    /// Prepares an option of the next block.
    fn option(&mut self, code: u16, value: &[u8]) {
        self.options.extend(code.to_le_bytes());
        self.options.extend((value.len() as u16).to_le_bytes());
        self.options.extend(value);
        self.options.extend(padding(value.len()));
    }

    /// Writes a block of fixed fields, data and the options that were prepared.
    fn block(&mut self, kind: u32, fields: &[u8], data: &[u8]) -> io::Result<()> {
        let mut options = std::mem::take(&mut self.options);
        if !options.is_empty() {
            // The end of options.
            options.extend([0; 4]);
        }
        let padding = padding(data.len());
        let length = 12 + fields.len() + data.len() + padding.len() + options.len();
        let length = (length as u32).to_le_bytes();
        self.put(&kind.to_le_bytes())?;
        for part in [&length, fields, data, padding, &options, &length] {
            self.put(part)?;
        }
        options.clear();
        self.options = options;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// Returns the bytes that bring a length to whole words of 32 bits.
fn padding(length: usize) -> &'static [u8] {
    let missing = length.next_multiple_of(4) - length;
    PADDING.get(..missing).unwrap_or(&PADDING)
}

/// Writes numbers in little-endian order, one after the other.
fn join(numbers: &[u32], out: &mut [u8]) {
    let (places, _) = out.as_chunks_mut::<4>();
    places.iter_mut().zip(numbers).for_each(|(place, number)| *place = number.to_le_bytes());
}

/// Cuts a text to a number of bytes, between characters.
fn up_to(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
