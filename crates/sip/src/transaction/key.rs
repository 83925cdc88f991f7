//! Matching messages to transactions: RFC 3261 §17.1.3, §17.2.3 and §8.2.2.2, with the RFC 2543 rules for
//! branches without the cookie.

use crate::message::{Message, Method, Via};

/// Identity of a client transaction (§17.1.3): the branch and the CSeq method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey {
    pub(crate) branch: String,
    pub(crate) method: Method,
}

impl ClientKey {
    /// Returns the key of the transaction that a response belongs to.
    pub(crate) fn of(response: &Message) -> Option<Self> {
        // §8.1.3.3: a response with several Via values went astray on its way to a proxy.
        Some(Self { branch: response.only_branch()?.into_owned(), method: response.cseq().ok()?.method })
    }
}

/// Identity of a server transaction (§17.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ServerKey {
    /// The branch is unique by itself, together with who wrote it.
    Branch { branch: String, sent_by: String, method: Method },
    /// RFC 2543: everything that a retransmission repeats. The To tag is left out for INVITE, whose ACK has one.
    Legacy { text: String, method: Method },
}

impl ServerKey {
    /// Returns the key of the transaction that `request` belongs to, taken as if its method were `method`:
    /// INVITE for an ACK, and for the INVITE that a CANCEL is about.
    pub(crate) fn of(request: &Message, via: &Via, method: &Method) -> Self {
        let method = if *method == Method::Ack { Method::Invite } else { method.clone() };
        match via.branch() {
            Some(branch) if via.has_cookie() => {
                let port = via.port.map_or_else(String::new, |port| format!(":{port}"));
                let sent_by = format!("{}{port}", via.host).to_ascii_lowercase();
                Self::Branch { branch: branch.to_owned(), sent_by, method }
            }
            Some(_) | None => Self::Legacy { text: legacy_text(request, via, &method), method },
        }
    }
}

fn legacy_text(request: &Message, via: &Via, method: &Method) -> String {
    let from_tag = request.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
    let to_tag = request.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
    let to_tag = if *method == Method::Invite { String::new() } else { to_tag };
    let number = request.cseq().map(|cseq| cseq.number).unwrap_or_default();
    let uri = request.request_uri_text().unwrap_or_default();
    let call_id = request.call_id().map(|id| id.to_string()).unwrap_or_default();
    format!("{uri}\n{from_tag}\n{to_tag}\n{call_id}\n{number}\n{via}")
}

/// What two copies of one request that took different paths have in common (§8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MergeKey {
    from_tag: String,
    call_id: String,
    number: u32,
    method: Method,
}

impl MergeKey {
    /// Returns the key of a request without To tag; others cannot merge.
    pub(crate) fn of(request: &Message) -> Option<Self> {
        if request.to().ok()?.tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        Some(Self {
            from_tag: request.from().ok()?.tag()?.to_owned(),
            call_id: request.call_id().ok()?.to_string(),
            number: cseq.number,
            method: cseq.method,
        })
    }
}
