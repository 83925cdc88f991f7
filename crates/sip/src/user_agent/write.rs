//! Writing messages: requests from drafts, responses from requests.

use crate::message::{Builder, HeaderName, Host, Message, Method, StatusCode, Uri, Via};
use crate::transport::Transport;
use std::net::SocketAddr;

/// A body and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Value of Content-Type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Body {
    /// Returns a session description.
    pub fn sdp(bytes: impl Into<Vec<u8>>) -> Self {
        Self { content_type: "application/sdp".to_owned(), bytes: bytes.into() }
    }
}

/// Headers that the user adds to a message, in order.
pub type NamedHeaders = Vec<(HeaderName, String)>;

/// How the Contact of a message is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContactForm {
    /// None at all.
    Absent,
    /// Our address on the transport that is used, with this user part and these header parameters.
    Local { user: String, params: String },
    /// Exactly this.
    Fixed(String),
}

/// A request without what each attempt decides: Via, CSeq, Contact address and credentials.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) contact: ContactForm,
    pub(crate) headers: NamedHeaders,
    pub(crate) body: Option<Body>,
}

/// What one attempt adds to a draft.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) branch: &'a str,
    pub(crate) cseq: u32,
    pub(crate) rport: bool,
    pub(crate) credentials: &'a [(HeaderName, String)],
}

impl Draft {
    /// Writes the request.
    pub(crate) fn write(&self, attempt: &Attempt<'_>) -> Message {
        let via = via(attempt);
        let mut builder = Builder::request(self.method.clone(), &self.uri)
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, 70);
        for (name, value) in &self.headers {
            builder = builder.header(name.clone(), value);
        }
        builder = builder.header(HeaderName::CSeq, format!("{} {}", attempt.cseq, self.method));
        if let Some(contact) = contact(&self.contact, attempt.transport, attempt.local) {
            builder = builder.header(HeaderName::Contact, contact);
        }
        for (name, value) in attempt.credentials {
            builder = builder.header(name.clone(), value);
        }
        if let Some(body) = &self.body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        builder.build()
    }
}

fn via(attempt: &Attempt<'_>) -> Via {
    let host = Host::from(attempt.local.ip());
    let via = Via::new(attempt.transport.into(), host, Some(attempt.local.port()), attempt.branch);
    if attempt.rport { via.with_rport() } else { via }
}

/// Writes a Contact value for an address of ours.
pub(crate) fn contact(form: &ContactForm, transport: Transport, local: SocketAddr) -> Option<String> {
    match form {
        ContactForm::Absent => None,
        ContactForm::Fixed(value) => Some(value.clone()),
        ContactForm::Local { user, params } => {
            let host = Host::from(local.ip());
            let uri = Uri::from_parts(crate::message::Scheme::Sip, user, host, Some(local.port()));
            // A URI that names no transport means UDP.
            let uri = if transport == Transport::Udp {
                uri
            } else {
                uri.with_param("transport", Some(transport.param()))
            };
            Some(format!("<{uri}>{params}"))
        }
    }
}

/// What a response of ours says beyond what it copies from its request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) to_tag: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) copy_route: bool,
    pub(crate) headers: NamedHeaders,
    pub(crate) body: Option<Body>,
}

/// Writes a response to `request`, whose topmost Via becomes `via`.
pub(crate) fn response(
    request: &Message,
    via: &Via,
    status: StatusCode,
    reason: Option<&str>,
    reply: &Reply,
) -> Message {
    let mut builder = request.response_to(status, reason);
    if let Some(tag) = &reply.to_tag {
        builder = builder.to_tag(tag);
    }
    if reply.copy_route {
        builder = builder.copy(HeaderName::RecordRoute);
    }
    if let Some(contact) = &reply.contact {
        builder = builder.header(HeaderName::Contact, contact);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(name.clone(), value);
    }
    if let Some(body) = &reply.body {
        builder = builder.body(&body.content_type, body.bytes.clone());
    }
    builder.set_top(HeaderName::Via, via).build()
}
