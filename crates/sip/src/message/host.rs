//! Host part of URIs and Via: a name, an IPv4 or an IPv6 address.
//!
//! RFC 3261 §25.1 (host, hostport), with the address forms of RFC 5118 §4.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::scan;

/// Where a URI or a Via points.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name as written; compare with [`Host::same`].
    Name(Box<str>),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host; `None` if `text` is not one. IPv6 needs its brackets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse().ok().map(Self::V6);
        }
        if text.bytes().next()?.is_ascii_digit()
            && let Ok(address) = text.parse()
        {
            return Some(Self::V4(address));
        }
        let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        text.bytes().all(name_byte).then(|| Self::Name(text.into()))
    }

    /// Returns the address if this is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// Returns whether both name the same host; names compare without case.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(left), Self::Name(right)) => left.eq_ignore_ascii_case(right),
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => self == other,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

/// Splits `host[:port]`; the port may be empty or absent.
pub(crate) fn split_port(text: &str) -> (&str, Option<&str>) {
    let colon = match text.strip_prefix('[') {
        Some(inner) => {
            scan::find(inner, b']').and_then(|end| scan::find(inner.get(end..)?, b':').map(|at| end + at + 1))
        }
        None => scan::find(text, b':'),
    };
    match colon {
        Some(at) => {
            let (host, port) = scan::split_at_byte(text, at);
            (host, Some(port))
        }
        None => (text, None),
    }
}
