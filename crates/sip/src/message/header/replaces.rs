//! Replaces: the dialog that an INVITE takes over.
//!
//! RFC 3891 §6.1. Target-Dialog (RFC 4538) and Join (RFC 3911) share the syntax.

use std::fmt;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::params::Params;
use crate::message::scan;

/// Names a dialog of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// The receiver's own tag.
    pub to_tag: String,
    /// The tag of the receiver's peer.
    pub from_tag: String,
    /// Whether only an early dialog may be replaced.
    pub early_only: bool,
}

impl FromStr for Replaces {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let end = text.find(';').unwrap_or(text.len());
        let call_id = scan::trim(text.get(..end).unwrap_or(""));
        if call_id.is_empty() {
            return Err(HeaderFault::Empty);
        }
        let params = Params::parse(text.get(end..).unwrap_or(""));
        let tag = |name: &str| params.get(name).map(str::to_owned).ok_or(HeaderFault::Parameter);
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.contains("early-only"),
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}
