//! Summary of a session description (RFC 8866) for structured messages.
//!
//! It has only audio sections with plain numeric formats; session-level attributes, addresses and
//! keys are left out.

use serde_json::{Map, Value, json};

/// Names of the static payload types (RFC 3551 §6), with their clock rates.
const STATIC_TYPES: &[(u8, &str, u32)] = &[
    (0, "PCMU", 8000),
    (3, "GSM", 8000),
    (4, "G723", 8000),
    (5, "DVI4", 8000),
    (6, "DVI4", 16000),
    (7, "LPC", 8000),
    (8, "PCMA", 8000),
    (9, "G722", 8000),
    (10, "L16", 44100),
    (11, "L16", 44100),
    (12, "QCELP", 8000),
    (13, "CN", 8000),
    (14, "MPA", 90000),
    (15, "G728", 8000),
    (16, "DVI4", 11025),
    (17, "DVI4", 22050),
    (18, "G729", 8000),
];

struct Section {
    kind: String,
    port: u16,
    protocol: String,
    payload_types: Vec<u8>,
    rtpmap: Vec<(u8, String, u32)>,
    fmtp: Vec<(u8, String)>,
    direction: &'static str,
    rtcp_port: Option<u16>,
}

/// Builds the `sdp` object of a structured message.
pub(in crate::mcp) fn summarize(body: &str) -> Value {
    let mut version = 0;
    let mut origin = Value::Null;
    let mut sections: Vec<Option<Section>> = Vec::new();
    for line in body.lines() {
        let Some((kind, value)) = line.trim_end().split_once('=') else { continue };
        match kind {
            "v" => version = value.trim().parse().unwrap_or(0),
            "o" => origin = summarize_origin(value),
            "m" => sections.push(Section::read(value)),
            "a" => {
                if let Some(Some(section)) = sections.last_mut() {
                    section.attribute(value);
                }
            }
            _ => {}
        }
    }
    let media: Vec<Value> = sections.iter().flatten().map(Section::json).collect();
    json!({ "version": version, "origin": origin, "media": media })
}

fn summarize_origin(value: &str) -> Value {
    let fields: Vec<&str> = value.split_whitespace().collect();
    match fields.as_slice() {
        [username, _, _, _, _, ip, ..] => json!({ "username": username, "ip": ip }),
        _ => Value::Null,
    }
}

impl Section {
    /// Reads an `m=` line; `None` for formats that are not payload types (T.38) and for port
    /// ranges.
    fn read(value: &str) -> Option<Self> {
        let mut fields = value.split_whitespace();
        Some(Self {
            kind: fields.next()?.to_owned(),
            port: fields.next()?.parse().ok()?,
            protocol: fields.next()?.to_owned(),
            payload_types: fields.map(|format| format.parse().ok()).collect::<Option<_>>()?,
            rtpmap: Vec::new(),
            fmtp: Vec::new(),
            direction: "sendrecv",
            rtcp_port: None,
        })
    }

    fn attribute(&mut self, value: &str) {
        let (name, rest) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "rtpmap" => self.rtpmap.extend(read_rtpmap(rest)),
            "fmtp" => {
                if let Some((payload_type, text)) = rest.split_once(' ')
                    && let Ok(payload_type) = payload_type.parse()
                {
                    self.fmtp.push((payload_type, text.trim().to_owned()));
                }
            }
            "rtcp" => self.rtcp_port = rest.split_whitespace().next().and_then(|port| port.parse().ok()),
            "sendrecv" => self.direction = "sendrecv",
            "sendonly" => self.direction = "sendonly",
            "recvonly" => self.direction = "recvonly",
            "inactive" => self.direction = "inactive",
            _ => {}
        }
    }

    fn codec(&self, payload_type: u8) -> Value {
        let mapped = self.rtpmap.iter().find(|(each, ..)| *each == payload_type);
        let known = STATIC_TYPES.iter().find(|(each, ..)| *each == payload_type);
        let (name, clock_rate) = match (mapped, known) {
            (Some((_, name, rate)), _) => (name.as_str(), *rate),
            (None, Some((_, name, rate))) => (*name, *rate),
            (None, None) => ("", 0),
        };
        let mut codec = Map::new();
        codec.insert("pt".into(), payload_type.into());
        codec.insert("name".into(), name.into());
        codec.insert("clock_rate".into(), clock_rate.into());
        if let Some((_, text)) = self.fmtp.iter().find(|(each, _)| *each == payload_type) {
            codec.insert("fmtp".into(), text.as_str().into());
        }
        Value::Object(codec)
    }

    fn json(&self) -> Value {
        let codecs: Vec<Value> = self.payload_types.iter().map(|each| self.codec(*each)).collect();
        json!({
            "type": self.kind,
            "port": self.port,
            "protocol": self.protocol,
            "payload_types": self.payload_types,
            "codecs": codecs,
            "direction": self.direction,
            "rtcp_port": self.rtcp_port,
        })
    }
}

/// Reads `111 opus/48000/2`.
fn read_rtpmap(text: &str) -> Option<(u8, String, u32)> {
    let (payload_type, encoding) = text.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next()?.to_owned();
    let rate = parts.next().and_then(|rate| rate.parse().ok()).unwrap_or(0);
    Some((payload_type.parse().ok()?, name, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_summarized_with_static_and_mapped_types() {
        let body = "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\ns=-\r\na=sendonly\r\nm=audio 4000 RTP/AVP 8 0 111 96 120\r\n\
                    a=rtpmap:111 opus/48000/2\r\na=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\n\
                    a=rtcp:4001 IN IP4 192.0.2.1\r\na=recvonly\r\nm=image 5000 udptl t38\r\nm=audio 6000/2 RTP/AVP 0\r\n";
        let sdp = summarize(body);
        assert_eq!(sdp["origin"], json!({ "username": "a", "ip": "192.0.2.1" }));
        assert_eq!(sdp["media"].as_array().unwrap().len(), 1);
        let audio = &sdp["media"][0];
        assert_eq!(audio["direction"], "recvonly");
        assert_eq!(audio["rtcp_port"], 4001);
        assert_eq!(audio["codecs"][0], json!({ "pt": 8, "name": "PCMA", "clock_rate": 8000 }));
        assert_eq!(audio["codecs"][2], json!({ "pt": 111, "name": "opus", "clock_rate": 48000 }));
        assert_eq!(audio["codecs"][3], json!({ "pt": 96, "name": "", "clock_rate": 0 }));
        assert_eq!(audio["codecs"][4]["fmtp"], "0-16");
    }

    #[test]
    fn a_broken_description_gives_an_empty_summary() {
        assert_eq!(summarize("nonsense\no=a"), json!({ "version": 0, "origin": null, "media": [] }));
    }
}
