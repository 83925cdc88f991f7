//! Our RTCP against the `rtcp` crate: each reads what the other writes.

use offhook_media::rtcp::{
    Bye, NtpTime, ReceiverReport, ReportBlock, RtcpPacket, SenderReport, SourceDescription, SourceItem,
    parse_compound, write_compound,
};
use offhook_seed::Seed;
use rtcp::goodbye::Goodbye;
use rtcp::packet::Packet;
use rtcp::reception_report::ReceptionReport;
use rtcp::source_description::{
    SdesType, SourceDescription as TheirDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use webrtc_util::marshal::Marshal;

type Peer = Box<dyn Packet + Send + Sync>;

fn block(seed: &mut Seed) -> ReportBlock {
    ReportBlock {
        ssrc: seed.next_u32(),
        fraction_lost: seed.next_u16() as u8,
        // The peer reads this as unsigned, so only values that both can express.
        cumulative_lost: (seed.next_u32() & 0x7F_FFFF).cast_signed(),
        highest_sequence: seed.next_u32(),
        jitter: seed.next_u32(),
        last_report: seed.next_u32(),
        delay_since_last_report: seed.next_u32(),
    }
}

fn blocks(seed: &mut Seed) -> Vec<ReportBlock> {
    (0..seed.next_u16() % 5).map(|_| block(seed)).collect()
}

fn text(seed: &mut Seed) -> String {
    (0..1 + seed.next_u16() % 40).map(|_| char::from(b'a' + (seed.next_u16() % 26) as u8)).collect()
}

fn ours(seed: &mut Seed) -> RtcpPacket {
    match seed.next_u16() % 4 {
        0 => RtcpPacket::SenderReport(SenderReport {
            ssrc: seed.next_u32(),
            ntp: NtpTime::new(seed.next_u32(), seed.next_u32()),
            rtp_timestamp: seed.next_u32(),
            packets: seed.next_u32(),
            bytes: seed.next_u32(),
            blocks: blocks(seed),
        }),
        1 => RtcpPacket::ReceiverReport(ReceiverReport { ssrc: seed.next_u32(), blocks: blocks(seed) }),
        2 => {
            let chunk = |seed: &mut Seed| {
                let items =
                    vec![SourceItem { kind: 1, text: text(seed) }, SourceItem { kind: 6, text: text(seed) }];
                (seed.next_u32(), items)
            };
            RtcpPacket::SourceDescription(SourceDescription { chunks: (0..2).map(|_| chunk(seed)).collect() })
        }
        _ => {
            let sources = (0..1 + seed.next_u16() % 3).map(|_| seed.next_u32()).collect();
            RtcpPacket::Bye(Bye { sources, reason: Some(text(seed)) })
        }
    }
}

fn their_blocks(blocks: &[ReportBlock]) -> Vec<ReceptionReport> {
    let convert = |block: &ReportBlock| ReceptionReport {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        total_lost: block.cumulative_lost.cast_unsigned(),
        last_sequence_number: block.highest_sequence,
        jitter: block.jitter,
        last_sender_report: block.last_report,
        delay: block.delay_since_last_report,
    };
    blocks.iter().map(convert).collect()
}

fn theirs(packet: &RtcpPacket) -> Peer {
    match packet {
        RtcpPacket::SenderReport(report) => Box::new(rtcp::sender_report::SenderReport {
            ssrc: report.ssrc,
            ntp_time: report.ntp.bits(),
            rtp_time: report.rtp_timestamp,
            packet_count: report.packets,
            octet_count: report.bytes,
            reports: their_blocks(&report.blocks),
            ..Default::default()
        }),
        RtcpPacket::ReceiverReport(report) => Box::new(rtcp::receiver_report::ReceiverReport {
            ssrc: report.ssrc,
            reports: their_blocks(&report.blocks),
            ..Default::default()
        }),
        RtcpPacket::SourceDescription(description) => {
            let chunk = |(source, items): &(u32, Vec<SourceItem>)| SourceDescriptionChunk {
                source: *source,
                items: items
                    .iter()
                    .map(|item| SourceDescriptionItem {
                        sdes_type: SdesType::from(item.kind),
                        text: item.text.clone().into_bytes().into(),
                    })
                    .collect(),
            };
            Box::new(TheirDescription { chunks: description.chunks.iter().map(chunk).collect() })
        }
        RtcpPacket::Bye(bye) => Box::new(Goodbye {
            sources: bye.sources.clone(),
            reason: bye.reason.clone().unwrap_or_default().into_bytes().into(),
        }),
        RtcpPacket::Other { .. } => unreachable!("not generated"),
    }
}

#[test]
fn the_peer_reads_what_we_write() {
    let mut seed = Seed::new(1);
    for round in 0..2000 {
        let packets: Vec<RtcpPacket> = (0..1 + round % 4).map(|_| ours(&mut seed)).collect();
        let mut bytes = Vec::new();
        write_compound(&packets, &mut bytes);
        let read = rtcp::packet::unmarshal(&mut bytes.as_slice()).unwrap();
        assert_eq!(read.len(), packets.len());
        for (read, written) in read.iter().zip(&packets) {
            assert!(read.equal(theirs(written).as_ref()), "{written:?} was read as {read:?}");
        }
    }
}

#[test]
fn we_read_what_the_peer_writes() {
    let mut seed = Seed::new(2);
    for round in 0..2000 {
        let packets: Vec<RtcpPacket> = (0..1 + round % 4).map(|_| ours(&mut seed)).collect();
        let bytes: Vec<u8> =
            packets.iter().flat_map(|packet| Marshal::marshal(&*theirs(packet)).unwrap().to_vec()).collect();
        assert_eq!(parse_compound(&bytes).unwrap(), packets);
    }
}
