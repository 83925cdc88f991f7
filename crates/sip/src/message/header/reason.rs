//! Reason: why a request or response was sent.
//!
//! RFC 3326 §2.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::params::Params;
use crate::message::scan;

/// One reason value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` or another protocol.
    pub protocol: String,
    /// `cause`, `text` and others.
    pub params: Params,
}

impl Reason {
    /// Returns a reason with cause and text.
    #[must_use]
    pub fn new(protocol: &str, cause: u16, text: &str) -> Self {
        let params = Params::new().with("cause", Some(&cause.to_string()));
        Self { protocol: protocol.to_owned(), params: params.with("text", Some(&scan::quote(text))) }
    }

    /// Returns the numeric cause.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.params.get("cause").and_then(scan::number)
    }

    /// Returns the text without quotes.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.params.unquoted("text")
    }
}

impl FromStr for Reason {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let end = text.find(';').unwrap_or(text.len());
        let protocol = scan::trim(text.get(..end).unwrap_or(""));
        if !scan::is_token(protocol) {
            return Err(HeaderFault::Syntax);
        }
        Ok(Self { protocol: protocol.to_owned(), params: Params::parse(text.get(end..).unwrap_or("")) })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}
