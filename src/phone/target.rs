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
    command::{Refused, Rejection},
    event::{PhoneSpec, Transport as PhoneTransport},
    net::{Network, carries},
};

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
    /// The domain is no host with an optional port, or the phone wants a transport that is not built.
    pub async fn find(network: &dyn Network, spec: &PhoneSpec) -> Result<Self, Rejection> {
        let uri: Uri =
            format!("sip:{}", spec.domain).parse().map_err(|error: offhook_sip::message::UriError| {
                Refused::BadDomain { domain: spec.domain.clone(), why: error.to_string() }
            })?;
        let transport = transport_to(&uri, spec.transport)?;
        match resolve(network, &uri, transport).await {
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
    let refuse = |why: String| Rejection::from(Refused::BadTarget { target: text.to_owned(), why });
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

/// Returns the transport over which a request to `uri` goes: the one it names, else the phone's.
///
/// # Errors
/// It wants one that is unknown or not built, as `sips:` does.
pub(super) fn transport_to(uri: &Uri, of_phone: PhoneTransport) -> Result<Transport, Rejection> {
    let refuse = |why: String| Err(Refused::BadTransport { uri: uri.to_string(), why }.into());
    let sips = uri.is_sips();
    let wanted = match uri.transport() {
        Some(name) => match Transport::from_param(name, sips) {
            Some(transport) if sips && !transport.is_secure() => {
                return refuse(format!("sips over {transport}, which is not secure"));
            }
            Some(transport) => transport,
            None => return refuse(format!("the unknown transport '{name}'")),
        },
        None if sips => Transport::Tls,
        None => of_phone.into(),
    };
    match carries(wanted) {
        true => Ok(wanted),
        false => refuse(format!("{wanted}, which is not built yet: use {}", built())),
    }
}

fn built() -> String {
    PhoneTransport::BUILT.map(PhoneTransport::name).join(" or ")
}

/// Finds the addresses of a URI's host: literals without DNS, names by A and AAAA.
///
/// # Errors
/// The name has no address.
pub(super) async fn resolve(
    network: &dyn Network,
    uri: &Uri,
    transport: Transport,
) -> Result<Destination, ResolveError> {
    let port = uri.port().unwrap_or(transport.default_port());
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
///
/// # Errors
/// As [`transport_to`].
pub(super) fn immediate(
    uri: &Uri,
    registrar: &Registrar,
    of_phone: PhoneTransport,
) -> Result<Option<Destination>, Rejection> {
    let transport = transport_to(uri, of_phone)?;
    let port = |uri: &Uri| uri.port().unwrap_or(transport.default_port());
    let same = host_text(uri).eq_ignore_ascii_case(&host_text(&registrar.uri))
        && port(uri) == port(&registrar.uri)
        && transport == of_phone.into();
    if same && registrar.problem.is_none() {
        return Ok(Some(registrar.destination.clone()));
    }
    let ip = uri.host().and_then(Host::ip);
    Ok(ip.map(|ip| Destination { candidates: vec![(transport, SocketAddr::new(ip, port(uri)))] }))
}

fn host_text(uri: &Uri) -> String {
    uri.host().map(Host::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Code;

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

    #[test]
    fn what_needs_tls_is_refused_and_never_goes_in_clear() {
        let to = |text: &str| transport_to(&text.parse().unwrap(), PhoneTransport::Udp);
        assert_eq!(to("sip:b@192.0.2.1"), Ok(Transport::Udp));
        assert_eq!(to("sip:b@192.0.2.1;transport=TCP"), Ok(Transport::Tcp));
        for bad in [
            "sips:b@192.0.2.1",
            "sips:b@192.0.2.1;transport=tcp",
            "sips:b@192.0.2.1;transport=udp",
            "sip:b@192.0.2.1;transport=tls",
            "sip:b@example.com;transport=wss",
            "sip:b@example.com;transport=sctp",
        ] {
            let refused = to(bad).unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument, "{bad}");
        }
        let tls = transport_to(&"sip:example.com".parse().unwrap(), PhoneTransport::Tls).unwrap_err();
        assert!(tls.to_string().contains("tls, which is not built yet: use udp or tcp"), "{tls}");
    }
}
