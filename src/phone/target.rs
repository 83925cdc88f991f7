//! Where requests go: the registrar of a phone, and the targets that users type.
//!
//! A bare word such as `600` is a user at the phone's own domain. Names are resolved outside the actor, because a
//! handler must never wait for the network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use offhook_sip::{
    message::{Host, Uri},
    user_agent::{Destination, Transport},
};

use crate::{
    command::{Code, Rejection},
    event::{PhoneSpec, Transport as PhoneTransport},
    net::Network,
};

/// The default port of SIP over UDP and TCP (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// A phone's registrar: its URI and the addresses behind it.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// `sip:domain`, the Request-URI of REGISTER.
    pub uri: Uri,
    /// Candidates in order; empty when the name could not be resolved.
    pub destination: Destination,
    /// Why there are none.
    pub problem: Option<String>,
}

/// A host has no address.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve '{host}'")]
pub struct ResolveError {
    /// The host.
    pub host: String,
    /// What the resolver said.
    #[source]
    pub source: io::Error,
}

impl Registrar {
    /// Finds a phone's registrar; a name without an address is remembered as the problem.
    ///
    /// # Errors
    /// The domain is no host with an optional port.
    pub async fn find(network: &dyn Network, spec: &PhoneSpec) -> Result<Self, Rejection> {
        let uri: Uri = format!("sip:{}", spec.domain).parse().map_err(|error| {
            Rejection::new(
                Code::InvalidArgument,
                format!("domain '{}' is no host or host:port: {error}", spec.domain),
            )
        })?;
        match resolve(network, &uri, spec.transport).await {
            Ok(destination) => Ok(Self { uri, destination, problem: None }),
            Err(error) => {
                let problem = Some(format!("{error}: {}", error.source));
                Ok(Self { uri, destination: Destination::default(), problem })
            }
        }
    }

    /// Returns the address of this machine from which the registrar is reached.
    ///
    /// # Errors
    /// There is no route.
    pub fn local_ip(&self, network: &dyn Network) -> io::Result<IpAddr> {
        match self.address() {
            Some(address) => network.local_ip_towards(address),
            // Nothing to reach yet; loopback at least never leaves the machine.
            None => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        }
    }

    /// Finds out whether a phone of this registrar could have a port now.
    ///
    /// # Errors
    /// It is in use, or there is no route.
    pub fn can_bind(&self, network: &dyn Network, port: u16) -> io::Result<()> {
        let local = SocketAddr::new(self.local_ip(network)?, port);
        let (_datagrams, _streams) = (network.bind_datagram(local)?, network.listen_stream(local)?);
        Ok(())
    }

    /// Returns the first address, if there is any.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.destination.candidates.first().map(|(_, address)| *address)
    }
}

/// Makes a URI of what a user typed.
///
/// # Errors
/// It is neither a URI nor a user name.
pub(super) fn target_uri(text: &str, domain: &str) -> Result<Uri, Rejection> {
    let refuse =
        |why: String| Rejection::new(Code::InvalidArgument, format!("'{text}' cannot be called: {why}"));
    let inner = text.trim();
    let inner = inner.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(inner);
    if inner.is_empty() || inner.contains(char::is_whitespace) {
        return Err(refuse("give a SIP URI such as sip:600@192.0.2.1, or an extension".to_owned()));
    }
    let has_scheme = inner.split_once(':').is_some_and(|(scheme, _)| {
        ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let whole = match (has_scheme, inner.contains('@')) {
        (true, _) => inner.to_owned(),
        (false, true) => format!("sip:{inner}"),
        (false, false) => format!("sip:{inner}@{domain}"),
    };
    whole.parse().map_err(|error: offhook_sip::message::UriError| refuse(error.to_string()))
}

/// Finds the addresses of a URI's host: literals without DNS, names by A and AAAA.
///
/// # Errors
/// The name has no address.
pub(super) async fn resolve(
    network: &dyn Network,
    uri: &Uri,
    transport: PhoneTransport,
) -> Result<Destination, ResolveError> {
    let port = uri.port().unwrap_or(SIP_PORT);
    let transport = match (uri.transport(), transport) {
        (Some(name), _) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
        (Some(name), _) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
        (_, PhoneTransport::Udp) => Transport::Udp,
        (_, PhoneTransport::Tcp) => Transport::Tcp,
    };
    let host = host_text(uri);
    let addresses = network
        .resolve(&host)
        .await
        .and_then(|addresses| match addresses.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
            false => Ok(addresses),
        })
        .map_err(|source| ResolveError { host, source })?;
    Ok(Destination {
        candidates: addresses.into_iter().map(|ip| (transport, SocketAddr::new(ip, port))).collect(),
    })
}

/// Returns a destination when no DNS is needed: the host is an address, or the phone's own registrar.
pub(super) fn immediate(uri: &Uri, registrar: &Registrar, transport: PhoneTransport) -> Option<Destination> {
    let same = host_text(uri).eq_ignore_ascii_case(&host_text(&registrar.uri))
        && uri.port().unwrap_or(SIP_PORT) == registrar.uri.port().unwrap_or(SIP_PORT);
    if same && registrar.problem.is_none() {
        return Some(registrar.destination.clone());
    }
    let ip = host_text(uri).trim_matches(['[', ']']).parse().ok()?;
    let transport = match transport {
        PhoneTransport::Udp => Transport::Udp,
        PhoneTransport::Tcp => Transport::Tcp,
    };
    let candidates = vec![(transport, SocketAddr::new(ip, uri.port().unwrap_or(SIP_PORT)))];
    Some(Destination { candidates })
}

fn host_text(uri: &Uri) -> String {
    uri.host().map(Host::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_type_becomes_a_uri() {
        let uri = |text: &str| target_uri(text, "192.0.2.1:5070").map(|uri| uri.to_string());
        assert_eq!(uri("600").unwrap(), "sip:600@192.0.2.1:5070");
        assert_eq!(uri("bob@example.com").unwrap(), "sip:bob@example.com");
        assert_eq!(uri("sip:bob@example.com;transport=tcp").unwrap(), "sip:bob@example.com;transport=tcp");
        assert_eq!(uri("<sip:bob@example.com>").unwrap(), "sip:bob@example.com");
        for bad in ["", "   ", "a b", "sip:"] {
            assert_eq!(uri(bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
        }
    }
}
