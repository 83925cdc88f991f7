//! Content-Disposition: what a body is for, and whether it may be ignored.
//!
//! RFC 3261 §20.11.

use std::fmt;
use std::str::FromStr;

use super::{HeaderFault, token_and_params};
use crate::message::params::Params;

/// The purpose of a body with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDisposition {
    /// `session`, `render` and others, as written.
    pub kind: String,
    /// `handling` and others.
    pub params: Params,
}

impl ContentDisposition {
    /// Tells whether a receiver that does not understand the body may ignore it.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.params.get("handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

impl FromStr for ContentDisposition {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (kind, params) = token_and_params(text)?;
        Ok(Self { kind, params })
    }
}

impl fmt::Display for ContentDisposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.params)
    }
}
