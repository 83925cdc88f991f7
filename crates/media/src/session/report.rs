//! RTCP of a session: reports both ways, and goodbye.
//!
//! RFC 3550 sections 6.3 and 6.4. A stream on hold sends reports all the same, so that it stays open.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::media_session::MediaSession;
use super::output::{Fact, Output};
use super::protect;
use super::statistics::RemoteReport;
use crate::audio::FRAME;
use crate::codec::Codec;
use crate::rtcp::{
    Bye, NtpTime, ReceiverReport, ReportBlock, RtcpPacket, Schedule, SenderReport, SourceDescription,
    parse_compound, round_trip, write_compound,
};
use crate::rtp::{Proof, Trust};
use offhook_seed::Seed;

/// Bytes a second of G.711 in 20 ms packets, with all headers.
const STREAM_BANDWIDTH: f64 = 10_000.0;
/// Headers below RTCP, which count for its bandwidth.
const LOWER_HEADERS: usize = 28;
/// Reports of ours that an answer may still refer to: more than a minute of them.
const REMEMBERED: usize = 16;

/// Clock, timer and what the peer reported.
#[derive(Debug)]
pub(super) struct Reporting {
    wall_clock: NtpTime,
    started: Instant,
    schedule: Option<Schedule>,
    /// Middle of the clock of the peer's last sender report, and when it came.
    last_sender_report: Option<(u32, Instant)>,
    /// Middles of the clock in our own sender reports, the newest last.
    own_reports: VecDeque<u32>,
    round_trip: Option<Duration>,
    remote: Option<RemoteReport>,
    /// Packets sent at the last report: a stream that sent none since is a receiver only.
    packets_at_report: u64,
}

impl Reporting {
    pub(super) const fn new(wall_clock: NtpTime, started: Instant) -> Self {
        Self {
            wall_clock,
            started,
            schedule: None,
            last_sender_report: None,
            own_reports: VecDeque::new(),
            round_trip: None,
            remote: None,
            packets_at_report: 0,
        }
    }

    /// Starts the timer, once.
    pub(super) fn start(&mut self, now: Instant, seed: &mut Seed) {
        self.schedule.get_or_insert_with(|| Schedule::new(now, STREAM_BANDWIDTH, seed));
    }

    pub(super) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(super) const fn remote(&self) -> Option<RemoteReport> {
        self.remote
    }

    fn clock(&self, now: Instant) -> NtpTime {
        self.wall_clock.plus(now.saturating_duration_since(self.started))
    }

    /// Remembers a sender report of ours.
    fn sent(&mut self, middle: u32) {
        if self.own_reports.len() == REMEMBERED {
            self.own_reports.pop_front();
        }
        self.own_reports.push_back(middle);
    }

    fn observe(&mut self, bytes: usize) {
        if let Some(schedule) = &mut self.schedule {
            schedule.observe(bytes + LOWER_HEADERS);
        }
    }

    /// Reads the block about us.
    fn take_blocks(&mut self, now: Instant, own: (u32, Codec), blocks: &[ReportBlock]) {
        let (own, codec) = own;
        let Some(block) = blocks.iter().find(|block| block.ssrc == own) else { return };
        self.remote = Some(RemoteReport {
            fraction_lost: f64::from(block.fraction_lost) / 256.0,
            lost: block.cumulative_lost,
            jitter_ms: f64::from(block.jitter) * 1000.0 / f64::from(codec.rtp_clock.max(1)),
        });
        // What refers to no report of ours measures nothing.
        if !self.own_reports.contains(&block.last_report) {
            return;
        }
        let now = self.clock(now).middle();
        if let Some(trip) = round_trip(now, block.last_report, block.delay_since_last_report) {
            self.round_trip = Some(trip);
        }
    }
}

impl MediaSession {
    /// Takes a datagram from the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        if self.closed {
            return;
        }
        let datagram = protect::open(self.plan.as_ref(), bytes);
        let parsed = parse_compound(datagram).ok();
        let proof = parsed.as_ref().and_then(|_| Proof::of_rtcp(datagram));
        if self.peer.judge_rtcp(source, proof, self.receiver.ssrc()) != Trust::Peer {
            return;
        }
        let Some(packets) = parsed else {
            self.malformed += 1;
            return;
        };
        self.reporting.observe(bytes.len());
        let own = (self.sender.ssrc(), self.codec);
        for packet in packets {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    if self.is_heard(report.ssrc) {
                        self.reporting.last_sender_report = Some((report.ntp.middle(), now));
                    }
                    self.reporting.take_blocks(now, own, &report.blocks);
                }
                RtcpPacket::ReceiverReport(report) => {
                    self.reporting.take_blocks(now, own, &report.blocks);
                }
                // RFC 3550 section 6.6: it says which sources leave.
                RtcpPacket::Bye(bye) if !bye.sources.iter().any(|source| self.is_heard(*source)) => {}
                RtcpPacket::Bye(bye) => self.fact(Fact::RemoteBye { reason: bye.reason }),
                RtcpPacket::SourceDescription(_) | RtcpPacket::Other { .. } => {}
            }
        }
    }

    /// Returns whether a source is the one that is heard, or nobody is heard yet.
    fn is_heard(&self, source: u32) -> bool {
        self.receiver.ssrc().is_none_or(|heard| heard == source)
    }

    /// Sends a report if its time has come.
    pub(super) fn send_due_report(&mut self, now: Instant) {
        if self.reporting.schedule.as_ref().is_none_or(|schedule| schedule.due() > now) {
            return;
        }
        let packets = self.compound(now);
        self.send_compound(&packets);
        self.reporting.packets_at_report = self.sender.packets();
        if let Some(schedule) = &mut self.reporting.schedule {
            schedule.sent(now, &mut self.seed);
        }
    }

    /// Says goodbye, if anything was ever sent or received.
    pub(super) fn send_bye(&mut self, now: Instant) {
        if self.sender.packets() == 0 && self.receiver.ssrc().is_none() {
            return;
        }
        let mut packets = self.compound(now);
        packets.push(RtcpPacket::Bye(Bye { sources: vec![self.sender.ssrc()], reason: None }));
        self.send_compound(&packets);
    }

    fn compound(&mut self, now: Instant) -> Vec<RtcpPacket> {
        let ssrc = self.sender.ssrc();
        let heard = self.reporting.last_sender_report;
        let block = self.receiver.report().map(|figures| ReportBlock {
            ssrc: figures.ssrc,
            fraction_lost: figures.fraction_lost,
            cumulative_lost: figures.cumulative_lost.cast_signed(),
            highest_sequence: figures.highest_sequence,
            jitter: figures.jitter,
            last_report: heard.map_or(0, |(middle, _)| middle),
            delay_since_last_report: heard.map_or(0, |(_, at)| {
                (now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000) as u32
            }),
        });
        let blocks: Vec<ReportBlock> = block.into_iter().collect();
        let report = if self.sender.packets() > self.reporting.packets_at_report {
            // The sender's timestamp belongs to the next tick.
            let ahead = self.next_tick.map_or(FRAME, |tick| tick.saturating_duration_since(now));
            let ahead = self.codec.units(ahead);
            let ntp = self.reporting.clock(now);
            self.reporting.sent(ntp.middle());
            RtcpPacket::SenderReport(SenderReport {
                ssrc,
                ntp,
                rtp_timestamp: self.sender.timestamp().wrapping_sub(ahead),
                packets: self.sender.packets() as u32,
                bytes: self.sender.bytes() as u32,
                blocks,
            })
        } else {
            RtcpPacket::ReceiverReport(ReceiverReport { ssrc, blocks })
        };
        let name = SourceDescription::canonical_name(ssrc, &self.config.cname);
        vec![report, RtcpPacket::SourceDescription(name)]
    }

    fn send_compound(&mut self, packets: &[RtcpPacket]) {
        let Some(to) = self.plan.as_ref().and_then(|plan| plan.remote_rtcp) else { return };
        let mut bytes = self.buffer();
        write_compound(packets, &mut bytes);
        protect::seal(self.plan.as_ref(), &mut bytes);
        self.reporting.observe(bytes.len());
        self.outputs.push_back(Output::Rtcp { to, bytes });
    }
}
