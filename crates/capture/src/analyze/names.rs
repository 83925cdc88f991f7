//! Names of payload types and RTCP packet types without a session description.
//!
//! RFC 3551 table 4 and 5, with the numbers that phones usually give telephone events; RFC 3550
//! section 12.1, RFC 4585.

/// Static payload types; the missing numbers are reserved or never were assigned.
const STATIC: [(u8, &str); 24] = [
    (0, "PCMU"),
    (3, "GSM"),
    (4, "G723"),
    (5, "DVI4"),
    (6, "DVI4"),
    (7, "LPC"),
    (8, "PCMA"),
    (9, "G722"),
    (10, "L16"),
    (11, "L16"),
    (12, "QCELP"),
    (13, "CN"),
    (14, "MPA"),
    (15, "G728"),
    (16, "DVI4"),
    (17, "DVI4"),
    (18, "G729"),
    (25, "CelB"),
    (26, "JPEG"),
    (28, "nv"),
    (31, "H261"),
    (32, "MPV"),
    (33, "MP2T"),
    (34, "H263"),
];

/// Returns the name of a payload type.
pub(super) fn codec(payload_type: u8) -> String {
    match payload_type {
        96 => "dynamic-96".to_owned(),
        101 | 120 => "telephone-event".to_owned(),
        _ => {
            let known = STATIC.iter().find(|(number, _)| *number == payload_type);
            known.map_or_else(|| format!("PT={payload_type}"), |(_, name)| (*name).to_owned())
        }
    }
}

/// Returns the name of an RTCP packet type; `None` if it is none.
pub(super) const fn rtcp(packet_type: u8) -> Option<&'static str> {
    Some(match packet_type {
        200 => "SR",
        201 => "RR",
        202 => "SDES",
        203 => "BYE",
        204 => "APP",
        205 => "RTPFB",
        206 => "PSFB",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_types_have_their_names() {
        let names: Vec<String> = [0, 1, 8, 18, 19, 34, 95, 96, 97, 101, 120, 127].map(codec).to_vec();
        let expected = [
            "PCMU",
            "PT=1",
            "PCMA",
            "G729",
            "PT=19",
            "H263",
            "PT=95",
            "dynamic-96",
            "PT=97",
            "telephone-event",
            "telephone-event",
            "PT=127",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn packet_types_of_rtcp_are_200_to_206() {
        let names: Vec<&str> = (0..=u8::MAX).filter_map(rtcp).collect();
        assert_eq!(names, ["SR", "RR", "SDES", "BYE", "APP", "RTPFB", "PSFB"]);
        assert_eq!((rtcp(199), rtcp(207)), (None, None));
    }
}
