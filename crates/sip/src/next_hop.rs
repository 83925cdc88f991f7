//! Where a request goes: the transports, addresses and ports of a URI, in the order to try them.
//!
//! RFC 3263 §4.1 (transport), §4.2 (address and port); RFC 2782 (order of SRV records). The caller
//! asks the DNS: [`NextHop::poll`] names the next question, [`NextHop::answer`] takes the records.
//! [`MOST_QUESTIONS`] and [`MOST_TARGETS`] bound what a hostile zone can cause, and records that
//! name no host are ignored. Left out: caching, and SRV for WebSocket, whose URIs name their host
//! directly (RFC 7118 §7).

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use offhook_seed::Seed;

use crate::message::{Host, Scheme, Uri};
use crate::transport::Transport;

/// How many questions one URI may cost; whatever has been found by then is the result.
pub const MOST_QUESTIONS: usize = 24;
/// How many places one request may try: each further one would follow only after half a minute of
/// silence from the last.
pub const MOST_TARGETS: usize = 8;

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NextHopError {
    /// The URI is not sip or sips, so it names no host.
    #[error("uri names no host")]
    NoHost,
    /// The URI wants a transport that is not offered, or sips over an insecure one.
    #[error("no transport that the uri allows")]
    NoTransport,
}

/// A question for the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The NAPTR records of a domain.
    Naptr(String),
    /// The SRV records of a service name.
    Srv(String),
    /// The A and AAAA records of a host.
    Address(String),
}

impl Question {
    /// Returns the name that is asked about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Naptr(name) | Self::Srv(name) | Self::Address(name) => name,
        }
    }
}

/// Written as `SRV _sip._udp.example.com`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naptr(name) => write!(f, "NAPTR {name}"),
            Self::Srv(name) => write!(f, "SRV {name}"),
            Self::Address(name) => write!(f, "A/AAAA {name}"),
        }
    }
}

/// A record from the DNS; those that do not fit the question are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A NAPTR record.
    Naptr {
        /// Lower ones first.
        order: u16,
        /// Lower ones first among the same order.
        preference: u16,
        /// Only `s` is used: the replacement has SRV records.
        flags: String,
        /// Such as `SIP+D2U`.
        service: String,
        /// The name to ask for next.
        replacement: String,
    },
    /// An SRV record.
    Srv {
        /// Lower ones first.
        priority: u16,
        /// Share of the load among the same priority.
        weight: u16,
        /// The port of the server.
        port: u16,
        /// The host of the server; `.` says that there is none.
        target: String,
    },
    /// An A or AAAA record.
    Address(IpAddr),
}

/// Written as a zone file has it.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naptr { order, preference, flags, service, replacement } => {
                write!(f, "{order} {preference} \"{flags}\" \"{service}\" {replacement}")
            }
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}")
            }
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The transport to use.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
    /// The name that a TLS certificate must show: the host of the URI (RFC 5922 §4), not that of SRV.
    pub name: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the DNS and pass the records to [`NextHop::answer`].
    Ask(Question),
    /// Try these in order; none means that the URI cannot be reached.
    Done(Vec<Target>),
}

#[derive(Clone, Debug)]
enum Work {
    Naptr,
    Srv { transport: Transport, name: String },
    Address { transport: Transport, host: String, port: u16 },
}

/// Resolves one URI.
#[derive(Clone, Debug)]
pub struct NextHop {
    /// Host of the URI, or its `maddr`.
    target: String,
    secure: bool,
    /// What the caller can send over, best first, cut to what the URI allows.
    transports: Vec<Transport>,
    work: VecDeque<Work>,
    /// What to look up if no SRV record is found.
    fallback: Option<Work>,
    found: Vec<Target>,
    asked: usize,
    random: Seed,
}

impl NextHop {
    /// Starts for a URI and the transports that can be used, best first.
    ///
    /// `random` decides between SRV records of the same priority; the same number gives the same order.
    ///
    /// # Errors
    /// If the URI has no host or wants a transport that is not among `offered`.
    pub fn new(uri: &Uri, offered: &[Transport], random: u64) -> Result<Self, NextHopError> {
        let secure = match uri.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Tel | Scheme::Other(_) => return Err(NextHopError::NoHost),
        };
        let host = uri.maddr().or_else(|| uri.host().cloned()).ok_or(NextHopError::NoHost)?;
        let allowed = |transport: &&Transport| !secure || transport.is_secure();
        let transports: Vec<_> = offered.iter().filter(allowed).copied().collect();
        let named = match uri.transport() {
            Some(text) => Some(Transport::from_param(text, secure).ok_or(NextHopError::NoTransport)?),
            None => None,
        };
        let chosen = named.or_else(|| {
            // An address or a port leaves nothing to ask the DNS about the transport (RFC 3263 §4.1).
            (host.ip().is_some() || uri.port().is_some()).then(|| plain_transport(secure))
        });
        if transports.is_empty() || chosen.as_ref().is_some_and(|chosen| !transports.contains(chosen)) {
            return Err(NextHopError::NoTransport);
        }
        let target = match &host {
            Host::Name(name) => name.trim_end_matches('.').to_owned(),
            Host::V4(address) => address.to_string(),
            Host::V6(address) => address.to_string(),
        };
        let mut hop = Self {
            target,
            secure,
            transports,
            work: VecDeque::new(),
            fallback: None,
            found: Vec::new(),
            asked: 0,
            random: Seed::new(random),
        };
        hop.begin(&host, chosen, uri.port());
        Ok(hop)
    }

    fn begin(&mut self, host: &Host, chosen: Option<Transport>, port: Option<u16>) {
        let Some(transport) = chosen else {
            self.work.push_back(Work::Naptr);
            self.fallback = Some(self.host_work(plain_transport(self.secure)));
            return;
        };
        if let Some(address) = host.ip() {
            let port = port.unwrap_or_else(|| transport.default_port());
            self.add(transport, SocketAddr::new(address, port));
            return;
        }
        let host_work = self.host_work(transport);
        match (port, transport.srv_labels()) {
            (Some(port), _) => {
                let host = self.target.clone();
                self.work.push_back(Work::Address { transport, host, port });
            }
            (None, Some(prefix)) => {
                let name = format!("{prefix}.{}", self.target);
                self.work.push_back(Work::Srv { transport, name });
                self.fallback = Some(host_work);
            }
            (None, None) => self.work.push_back(host_work),
        }
    }

    fn host_work(&self, transport: Transport) -> Work {
        let port = transport.default_port();
        Work::Address { transport, host: self.target.clone(), port }
    }

    /// Returns the next question, or the result.
    #[must_use]
    pub fn poll(&self) -> Step {
        match self.work.front() {
            None => Step::Done(self.found.clone()),
            Some(Work::Naptr) => Step::Ask(Question::Naptr(self.target.clone())),
            Some(Work::Srv { name, .. }) => Step::Ask(Question::Srv(name.clone())),
            Some(Work::Address { host, .. }) => Step::Ask(Question::Address(host.clone())),
        }
    }

    /// Returns what has been found so far, in the order to try it.
    #[must_use]
    pub fn found(&self) -> &[Target] {
        &self.found
    }

    /// Takes the answer to the question that [`NextHop::poll`] named; no records if there are none.
    pub fn answer(&mut self, records: Vec<Record>) {
        self.asked += 1;
        match self.work.pop_front() {
            None => {}
            Some(Work::Naptr) => self.take_naptr(records),
            Some(Work::Srv { transport, .. }) => self.take_srv(transport, records),
            Some(Work::Address { transport, port, .. }) => {
                for record in records {
                    if let Record::Address(address) = record {
                        self.add(transport, SocketAddr::new(address, port));
                    }
                }
            }
        }
        if self.work.is_empty() && self.found.is_empty() {
            self.work.extend(self.fallback.take());
        }
        if self.asked >= MOST_QUESTIONS || self.found.len() >= MOST_TARGETS {
            self.work.clear();
        }
    }

    fn add(&mut self, transport: Transport, address: SocketAddr) {
        let target = Target { transport, address, name: self.target.clone() };
        if self.found.len() < MOST_TARGETS && !self.found.contains(&target) {
            self.found.push(target);
        }
    }

    fn take_naptr(&mut self, records: Vec<Record>) {
        let mut usable = Vec::new();
        for record in records {
            let Record::Naptr { order, preference, flags, service, replacement } = record else { continue };
            let transport = Transport::from_naptr(&service).filter(|known| self.transports.contains(known));
            let name = host_name(&replacement);
            if let (Some(transport), Some(name), true) = (transport, name, flags.eq_ignore_ascii_case("s")) {
                usable.push((order, preference, transport, name));
            }
        }
        usable.sort_by_key(|(order, preference, ..)| (*order, *preference));
        if usable.is_empty() {
            // RFC 3263 §4.1: without NAPTR, ask for the service of every transport that can be used.
            for transport in &self.transports {
                if let Some(prefix) = transport.srv_labels() {
                    let name = format!("{prefix}.{}", self.target);
                    self.work.push_back(Work::Srv { transport: *transport, name });
                }
            }
        }
        for (_, _, transport, name) in usable.into_iter().take(MOST_TARGETS) {
            self.work.push_back(Work::Srv { transport, name });
        }
    }

    fn take_srv(&mut self, transport: Transport, records: Vec<Record>) {
        let mut servers = Vec::new();
        for record in records {
            if let Record::Srv { priority, weight, port, target } = record {
                servers.push(Server { priority, weight, port, target });
            }
        }
        if servers.is_empty() {
            return;
        }
        // The domain lists its servers, so its own address is not used.
        self.fallback = None;
        let ordered = self.in_order(servers);
        for server in ordered.into_iter().rev() {
            if let Some(host) = host_name(&server.target) {
                self.work.push_front(Work::Address { transport, host, port: server.port });
            }
        }
    }

    /// Orders as many servers as can be tried by priority, and randomly by weight within one
    /// priority (RFC 2782).
    fn in_order(&mut self, mut servers: Vec<Server>) -> Vec<Server> {
        // Weight zero comes first, so that it is chosen only when the draw is zero.
        servers.sort_by_key(|server| (server.priority, server.weight));
        let mut ordered = Vec::new();
        while let Some(first) = servers.first().filter(|_| ordered.len() < MOST_TARGETS) {
            let priority = first.priority;
            let peers = servers.iter().take_while(|server| server.priority == priority);
            let total: u64 = peers.map(|server| u64::from(server.weight)).sum();
            let draw = self.random.next_u64() % (total + 1);
            let mut sum = 0;
            let chosen = servers.iter().position(|server| {
                sum += u64::from(server.weight);
                sum >= draw
            });
            ordered.push(servers.remove(chosen.unwrap_or(0)));
        }
        ordered
    }
}

#[derive(Clone, Debug)]
struct Server {
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

/// The transport where nothing names one.
const fn plain_transport(secure: bool) -> Transport {
    if secure { Transport::Tls } else { Transport::Udp }
}

/// Returns a name from a record without its trailing dot; `None` if no host or service can have it.
fn host_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fits);
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_owned())
}
