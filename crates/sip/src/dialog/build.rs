//! How a dialog comes about: RFC 3261 §12.1, from either side.

use super::DialogRecord;
use crate::message::{HeaderName, Message, NameAddr, Uri};
use crate::user_agent::Flow;

/// The parts of a From or To header that a dialog keeps apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    /// The value without its tag.
    pub(crate) uri: String,
    /// The tag; empty when there is none.
    pub(crate) tag: String,
}

impl Party {
    pub(crate) fn of(address: &NameAddr) -> Self {
        let tag = address.tag().unwrap_or_default().to_owned();
        let mut plain = address.clone();
        plain.params.remove("tag");
        Self { uri: plain.to_string(), tag }
    }
}

/// What both sides need to know before a dialog exists.
#[derive(Debug, Clone)]
pub(crate) struct Ours<'a> {
    pub(crate) tag: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) contact: String,
    pub(crate) flow: Flow,
    pub(crate) local_cseq: u32,
}

impl DialogRecord {
    /// Makes the dialog that an incoming INVITE asks for (§12.1.1).
    pub(crate) fn from_request(request: &Message, ours: Ours<'_>) -> Option<Self> {
        let from = Party::of(&request.from().ok()?);
        let routes = request.record_routes().unwrap_or_default();
        Some(Self {
            call_id: request.call_id().ok()?,
            local_tag: ours.tag.to_owned(),
            local_uri: ours.uri.to_owned(),
            remote_tag: from.tag,
            remote_target: target(request).unwrap_or_else(|| bare_uri(&from.uri)),
            remote_uri: from.uri,
            local_cseq: ours.local_cseq,
            remote_cseq: request.cseq().ok().map(|cseq| cseq.number),
            route_set: routes.iter().map(ToString::to_string).collect(),
            contact: ours.contact,
            flow: ours.flow,
            secure: request.request_uri().is_some_and(|uri| uri.is_sips()),
        })
    }

    /// Makes the dialog that a response above 100 to our INVITE creates (§12.1.2).
    pub(crate) fn from_response(request_uri: &Uri, response: &Message, ours: Ours<'_>) -> Option<Self> {
        let to = Party::of(&response.to().ok()?);
        let routes = response.record_routes().unwrap_or_default();
        Some(Self {
            call_id: response.call_id().ok()?,
            local_tag: ours.tag.to_owned(),
            local_uri: ours.uri.to_owned(),
            remote_tag: to.tag,
            remote_uri: to.uri,
            local_cseq: ours.local_cseq,
            remote_cseq: None,
            // §12.1.2: the route set is taken in reverse order.
            route_set: routes.iter().rev().map(ToString::to_string).collect(),
            remote_target: target(response).unwrap_or_else(|| request_uri.to_string()),
            contact: ours.contact,
            flow: ours.flow,
            secure: request_uri.is_sips(),
        })
    }

    /// Takes over the Contact of a target refresh (§12.2).
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = target(message) {
            self.remote_target = target;
        }
    }
}

fn target(message: &Message) -> Option<String> {
    message.header(HeaderName::Contact)?;
    let contacts = message.contacts().ok()?;
    contacts.first().map(|contact| contact.uri.to_string())
}

fn bare_uri(address: &str) -> String {
    address.parse::<NameAddr>().map_or_else(|_| address.to_owned(), |address| address.uri.to_string())
}
