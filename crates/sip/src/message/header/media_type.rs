//! Content-Type and the members of Accept.
//!
//! RFC 3261 §20.15, §20.1.

use std::fmt;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::params::Params;
use crate::message::scan;

/// A media type with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// The part before the slash, as written.
    pub kind: String,
    /// The part after the slash, as written.
    pub subtype: String,
    /// boundary, charset and the like.
    pub params: Params,
}

impl MediaType {
    /// Returns whether this is `kind/subtype`, without regard to case.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Returns whether this is `application/sdp`.
    #[must_use]
    pub fn is_sdp(&self) -> bool {
        self.is("application", "sdp")
    }

    /// Returns whether the body consists of parts (RFC 5621).
    #[must_use]
    pub fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case("multipart")
    }
}

impl FromStr for MediaType {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let end = scan::find_outside(text, false, b';').unwrap_or(text.len());
        let (kind, subtype) =
            text.get(..end).and_then(|head| head.split_once('/')).ok_or(HeaderFault::Syntax)?;
        let (kind, subtype) = (scan::trim(kind), scan::trim(subtype));
        if !scan::is_token(kind) || !scan::is_token(subtype) {
            return Err(HeaderFault::Syntax);
        }
        let params = Params::parse(text.get(end..).unwrap_or(""));
        Ok(Self { kind: kind.to_owned(), subtype: subtype.to_owned(), params })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}
