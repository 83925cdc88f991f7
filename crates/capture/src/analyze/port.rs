//! Which codecs a phone used, by the port of its RTP.

use super::analysis::Analysis;

/// Codecs at a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortCodecs {
    /// Codecs of all rows from or to the port, in the order of their first packets.
    pub seen: Vec<String>,
    /// Those of them that were not expected; empty if it is not known what to expect.
    pub unexpected: Vec<String>,
}

impl Analysis {
    /// Returns the codecs in the rows that touch a port. Case does not matter in what is expected.
    #[must_use]
    pub fn codecs_at(&self, port: u16, expected: Option<&[String]>) -> PortCodecs {
        let touches =
            |port: u16| self.rtp_flows.iter().filter(move |f| f.src_port == port || f.dst_port == port);
        let mut flows: Vec<_> = touches(port).collect();
        flows.sort_by_key(|flow| flow.first_packet);
        let mut seen: Vec<String> = Vec::new();
        for flow in flows {
            if !seen.contains(&flow.codec) {
                seen.push(flow.codec.clone());
            }
        }
        // Digits beside a codec are no codec that nobody asked for.
        let is_expected = |codec: &String| {
            codec == "telephone-event"
                || expected
                    .is_none_or(|expected| expected.iter().any(|other| other.eq_ignore_ascii_case(codec)))
        };
        let unexpected = seen.iter().filter(|codec| !is_expected(codec)).cloned().collect();
        PortCodecs { seen, unexpected }
    }
}
