//! Text to description.
//!
//! RFC 8866 section 9. Accepts CRLF, LF and a missing last line end; a missing `s=` (seen in the wild)
//! reads as `-`. Faults name the byte offset of the line.

use std::net::IpAddr;

use thiserror::Error;

use super::description::{Connection, ConnectionHost, Line, MediaDescription, Origin, SessionDescription};

/// Larger bodies are refused before they are looked at.
const MAX_BYTES: usize = 64 * 1024;

/// Why a session description cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SdpError {
    /// More bytes than any description needs.
    #[error("description of {bytes} bytes is too large")]
    TooLarge {
        /// Size of the body.
        bytes: usize,
    },
    /// The body is not UTF-8.
    #[error("description is not text at byte {offset}")]
    NotText {
        /// First offending byte.
        offset: usize,
    },
    /// A line is not `letter=value`.
    #[error("malformed line at byte {offset}")]
    MalformedLine {
        /// Start of the line.
        offset: usize,
    },
    /// The first line is not `v=0`.
    #[error("missing or unsupported version at byte {offset}")]
    UnsupportedVersion {
        /// Start of the line.
        offset: usize,
    },
    /// There is no `o=` line before the first `m=`.
    #[error("missing origin line")]
    MissingOrigin,
    /// The `o=` line does not have six fields.
    #[error("malformed origin at byte {offset}")]
    MalformedOrigin {
        /// Start of the line.
        offset: usize,
    },
    /// The `c=` line does not have three fields.
    #[error("malformed connection at byte {offset}")]
    MalformedConnection {
        /// Start of the line.
        offset: usize,
    },
    /// The `m=` line lacks a field, or its port is not a number.
    #[error("malformed media line at byte {offset}")]
    MalformedMedia {
        /// Start of the line.
        offset: usize,
    },
}

impl SessionDescription {
    /// Reads a description.
    ///
    /// # Errors
    ///
    /// Returns the first fault that leaves no usable description.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_BYTES {
            return Err(SdpError::TooLarge { bytes: bytes.len() });
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| SdpError::NotText { offset: error.valid_up_to() })?;
        let mut draft = Draft::default();
        let mut offset = 0;
        for raw in text.split_inclusive('\n') {
            let line = raw.trim_end_matches(['\r', '\n']);
            if !line.is_empty() {
                draft.take(line, offset)?;
            }
            offset += raw.len();
        }
        draft.finish()
    }
}

/// Description under construction.
#[derive(Default)]
struct Draft {
    versioned: bool,
    origin: Option<Origin>,
    name: Option<String>,
    lines: Vec<Line>,
    media: Vec<MediaDescription>,
}

impl Draft {
    fn take(&mut self, line: &str, offset: usize) -> Result<(), SdpError> {
        let mut letters = line.chars();
        let (Some(kind), Some('=')) = (letters.next(), letters.next()) else {
            return Err(SdpError::MalformedLine { offset });
        };
        let value = letters.as_str();
        if !kind.is_ascii_alphabetic() {
            return Err(SdpError::MalformedLine { offset });
        }
        if !self.versioned {
            if kind != 'v' || value.trim() != "0" {
                return Err(SdpError::UnsupportedVersion { offset });
            }
            self.versioned = true;
            return Ok(());
        }
        match kind {
            'v' => return Err(SdpError::MalformedLine { offset }),
            'm' => {
                let media = parse_media(value).ok_or(SdpError::MalformedMedia { offset })?;
                self.media.push(media);
                return Ok(());
            }
            'o' if self.media.is_empty() && self.origin.is_none() => {
                self.origin = Some(parse_origin(value).ok_or(SdpError::MalformedOrigin { offset })?);
                return Ok(());
            }
            's' if self.media.is_empty() && self.name.is_none() => {
                self.name = Some(value.to_owned());
                return Ok(());
            }
            'c' if Connection::parse(value).is_none() => {
                return Err(SdpError::MalformedConnection { offset });
            }
            _ => {}
        }
        let lines = self.media.last_mut().map_or(&mut self.lines, |media| &mut media.lines);
        lines.push(Line::new(kind, value));
        Ok(())
    }

    fn finish(self) -> Result<SessionDescription, SdpError> {
        if !self.versioned {
            return Err(SdpError::UnsupportedVersion { offset: 0 });
        }
        Ok(SessionDescription {
            origin: self.origin.ok_or(SdpError::MissingOrigin)?,
            name: self.name.unwrap_or_else(|| "-".to_owned()),
            lines: self.lines,
            media: self.media,
        })
    }
}

fn parse_origin(value: &str) -> Option<Origin> {
    let mut fields = value.split_ascii_whitespace().map(str::to_owned);
    let origin = Origin {
        username: fields.next()?,
        session_id: fields.next()?,
        version: fields.next()?,
        network_type: fields.next()?,
        address_type: fields.next()?,
        address: fields.next()?,
    };
    fields.next().is_none().then_some(origin)
}

fn parse_media(value: &str) -> Option<MediaDescription> {
    let mut fields = value.split_ascii_whitespace();
    let kind = fields.next()?.to_owned();
    let ports = fields.next()?;
    let (port, port_count) = match ports.split_once('/') {
        Some((port, count)) => (port.parse().ok()?, Some(count.parse().ok()?)),
        None => (ports.parse().ok()?, None),
    };
    let protocol = fields.next()?.to_owned();
    let formats = fields.map(str::to_owned).collect::<Vec<_>>();
    Some(MediaDescription { kind, port, port_count, protocol, formats, lines: Vec::new() })
}

impl Connection {
    /// Reads the value of a `c=` line.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        let (_network, _family, host) = (fields.next()?, fields.next()?, fields.next()?);
        let (host, suffix) = match host.split_once('/') {
            Some((host, suffix)) => (host, Some(suffix.to_owned())),
            None => (host, None),
        };
        // Some peers leave the brackets of a SIP URI around an IPv6 address.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = match bare.parse::<IpAddr>() {
            Ok(address) => ConnectionHost::Address(address),
            Err(_) => ConnectionHost::Name(host.to_owned()),
        };
        Some(Self { host, suffix })
    }
}
