//! Captures of every kind, written by hand, by our writer and by another one.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::Duration;

use offhook_capture::read::{Damage, MOST_PACKET_BYTES, ReadError, Reader};
use offhook_capture::write::{Format, Writer};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, Endianness, TsResolution};

const AT: Duration = Duration::new(1_700_000_000, 123_456_789);

/// A record, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    at: Option<Duration>,
    interface: u32,
    linktype: Option<u32>,
    bytes: Vec<u8>,
    is_cut: bool,
}

/// Reads to the end; returns the records, whether the file is cut, and the error.
fn read(input: impl Read) -> (Vec<Told>, bool, Option<ReadError>) {
    let mut reader = match Reader::new(input) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), false, Some(error)),
    };
    let mut told = Vec::new();
    let error = loop {
        match reader.next_record() {
            Ok(Some(record)) => told.push(Told {
                at: record.at,
                interface: record.interface,
                linktype: record.linktype,
                bytes: record.bytes.to_vec(),
                is_cut: record.is_cut(),
            }),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert_eq!(reader.next_record(), Ok(None), "nothing comes after the end");
    (told, reader.is_cut(), error)
}

/// The number in either order.
fn word(number: u32, big: bool) -> [u8; 4] {
    if big { number.to_be_bytes() } else { number.to_le_bytes() }
}

fn classic(magic: u32, big: bool, linktype: u32, records: &[[u32; 4]]) -> Vec<u8> {
    let header = [magic, if big { 0x0002_0004 } else { 0x0004_0002 }, 0, 0, 96, linktype];
    let mut file: Vec<u8> = header.into_iter().flat_map(|number| word(number, big)).collect();
    for record in records {
        file.extend(record.iter().flat_map(|number| word(*number, big)));
        file.extend((0..record[2]).map(|at| at as u8));
    }
    file
}

/// A block of whole words.
fn block(kind: u32, big: bool, body: &[u8]) -> Vec<u8> {
    let length = word(u32::try_from(body.len() + 12).unwrap(), big);
    [&word(kind, big), &length, body, &length].concat()
}

fn section(big: bool) -> Vec<u8> {
    let version: [u8; 4] = if big { [0, 1, 0, 0] } else { [1, 0, 0, 0] };
    block(0x0A0D_0D0A, big, &[word(0x1A2B_3C4D, big).as_slice(), &version, &[0xFF; 8]].concat())
}

fn interface(big: bool, linktype: u16, snapshot_bytes: u32, options: &[u8]) -> Vec<u8> {
    let linktype = if big { linktype.to_be_bytes() } else { linktype.to_le_bytes() };
    block(1, big, &[linktype.as_slice(), &[0, 0], &word(snapshot_bytes, big), options].concat())
}

fn enhanced(big: bool, numbers: [u32; 5], data: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = numbers.into_iter().flat_map(|number| word(number, big)).collect();
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    block(6, big, &body)
}

#[test]
fn classic_captures_of_both_orders_and_units_are_read() {
    for big in [false, true] {
        for (magic, nanoseconds) in [(0xA1B2_C3D4, 5_000), (0xA1B2_3C4D, 5)] {
            let file = classic(magic, big, 113, &[[7, 5, 3, 3], [8, 5, 0, 0]]);
            let (told, is_cut, error) = read(file.as_slice());
            assert_eq!((told.len(), is_cut, error), (2, false, None), "{magic:x} {big}");
            let expected = Told {
                at: Some(Duration::new(7, nanoseconds)),
                interface: 0,
                linktype: Some(113),
                bytes: vec![0, 1, 2],
                is_cut: false,
            };
            assert_eq!(told[0], expected);
        }
    }
}

#[test]
fn a_packet_cut_to_the_snapshot_length_says_so() {
    let file = classic(0xA1B2_C3D4, false, 1, &[[7, 0, 96, 1500], [7, 0, 96, 96]]);
    let (told, is_cut, _) = read(file.as_slice());
    assert_eq!([told[0].is_cut, told[1].is_cut], [true, false]);
    assert!(!is_cut, "the file is whole");
}

#[test]
fn bits_above_the_link_type_do_not_count() {
    let file = classic(0xA1B2_C3D4, true, 0x5400_0001, &[]);
    assert_eq!(Reader::new(file.as_slice()).unwrap().linktype(), Some(1));
}

#[test]
fn a_fraction_of_more_than_a_second_is_added_up() {
    let file = classic(0xA1B2_C3D4, false, 1, &[[u32::MAX, u32::MAX, 0, 0]]);
    let (told, _, _) = read(file.as_slice());
    assert_eq!(told[0].at, Some(Duration::new(4_294_967_295 + 4294, 967_295_000)));
}

#[test]
fn another_writer_is_understood() {
    for endianness in [Endianness::Big, Endianness::Little] {
        for (ts_resolution, at) in [
            (TsResolution::MicroSecond, Duration::new(1_700_000_000, 123_456_000)),
            (TsResolution::NanoSecond, AT),
        ] {
            let header = PcapHeader {
                datalink: DataLink::ETHERNET,
                endianness,
                ts_resolution,
                ..PcapHeader::default()
            };
            let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
            let data = Cow::Borrowed(b"hello".as_slice());
            writer.write_packet(&PcapPacket { timestamp: AT, orig_len: 9, data }).unwrap();
            let (told, _, error) = read(writer.into_writer().as_slice());
            assert_eq!((told[0].at, told[0].linktype, told[0].is_cut), (Some(at), Some(1), true));
            assert_eq!((told[0].bytes.as_slice(), error), (b"hello".as_slice(), None));
        }
    }
}

#[test]
fn what_we_write_is_what_we_read() {
    for (format, at) in [(Format::Pcap, Duration::new(1_700_000_000, 123_456_000)), (Format::Pcapng, AT)] {
        let mut writer = Writer::new(Vec::new(), format).unwrap();
        let alice = writer.interface("alice").unwrap();
        let mut packets: Vec<Vec<u8>> = (0..20).map(|length| vec![0x45; length]).collect();
        packets.push(vec![7; 65_575]);
        for packet in &packets {
            writer.packet(AT, alice, packet, Some("a comment")).unwrap();
        }
        let bob = writer.interface("bob").unwrap();
        writer.packet(AT, bob, b"last", None).unwrap();
        let (told, is_cut, error) = read(writer.into_inner().as_slice());
        packets.push(b"last".to_vec());
        let bytes: Vec<Vec<u8>> = told.iter().map(|record| record.bytes.clone()).collect();
        assert_eq!((bytes, is_cut, error), (packets, false, None));
        assert!(
            told.iter().all(|record| record.at == Some(at) && record.linktype == Some(101) && !record.is_cut)
        );
        let interface = if format == Format::Pcap { 0 } else { 1 };
        assert_eq!(told.last().map(|record| record.interface), Some(interface));
    }
}

#[test]
fn pcapng_captures_of_both_orders_and_several_interfaces_are_read() {
    for big in [false, true] {
        let resolution = if big { [0, 9, 0, 1, 3, 0, 0, 0] } else { [9, 0, 1, 0, 3, 0, 0, 0] };
        let file = [
            section(big),
            interface(big, 1, 0, &[]),
            block(0x0BAD_CAFE, big, &[1; 20]),
            interface(big, 113, 0, &resolution),
            enhanced(big, [1, 0, 1500, 2, 3], b"ab"),
            enhanced(big, [0, 1, 0, 5, 5], b"abcde"),
            enhanced(big, [2, 0, 0, 1, 1], b"x"),
        ]
        .concat();
        let (told, is_cut, error) = read(file.as_slice());
        assert_eq!((told.len(), is_cut, error), (3, false, None), "{big}");
        let first = (told[0].at, told[0].linktype, told[0].is_cut);
        assert_eq!(first, (Some(Duration::from_millis(1500)), Some(113), true));
        let second = (told[1].at, told[1].linktype, told[1].bytes.as_slice());
        assert_eq!(second, (Some(Duration::from_micros(1 << 32)), Some(1), b"abcde".as_slice()));
        assert_eq!((told[2].at, told[2].linktype), (None, None), "no such interface");
        assert_eq!(Reader::new(file.as_slice()).unwrap().linktype(), None, "none is known yet");
    }
}

#[test]
fn simple_and_old_packet_blocks_are_read() {
    let old = [
        [0, 0, 9, 9].as_slice(),
        &word(0, false),
        &word(7, false),
        &word(2, false),
        &word(2, false),
        b"ab\0\0",
    ];
    let file = [
        section(false),
        interface(false, 101, 4, &[]),
        block(3, false, &[word(6, false).as_slice(), b"abcd"].concat()),
        block(3, false, &[word(3, false).as_slice(), b"abc\0"].concat()),
        block(2, false, &old.concat()),
    ]
    .concat();
    let (told, _, error) = read(file.as_slice());
    let seen: Vec<_> =
        told.iter().map(|record| (record.at, record.bytes.as_slice(), record.is_cut)).collect();
    let expected = [
        (None, b"abcd".as_slice(), true),
        (None, b"abc", false),
        (Some(Duration::from_micros(7)), b"ab", false),
    ];
    assert_eq!((seen.as_slice(), error), (expected.as_slice(), None));
}

#[test]
fn a_second_section_has_its_own_order_and_interfaces() {
    let file = [
        section(false),
        interface(false, 101, 0, &[]),
        enhanced(false, [0, 0, 1, 1, 1], b"a"),
        section(true),
        enhanced(true, [0, 0, 2, 1, 1], b"b"),
        interface(true, 1, 0, &[]),
        enhanced(true, [0, 0, 3, 1, 1], b"c"),
    ]
    .concat();
    let (told, _, error) = read(file.as_slice());
    let linktypes: Vec<_> = told.iter().map(|record| record.linktype).collect();
    assert_eq!((linktypes, error), (vec![Some(101), None, Some(1)], None));
}

/// A capture of each format with three packets, and how many bytes lead to the end of each.
fn small(format: Format) -> (Vec<u8>, Vec<usize>) {
    let mut writer = Writer::new(Vec::new(), format).unwrap();
    let alice = writer.interface("alice").unwrap();
    let mut ends = Vec::new();
    for packet in [b"one".as_slice(), b"", b"three"] {
        writer.packet(AT, alice, packet, Some("x")).unwrap();
        ends.push(usize::try_from(writer.written()).unwrap());
    }
    (writer.into_inner(), ends)
}

#[test]
fn a_file_cut_anywhere_gives_what_is_whole() {
    for format in [Format::Pcap, Format::Pcapng] {
        let (file, ends) = small(format);
        let header = if format == Format::Pcap { 24 } else { 44 };
        for length in 0..=file.len() {
            let (told, is_cut, error) = read(&file[..length]);
            if length < header {
                let what = if length < 4 { Damage::Magic } else { Damage::HeaderCut };
                let expected = if length == 0 {
                    ReadError::Empty
                } else {
                    ReadError::Unreadable { at: if length < 4 { 0 } else { length as u64 }, what }
                };
                assert_eq!((told.len(), error), (0, Some(expected)), "{format:?} {length}");
                continue;
            }
            let whole = ends.iter().filter(|end| **end <= length).count();
            assert_eq!((told.len(), error), (whole, None), "{format:?} {length}");
            // The interface of a pcapng file ends 44 bytes behind the header.
            let between = ends.contains(&length) || length == header || length == header + 44 && header == 44;
            assert_eq!(is_cut, !between, "{format:?} {length}");
        }
    }
}

#[test]
fn an_input_that_gives_a_byte_at_a_time_says_the_same() {
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = out.len().min(1);
            self.0.read(&mut out[..most])
        }
    }

    for format in [Format::Pcap, Format::Pcapng] {
        let (file, _) = small(format);
        assert_eq!(read(Slow(&file, false)), read(file.as_slice()));
    }
}

#[test]
fn an_input_that_fails_is_no_damage() {
    #[derive(Debug)]
    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }

    let error = Reader::new(Failing).unwrap_err();
    assert_eq!(error.to_string(), "cannot read pcap: the disk is gone");
    let (file, ends) = small(Format::Pcap);
    let (told, is_cut, error) = read(file[..ends[0]].chain(Failing));
    assert_eq!((told.len(), is_cut), (1, false));
    assert_eq!(error, Some(ReadError::Input("the disk is gone".into())));
}

#[test]
fn errors_have_the_usual_words() {
    let words = |file: &[u8]| Reader::new(file).unwrap_err().to_string();
    assert_eq!(words(b""), "unreadable pcap: the file is empty");
    assert_eq!(words(b"RIFF...."), "unreadable pcap: neither a pcap nor a pcapng file at byte 0");
    assert_eq!(words(&small(Format::Pcap).0[..20]), "unreadable pcap: cut within the header at byte 20");
}

#[test]
fn damage_ends_the_reading_and_is_told() {
    let start =
        [section(false), interface(false, 101, 0, &[]), enhanced(false, [0, 0, 1, 1, 1], b"a")].concat();
    let at = start.len() as u64;
    let mut uneven = enhanced(false, [0, 0, 1, 1, 1], b"a");
    *uneven.last_mut().unwrap() = 1;
    for (next, place, what) in [
        (vec![6, 0, 0, 0, 11, 0, 0, 0], 8, Damage::BlockLength),
        (vec![6, 0, 0, 0, 0, 0, 0, 0], 8, Damage::BlockLength),
        (vec![9, 0, 0, 0, 13, 0, 0, 0], 8, Damage::BlockLength),
        (uneven, 36, Damage::BlockLength),
        (block(6, false, &[0; 16]), 28, Damage::BlockLength),
        (block(1, false, &[0; 4]), 16, Damage::BlockLength),
        (enhanced(false, [0, 0, 1, 5, 5], b"abcd"), 36, Damage::PacketLength),
        (enhanced(false, [0, 0, 1, u32::MAX, 5], b"abcd"), 36, Damage::PacketLength),
        (vec![0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 1, 2, 3, 4], 12, Damage::ByteOrder),
        (vec![0x0A, 0x0D, 0x0D, 0x0A, 24, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A], 12, Damage::BlockLength),
    ] {
        let (told, is_cut, error) = read([start.as_slice(), &next].concat().as_slice());
        assert_eq!((told.len(), is_cut), (1, false), "{next:?}");
        assert_eq!(error, Some(ReadError::Unreadable { at: at + place, what }), "{next:?}");
    }
}

#[test]
fn lengths_beyond_all_bounds_take_no_memory() {
    // A classic record and a block that claim to be 4 GB long end where the file does.
    let mut file = classic(0xA1B2_C3D4, false, 1, &[]);
    file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
    assert_eq!(read(file.as_slice()), (vec![], true, None));
    let mut file = section(false);
    file.extend([6, 0, 0, 0, 0xFC, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
    assert_eq!(read(file.as_slice()), (vec![], true, None));
    // A packet longer than what is kept is cut, and the next one is found.
    let long = MOST_PACKET_BYTES as u32 + 1000;
    let file = classic(0xA1B2_C3D4, false, 1, &[[7, 0, long, long], [8, 0, 1, 1]]);
    let (told, is_cut, _) = read(file.as_slice());
    assert_eq!((told[0].bytes.len(), told[0].is_cut, is_cut), (MOST_PACKET_BYTES, true, false));
    assert_eq!(told[1].bytes, [0]);
    let data = vec![3; long as usize];
    let file = [section(false), interface(false, 1, 0, &[]), enhanced(false, [0, 0, 0, long, long], &data)];
    let (told, is_cut, error) = read(file.concat().as_slice());
    assert_eq!((told[0].bytes.len(), told[0].is_cut, is_cut), (MOST_PACKET_BYTES, true, false));
    assert_eq!(error, None);
    let file = [section(false), interface(false, 1, 0, &[]).repeat(65_537)].concat();
    let (_, _, error) = read(file.as_slice());
    assert!(matches!(error, Some(ReadError::Unreadable { what: Damage::Interfaces, .. })), "{error:?}");
}
