//! Session descriptions: parse, look into, write.
//!
//! RFC 8866 (which replaced 4566), RFC 3605 `a=rtcp`. Unknown lines and attributes stay where they
//! were, so that a parsed description written again says the same. Semantics that belong to an offer
//! or an answer live in [`crate::negotiate`].

mod attribute;
mod description;
mod names;
mod parse;
#[cfg(test)]
mod tests;
mod write;

pub use attribute::{Direction, Fmtp, RtcpAddress, RtpMap};
pub use description::{
    Connection, ConnectionHost, Described, Line, MediaDescription, Origin, SessionDescription, is_one_host,
};
pub use names::{HostName, may_name_hosts};
pub use parse::SdpError;
