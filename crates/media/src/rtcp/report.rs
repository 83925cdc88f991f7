//! Sender and receiver reports.
//!
//! RFC 3550 sections 6.4.1 and 6.4.2. Profile-specific extensions behind the blocks are skipped.

use super::clock::NtpTime;
use super::compound::take_u32;

/// What one side heard from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// Source the block is about.
    pub ssrc: u32,
    /// Share of the packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start, a signed 24-bit number.
    pub cumulative_lost: i32,
    /// Highest extended sequence number.
    pub highest_sequence: u32,
    /// Jitter in timestamp units.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report heard; zero if none.
    pub last_report: u32,
    /// Time since that report, in 1/65536 seconds.
    pub delay_since_last_report: u32,
}

/// SR: what the sender sent, and what it heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderReport {
    /// Sender of the report.
    pub ssrc: u32,
    /// Its wall clock.
    pub ntp: NtpTime,
    /// The same moment on its RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent, modulo 2³².
    pub packets: u32,
    /// Payload bytes sent, modulo 2³².
    pub bytes: u32,
    /// What it heard; at most 31 blocks.
    pub blocks: Vec<ReportBlock>,
}

/// RR: what a side that sends nothing heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverReport {
    /// Sender of the report.
    pub ssrc: u32,
    /// What it heard; at most 31 blocks.
    pub blocks: Vec<ReportBlock>,
}

impl SenderReport {
    pub(super) fn parse(count: u8, mut body: &[u8]) -> Option<Self> {
        let ssrc = take_u32(&mut body)?;
        let ntp = NtpTime::new(take_u32(&mut body)?, take_u32(&mut body)?);
        let rtp_timestamp = take_u32(&mut body)?;
        let packets = take_u32(&mut body)?;
        let bytes = take_u32(&mut body)?;
        Some(Self { ssrc, ntp, rtp_timestamp, packets, bytes, blocks: parse_blocks(count, body)? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&self.ntp.bits().to_be_bytes());
        for word in [self.rtp_timestamp, self.packets, self.bytes] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        write_blocks(&self.blocks, out)
    }
}

impl ReceiverReport {
    pub(super) fn parse(count: u8, mut body: &[u8]) -> Option<Self> {
        let ssrc = take_u32(&mut body)?;
        Some(Self { ssrc, blocks: parse_blocks(count, body)? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        write_blocks(&self.blocks, out)
    }
}

fn parse_blocks(count: u8, mut body: &[u8]) -> Option<Vec<ReportBlock>> {
    (0..count)
        .map(|_| {
            let ssrc = take_u32(&mut body)?;
            let loss = take_u32(&mut body)?;
            Some(ReportBlock {
                ssrc,
                fraction_lost: (loss >> 24) as u8,
                // Sign extension of the low 24 bits.
                cumulative_lost: (loss << 8).cast_signed() >> 8,
                highest_sequence: take_u32(&mut body)?,
                jitter: take_u32(&mut body)?,
                last_report: take_u32(&mut body)?,
                delay_since_last_report: take_u32(&mut body)?,
            })
        })
        .collect()
}

fn write_blocks(blocks: &[ReportBlock], out: &mut Vec<u8>) -> u8 {
    let mut count = 0;
    for block in blocks.iter().take(31) {
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF).cast_unsigned() & 0xFF_FFFF;
        let loss = (u32::from(block.fraction_lost) << 24) | lost;
        let words = [
            block.ssrc,
            loss,
            block.highest_sequence,
            block.jitter,
            block.last_report,
            block.delay_since_last_report,
        ];
        out.extend(words.into_iter().flat_map(u32::to_be_bytes));
        count += 1;
    }
    count
}
