//! Requests outside any session: MESSAGE, OPTIONS, SUBSCRIBE, PUBLISH…

use super::engine::UserAgent;
use super::event::RequestId;
use super::flow::Destination;
use super::outgoing::{Outgoing, User};
use super::write::{Body, ContactForm, Draft, NamedHeaders};
use crate::auth::Credentials;
use crate::message::{HeaderName, Method, NameAddr, Uri};
use std::time::Instant;

/// A request that belongs to no session.
#[derive(Debug, Clone)]
pub struct OutOfDialog {
    /// Method.
    pub method: Method,
    /// Request-URI.
    pub uri: Uri,
    /// From; gets a tag unless it has one.
    pub from: NameAddr,
    /// To; with a tag when the request continues a dialog that the user keeps, such as a subscription.
    pub to: NameAddr,
    /// Where it goes.
    pub destination: Destination,
    /// Answers challenges.
    pub credentials: Option<Credentials>,
    /// Further headers, Route included.
    pub headers: NamedHeaders,
    /// Body.
    pub body: Option<Body>,
    /// Call-ID; a new one when absent.
    pub call_id: Option<String>,
    /// First CSeq; 1 when absent.
    pub cseq: Option<u32>,
}

impl OutOfDialog {
    /// Returns a request without headers, body and credentials.
    pub fn new(method: Method, uri: Uri, from: NameAddr, to: NameAddr, destination: Destination) -> Self {
        Self {
            method,
            uri,
            from,
            to,
            destination,
            credentials: None,
            headers: Vec::new(),
            body: None,
            call_id: None,
            cseq: None,
        }
    }
}

impl UserAgent {
    /// Sends a request outside any session; the outcome comes as [`Event::Response`](super::Event::Response).
    pub fn request(&mut self, now: Instant, request: OutOfDialog) -> RequestId {
        let id = RequestId(self.fresh_id());
        // A request that continues a dialog repeats the addresses that it began with (§12.2.1.1).
        let named = |address: &NameAddr| NameAddr { uri: address.uri.as_identity(), ..address.clone() };
        let from = match request.from.tag() {
            Some(_) => request.from.clone(),
            None => named(&request.from).with_tag(&self.ids.tag()),
        };
        let to = if request.to.tag().is_some() { request.to.clone() } else { named(&request.to) };
        let call_id = request.call_id.unwrap_or_else(|| self.ids.call_id());
        let mut headers = vec![
            (HeaderName::From, from.to_string()),
            (HeaderName::To, to.to_string()),
            (HeaderName::CallId, call_id),
        ];
        self.push_product(&mut headers);
        headers.extend(request.headers);
        let contact = match request.method {
            // RFC 3428 §4 forbids it in MESSAGE, and in REGISTER it would be a binding; elsewhere it is needed or harmless.
            Method::Message | Method::Publish | Method::Register => ContactForm::Absent,
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Info
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Prack
            | Method::Update
            | Method::Extension(_) => {
                let user = request.from.uri.user().unwrap_or_default().to_owned();
                ContactForm::Local { user, params: String::new() }
            }
        };
        let contact = if headers.iter().any(|(name, _)| *name == HeaderName::Contact) {
            ContactForm::Absent
        } else {
            contact
        };
        let draft = Draft { method: request.method, uri: request.uri, contact, headers, body: request.body };
        let cseq = request.cseq.unwrap_or(1);
        let user = User::Request(id);
        self.send_request(now, Outgoing::new(user, draft, cseq, &request.destination, request.credentials));
        id
    }

    pub(crate) fn push_product(&self, headers: &mut NamedHeaders) {
        if !self.config.product.is_empty() {
            headers.push((HeaderName::UserAgent, self.config.product.clone()));
        }
    }

    pub(crate) fn push_capabilities(&self, headers: &mut NamedHeaders) {
        headers.push((HeaderName::Allow, self.allow_text()));
        if !self.config.supported.is_empty() {
            let names: Vec<&str> = self.config.supported.iter().map(|option| option.name).collect();
            headers.push((HeaderName::Supported, names.join(", ")));
        }
    }

    pub(crate) fn allow_text(&self) -> String {
        let names: Vec<&str> = self.config.allow.iter().map(Method::as_str).collect();
        names.join(", ")
    }
}
