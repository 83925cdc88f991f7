//! Where requests go: a phone's registrar, and the targets users type.
//!
//! A bare word such as `600` is a user at the phone's own domain. Names are resolved outside the
//! actor, because a handler must never wait for the network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use offhook_sip::{
    message::{Host, Method, Uri},
    user_agent::{Abandoned, Destination, Transport},
};

use crate::{
    command::{Refused, Rejection},
    event::{NextHop, PhoneSpec, SipEvent, Transport as PhoneTransport},
    net::{Network, Resolution, carries},
};

/// A phone's registrar: its URI, and where it was when the phone was started.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// `sip:domain`, the Request-URI of REGISTER.
    pub uri: Uri,
    /// What the name resolved to; each REGISTER resolves it again.
    pub found: Resolution,
}

/// Longest target a user may give, in bytes; a longer one would not fit a datagram.
const LONGEST_TARGET: usize = 1_000;
/// Longest registrar, in bytes: the longest name (RFC 1035 §2.3.4), a port and parameters.
const LONGEST_DOMAIN: usize = 300;
/// Longest user name, in bytes.
const LONGEST_USER: usize = 255;
/// Longest realm, in bytes.
const LONGEST_REALM: usize = 300;

/// An address outside (RFC 5737 §3), used to find the local address others see; nothing is sent
/// there.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);

impl Registrar {
    /// Finds a phone's registrar. A name without an address is not an error, because it may get
    /// one.
    ///
    /// # Errors
    /// The domain is not a host with an optional port, a name is too long, or the phone's transport is
    /// not implemented.
    pub async fn find(network: &dyn Network, spec: &PhoneSpec, random: u64) -> Result<Self, Rejection> {
        if let Some(why) = too_long(&spec.domain, LONGEST_DOMAIN) {
            return Err(Refused::BadDomain { domain: beginning(&spec.domain), why }.into());
        }
        if too_long(&spec.username, LONGEST_USER).is_some() {
            let (username, domain) = (beginning(&spec.username), spec.domain.clone());
            return Err(Refused::NoAddressOfRecord { username, domain }.into());
        }
        check_realm(spec.realm.as_deref())?;
        let uri: Uri =
            format!("sip:{}", spec.domain).parse().map_err(|error: offhook_sip::message::UriError| {
                Refused::BadDomain { domain: spec.domain.clone(), why: error.to_string() }
            })?;
        transport_to(&uri, spec.transport)?;
        let found = find(network, &uri, spec.transport, random).await;
        Ok(Self { uri, found })
    }

    /// Returns the local address from which the registrar is reached.
    ///
    /// # Errors
    /// There is no route.
    pub fn local_ip(&self, network: &dyn Network) -> io::Result<IpAddr> {
        match self.address() {
            Some(address) => network.local_ip_towards(address),
            // Its name may later resolve to anything. The address others see reaches all of them,
            // this machine included.
            None => Ok(network.local_ip_towards(ELSEWHERE).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        }
    }

    /// Checks whether a phone of this registrar could bind a port now.
    ///
    /// # Errors
    /// The port is in use, or there is no route.
    pub fn can_bind(&self, network: &dyn Network, port: u16) -> io::Result<()> {
        let local = SocketAddr::new(self.local_ip(network)?, port);
        let (_datagrams, _streams) = (network.bind_datagram(local)?, network.listen_stream(local)?);
        Ok(())
    }

    /// Returns the fact that its name was resolved, if it has one; a later life of the phone does
    /// not repeat it.
    pub(crate) fn fact(&self) -> Option<SipEvent> {
        (!self.found.lookups.is_empty()).then(|| resolved(&self.found))
    }

    /// Returns where a REGISTER goes: wherever its name leads by then, or, if that fails, where it
    /// led when the phone began. A failing name server takes no phone off its registrar.
    pub(super) fn destination(&self) -> Destination {
        let name = (!self.found.lookups.is_empty()).then(|| self.uri.clone());
        Destination { candidates: self.found.places().to_vec(), name }
    }

    /// Returns the first address, if there is any.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.found.places().first().map(|(_, address)| *address)
    }
}

/// Refuses a realm that is too long to be kept with a phone.
///
/// # Errors
/// It is.
pub(super) fn check_realm(realm: Option<&str>) -> Result<(), Rejection> {
    let size = realm.map_or(0, str::len);
    if size > LONGEST_REALM {
        return Err(Refused::TooLong { what: "realm", size, most: LONGEST_REALM }.into());
    }
    Ok(())
}

/// Returns the error for a text that is too long.
fn too_long(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("it has {} bytes, and there is room for {most}", text.len()))
}

/// Returns the beginning of a text that is too long to be repeated.
fn beginning(text: &str) -> String {
    text.chars().take(40).chain("...".chars()).collect()
}

/// Parses what a user typed into a URI.
///
/// # Errors
/// It is neither a URI nor a user name.
pub(super) fn target_uri(text: &str, domain: &str) -> Result<Uri, Rejection> {
    if let Some(why) = too_long(text, LONGEST_TARGET) {
        return Err(Refused::BadTarget { target: beginning(text), why }.into());
    }
    let refuse = |why: String| Rejection::from(Refused::BadTarget { target: text.to_owned(), why });
    let inner = text.trim();
    let inner = inner.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(inner);
    if inner.is_empty() || inner.contains(char::is_whitespace) {
        return Err(refuse("give a SIP URI such as sip:600@192.0.2.1, or an extension".to_owned()));
    }
    let has_scheme = inner
        .split_once(':')
        .is_some_and(|(scheme, _)| ["sip", "sips"].iter().any(|known| scheme.eq_ignore_ascii_case(known)));
    if inner.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:")) {
        let why = "a tel URI names no host to send to: give the number alone, or sip:NUMBER@HOST";
        return Err(refuse(why.to_owned()));
    }
    let whole = match (has_scheme, inner.contains('@')) {
        (true, _) => inner.to_owned(),
        (false, true) => format!("sip:{inner}"),
        (false, false) => format!("sip:{inner}@{domain}"),
    };
    whole.parse().map_err(|error: offhook_sip::message::UriError| refuse(error.to_string()))
}

/// Returns the transport for a request to `uri`: the one it names, otherwise the phone's.
///
/// # Errors
/// The URI asks for an unknown transport, or one that is not implemented, as `sips:` does.
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

/// Resolves a URI to addresses, over the implemented transports.
///
/// A TCP phone uses TCP wherever the URI does not say otherwise. UDP, the default, leaves the
/// choice to DNS (RFC 3263 §4.1).
pub(super) async fn find(
    network: &dyn Network,
    uri: &Uri,
    of_phone: PhoneTransport,
    random: u64,
) -> Resolution {
    let offered = PhoneTransport::BUILT.map(Transport::from);
    if of_phone == PhoneTransport::Udp || uri.transport().is_some() {
        return network.names().find(uri, &offered, random).await;
    }
    let wished = uri.with_param("transport", Some(of_phone.name()));
    Resolution { uri: uri.clone(), ..network.names().find(&wished, &offered, random).await }
}

fn place((transport, address): (Transport, SocketAddr)) -> NextHop {
    NextHop { transport: transport.into(), address }
}

/// Returns the fact that a request goes to the next address.
pub(super) fn failed_over(
    method: &Method,
    from: (Transport, SocketAddr),
    to: (Transport, SocketAddr),
    why: Abandoned,
) -> SipEvent {
    SipEvent::FailedOver {
        method: method.to_string(),
        from: place(from),
        to: place(to),
        reason: why.to_string(),
    }
}

/// Returns the fact that a URI was resolved.
pub(super) fn resolved(found: &Resolution) -> SipEvent {
    SipEvent::Resolved {
        uri: found.uri.to_string(),
        lookups: found.lookups.clone(),
        targets: found.places().iter().copied().map(place).collect(),
        from_cache: found.lookups.iter().all(|lookup| lookup.from_cache),
        took_ms: u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
        problem: found.targets.as_ref().err().map(ToString::to_string),
    }
}

/// Returns a destination if the URI holds a numeric address, so that no DNS is needed.
///
/// # Errors
/// As [`transport_to`].
pub(super) fn immediate(uri: &Uri, of_phone: PhoneTransport) -> Result<Option<Destination>, Rejection> {
    let transport = transport_to(uri, of_phone)?;
    let port = uri.port().unwrap_or(transport.default_port());
    let maddr = uri.maddr();
    let ip = maddr.as_ref().or(uri.host()).and_then(Host::ip);
    Ok(ip.map(|ip| Destination::among(vec![(transport, SocketAddr::new(ip, port))])))
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
        for bad in ["", "   ", "a b", "sip:", "tel:+4930123456", "<TEL:110>"] {
            assert_eq!(uri(bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
        }
        let tel = uri("tel:+4930123456").unwrap_err().to_string();
        assert!(tel.contains("names no host") && tel.contains("sip:NUMBER@HOST"), "{tel}");
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_and_not_repeated() {
        let long = "x".repeat(100_000);
        let target = target_uri(&long, "pbx").unwrap_err().to_string();
        assert!(target.ends_with("it has 100000 bytes, and there is room for 1000"), "{target}");
        assert!(target_uri(&long[..1_000], "pbx").is_ok() && target.len() < 200);
        let host = crate::sim::Network::new(1).host("10.0.0.7".parse().unwrap());
        for spec in [PhoneSpec::new(&*long, "a"), PhoneSpec::new("pbx.test", &*long)] {
            let refused = Registrar::find(&host, &spec, 0).await.unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument);
            assert!(refused.to_string().len() < 200, "{refused}");
        }
        let longest = PhoneSpec::new("pbx.test", &long[..255]);
        assert!(Registrar::find(&host, &longest, 0).await.is_ok());
    }

    #[tokio::test]
    async fn a_phone_whose_registrar_has_no_address_yet_is_bound_where_others_reach_it() {
        let here: IpAddr = "10.0.0.7".parse().unwrap();
        let host = crate::sim::Network::new(1).host(here);
        let spec = PhoneSpec::new("later.test", "a");
        let registrar = Registrar::find(&host, &spec, 0).await.unwrap();
        assert_eq!(registrar.address(), None);
        assert_eq!(registrar.local_ip(&host).unwrap(), here);
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
