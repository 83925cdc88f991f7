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
        let (mut present, mut repeated) = (0, 0);
        for field in &self.0.fields {
            repeated |= present & field.id.bit();
            present |= field.id.bit();
        }
        let invite = self.is_request() && self.method() == Method::Invite;
        let needed = [
            (HeaderName::Via, true),
            (HeaderName::From, true),
            (HeaderName::To, true),
            (HeaderName::CallId, true),
            (HeaderName::CSeq, true),
            (HeaderName::MaxForwards, self.is_request()),
            (HeaderName::Contact, invite),
            (HeaderName::ContentType, !self.body().is_empty()),
        ];
        for (name, needed) in needed {
            if needed && present & name.id().bit() == 0 {
                defects.push(Defect { at: 0, what: Fault::Missing(name) });
            }
        }
        for name in SINGLE.iter().filter(|name| repeated & name.id().bit() != 0) {
            let second = self.fields_named(name).nth(1).map_or(0, |field| field.name.start as usize);
            defects.push(Defect { at: second, what: Fault::Repeated(name.clone()) });
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
        if self.from_tag().is_none() && self.from().is_ok() {
            defects.push(Defect { at: place(HeaderName::From), what: Fault::NoFromTag });
        }
        if self.branches().any(|branch| branch == BRANCH_COOKIE) {
            defects.push(Defect { at: place(HeaderName::Via), what: Fault::EmptyBranch });
        }
        let multipart = self.content_type().ok().flatten().is_some_and(|kind| kind.is_multipart());
        if multipart && self.parts().is_err() {
            defects.push(Defect { at: self.0.head_end as usize, what: Fault::Multipart });
        }
    }
}
