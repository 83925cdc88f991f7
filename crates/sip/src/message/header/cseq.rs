//! CSeq: the number of a request inside its dialog and the method it carries.
//!
//! RFC 3261 §20.16, §8.1.1.5.

use std::fmt;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::method::Method;
use crate::message::scan;

/// Sequence number and method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Returns the pair.
    #[must_use]
    pub fn new(number: u32, method: Method) -> Self {
        Self { number, method }
    }
}

impl FromStr for CSeq {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (number, method) = scan::split_at_space(scan::trim(text)).ok_or(HeaderFault::Syntax)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HeaderFault::Number);
        }
        let number = scan::number(number).filter(|number| *number < 1 << 31).ok_or(HeaderFault::Range)?;
        let method = scan::trim(method);
        if !scan::is_token(method) {
            return Err(HeaderFault::Syntax);
        }
        Ok(Self { number, method: Method::from_text(method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)?;
        f.write_str(" ")?;
        f.write_str(self.method.as_str())
    }
}
