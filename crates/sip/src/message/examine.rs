//! The checks that need typed headers: every fault of RFC 4475 that a lexer cannot see.
//!
//! RFC 3261 §8.1.1 (mandatory headers), §20 (grammar of each), §19.1.1 (what a Request-URI may have).

use super::defect::{Defect, Fault};
use super::header::{HeaderError, HeaderFault};
use super::method::Method;
use super::status::StatusCode;
use super::uri::Uri;
use super::wire::Message;

impl Message {
    /// Returns the defects found at parse and those of every typed header.
    #[must_use]
    pub fn examine(&self) -> Vec<Defect> {
        let mut defects = self.defects().to_vec();
        let mut add = |at: usize, what: Fault| defects.push(Defect { at, what });
        if let Some(text) = self.request_uri_text()
            && let Err(fault) = Uri::parse(text)
        {
            add(0, Fault::RequestUri(fault));
        }
        for error in self.header_errors() {
            let missing = error.cause == HeaderFault::Missing;
            let HeaderError { header, cause } = error;
            add(0, if missing { Fault::Missing(header) } else { Fault::Header(header, cause) });
        }
        if self.is_request() && self.cseq().is_ok_and(|cseq| cseq.method != self.method()) {
            add(0, Fault::MethodMismatch);
        }
        defects
    }

    fn header_errors(&self) -> Vec<HeaderError> {
        let mandatory = [
            self.vias().err(),
            self.from().err(),
            self.to().err(),
            self.call_id().err(),
            self.cseq().err(),
            self.max_forwards().err(),
            self.contacts().err(),
        ];
        mandatory.into_iter().flatten().collect()
    }
}

/// Returns the status and reason with which a server must refuse a request for this fault.
pub(crate) fn is_fatal(message: &Message, fault: &Fault) -> Option<(StatusCode, &'static str)> {
    let bad = |reason| Some((StatusCode::BAD_REQUEST, reason));
    match fault {
        Fault::Version => Some((StatusCode::VERSION_NOT_SUPPORTED, "Version Not Supported")),
        Fault::Status => bad("Bad Status Code"),
        Fault::RequestUri(_) => bad("Bad Request-URI"),
        Fault::Missing(_) => bad("Missing Header"),
        Fault::MethodMismatch if message.method() != Method::Ack => bad("CSeq Method Mismatch"),
        Fault::Header(_, _) => bad("Bad Header"),
        Fault::MethodMismatch
        | Fault::BareLineFeed
        | Fault::StartLineSpacing
        | Fault::Method
        | Fault::RequestUriHeaders
        | Fault::NoColon
        | Fault::HeaderName
        | Fault::Unterminated
        | Fault::NotUtf8
        | Fault::ControlByte
        | Fault::ContentLength
        | Fault::BodyTruncated
        | Fault::Repeated(_)
        | Fault::EmptyBranch
        | Fault::Multipart
        | Fault::LineBreakRemoved => None,
    }
}
