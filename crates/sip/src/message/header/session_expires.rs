//! Session-Expires and Min-SE.
//!
//! RFC 4028 §4, §5.

use std::fmt;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::params::Params;
use crate::message::scan;

/// Who refreshes the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The one who sent the request.
    Uac,
    /// The one who answers it.
    Uas,
}

impl Refresher {
    /// Returns the value of the `refresher` parameter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

/// A session interval and who refreshes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub seconds: u32,
    /// Who refreshes, if it is said.
    pub refresher: Option<Refresher>,
}

impl FromStr for SessionExpires {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (seconds, params) = super::number_and_params(text)?;
        let refresher = match params.get("refresher") {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(HeaderFault::Parameter),
            None => None,
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(role) => write!(f, ";refresher={}", role.as_str()),
            None => Ok(()),
        }
    }
}

/// The smallest session interval that is accepted, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSe(pub u32);

impl FromStr for MinSe {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        super::number_and_params(text).map(|(seconds, _): (u32, Params)| Self(seconds))
    }
}

/// When to try again (RFC 3261 §20.33).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// The delay in seconds.
    pub seconds: u32,
    /// `duration` and others.
    pub params: Params,
}

impl FromStr for RetryAfter {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        // A comment in parentheses may follow the number.
        let number = text.split('(').next().unwrap_or(text);
        let (seconds, _) = super::number_and_params(scan::trim(number))?;
        let tail = text.rsplit(')').next().unwrap_or(text);
        let params = tail.find(';').and_then(|at| tail.get(at..)).map(Params::parse).unwrap_or_default();
        Ok(Self { seconds, params })
    }
}
