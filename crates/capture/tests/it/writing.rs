//! Files as their specifications and an independent reader see them.

use std::io;
use std::time::Duration;

use offhook_capture::write::{Format, Writer};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};

const AT: Duration = Duration::new(1_700_000_000, 123_456_789);

#[test]
fn a_classic_capture_is_these_bytes() {
    let mut writer = Writer::new(Vec::new(), Format::Pcap).unwrap();
    let phone = writer.interface("alice").unwrap();
    writer.packet(Duration::new(2, 3_999), phone, b"abc", Some("dropped")).unwrap();
    let expected = [
        [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0].as_slice(),
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0],
        &[2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0],
        b"abc",
    ];
    assert_eq!(writer.written(), 43);
    assert_eq!(writer.into_inner(), expected.concat());
}

#[test]
fn a_pcapng_capture_is_these_bytes() {
    let mut writer = Writer::new(Vec::new(), Format::Pcapng).unwrap();
    let phone = writer.interface("alice").unwrap();
    writer.packet(Duration::new(4, 294_967_297), phone, b"abcde", Some("hi")).unwrap();
    let expected = [
        // Section header: order, version, unknown length, application, end of options.
        [0x0A, 0x0D, 0x0D, 0x0A, 44, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0].as_slice(),
        &[0xFF; 8],
        &[4, 0, 7, 0, b'o', b'f', b'f', b'h', b'o', b'o', b'k', 0, 0, 0, 0, 0, 44, 0, 0, 0],
        // Interface: link type, longest packet, name, resolution of times.
        &[1, 0, 0, 0, 44, 0, 0, 0, 101, 0, 0, 0, 0, 0, 4, 0],
        &[2, 0, 5, 0, b'a', b'l', b'i', b'c', b'e', 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0],
        &[0, 0, 0, 0, 44, 0, 0, 0],
        // Packet: interface, 2^32 + 1 nanoseconds, lengths, bytes, comment.
        &[6, 0, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0],
        &[b'a', b'b', b'c', b'd', b'e', 0, 0, 0, 1, 0, 2, 0, b'h', b'i', 0, 0, 0, 0, 0, 0, 52, 0, 0, 0],
    ]
    .concat();
    assert_eq!(writer.written(), expected.len() as u64);
    assert_eq!(writer.into_inner(), expected);
}

#[test]
fn another_reader_reads_what_a_classic_capture_says() {
    let mut writer = Writer::new(Vec::new(), Format::Pcap).unwrap();
    let phone = writer.interface("alice").unwrap();
    let packets: [&[u8]; 4] = [b"", b"a", &[7; 1500], &[9; 65_575]];
    for packet in packets {
        writer.packet(AT, phone, packet, None).unwrap();
    }
    let bytes = writer.into_inner();
    let mut reader = PcapReader::new(bytes.as_slice()).unwrap();
    assert_eq!(reader.header().datalink, DataLink::RAW);
    for packet in packets {
        let read = reader.next_packet().unwrap().unwrap();
        assert_eq!((read.timestamp, &*read.data), (Duration::new(1_700_000_000, 123_456_000), packet));
    }
    assert!(reader.next_packet().is_none());
}

#[test]
fn another_reader_reads_names_times_and_comments_of_a_pcapng_capture() {
    let mut writer = Writer::new(Vec::new(), Format::Pcapng).unwrap();
    let alice = writer.interface("alice").unwrap();
    writer.packet(AT, alice, b"one", None).unwrap();
    let later = writer.interface("böb").unwrap();
    writer.packet(AT, later, b"four", Some("call 7, an injected fault")).unwrap();
    let bytes = writer.into_inner();

    let mut reader = PcapNgReader::new(bytes.as_slice()).unwrap();
    let mut said = Vec::new();
    while let Some(block) = reader.next_block() {
        let block = block.unwrap().into_owned();
        if let Block::InterfaceDescription(interface) = &block {
            assert_eq!(interface.linktype, DataLink::RAW);
            let [InterfaceDescriptionOption::IfName(name), InterfaceDescriptionOption::IfTsResol(9)] =
                interface.options.as_slice()
            else {
                panic!("{interface:?}");
            };
            said.push(name.to_string());
        } else if let Block::EnhancedPacket(packet) = &block {
            // pcap-file 2.0 takes every time for nanoseconds.
            assert_eq!(packet.timestamp, AT);
            said.push(format!("{} {} {:?}", packet.interface_id, packet.data.len(), packet.options));
        } else {
            panic!("{block:?}");
        }
    }
    assert_eq!(said, ["alice", "0 3 []", "böb", "1 4 [Comment(\"call 7, an injected fault\")]"]);
}

#[test]
fn a_comment_too_long_for_an_option_is_cut_between_characters() {
    let mut writer = Writer::new(Vec::new(), Format::Pcapng).unwrap();
    let phone = writer.interface("alice").unwrap();
    writer.packet(AT, phone, b"", Some(&"é".repeat(40_000))).unwrap();
    let bytes = writer.into_inner();
    let mut reader = PcapNgReader::new(bytes.as_slice()).unwrap();
    let last = std::iter::from_fn(|| reader.next_block().map(|block| block.unwrap().into_owned())).last();
    let Some(Block::EnhancedPacket(packet)) = last else { panic!("{last:?}") };
    assert_eq!(packet.options, [EnhancedPacketOption::Comment("é".repeat(32_766).into())]);
}

#[test]
fn a_packet_longer_than_any_is_cut_and_says_so() {
    for format in [Format::Pcap, Format::Pcapng] {
        let mut writer = Writer::new(Vec::new(), format).unwrap();
        let phone = writer.interface("").unwrap();
        writer.packet(AT, phone, &vec![1; 300_000], None).unwrap();
        let bytes = writer.into_inner();
        let lengths: Vec<u8> = [262_144_u32, 300_000].into_iter().flat_map(u32::to_le_bytes).collect();
        assert!(bytes.windows(8).any(|window| window == lengths), "{format:?}");
        assert!(bytes.len() < 262_144 + 200);
    }
}

#[test]
fn an_interface_of_another_capture_is_refused() {
    let mut first = Writer::new(Vec::new(), Format::Pcap).unwrap();
    let interface = first.interface("alice").unwrap();
    let mut second = Writer::new(Vec::new(), Format::Pcapng).unwrap();
    let error = second.packet(AT, interface, b"", None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn times_beyond_a_format_stay_at_its_end() {
    let mut writer = Writer::new(Vec::new(), Format::Pcap).unwrap();
    let phone = writer.interface("").unwrap();
    writer.packet(Duration::MAX, phone, b"", None).unwrap();
    assert_eq!(writer.into_inner()[24..28], [0xFF; 4]);
    let mut writer = Writer::new(Vec::new(), Format::Pcapng).unwrap();
    let phone = writer.interface("").unwrap();
    let before = writer.written() as usize;
    writer.packet(Duration::MAX, phone, b"", None).unwrap();
    assert_eq!(writer.into_inner()[before + 12..before + 20], [0xFF; 8]);
}
