//! Via: the path that a request took and its responses take back.
//!
//! RFC 3261 §20.42, §18.2; RFC 3581 (rport).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::host::{Host, split_port};
use crate::message::params::Params;
use crate::message::scan;
use crate::transport::Transport;

/// What every branch that follows RFC 3261 starts with (§8.1.1.7).
pub const BRANCH_COOKIE: &str = "z9hG4bK";

const PROTOCOL: &str = "SIP";
const VERSION: &str = "2.0";

/// The transport that a Via names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransportName {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// SCTP.
    Sctp,
    /// TLS over SCTP.
    TlsSctp,
    /// WebSocket (RFC 7118).
    Ws,
    /// Secure WebSocket (RFC 7118).
    Wss,
    /// Any other, as written.
    Other(Box<str>),
}

impl TransportName {
    /// Returns the transport that `text` names, without regard to case.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if let Some(known) = Transport::from_name(text) {
            return known.into();
        }
        let sctp =
            [Self::Sctp, Self::TlsSctp].into_iter().find(|sctp| sctp.as_str().eq_ignore_ascii_case(text));
        sctp.unwrap_or_else(|| Self::Other(text.into()))
    }

    /// Returns the transport, if it is in the table.
    #[must_use]
    pub const fn known(&self) -> Option<Transport> {
        match self {
            Self::Udp => Some(Transport::Udp),
            Self::Tcp => Some(Transport::Tcp),
            Self::Tls => Some(Transport::Tls),
            Self::Ws => Some(Transport::Ws),
            Self::Wss => Some(Transport::Wss),
            Self::Sctp | Self::TlsSctp | Self::Other(_) => None,
        }
    }

    /// Returns the name as a Via carries it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udp | Self::Tcp | Self::Tls | Self::Ws | Self::Wss => {
                self.known().map_or("", Transport::via_name)
            }
            Self::Sctp => "SCTP",
            Self::TlsSctp => "TLS-SCTP",
            Self::Other(name) => name,
        }
    }

    /// Returns whether retransmission is left to the transport.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.known().map_or(matches!(self, Self::Sctp | Self::TlsSctp), Transport::is_reliable)
    }

    /// Returns the port to use where none is named (RFC 3261 §18.1.1, RFC 7118 §4).
    #[must_use]
    pub fn default_port(&self) -> u16 {
        let otherwise = if matches!(self, Self::TlsSctp) { 5061 } else { 5060 };
        self.known().map_or(otherwise, Transport::default_port)
    }
}

impl From<Transport> for TransportName {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
            Transport::Tls => Self::Tls,
            Transport::Ws => Self::Ws,
            Transport::Wss => Self::Wss,
        }
    }
}

impl fmt::Display for TransportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Protocol name, `SIP`.
    pub protocol: Cow<'static, str>,
    /// Protocol version, `2.0`.
    pub version: Cow<'static, str>,
    /// The transport it was sent over.
    pub transport: TransportName,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by, if named.
    pub port: Option<u16>,
    /// branch, received, rport and the rest.
    pub params: Params,
}

impl Via {
    /// Returns a Via as a client writes it: `SIP/2.0/transport host:port;branch=…`.
    #[must_use]
    pub fn new(transport: TransportName, host: Host, port: Option<u16>, branch: &str) -> Self {
        let params = Params::new().with("branch", Some(branch));
        Self { protocol: PROTOCOL.into(), version: VERSION.into(), transport, host, port, params }
    }

    /// Returns a copy with `;rport` without value, which asks for symmetric response routing (RFC 3581 §3).
    #[must_use]
    pub fn with_rport(mut self) -> Self {
        self.params.set("rport", None);
        self
    }

    /// Returns the branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Returns whether the branch identifies the transaction by itself (RFC 3261 §17.1.3).
    #[must_use]
    pub fn has_cookie(&self) -> bool {
        let tail = |branch: &str| branch.get(BRANCH_COOKIE.len()..).is_some_and(|tail| !tail.is_empty());
        self.branch().is_some_and(|branch| branch.starts_with(BRANCH_COOKIE) && tail(branch))
    }

    /// Returns where the request was received from, as the next hop noted it; IPv6 with or without brackets.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        let text = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
        text.parse().ok()
    }

    /// Returns the `rport`: `Some(None)` if asked for, `Some(Some(port))` if filled in.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(scan::number)
    }

    /// Notes the source of a request in a copy (RFC 3261 §18.2.1, RFC 3581 §4).
    ///
    /// `received` is added where the host differs or rport was asked for; `rport` only where asked for.
    #[must_use]
    pub fn stamped(mut self, source: IpAddr, port: u16) -> Self {
        let wants_port = self.params.contains("rport");
        if wants_port || self.host.ip() != Some(source) {
            self.params.set("received", Some(&source.to_string()));
        }
        if wants_port {
            self.params.set("rport", Some(&port.to_string()));
        }
        self
    }
}

/// Borrows the usual text where it is the same, as it is in nearly every message.
fn usual(text: &str, usual: &'static str) -> Cow<'static, str> {
    if text == usual { Cow::Borrowed(usual) } else { Cow::Owned(text.to_owned()) }
}

impl FromStr for Via {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (protocol, rest) = scan::split_once(text, b'/').ok_or(HeaderFault::Syntax)?;
        let (version, rest) = scan::split_once(rest, b'/').ok_or(HeaderFault::Syntax)?;
        let rest = scan::trim(rest);
        let (transport, rest) = scan::split_at_space(rest).ok_or(HeaderFault::Syntax)?;
        let (protocol, version) = (scan::trim(protocol), scan::trim(version));
        if ![protocol, version, transport].into_iter().all(scan::is_token) {
            return Err(HeaderFault::Syntax);
        }
        let end = scan::find(rest, b';').unwrap_or(rest.len());
        let (host, port) = split_port(rest.get(..end).unwrap_or(""));
        let host = Host::parse(scan::trim(host)).ok_or(HeaderFault::HostPort)?;
        let port = match port.map(scan::trim) {
            None | Some("") => None,
            Some(digits) => Some(scan::number(digits).ok_or(HeaderFault::HostPort)?),
        };
        Ok(Self {
            protocol: usual(protocol, PROTOCOL),
            version: usual(version, VERSION),
            transport: TransportName::from_text(transport),
            host,
            port,
            params: Params::parse(rest.get(end..).unwrap_or("")),
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Piece by piece: one format string costs as much as all of them, and every message has a
        // Via.
        for text in [&*self.protocol, "/", &*self.version, "/", self.transport.as_str(), " "] {
            f.write_str(text)?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            f.write_str(":")?;
            port.fmt(f)?;
        }
        self.params.fmt(f)
    }
}
