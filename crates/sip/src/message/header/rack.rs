//! RAck: the reliable provisional response that a PRACK acknowledges.
//!
//! RFC 3262 §7.2.

use std::fmt;
use std::str::FromStr;

use super::{CSeq, HeaderFault};
use crate::message::scan;

/// RSeq of the response and CSeq of the request it answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The RSeq that is acknowledged.
    pub rseq: u32,
    /// The CSeq of the request that was answered.
    pub cseq: CSeq,
}

impl FromStr for RAck {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (rseq, cseq) = scan::trim(text).split_once([' ', '\t']).ok_or(HeaderFault::Syntax)?;
        Ok(Self { rseq: super::bounded_number(rseq)?, cseq: cseq.parse()? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}
