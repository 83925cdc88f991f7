//! What the two ends of one hop say to each other about a transaction: 100 Trying, the ACK of a failure, CANCEL, and
//! where responses go. RFC 3261 §9.1, §17.1.1.3, §17.2.1, §18.2.2.

use crate::message::{Builder, HeaderName, Message, Method, StatusCode, Via};
use crate::user_agent::{Flow, NamedHeaders};
use std::net::SocketAddr;

/// Writes 100 Trying.
pub(crate) fn trying(request: &Message, via: &Via) -> Message {
    request.response_to(StatusCode::TRYING, None).set_top(HeaderName::Via, via).build()
}

/// Writes the ACK of a failure response: RFC 3261 §17.1.1.3.
pub(crate) fn failure_ack(invite: &Message, response: &Message) -> Option<Message> {
    let builder = hop_by_hop(invite, Method::Ack)?;
    // A response without To is acknowledged as well: the ACK is matched by its branch.
    let to = response.header(HeaderName::To).or_else(|| invite.header(HeaderName::To))?;
    Some(builder.header(HeaderName::To, to).build())
}

/// Writes the CANCEL of an INVITE: RFC 3261 §9.1.
pub(crate) fn cancel(invite: &Message, headers: &NamedHeaders) -> Option<Message> {
    let mut builder =
        hop_by_hop(invite, Method::Cancel)?.header(HeaderName::To, invite.header(HeaderName::To)?);
    for (name, value) in headers {
        builder = builder.header(name.clone(), value);
    }
    Some(builder.build())
}

/// Starts a request that repeats the identity of an INVITE on the same hop.
fn hop_by_hop(invite: &Message, method: Method) -> Option<Builder> {
    let uri = invite.request_uri()?;
    let cseq = invite.cseq().ok()?;
    let mut builder = Builder::request(method.clone(), &uri)
        .header(HeaderName::Via, invite.top_via().ok()?)
        .header(HeaderName::MaxForwards, 70);
    for route in invite.values(HeaderName::Route) {
        builder = builder.header(HeaderName::Route, route);
    }
    let builder = builder
        .header(HeaderName::From, invite.header(HeaderName::From)?)
        .header(HeaderName::CallId, invite.header(HeaderName::CallId)?)
        .header(HeaderName::CSeq, format!("{} {method}", cseq.number));
    Some(builder)
}

/// Returns where responses go: RFC 3261 §18.2.2 with RFC 3581 §4; `maddr` is ignored.
pub(crate) fn response_flow(flow: Flow, via: &Via) -> Flow {
    if flow.transport.is_reliable() || via.rport().is_some() {
        return flow;
    }
    // Without rport the answer goes to the port that Via names, at the address the request came from.
    let remote = SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060));
    Flow { remote, ..flow }
}
