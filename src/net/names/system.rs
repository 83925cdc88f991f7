//! The machine's name servers and hosts file, through hickory. Leaves out DNSSEC, DNS over TLS, and
//! whatever else the machine's `nsswitch.conf` may name, such as multicast DNS.

use std::{
    net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RData, RecordType},
    },
    system_conf::read_system_conf,
};
use offhook_sip::next_hop::{Question, Record};
use tokio::{sync::OnceCell, task::spawn_blocking, time::timeout};

use super::{Answer, LookupError, Resolver};
use crate::net::BoxFuture;

/// Port of a name server (RFC 1035 §4.2).
const PORT: u16 = 53;
/// How long a name server may be silent before it is asked again; both tries together stay within
/// the timeout of [`Names`](super::Names).
const TRY: Duration = Duration::from_millis(900);
/// How long A and AAAA may each take: one that is never answered does not cost the other.
const EACH: Duration = Duration::from_millis(1_900);

/// Asks name servers.
#[derive(Default)]
pub struct SystemResolver {
    /// The operator's servers; empty means the machine's.
    servers: Vec<SocketAddr>,
    /// Created for the first question, so that a program without names reads no configuration.
    client: OnceCell<TokioResolver>,
}

/// Parses the address of a name server, with or without a port.
///
/// # Errors
/// It is neither.
pub fn name_server(text: &str) -> Result<SocketAddr, AddrParseError> {
    text.parse().or_else(|_| {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT))
    })
}

impl SystemResolver {
    /// Creates a resolver that asks these servers, or the machine's if there are none.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, client: OnceCell::new() }
    }

    async fn client(&self) -> Result<&TokioResolver, LookupError> {
        let servers = self.servers.clone();
        let made = self.client.get_or_try_init(|| async move {
            // Files are read on a blocking thread.
            let made = spawn_blocking(move || client(&servers)).await;
            made.map_err(|error| LookupError::Failed(error.to_string()))?
        });
        made.await
    }

    async fn records(&self, name: Name, kind: RecordType) -> Result<Answer, LookupError> {
        let client = self.client().await?;
        match timeout(EACH, client.lookup(name, kind)).await {
            Err(_) => Err(LookupError::Silent),
            Ok(Err(error)) => negative(&error),
            Ok(Ok(found)) => {
                let answers = found.answers();
                // A chain of aliases is valid only as long as its shortest link.
                let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
                let records = answers.iter().filter_map(|record| read(&record.data)).collect();
                Ok(Answer { records, ttl: Duration::from_secs(ttl.into()) })
            }
        }
    }
}

fn client(servers: &[SocketAddr]) -> Result<TokioResolver, LookupError> {
    let system = read_system_conf();
    let (config, mut options) = match system {
        _ if !servers.is_empty() => (named(servers), ResolverOpts::default()),
        Ok((config, options)) => (config, options),
        Err(error) => {
            return Err(LookupError::Failed(format!("this machine names no name server: {error}")));
        }
    };
    options.timeout = TRY;
    // One retry after the first try.
    options.attempts = 1;
    // `Names` caches answers and reads the hosts file; doing so twice would keep them too long.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| LookupError::Failed(error.to_string()))
}

/// Returns the configuration for an operator's servers: over UDP, and over TCP for what does not
/// fit into a datagram.
fn named(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    ResolverConfig::from_name_servers(servers.collect())
}

/// Distinguishes "there is none" from "it is not known".
fn negative(error: &NetError) -> Result<Answer, LookupError> {
    if let NetError::Dns(DnsError::NoRecordsFound(nothing)) = error {
        // Without an SOA nothing says how long this is valid (RFC 2308 §5).
        let ttl = nothing.negative_ttl.unwrap_or(0);
        return Ok(Answer { records: Vec::new(), ttl: Duration::from_secs(ttl.into()) });
    }
    let silent = matches!(error, NetError::Timeout);
    Err(if silent { LookupError::Silent } else { LookupError::Failed(error.to_string()) })
}

/// Returns a record of a requested kind; others, such as aliases, are skipped.
fn read(data: &RData) -> Option<Record> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some(address) = data.ip_addr() {
        Some(Record::Address(address))
    } else if let RData::SRV(srv) = data {
        let (priority, weight, port) = (srv.priority, srv.weight, srv.port);
        Some(Record::Srv { priority, weight, port, target: srv.target.to_string() })
    } else if let RData::NAPTR(naptr) = data {
        Some(Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: naptr.replacement.to_string(),
        })
    } else {
        None
    }
}

/// Returns a name to ask about.
fn name_of(text: &str, absolute: bool) -> Result<Name, LookupError> {
    let mut name = Name::from_ascii(text).map_err(|error| LookupError::Failed(error.to_string()))?;
    // Services are not looked up in the search list: each question would become several.
    name.set_fqdn(absolute);
    Ok(name)
}

/// Combines the answers for A and AAAA: IPv4 first; if only one of them was answered, that one.
fn both(four: Result<Answer, LookupError>, six: Result<Answer, LookupError>) -> Result<Answer, LookupError> {
    match (four, six) {
        (Ok(mut four), Ok(six)) => {
            // The TTL of the absent kind says how long it stays absent, not how long the other is
            // valid.
            let ttl = match (four.records.is_empty(), six.records.is_empty()) {
                (false, true) => four.ttl,
                (true, false) => six.ttl,
                (true, true) | (false, false) => four.ttl.min(six.ttl),
            };
            four.records.extend(six.records);
            Ok(Answer { ttl, ..four })
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) if !one.records.is_empty() => Ok(one),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

impl Resolver for SystemResolver {
    fn own(&self, host: &str) -> BoxFuture<'_, Vec<IpAddr>> {
        let host = host.to_ascii_lowercase();
        Box::pin(async move {
            // RFC 6761 §6.3: no name server is asked about these.
            if host == "localhost" || host.ends_with(".localhost") {
                return vec![Ipv4Addr::LOCALHOST.into()];
            }
            spawn_blocking(move || from_hosts_file(&host)).await.unwrap_or_default()
        })
    }

    fn ask(&self, question: &Question) -> BoxFuture<'_, Result<Answer, LookupError>> {
        let question = question.clone();
        Box::pin(async move {
            match question {
                Question::Naptr(name) => self.records(name_of(&name, true)?, RecordType::NAPTR).await,
                Question::Srv(name) => self.records(name_of(&name, true)?, RecordType::SRV).await,
                Question::Address(name) => {
                    let name = name_of(&name, false)?;
                    let four = self.records(name.clone(), RecordType::A);
                    let six = self.records(name, RecordType::AAAA);
                    let (four, six) = tokio::join!(four, six);
                    both(four, six)
                }
            }
        })
    }
}

fn from_hosts_file(host: &str) -> Vec<IpAddr> {
    let (Ok(hosts), Ok(name)) = (Hosts::from_system(), Name::from_ascii(host)) else { return Vec::new() };
    let of = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of);
    found
        .flat_map(|lookup| {
            lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
        })
        .collect()
}
