//! The parts of a session description.
//!
//! RFC 8866 section 5. Only `v=`, `o=`, `s=` and `m=` are taken apart; every other line is kept as it
//! came, in order, and read through accessors.

use std::net::IpAddr;

use super::attribute::{Direction, Fmtp, RtcpAddress, RtpMap};

/// Any line that is not `v=`, `o=`, `s=` or `m=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The letter before the equals sign.
    pub kind: char,
    /// The text behind it, without the line end.
    pub value: String,
}

impl Line {
    /// Makes a line.
    #[must_use]
    pub fn new(kind: char, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }

    /// Makes an `a=` line.
    #[must_use]
    pub fn attribute(value: impl Into<String>) -> Self {
        Self::new('a', value)
    }
}

/// The `o=` line: who made the description, and which version it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// User name, `-` when there is none.
    pub username: String,
    /// Session identifier, digits that may exceed 64 bits.
    pub session_id: String,
    /// Version, digits that may exceed 64 bits.
    pub version: String,
    /// Network type, `IN`.
    pub network_type: String,
    /// Address type, `IP4` or `IP6`.
    pub address_type: String,
    /// Address or host name of the maker.
    pub address: String,
}

/// Where a `c=` line points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionHost {
    /// A numeric address.
    Address(IpAddr),
    /// A host name, which this crate cannot resolve.
    Name(String),
}

/// The `c=` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where media should go.
    pub host: ConnectionHost,
    /// What followed the address of a multicast group: time to live, number of addresses.
    pub suffix: Option<String>,
}

impl Connection {
    /// Makes a unicast connection.
    #[must_use]
    pub const fn unicast(address: IpAddr) -> Self {
        Self { host: ConnectionHost::Address(address), suffix: None }
    }

    /// Returns the numeric address, if it is one.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match &self.host {
            ConnectionHost::Address(address) => Some(*address),
            ConnectionHost::Name(_) => None,
        }
    }

    /// Returns whether this is the old way to say hold, `0.0.0.0` or `::` (RFC 3264 section 8.4).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.address().is_some_and(|address| address.is_unspecified())
    }
}

/// Returns whether what is sent to an address reaches one host at most.
#[must_use]
pub const fn is_one_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !(address.is_multicast() || address.is_broadcast()),
        IpAddr::V6(address) => !address.is_multicast(),
    }
}

/// One `m=` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaDescription {
    /// Media type: `audio`, `video`, `image`…
    pub kind: String,
    /// Transport port; zero refuses or ends the stream.
    pub port: u16,
    /// Number of ports, when given.
    pub port_count: Option<u16>,
    /// Transport protocol, such as `RTP/AVP`.
    pub protocol: String,
    /// Formats in order of preference; payload type numbers for RTP.
    pub formats: Vec<String>,
    /// The lines below it, in order.
    pub lines: Vec<Line>,
}

impl MediaDescription {
    /// Returns the mapping of a dynamic or explicitly described payload type.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        self.attributes("rtpmap").filter_map(RtpMap::parse).find(|map| map.payload_type == payload_type)
    }

    /// Returns the format parameters of a payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<Fmtp> {
        self.attributes("fmtp").filter_map(Fmtp::parse).find(|fmtp| fmtp.payload_type == payload_type)
    }

    /// Returns the formats that are payload type numbers.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.iter().filter_map(|format| format.parse().ok()).filter(|number| *number < 128)
    }

    /// Returns the packet time that its maker wishes to receive, in whole milliseconds.
    #[must_use]
    pub fn packet_time(&self) -> Option<u32> {
        self.attributes("ptime").find_map(milliseconds)
    }

    /// Returns the longest packet time that its maker takes, in whole milliseconds.
    #[must_use]
    pub fn max_packet_time(&self) -> Option<u32> {
        self.attributes("maxptime").find_map(milliseconds)
    }

    /// Returns the explicit RTCP address (RFC 3605).
    #[must_use]
    pub fn rtcp(&self) -> Option<RtcpAddress> {
        self.attributes("rtcp").find_map(RtcpAddress::parse)
    }

    /// Returns whether RTP and RTCP may share one port (RFC 5761).
    #[must_use]
    pub fn offers_rtcp_mux(&self) -> bool {
        self.attributes("rtcp-mux").next().is_some()
    }
}

/// A whole session description.
///
/// ```
/// use offhook_media::sdp::SessionDescription;
///
/// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
/// let description = SessionDescription::parse(text.as_bytes())?;
/// assert_eq!(description.media[0].port, 4000);
/// assert_eq!(description.to_string(), text);
/// # Ok::<(), offhook_media::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// The `o=` line.
    pub origin: Origin,
    /// The `s=` line.
    pub name: String,
    /// All other lines before the first `m=`, in order.
    pub lines: Vec<Line>,
    /// The `m=` sections, in order.
    pub media: Vec<MediaDescription>,
}

impl SessionDescription {
    /// Returns where `media` should go: its own connection, else that of the session.
    #[must_use]
    pub fn connection_of(&self, media: &MediaDescription) -> Option<Connection> {
        media.connection().or_else(|| self.connection())
    }

    /// Returns the direction of `media`: its own, else that of the session, else `sendrecv`.
    #[must_use]
    pub fn direction_of(&self, media: &MediaDescription) -> Direction {
        media.direction().or_else(|| self.direction()).unwrap_or(Direction::SendRecv)
    }
}

/// Reads a packet time, which may have a fraction (RFC 8866 section 6.4) and is never zero.
fn milliseconds(value: &str) -> Option<u32> {
    let time: f64 = value.trim().parse().ok()?;
    (time > 0.0 && time < 60_000.0).then_some(time as u32)
}

/// What the session and each of its media sections say in the same form.
pub trait Described {
    /// Returns the lines of this level alone.
    fn lines(&self) -> &[Line];

    /// Returns the values of the attributes called `name`, in order.
    ///
    /// A flag attribute has an empty value.
    fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines().iter().filter(|line| line.kind == 'a').filter_map(move |line| {
            let (key, value) = line.value.split_once(':').unwrap_or((&line.value, ""));
            (key == name).then_some(value)
        })
    }

    /// Returns the connection of this level alone.
    fn connection(&self) -> Option<Connection> {
        self.lines().iter().filter(|line| line.kind == 'c').find_map(|line| Connection::parse(&line.value))
    }

    /// Returns the direction attribute of this level alone.
    fn direction(&self) -> Option<Direction> {
        self.lines().iter().filter(|line| line.kind == 'a').find_map(|line| Direction::from_name(&line.value))
    }
}

impl Described for SessionDescription {
    fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl Described for MediaDescription {
    fn lines(&self) -> &[Line] {
        &self.lines
    }
}
