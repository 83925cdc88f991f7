//! Description to text, always with CRLF.
//!
//! RFC 8866 section 5.

use std::fmt;
use std::net::IpAddr;

use super::attribute::{RtcpAddress, RtpMap};
use super::description::{Connection, ConnectionHost, Line, MediaDescription, Origin, SessionDescription};

/// Returns the address type that SDP writes before `address`.
fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}

impl Origin {
    /// Makes the origin line of a description of our own.
    #[must_use]
    pub fn own(session_id: u64, version: u64, address: IpAddr) -> Self {
        Self {
            username: "-".to_owned(),
            session_id: session_id.to_string(),
            version: version.to_string(),
            network_type: "IN".to_owned(),
            address_type: family(address).to_owned(),
            address: address.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, version, network_type, address_type, address } = self;
        write!(formatter, "{username} {session_id} {version} {network_type} {address_type} {address}")
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ConnectionHost::Address(address) => write!(formatter, "IN {} {address}", family(*address))?,
            ConnectionHost::Name(name) => write!(formatter, "IN IP4 {name}")?,
        }
        self.suffix.as_ref().map_or(Ok(()), |suffix| write!(formatter, "/{suffix}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}\r\n", self.kind, self.value)
    }
}

impl fmt::Display for RtpMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.payload_type, self.encoding, self.clock_rate)?;
        if self.channels > 1 { write!(formatter, "/{}", self.channels) } else { Ok(()) }
    }
}

impl fmt::Display for RtcpAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.port)?;
        self.address.map_or(Ok(()), |address| write!(formatter, " IN {} {address}", family(address)))
    }
}

impl fmt::Display for MediaDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(formatter, "/{count}")?;
        }
        write!(formatter, " {}", self.protocol)?;
        for format in &self.formats {
            write!(formatter, " {format}")?;
        }
        formatter.write_str("\r\n")?;
        self.lines.iter().try_for_each(|line| line.fmt(formatter))
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v=0\r\no={}\r\ns={}\r\n", self.origin, self.name)?;
        self.lines.iter().try_for_each(|line| line.fmt(formatter))?;
        self.media.iter().try_for_each(|media| media.fmt(formatter))
    }
}
