//! The checks that need typed headers: the faults of RFC 4475 that a lexer cannot see.
//!
//! RFC 3261 §8.1.1 (mandatory headers), §20 (grammar of each), §19.1.1 (what a Request-URI may have).

use super::defect::{Defect, Fault};
use super::header::{BRANCH_COOKIE, HeaderName, grammar};
use super::method::Method;
use super::uri::Uri;
use super::wire::Message;

/// Headers that may stand once in a message.
const SINGLE: [HeaderName; 24] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::ContentDisposition,
    HeaderName::Date,
    HeaderName::Event,
    HeaderName::Expires,
    HeaderName::MinExpires,
    HeaderName::MinSe,
    HeaderName::RAck,
    HeaderName::RSeq,
    HeaderName::ReferTo,
    HeaderName::Replaces,
    HeaderName::RetryAfter,
    HeaderName::SessionExpires,
    HeaderName::Subject,
    HeaderName::SubscriptionState,
    HeaderName::Timestamp,
    HeaderName::UserAgent,
    HeaderName::Server,
];

impl Message {
    /// Returns the defects found at parse and those of every header with a known grammar.
    #[must_use]
    pub fn examine(&self) -> Vec<Defect> {
        let mut defects = self.defects().to_vec();
        self.examine_request_line(&mut defects);
        self.examine_presence(&mut defects);
        self.examine_fields(&mut defects);
        self.examine_agreement(&mut defects);
        defects
    }

    fn examine_request_line(&self, defects: &mut Vec<Defect>) {
        let at = self.0.start_line.start as usize;
        if self.is_response() {
            return;
        }
        let text = String::from_utf8_lossy(self.request_uri_bytes());
        match Uri::parse(&text) {
            Err(fault) => defects.push(Defect { at, what: Fault::RequestUri(fault) }),
            Ok(uri) if uri.headers_text().is_some() => {
                defects.push(Defect { at, what: Fault::RequestUriHeaders });
            }
            Ok(_) => {}
        }
    }

    fn examine_presence(&self, defects: &mut Vec<Defect>) {
        let mut needed =
            vec![HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
        if self.is_request() {
            needed.push(HeaderName::MaxForwards);
        }
        if self.is_request() && self.method() == Method::Invite {
            needed.push(HeaderName::Contact);
        }
        if !self.body().is_empty() {
            needed.push(HeaderName::ContentType);
        }
        for name in needed {
            if !self.has(name.clone()) {
                defects.push(Defect { at: 0, what: Fault::Missing(name) });
            }
        }
        for name in SINGLE {
            let second = self.fields_named(&name).nth(1).map(|field| field.name.start as usize);
            if let Some(at) = second {
                defects.push(Defect { at, what: Fault::Repeated(name) });
            }
        }
    }

    fn examine_fields(&self, defects: &mut Vec<Defect>) {
        for field in &self.0.fields {
            let name = field.id.name(self.slice(field.name));
            if let Err(fault) = grammar::check(&name, &self.field_text(field)) {
                defects.push(Defect { at: field.name.start as usize, what: Fault::Header(name, fault) });
            }
        }
    }

    /// Checks what only several headers together can show.
    fn examine_agreement(&self, defects: &mut Vec<Defect>) {
        let place =
            |name: HeaderName| self.fields_named(&name).next().map_or(0, |field| field.name.start as usize);
        if self.is_request() && self.cseq().is_ok_and(|cseq| cseq.method != self.method()) {
            defects.push(Defect { at: place(HeaderName::CSeq), what: Fault::MethodMismatch });
        }
        if self.from().is_ok_and(|from| from.tag().is_none()) {
            defects.push(Defect { at: place(HeaderName::From), what: Fault::NoFromTag });
        }
        let cookie_only = |via: &super::Via| via.branch() == Some(BRANCH_COOKIE);
        if self.vias().is_ok_and(|vias| vias.iter().any(cookie_only)) {
            defects.push(Defect { at: place(HeaderName::Via), what: Fault::EmptyBranch });
        }
        let multipart = self.content_type().ok().flatten().is_some_and(|kind| kind.is_multipart());
        if multipart && self.parts().is_err() {
            defects.push(Defect { at: self.0.head_end as usize, what: Fault::Multipart });
        }
    }
}
