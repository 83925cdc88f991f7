//! Packets as an independent parser sees them, and by hand.

use std::net::SocketAddr;

use etherparse::{SlicedPacket, TransportSlice, checksum::u32_16bit_word};
use offhook_capture::frame::{FrameError, Framer};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const FAMILIES: [(&str, &str); 2] =
    [("192.0.2.1:5060", "198.51.100.7:40000"), ("[2001:db8::1]:5060", "[2001:db8::ffff:7]:40000")];

/// What etherparse reads from a packet after it agreed with its checksums.
struct Seen {
    from: SocketAddr,
    to: SocketAddr,
    sequence: Option<(u32, u32)>,
    payload: Vec<u8>,
}

fn seen(packet: &[u8]) -> Seen {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let (from, to) = match sliced.net.as_ref().unwrap() {
        etherparse::NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            assert_eq!(usize::from(header.total_len), packet.len());
            (header.source.into(), header.destination.into())
        }
        etherparse::NetSlice::Ipv6(ip) => {
            assert_eq!(usize::from(ip.header().payload_length()), packet.len() - 40);
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        etherparse::NetSlice::Arp(_) => panic!("an ARP packet"),
    };
    let (ports, protocol, sequence, payload) = match sliced.transport.as_ref().unwrap() {
        TransportSlice::Udp(udp) => {
            assert_eq!(usize::from(udp.length()), 8 + udp.payload().len());
            ((udp.source_port(), udp.destination_port()), 17, None, udp.payload())
        }
        TransportSlice::Tcp(tcp) => {
            assert!(tcp.psh() && tcp.ack() && !tcp.syn());
            let numbers = (tcp.sequence_number(), tcp.acknowledgment_number());
            ((tcp.source_port(), tcp.destination_port()), 6, Some(numbers), tcp.payload())
        }
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => {
            panic!("{sliced:?}")
        }
    };
    let header = match from {
        std::net::IpAddr::V4(_) => 20,
        std::net::IpAddr::V6(_) => 40,
    };
    assert!(checksum_holds(from, to, protocol, &packet[header..]));
    Seen {
        from: SocketAddr::new(from, ports.0),
        to: SocketAddr::new(to, ports.1),
        sequence,
        payload: payload.to_vec(),
    }
}

/// Returns whether the words of a segment and its pseudo header, checksum included, sum up to ones.
fn checksum_holds(from: std::net::IpAddr, to: std::net::IpAddr, protocol: u8, segment: &[u8]) -> bool {
    let mut sum = u32_16bit_word::add_2bytes(0, [0, protocol]);
    for host in [from, to] {
        sum = match host {
            std::net::IpAddr::V4(host) => u32_16bit_word::add_4bytes(sum, host.octets()),
            std::net::IpAddr::V6(host) => u32_16bit_word::add_slice(sum, &host.octets()),
        };
    }
    sum = u32_16bit_word::add_4bytes(sum, u32::try_from(segment.len()).unwrap().to_be_bytes());
    sum = u32_16bit_word::add_slice(sum, segment);
    u32_16bit_word::ones_complement(sum) == 0
}

#[test]
fn a_datagram_over_ipv4_is_these_bytes() {
    let mut framer = Framer::default();
    let packet = framer.udp(address("192.0.2.1:5060"), address("192.0.2.2:5070"), b"abc").unwrap();
    // Version and length of header, total length 31, identification 1, do not fragment, 64 hops,
    // UDP: the words sum up to C531 and with the addresses (1 8403) to 2 4934, folded 4936,
    // inverted B6C9. UDP: addresses, protocol and length 1 841F, header 279D, payload C462;
    // together 2 701E, folded 7020, inverted 8FDF.
    let expected = [
        [0x45, 0x00, 0x00, 0x1F, 0x00, 0x01, 0x40, 0x00, 0x40, 0x11].as_slice(),
        &[0xB6, 0xC9, 192, 0, 2, 1, 192, 0, 2, 2],
        &[0x13, 0xC4, 0x13, 0xCE, 0x00, 0x0B, 0x8F, 0xDF],
        b"abc",
    ];
    assert_eq!(packet, expected.concat());
}

#[test]
fn every_length_of_payload_has_right_lengths_and_checksums() {
    let mut framer = Framer::default();
    for (from, to) in FAMILIES {
        for length in [0, 1, 2, 3, 4, 5, 159, 172, 1500, 65_507] {
            let payload: Vec<u8> = (0..length).map(|at: u32| (at * 7) as u8).collect();
            let seen = seen(framer.udp(address(from), address(to), &payload).unwrap());
            assert_eq!((seen.from, seen.to, seen.payload), (address(from), address(to), payload));
        }
    }
}

#[test]
fn a_checksum_that_comes_out_as_zero_is_written_as_ones() {
    let mut framer = Framer::default();
    let (from, to) = (address("192.0.2.1:5060"), address("192.0.2.2:5070"));
    let plain = framer.udp(from, to, &[0, 0]).unwrap();
    // With the checksum itself as payload, the sum is all ones.
    let payload = [plain[26], plain[27]];
    let packet = framer.udp(from, to, &payload).unwrap();
    assert_eq!(packet[26..28], [0xFF, 0xFF]);
    assert_eq!(seen(packet).payload, payload);
}

#[test]
fn a_datagram_longer_than_udp_allows_is_refused() {
    let mut framer = Framer::default();
    for ((from, to), most) in FAMILIES.into_iter().zip([65_507, 65_527]) {
        let longest = vec![0; most];
        assert!(framer.udp(address(from), address(to), &longest).is_ok());
        let payload = vec![0; most + 1];
        let error = framer.udp(address(from), address(to), &payload).unwrap_err();
        assert_eq!(error, FrameError::TooLong { bytes: most + 1 });
    }
}

#[test]
fn ends_of_different_families_are_refused_and_mapped_addresses_are_ipv4() {
    let mut framer = Framer::default();
    let (four, six) = (address("192.0.2.1:1"), address("[2001:db8::1]:2"));
    assert_eq!(framer.udp(four, six, b"").unwrap_err(), FrameError::MixedFamilies { from: four, to: six });
    assert!(framer.tcp(six, four, b"x").is_err());
    let mapped = address("[::ffff:192.0.2.9]:3");
    assert_eq!(seen(framer.udp(mapped, four, b"").unwrap()).from, address("192.0.2.9:3"));
    assert!(framer.udp(mapped, six, b"").is_err());
}

#[test]
fn an_unspecified_address_takes_the_family_of_the_other_end() {
    let mut framer = Framer::default();
    for (from, to, as_from, as_to) in [
        ("[::]:1", "192.0.2.1:2", "0.0.0.0:1", "192.0.2.1:2"),
        ("192.0.2.1:2", "[::]:1", "192.0.2.1:2", "0.0.0.0:1"),
        ("0.0.0.0:1", "[2001:db8::1]:2", "[::]:1", "[2001:db8::1]:2"),
        ("[2001:db8::1]:2", "0.0.0.0:1", "[2001:db8::1]:2", "[::]:1"),
        ("[::]:1", "[::]:2", "[::]:1", "[::]:2"),
    ] {
        let seen = seen(framer.udp(address(from), address(to), b"").unwrap());
        assert_eq!((seen.from, seen.to), (address(as_from), address(as_to)), "{from} {to}");
    }
}

#[test]
fn a_long_message_becomes_segments_that_follow_each_other() {
    for (from, to) in FAMILIES {
        let mut framer = Framer::default();
        let message: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let segments: Vec<Seen> =
            framer.tcp(address(from), address(to), &message).unwrap().map(seen).collect();
        assert_eq!(segments.len(), 4);
        let mut next = 1;
        for segment in &segments {
            assert_eq!(segment.sequence, Some((next, 1)));
            next += u32::try_from(segment.payload.len()).unwrap();
        }
        let joined: Vec<u8> = segments.into_iter().flat_map(|segment| segment.payload).collect();
        assert_eq!(joined, message);
        let answer: Vec<Seen> = framer.tcp(address(to), address(from), b"ok").unwrap().map(seen).collect();
        assert_eq!((answer.len(), answer[0].sequence), (1, Some((1, 200_001))));
        assert_eq!(framer.tcp(address(from), address(to), b"").unwrap().count(), 0);
    }
}
