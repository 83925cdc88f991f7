//! Where a request inside a dialog goes and how it is routed: RFC 3261 §12.2.1.1.

use super::DialogRecord;
use crate::message::{NameAddr, Uri};
use crate::user_agent::{Destination, Flow, Transport};
use std::net::SocketAddr;

/// Request-URI, Route values and next hop of a request inside a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) uri: Uri,
    pub(crate) routes: Vec<String>,
    pub(crate) destination: Destination,
}

/// Plans the next request of a dialog; `None` when its remote target is not a URI.
pub(crate) fn plan(dialog: &DialogRecord) -> Option<Plan> {
    let target = Uri::parse(&dialog.remote_target).ok()?;
    let first =
        dialog.route_set.first().and_then(|route| route.parse::<NameAddr>().ok()).map(|route| route.uri);
    let (uri, routes, hop) = match first {
        None => (target.clone(), Vec::new(), target),
        Some(first) if first.lr() => (target, dialog.route_set.clone(), first),
        Some(first) => {
            // A strict router: it takes the Request-URI's place and the target goes to the end.
            let mut routes: Vec<String> = dialog.route_set.iter().skip(1).cloned().collect();
            routes.push(format!("<{target}>"));
            (first.without_headers(), routes, first)
        }
    };
    let named = hop.host().is_some_and(|host| host.ip().is_none());
    let destination = Destination {
        candidates: vec![next_hop(&hop, dialog.flow)],
        name: named.then(|| hop.without_headers()),
    };
    Some(Plan { uri: uri.without_headers(), routes, destination })
}

/// Returns the address in a URI, or the flow's peer when the host is not an IP address.
fn next_hop(uri: &Uri, flow: Flow) -> (Transport, SocketAddr) {
    let Some(address) = uri.host().and_then(crate::message::Host::ip) else {
        return (flow.transport, flow.remote);
    };
    let at = |transport: Transport| {
        let port = uri.port().unwrap_or(transport.default_port());
        (transport, SocketAddr::new(address, port))
    };
    if let Some(named) = uri.transport().and_then(|name| Transport::from_param(name, uri.is_sips())) {
        return at(named);
    }
    // The flow's transport if this is the same peer; otherwise RFC 3263 §4.1: UDP for a numeric
    // address, TLS for sips.
    let same = Some(at(flow.transport)).filter(|(_, remote)| *remote == flow.remote);
    same.unwrap_or_else(|| at(if uri.is_sips() { Transport::Tls } else { Transport::Udp }))
}
