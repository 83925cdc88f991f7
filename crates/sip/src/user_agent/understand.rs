//! Checks that we understand what a request asks for and carries, before anybody acts on it: one
//! rule for all methods, in a dialog and outside. RFC 3261 §8.2.2.3 (Require), §8.2.3 and §20.11
//! (bodies), RFC 6665 §4.1.3 (Event), RFC 6086 §4.2.2 (Info-Package).

use super::ability::{BodyType, OptionTag};
use super::engine::UserAgent;
use super::event::Anomaly;
use super::flow::Flow;
use super::write::{NamedHeaders, Reply};
use crate::message::{Entity, HeaderName, Message, Method, StatusCode};
use crate::usage::PACKAGES;
use std::time::Instant;

/// Nesting depth of parts beyond which a body is not understood.
const MAX_DEPTH: usize = 4;

/// What we do not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unknown {
    Options(Vec<String>),
    Event,
    InfoPackage,
    Body,
    Coding,
}

impl Unknown {
    const fn verdict(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Options(_) => (StatusCode::BAD_EXTENSION, "an extension that we do not have is required"),
            Self::Event => (StatusCode::BAD_EVENT, "the event package is not known"),
            Self::InfoPackage => (StatusCode::BAD_INFO_PACKAGE, "the INFO package is not known"),
            Self::Body => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is of a kind that is not taken here")
            }
            Self::Coding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is encoded"),
        }
    }
}

impl UserAgent {
    /// Refuses a request that is not understood in full; false when it is.
    pub(crate) fn refuse_unknown(&mut self, now: Instant, id: u64, flow: Flow, message: &Message) -> bool {
        let Some(unknown) = self.unknown_in(message) else { return false };
        let (status, reason) = unknown.verdict();
        let headers = self.what_is_known(&message.method(), unknown);
        self.anomaly(Anomaly::RefusedRequest { status, reason }, flow, message.bytes());
        self.answer(now, id, status, None, Reply { headers, ..Reply::default() });
        true
    }

    /// Reports a body that is not understood in a request that counts without it: an ACK cannot be
    /// answered, and BYE and CANCEL take effect whatever they carry.
    pub(crate) fn note_ignored_body(&mut self, flow: Flow, message: &Message) {
        if self.unknown_in_body(message).is_some() {
            self.anomaly(Anomaly::BodyIgnored, flow, message.bytes());
        }
    }

    fn unknown_in(&self, message: &Message) -> Option<Unknown> {
        let method = message.method();
        let fits =
            |own: &OptionTag, tag: &str| own.name.eq_ignore_ascii_case(tag) && own.requests.contains(&method);
        let known = |tag: &String| self.config.supported.iter().any(|own| fits(own, tag));
        let missing: Vec<String> = message.require().into_iter().filter(|tag| !known(tag)).collect();
        if !missing.is_empty() {
            return Some(Unknown::Options(missing));
        }
        if method == Method::Notify {
            let event = message.event().ok().flatten();
            let known = |package: &str| PACKAGES.iter().any(|known| known.eq_ignore_ascii_case(package));
            if !event.is_some_and(|event| known(&event.package)) {
                return Some(Unknown::Event);
            }
        }
        if method == Method::Info && message.has(HeaderName::InfoPackage) {
            return Some(Unknown::InfoPackage);
        }
        self.unknown_in_body(message)
    }

    fn unknown_in_body(&self, message: &Message) -> Option<Unknown> {
        let method = message.method();
        let known: Vec<&BodyType> =
            self.config.bodies.iter().filter(|body| body.requests.contains(&method)).collect();
        if message.body().is_empty() { None } else { examine(&message.entity(), &known, 0).err() }
    }

    /// Says what would have been understood.
    fn what_is_known(&self, method: &Method, unknown: Unknown) -> NamedHeaders {
        match unknown {
            Unknown::Options(missing) => vec![(HeaderName::Unsupported, missing.join(", "))],
            Unknown::Event => vec![(HeaderName::AllowEvents, PACKAGES.join(", "))],
            // Empty: we take no package (RFC 6086 §5.2.3).
            Unknown::InfoPackage => vec![(HeaderName::RecvInfo, String::new())],
            Unknown::Body => vec![(HeaderName::Accept, self.accept_text(Some(method)))],
            Unknown::Coding => vec![(HeaderName::AcceptEncoding, "identity".to_owned())],
        }
    }

    /// Lists the media types that are understood in a request, or in any.
    pub(crate) fn accept_text(&self, method: Option<&Method>) -> String {
        let here = |body: &&BodyType| method.is_none_or(|method| body.requests.contains(method));
        let known: Vec<&str> = self.config.bodies.iter().filter(here).map(|body| body.media).collect();
        known.join(", ")
    }
}

/// Checks a body: one of several alternatives must be understood, and of other parts each that is
/// not optional.
fn examine(entity: &Entity<'_>, known: &[&BodyType], depth: usize) -> Result<(), Unknown> {
    let result = if entity.encoded {
        Err(Unknown::Coding)
    } else if depth == MAX_DEPTH || !known.iter().any(|body| entity.is(body.media, body.purpose)) {
        Err(Unknown::Body)
    } else if entity.kind.as_ref().is_some_and(|kind| kind.is_multipart()) {
        examine_parts(entity, known, depth + 1)
    } else {
        Ok(())
    };
    if entity.is_optional() { Ok(()) } else { result }
}

fn examine_parts(entity: &Entity<'_>, known: &[&BodyType], depth: usize) -> Result<(), Unknown> {
    let parts = entity.parts().map_err(|_| Unknown::Body)?;
    let one_is_enough = entity.kind.as_ref().is_some_and(|kind| kind.is("multipart", "alternative"));
    let mut results = parts.iter().map(|part| examine(part, known, depth));
    if !one_is_enough {
        return results.collect();
    }
    if results.any(|result| result.is_ok()) { Ok(()) } else { Err(Unknown::Body) }
}
