//! What a capture says about calls and their media.
//!
//! Two views side by side. The rows of RTP and RTCP keep to a plain rule that other tools share:
//! IPv4 only, by ports and payload type, whatever the packet is. Calls are found through SIP (RFC
//! 3261) and joined with their streams through the addresses and payload types in session
//! descriptions (RFC 8866, 3264); streams are told apart by addresses and source (RFC 3550).
//! Everything is bounded; [`LeftOut`] counts what went beyond.

mod analysis;
mod calls;
mod flows;
mod join;
mod media;
mod names;
mod numbering;
mod port;
mod rtp_streams;
mod tally;

use std::io::Read;

pub use analysis::{
    Analysis, AnalysisError, Call, Ending, LeftOut, Linktype, Party, RtcpFlow, RtpFlow, RtpStream, Skipped,
    StreamCodec,
};
pub use port::PortCodecs;

use crate::dissect::link;
use crate::read::{ReadError, Reader};
use tally::Tally;

/// Reads a capture to its end, as far as it can be read, and tells what is in it.
///
/// ```
/// use offhook_capture::{analyze::analyze, frame::Framer, write::{Format, Writer}};
/// use std::time::Duration;
///
/// let mut writer = Writer::new(Vec::new(), Format::Pcap)?;
/// let alice = writer.interface("alice")?;
/// let (from, to) = ("192.0.2.1:4000".parse()?, "192.0.2.2:4002".parse()?);
/// let rtp = [0x80, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 0xD5, 0xD5];
/// writer.packet(Duration::ZERO, alice, Framer::default().udp(from, to, &rtp)?, None)?;
///
/// let analysis = analyze(writer.into_inner().as_slice());
/// assert_eq!(analysis.rtp_flows[0].codec, "PCMA");
/// assert_eq!((analysis.total_packets, analysis.error), (1, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn analyze(input: impl Read) -> Analysis {
    let mut reader = match Reader::new(input) {
        Ok(reader) => reader,
        Err(error) => return Analysis { error: Some(error.into()), ..Analysis::default() },
    };
    let mut tally = Tally::default();
    let damage = tally_all(&mut reader, &mut tally).err();
    let mut analysis = tally.finish();
    analysis.linktype = reader.linktype();
    analysis.linktype_name = analysis.linktype.and_then(link::name);
    analysis.is_cut = reader.is_cut();
    let unknown = analysis.linktypes.iter().find(|linktype| linktype.name.is_none());
    let unknown = match (unknown, analysis.linktype) {
        (Some(linktype), _) => Some(linktype.number),
        // A file without packets.
        (None, Some(number)) => Some(number).filter(|number| link::name(*number).is_none()),
        (None, None) => None,
    };
    analysis.error = damage.map(AnalysisError::from).or(unknown.map(AnalysisError::UnknownLinktype));
    analysis
}

fn tally_all<R: Read>(reader: &mut Reader<R>, tally: &mut Tally) -> Result<(), ReadError> {
    while let Some(record) = reader.next_record()? {
        tally.add(&record);
    }
    Ok(())
}
