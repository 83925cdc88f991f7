//! Typed views of the attributes that a voice call needs.
//!
//! RFC 8866 section 6 (`rtpmap`, `fmtp`, direction), RFC 3605 (`rtcp`).

use std::fmt;
use std::net::IpAddr;

/// Which way media flows, seen from the maker of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// From the maker only.
    SendOnly,
    /// To the maker only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// Makes a direction from its two halves.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Finds a direction by its attribute name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name() == name.trim_end())
    }

    /// Returns the attribute name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Returns whether the maker sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Returns whether the maker receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// Returns the same flow seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// Returns what both directions allow.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Value of `a=rtpmap`: what a payload type number means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpMap {
    /// The payload type number.
    pub payload_type: u8,
    /// Encoding name, as written.
    pub encoding: String,
    /// Clock rate in hertz.
    pub clock_rate: u32,
    /// Number of audio channels; one when not given.
    pub channels: u8,
}

impl RtpMap {
    /// Reads the value of an `rtpmap` attribute.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (number, mapping) = value.trim().split_once(' ')?;
        let mut parts = mapping.trim().split('/');
        let encoding = parts.next()?.to_owned();
        let clock_rate = parts.next()?.parse().ok()?;
        let channels = parts.next().map_or(Some(1), |text| text.parse().ok())?;
        Some(Self { payload_type: number.parse().ok()?, encoding, clock_rate, channels })
    }
}

/// Value of `a=fmtp`: parameters of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fmtp {
    /// The payload type number.
    pub payload_type: u8,
    /// The parameters, as written.
    pub parameters: String,
}

impl Fmtp {
    /// Reads the value of an `fmtp` attribute.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (number, parameters) = value.trim().split_once(' ')?;
        Some(Self { payload_type: number.parse().ok()?, parameters: parameters.trim().to_owned() })
    }
}

/// Value of `a=rtcp`: where RTCP goes when it is not the next port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtcpAddress {
    /// The port.
    pub port: u16,
    /// The address, when it differs from that of the media.
    pub address: Option<IpAddr>,
}

impl RtcpAddress {
    /// Reads the value of an `rtcp` attribute.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split_ascii_whitespace();
        let port = parts.next()?.parse().ok()?;
        // A host name cannot be resolved here; RTCP then goes where the media goes.
        let address = parts.nth(2).and_then(|text| text.parse().ok());
        Some(Self { port, address })
    }
}
