//! The rows that other tools share, and what a capture is as a whole.

use std::time::Duration;

use offhook_capture::analyze::{Analysis, LeftOut, RtcpFlow, RtpFlow, Skipped, analyze};
use offhook_capture::frame::Framer;
use offhook_capture::write::{Format, Writer};

use crate::trace::{ALICE, ALICE_RTP, BOB, BOB_RTP, DIALOG, Trace, address, rtp, sdp};

/// Ports, payload type, name, count.
fn rows(analysis: &Analysis) -> Vec<(u16, u16, u8, &str, u64)> {
    let row = |flow: &RtpFlow| (flow.src_port, flow.dst_port, flow.payload_type, flow.count);
    let names = analysis.rtp_flows.iter().map(|flow| flow.codec.as_str());
    analysis
        .rtp_flows
        .iter()
        .map(row)
        .zip(names)
        .map(|(row, name)| (row.0, row.1, row.2, name, row.3))
        .collect()
}

#[test]
fn rows_are_by_ports_and_payload_type_whatever_the_addresses() {
    let mut trace = Trace::new();
    for sequence in 1..=3 {
        trace.rtp(BOB_RTP, ALICE_RTP, (0, 2), sequence);
        trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), sequence);
    }
    trace.rtp(ALICE_RTP, "203.0.113.9:6000", (8, 9), 1);
    trace.rtp(ALICE_RTP, BOB_RTP, (0x80 | 101, 1), 4);
    trace.rtp(ALICE_RTP, "203.0.113.9:5999", (96, 9), 1);
    let analysis = trace.analysis();
    let expected = [
        (4000, 5999, 96, "dynamic-96", 1),
        (4000, 6000, 8, "PCMA", 4),
        (4000, 6000, 101, "telephone-event", 1),
        (6000, 4000, 0, "PCMU", 3),
    ];
    assert_eq!(rows(&analysis), expected);
    assert_eq!(analysis.total_packets, 9);
}

#[test]
fn static_names_stay_in_the_rows_whatever_a_description_says() {
    let mut trace = Trace::new();
    let offer = sdp(ALICE_RTP, "96", &["96 opus/48000/2"]);
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, &offer));
    trace.rtp(BOB_RTP, ALICE_RTP, (96, 2), 1);
    let analysis = trace.analysis();
    assert_eq!(rows(&analysis), [(6000, 4000, 96, "dynamic-96", 1)]);
    assert_eq!(analysis.calls[0].streams[0].codecs[0].name, "opus");
}

#[test]
fn rtcp_is_told_by_its_type_and_counted_by_the_first_packet() {
    let mut trace = Trace::new();
    for kind in [199, 200, 201, 206, 207] {
        trace.udp("192.0.2.1:4001", "198.51.100.2:6001", &[0x81, kind, 0, 0]);
    }
    // Compound: the second packet is not looked at.
    trace.udp("192.0.2.1:4001", "198.51.100.2:6001", &[0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 202, 0, 0]);
    let analysis = trace.analysis();
    let row =
        |payload_type, name, count| RtcpFlow { src_port: 4001, dst_port: 6001, payload_type, name, count };
    assert_eq!(analysis.rtcp_flows, [row(200, "SR", 1), row(201, "RR", 2), row(206, "PSFB", 1)]);
    // Types 199 and 207 are payload types 71 and 79 with the marker, but too short for RTP.
    assert_eq!(analysis.rtp_flows, []);
}

#[test]
fn only_version_2_and_whole_headers_count() {
    let mut trace = Trace::new();
    let mut packet = rtp(8, 1, 1);
    for first in [0x00, 0x40, 0xC0, 0x7F] {
        packet[0] = first;
        trace.udp(ALICE_RTP, BOB_RTP, &packet);
    }
    trace.udp(ALICE_RTP, BOB_RTP, &rtp(8, 1, 1)[..11]);
    trace.udp(ALICE_RTP, BOB_RTP, &[0x80, 200, 0]);
    trace.udp(ALICE_RTP, BOB_RTP, &[0x80]);
    trace.udp(ALICE_RTP, BOB_RTP, b"");
    trace.udp(ALICE_RTP, BOB_RTP, &rtp(8, 1, 1)[..12]);
    trace.udp(ALICE_RTP, BOB_RTP, &[0xBF, 200, 0, 0]);
    let analysis = trace.analysis();
    assert_eq!(rows(&analysis), [(4000, 6000, 8, "PCMA", 1)]);
    assert_eq!((analysis.rtcp_flows.len(), analysis.rtcp_flows[0].count), (1, 1));
}

#[test]
fn ipv6_has_no_row_but_is_counted_and_told() {
    let mut trace = Trace::new();
    let (from, to) = ("[2001:db8::1]:4000", "[2001:db8::2]:6000");
    for sequence in 1..=5 {
        trace.rtp(from, to, (8, 7), sequence);
    }
    trace.udp(from, to, &[0x80, 200, 0, 0]);
    let analysis = trace.analysis();
    assert_eq!((analysis.rtp_flows.len(), analysis.rtcp_flows.len()), (0, 0));
    assert_eq!((analysis.ipv6_rtp_packets, analysis.ipv6_rtcp_packets), (5, 1));
    let stream = &analysis.other_streams[0];
    assert_eq!((stream.from, stream.to, stream.packets), (address(from), address(to), 5));
}

#[test]
fn codecs_at_a_port_come_in_the_order_of_their_first_packets() {
    let mut trace = Trace::new();
    trace.rtp("192.0.2.7:1000", "192.0.2.8:1002", (18, 5), 1);
    trace.rtp(BOB_RTP, ALICE_RTP, (8, 2), 1);
    trace.rtp(ALICE_RTP, BOB_RTP, (0, 1), 1);
    trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), 2);
    trace.rtp(ALICE_RTP, "198.51.100.2:5999", (101, 1), 2);
    let analysis = trace.analysis();
    let expected: Vec<String> = vec!["pcma".into(), "G729".into()];
    let codecs = analysis.codecs_at(4000, Some(&expected));
    assert_eq!(codecs.seen, ["PCMA", "PCMU", "telephone-event"]);
    assert_eq!(codecs.unexpected, ["PCMU"], "digits are allowed");
    assert_eq!(analysis.codecs_at(4000, None).unexpected, Vec::<String>::new());
    assert_eq!(analysis.codecs_at(4000, Some(&[])).unexpected.len(), 2);
    assert_eq!(analysis.codecs_at(9, Some(&expected)).seen, Vec::<String>::new());
}

/// A classic capture of one link type, with a frame that carries a packet behind a link header.
fn with_link(linktype: u32, header: &[u8]) -> Vec<u8> {
    let mut framer = Framer::default();
    let packet = framer.udp(address(ALICE_RTP), address(BOB_RTP), &rtp(8, 1, 1)).unwrap();
    let frame = [header, packet].concat();
    let length = u32::try_from(frame.len()).unwrap();
    let head = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 65_535, linktype, 7, 0, length, length];
    let mut file: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
    file.extend(frame);
    file
}

#[test]
fn every_link_type_that_is_understood_has_a_name_and_leads_to_the_same_packet() {
    let ethernet = [[2; 12].as_slice(), &[0x81, 0x00, 0, 5, 0x08, 0x00]].concat();
    let second = [[0x08, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6].as_slice(), &[2; 8]].concat();
    for (linktype, name, header) in [
        (0, "NULL", [2, 0, 0, 0].as_slice()),
        (1, "EN10MB", &ethernet),
        (12, "RAW", &[]),
        (14, "RAW", &[]),
        (101, "RAW", &[]),
        (108, "LOOP", &[0, 0, 0, 2]),
        (113, "LINUX_SLL", &[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x08, 0x00]),
        (228, "IPV4", &[]),
        (276, "LINUX_SLL2", &second),
    ] {
        let analysis = analyze(with_link(linktype, header).as_slice());
        assert_eq!((analysis.linktype, analysis.linktype_name), (Some(linktype), Some(name)));
        assert_eq!(rows(&analysis), [(4000, 6000, 8, "PCMA", 1)], "{linktype}");
        assert_eq!((analysis.error, analysis.total_packets), (None, 1));
    }
}

#[test]
fn packets_of_an_unknown_link_type_are_counted_and_told() {
    let analysis = analyze(with_link(147, &[]).as_slice());
    assert_eq!((analysis.linktype, analysis.linktype_name), (Some(147), None));
    assert_eq!(analysis.error.as_ref().unwrap().to_string(), "unknown linktype 147");
    assert_eq!((analysis.total_packets, analysis.skipped.not_ip), (1, 1));
    let empty = analyze(&with_link(147, &[])[..24]);
    assert_eq!(empty.error.unwrap().to_string(), "unknown linktype 147");
}

#[test]
fn a_file_that_is_cut_is_told_as_far_as_it_goes_and_is_no_error() {
    let mut trace = Trace::new();
    (1..=3).for_each(|sequence| trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), sequence));
    let file = trace.file();
    let analysis = analyze(&file[..file.len() - 5]);
    assert_eq!((analysis.total_packets, analysis.is_cut, analysis.error), (2, true, None));
    assert!(!analyze(file.as_slice()).is_cut);
}

#[test]
fn damage_is_told_beside_what_came_before_it() {
    let mut trace = Trace::new();
    trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), 1);
    let mut file = trace.file();
    file.extend([6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    let analysis = analyze(file.as_slice());
    assert_eq!((analysis.total_packets, analysis.rtp_flows.len()), (1, 1));
    let words = analysis.error.unwrap().to_string();
    assert!(words.starts_with("unreadable pcap: block of impossible length at byte"), "{words}");
}

#[test]
fn what_is_no_capture_is_an_error_in_the_usual_words() {
    let words = |file: &[u8]| analyze(file).error.unwrap().to_string();
    assert_eq!(words(b""), "unreadable pcap: the file is empty");
    assert!(words(b"not a capture at all").starts_with("unreadable pcap: "));
    assert_eq!(analyze(b"".as_slice()).total_packets, 0);
}

#[test]
fn a_capture_without_packets_is_no_error() {
    for format in [Format::Pcap, Format::Pcapng] {
        let file = Writer::new(Vec::new(), format).unwrap().into_inner();
        let analysis = analyze(file.as_slice());
        assert_eq!((analysis.total_packets, analysis.error), (0, None));
        assert_eq!(analysis.linktype, (format == Format::Pcap).then_some(101));
    }
}

#[test]
fn what_was_skipped_is_counted_by_its_reason() {
    let mut trace = Trace::new();
    trace.raw(b"\x00not IP");
    trace.raw(&[0x45, 0, 0, 20, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    trace.raw(&[
        0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    let skipped = trace.analysis().skipped;
    assert_eq!(skipped, Skipped { not_ip: 1, other_protocols: 1, fragments: 1, cut: 0 });
}

#[test]
fn a_datagram_in_fragments_counts_once() {
    let mut framer = Framer::default();
    let packet = framer.udp(address(ALICE_RTP), address(BOB_RTP), &rtp(8, 1, 1)).unwrap().to_vec();
    let (header, payload) = packet.split_at(20);
    let fragment = |range: std::ops::Range<usize>| {
        let mut head = header.to_vec();
        let part = &payload[range.clone()];
        head[2..4].copy_from_slice(&u16::try_from(20 + part.len()).unwrap().to_be_bytes());
        let more = if range.end == payload.len() { 0 } else { 0x2000 };
        head[6..8].copy_from_slice(&(more | u16::try_from(range.start / 8).unwrap()).to_be_bytes());
        [head.as_slice(), part].concat()
    };
    let mut trace = Trace::new();
    trace.raw(&fragment(104..payload.len()));
    trace.raw(&fragment(0..104));
    let analysis = trace.analysis();
    assert_eq!(rows(&analysis), [(4000, 6000, 8, "PCMA", 1)]);
    assert_eq!((analysis.total_packets, analysis.skipped.fragments), (2, 0));
}

#[test]
fn times_are_those_of_the_earliest_and_the_latest_packet() {
    let mut trace = Trace::new();
    for now in [500, 200, 900, 300] {
        trace.now = now;
        trace.udp(ALICE_RTP, BOB_RTP, b"x");
    }
    let analysis = trace.analysis();
    let expected = (Some(Duration::from_millis(200)), Some(Duration::from_millis(900)));
    assert_eq!((analysis.first_at, analysis.last_at), expected);
}

#[test]
fn tables_are_bounded_and_say_what_they_left_out() {
    let mut trace = Trace::new();
    for port in 0..5000_u16 {
        let from = format!("192.0.2.1:{}", port + 1000);
        trace.udp(&from, BOB_RTP, &rtp(8, 1, 1));
        trace.udp(&from, BOB_RTP, &[0x80, 200, 0, 0]);
        let mut dialog = DIALOG;
        dialog.call_id = Box::leak(format!("{port}@x").into_boxed_str());
        trace.udp(ALICE, BOB, &dialog.request("INVITE", 1, false, ""));
    }
    let many: String = (1..=70).map(|port| format!("m=audio {port} RTP/AVP 8\r\n")).collect();
    let offer = sdp("203.0.113.1:4000", "8", &[]) + &many;
    let mut dialog = DIALOG;
    dialog.call_id = "0@x";
    trace.udp(ALICE, BOB, &dialog.request("UPDATE", 2, true, &offer));
    let analysis = trace.analysis();
    assert_eq!(
        (analysis.rtp_flows.len(), analysis.rtcp_flows.len(), analysis.calls.len()),
        (4096, 4096, 4096)
    );
    let expected = LeftOut {
        flow_packets: 2 * (5000 - 4096),
        stream_packets: 5000 - 4096,
        doubtful_packets: 4096,
        call_messages: 5000 - 4096,
        media_addresses: 7,
    };
    assert_eq!(analysis.left_out, expected);
}
