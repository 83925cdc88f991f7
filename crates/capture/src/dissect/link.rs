//! Link types: their names, and where the IP packet begins.
//!
//! The registry of LINKTYPE values at tcpdump.org; IEEE 802.1Q and 802.1ad for tagged frames.

use crate::fields::Fields;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
/// 802.1Q, 802.1ad, and what was used before the latter.
const TAGGED: [u16; 3] = [0x8100, 0x88A8, 0x9100];
/// Most tags in front of a packet.
const MOST_TAGS: usize = 8;

/// How a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// Four bytes that name the family of addresses, in the order of some machine.
    Family,
    /// Two addresses, then the protocol.
    Ethernet,
    /// Nothing: an IP packet.
    Raw,
    /// Linux "cooked", 16 bytes with the protocol at the end.
    Cooked,
    /// Its second version, 20 bytes with the protocol in front.
    Cooked2,
}

/// Number, name and header of each link type that is understood.
const LINK_TYPES: [(u32, &str, Header); 10] = [
    (0, "NULL", Header::Family),
    (1, "EN10MB", Header::Ethernet),
    (12, "RAW", Header::Raw),
    (14, "RAW", Header::Raw),
    (101, "RAW", Header::Raw),
    (108, "LOOP", Header::Family),
    (113, "LINUX_SLL", Header::Cooked),
    (228, "IPV4", Header::Raw),
    (229, "IPV6", Header::Raw),
    (276, "LINUX_SLL2", Header::Cooked2),
];

/// Returns the name of a link type that is understood.
pub(crate) fn name(linktype: u32) -> Option<&'static str> {
    LINK_TYPES.iter().find(|(number, _, _)| *number == linktype).map(|(_, name, _)| *name)
}

/// Returns the IP packet in a frame; `None` if there is none, or the link type is not understood.
pub(crate) fn ip_packet(linktype: u32, frame: &[u8]) -> Option<&[u8]> {
    let (_, _, header) = LINK_TYPES.iter().find(|(number, _, _)| *number == linktype)?;
    let mut fields = Fields::network(frame);
    let protocol = match header {
        Header::Raw => return Some(frame),
        Header::Family => return family(fields),
        Header::Ethernet => {
            fields.take(12)?;
            fields.u16()?
        }
        Header::Cooked => {
            fields.take(14)?;
            fields.u16()?
        }
        Header::Cooked2 => {
            let protocol = fields.u16()?;
            fields.take(18)?;
            protocol
        }
    };
    behind_tags(protocol, fields)
}

/// Skips the family; IPv6 has a number of its own on each BSD and on Linux.
fn family(mut fields: Fields<'_>) -> Option<&[u8]> {
    let ([0, 0, 0, family] | [family, 0, 0, 0]) = fields.array()? else { return None };
    matches!(family, 2 | 10 | 24 | 28 | 30).then_some(fields.rest())
}

fn behind_tags(mut protocol: u16, mut fields: Fields<'_>) -> Option<&[u8]> {
    for _ in 0..MOST_TAGS {
        if !TAGGED.contains(&protocol) {
            break;
        }
        fields.u16()?;
        protocol = fields.u16()?;
    }
    matches!(protocol, IPV4 | IPV6).then_some(fields.rest())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &[u8] = &[0x45, 1, 2, 3];

    fn found(linktype: u32, header: &[u8]) -> bool {
        let frame = [header, PACKET].concat();
        ip_packet(linktype, &frame).is_some_and(|packet| packet == PACKET)
    }

    #[test]
    fn an_ethernet_frame_may_be_tagged_any_usual_way() {
        let addresses = [2; 12];
        for behind in [
            [0x08, 0x00].as_slice(),
            &[0x86, 0xDD],
            &[0x81, 0x00, 0x00, 0x05, 0x08, 0x00],
            &[0x88, 0xA8, 0x00, 0x05, 0x81, 0x00, 0x20, 0x06, 0x08, 0x00],
            &[0x91, 0x00, 0x00, 0x05, 0x81, 0x00, 0x20, 0x06, 0x86, 0xDD],
        ] {
            assert!(found(1, &[&addresses, behind].concat()), "{behind:?}");
        }
        assert!(!found(1, &[&addresses, [0x08, 0x06].as_slice()].concat()), "ARP");
        let endless = [addresses.as_slice(), &[0x81, 0].repeat(40)].concat();
        assert!(!found(1, &endless));
    }

    #[test]
    fn loopback_frames_name_the_family_in_either_order() {
        for family in [2, 10, 24, 28, 30] {
            assert!(found(0, &[family, 0, 0, 0]) && found(0, &[0, 0, 0, family]));
            assert!(found(108, &[0, 0, 0, family]));
        }
        assert!(!found(0, &[7, 0, 0, 0]) && !found(0, &[2, 0, 0, 2]));
    }

    #[test]
    fn cooked_frames_of_both_versions_say_their_protocol() {
        // Packet to us, from Ethernet, six bytes of address and two of padding, then the protocol.
        let cooked = [0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x08, 0x00];
        assert!(found(113, &cooked));
        let tagged = [&cooked[..14], &[0x81, 0x00, 0, 5, 0x08, 0x00]].concat();
        assert!(found(113, &tagged));
        // The protocol, two zeros, an interface, Ethernet, sent by us, length of address, address.
        let second = [0x86, 0xDD, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0];
        assert!(found(276, &second));
        assert!(!found(276, &[&[0x08, 0x06], &second[2..]].concat()));
    }

    #[test]
    fn raw_links_have_no_header() {
        assert!([12, 14, 101, 228, 229].into_iter().all(|linktype| found(linktype, &[])));
        assert!(!found(147, &[]));
    }

    #[test]
    fn a_frame_cut_within_its_header_has_no_packet() {
        for (linktype, _, header) in LINK_TYPES {
            let frame = [0x08, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00];
            let most = if header == Header::Raw { 0 } else { 4 };
            (0..most).for_each(|length| assert_eq!(ip_packet(linktype, &frame[..length]), None));
        }
    }
}
