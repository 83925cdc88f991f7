//! The transports of SIP: one row each, with all that the protocol says about it.
//!
//! RFC 3261 §18 and §19.1.2 (UDP, TCP, TLS), RFC 7118 (WebSocket), RFC 3263 §4.1 and RFC 7118 §6 (their names in the DNS).
//! A row here means that the protocol knows the transport, not that anything implements it. Leaves
//! out SCTP (RFC 4168).

/// Transport protocol of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams; the engine retransmits.
    Udp,
    /// A byte stream; the shell frames messages.
    Tcp,
    /// A byte stream inside TLS.
    Tls,
    /// WebSocket: a message a frame.
    Ws,
    /// WebSocket inside TLS.
    Wss,
}

/// What the protocol says about one transport.
#[derive(Debug)]
struct Row {
    name: &'static str,
    via: &'static str,
    param: &'static str,
    port: u16,
    reliable: bool,
    framed: bool,
    secure: bool,
    /// What takes its place under `sips`.
    secured: Option<Transport>,
    /// The service field of its NAPTR records.
    naptr: &'static str,
    /// The labels in front of a domain in the name of its SRV records.
    srv: Option<&'static str>,
}

const UDP: Row = Row {
    name: "udp",
    via: "UDP",
    param: "udp",
    port: 5060,
    reliable: false,
    framed: false,
    secure: false,
    secured: None,
    naptr: "SIP+D2U",
    srv: Some("_sip._udp"),
};
const TCP: Row = Row {
    name: "tcp",
    via: "TCP",
    param: "tcp",
    reliable: true,
    framed: true,
    secured: Some(Transport::Tls),
    naptr: "SIP+D2T",
    srv: Some("_sip._tcp"),
    ..UDP
};
const TLS: Row = Row {
    name: "tls",
    via: "TLS",
    param: "tls",
    port: 5061,
    secure: true,
    secured: Some(Transport::Tls),
    naptr: "SIPS+D2T",
    srv: Some("_sips._tcp"),
    ..TCP
};
// RFC 7118 §5.2.2 has one value of the URI parameter for both.
const WS: Row = Row {
    name: "ws",
    via: "WS",
    param: "ws",
    port: 80,
    framed: false,
    secured: Some(Transport::Wss),
    naptr: "SIP+D2W",
    srv: None,
    ..TCP
};
const WSS: Row = Row { name: "wss", via: "WSS", port: 443, secure: true, naptr: "SIPS+D2W", ..WS };

impl Transport {
    /// Every transport, the simplest first.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    const fn row(self) -> &'static Row {
        match self {
            Self::Udp => &UDP,
            Self::Tcp => &TCP,
            Self::Tls => &TLS,
            Self::Ws => &WS,
            Self::Wss => &WSS,
        }
    }

    /// Returns its name in lower case, different for each.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the transport of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name().eq_ignore_ascii_case(name))
    }

    /// Tells whether the transport delivers by itself, which sets the retransmission timers to zero.
    pub const fn is_reliable(self) -> bool {
        self.row().reliable
    }

    /// Tells whether it is a byte stream, in which the shell has to find where a message ends.
    pub const fn is_framed(self) -> bool {
        self.row().framed
    }

    /// Tells whether it is encrypted, as `sips` demands of every hop.
    pub const fn is_secure(self) -> bool {
        self.row().secure
    }

    /// Returns the name as a Via header writes it.
    pub const fn via_name(self) -> &'static str {
        self.row().via
    }

    /// Returns the value of a URI's `transport` parameter.
    pub const fn param(self) -> &'static str {
        self.row().param
    }

    /// Returns the transport that the `transport` parameter of a URI names, in any case.
    ///
    /// Under `sips` it names what TLS runs over (RFC 3261 §26.2.2).
    pub fn from_param(text: &str, sips: bool) -> Option<Self> {
        let named = |transport: &Self| transport.param().eq_ignore_ascii_case(text);
        let named = Self::ALL.into_iter().find(named).or_else(|| Self::from_name(text))?;
        if sips { Some(named.row().secured.unwrap_or(named)) } else { Some(named) }
    }

    /// Returns the port where none is named (RFC 3261 §19.1.2, RFC 7118 §5.2).
    pub const fn default_port(self) -> u16 {
        self.row().port
    }

    /// Returns the transport that the service field of a NAPTR record stands for, in any case.
    pub(crate) fn from_naptr(service: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.row().naptr.eq_ignore_ascii_case(service))
    }

    /// Returns the labels in front of a domain in the name of its SRV records; `None` where URIs
    /// name their host directly.
    pub(crate) const fn srv_labels(self) -> Option<&'static str> {
        self.row().srv
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_row() {
        for transport in Transport::ALL {
            assert_eq!(Transport::from_name(&transport.name().to_uppercase()), Some(transport));
            assert_eq!(Transport::from_naptr(&transport.row().naptr.to_lowercase()), Some(transport));
            let sips = transport.is_secure();
            assert_eq!(Transport::from_param(transport.param(), sips), Some(transport));
            assert_eq!(transport.is_secure(), transport.row().secured == Some(transport));
        }
        assert_eq!(Transport::from_name("sctp"), None);
    }

    #[test]
    fn under_sips_a_parameter_names_what_tls_runs_over() {
        assert_eq!(Transport::from_param("TCP", true), Some(Transport::Tls));
        assert_eq!(Transport::from_param("ws", true), Some(Transport::Wss));
        assert_eq!(Transport::from_param("ws", false), Some(Transport::Ws));
        assert_eq!(Transport::from_param("wss", false), Some(Transport::Wss));
        assert_eq!(Transport::from_param("udp", true), Some(Transport::Udp), "which is not secure");
        assert!(!Transport::Udp.is_secure());
    }
}
