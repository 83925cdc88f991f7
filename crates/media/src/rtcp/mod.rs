//! RTCP: compound packets, and when to send them.
//!
//! RFC 3550 section 6 and appendix A.7. Extended reports (RFC 3611), feedback and application packets
//! are kept as bytes. Reduced-size RTCP (RFC 5506) is read, never sent.

mod bye;
mod clock;
mod compound;
mod report;
mod schedule;
mod sdes;
#[cfg(test)]
mod tests;

pub use bye::Bye;
pub use clock::{NtpTime, round_trip};
pub use compound::{RtcpError, RtcpPacket, parse_compound, write_compound};
pub use report::{ReceiverReport, ReportBlock, SenderReport};
pub use schedule::Schedule;
pub use sdes::{SourceDescription, SourceItem};
