//! Takes the records of a capture one after the other and counts.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_sip::message::Message;

use super::analysis::{Analysis, LeftOut, Linktype, Skipped};
use super::calls::Calls;
use super::flows::Flows;
use super::join::join;
use super::names;
use super::rtp_streams::{Header, RtpStreams};
use crate::dissect::{Content, Fragments, IpPacket, SipStreams, Transport, is_sip, link};
use crate::read::Record;

/// Most link types that are told apart.
const MOST_LINKTYPES: usize = 64;
/// Shortest packets of RTP and RTCP, in bytes.
const RTP_BYTES: usize = 12;
const RTCP_BYTES: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Tally {
    fragments: Fragments,
    sip: SipStreams,
    flows: Flows,
    streams: RtpStreams,
    calls: Calls,
    /// What needs no table.
    analysis: Analysis,
}

impl Tally {
    pub(super) fn add(&mut self, record: &Record<'_>) {
        self.analysis.total_packets += 1;
        self.count_time(record.at);
        if record.is_cut() {
            self.analysis.skipped.cut += 1;
        }
        if let Some(linktype) = record.linktype {
            self.count_linktype(linktype);
        }
        let packet = record.linktype.and_then(|linktype| link::ip_packet(linktype, record.bytes));
        let Some(packet) = packet.and_then(IpPacket::read) else {
            self.analysis.skipped.not_ip += 1;
            return;
        };
        if packet.fragment.is_none() {
            self.transport(record.at, Transport::read(&packet));
        } else if let Some(whole) = self.fragments.add(record.at, &packet) {
            let packet = whole.packet();
            self.transport(record.at, packet.as_ref().and_then(Transport::read));
        }
    }

    /// Ends the counting.
    pub(super) fn finish(mut self) -> Analysis {
        let Self { sip, calls, analysis, .. } = &mut self;
        let at = analysis.last_at;
        sip.end(|message| {
            analysis.sip_messages += 1;
            calls.add(at, message, false);
        });
        let mut analysis = self.analysis;
        analysis.rtp_flows = self.flows.rtp();
        analysis.rtcp_flows = self.flows.rtcp();
        analysis.skipped = Skipped { fragments: self.fragments.lost(), ..analysis.skipped };
        analysis.left_out = LeftOut {
            flow_packets: self.flows.left_out,
            stream_packets: self.streams.left_out,
            call_messages: self.calls.left_out,
            ..LeftOut::default()
        };
        join(self.calls.into_sorted(), self.streams.into_sorted(), &mut analysis);
        analysis
    }

    fn count_time(&mut self, at: Option<Duration>) {
        let Some(at) = at else { return };
        let Analysis { first_at, last_at, .. } = &mut self.analysis;
        *first_at = Some(first_at.map_or(at, |first| first.min(at)));
        *last_at = Some(last_at.map_or(at, |last| last.max(at)));
    }

    fn count_linktype(&mut self, number: u32) {
        let linktypes = &mut self.analysis.linktypes;
        let is_full = linktypes.len() == MOST_LINKTYPES;
        match linktypes.iter_mut().find(|linktype| linktype.number == number) {
            Some(linktype) => linktype.packets += 1,
            None if is_full => {}
            None => linktypes.push(Linktype { number, name: link::name(number), packets: 1 }),
        }
    }

    fn transport(&mut self, at: Option<Duration>, transport: Option<Transport<'_>>) {
        let Some(transport) = transport else {
            self.analysis.skipped.other_protocols += 1;
            return;
        };
        let Self { sip, calls, analysis, .. } = self;
        match (transport.content, transport.payload) {
            (Content::Tcp { .. }, _) => sip.add(&transport, |message| {
                analysis.sip_messages += 1;
                calls.add(at, message, false);
            }),
            // Version 2 of RTP and RTCP.
            (Content::Udp, [0x80..=0xBF, kind, ..]) => self.media(at, &transport, *kind),
            (Content::Udp, payload) if is_sip(payload) => {
                if let Ok(message) = Message::parse(payload) {
                    analysis.sip_messages += 1;
                    calls.add(at, &message, transport.is_cut);
                }
            }
            (Content::Udp, _) => {}
        }
    }

    fn media(&mut self, at: Option<Duration>, transport: &Transport<'_>, kind: u8) {
        let Transport { from, to, payload, .. } = transport;
        let number = self.analysis.total_packets - 1;
        let is_ipv4 = matches!(from, SocketAddr::V4(_));
        if names::rtcp(kind).is_some() {
            if payload.len() < RTCP_BYTES {
            } else if is_ipv4 {
                self.flows.add_rtcp((from.port(), to.port(), kind), number);
            } else {
                self.analysis.ipv6_rtcp_packets += 1;
            }
            return;
        }
        let Some(header) = Header::read(payload).filter(|_| payload.len() >= RTP_BYTES) else { return };
        if is_ipv4 {
            self.flows.add_rtp((from.port(), to.port(), header.payload_type), number);
        } else {
            self.analysis.ipv6_rtp_packets += 1;
        }
        self.streams.add(*from, *to, header, number, at);
    }
}
