//! From the bytes of a record to what a socket would have been given.
//!
//! Link headers, IP with its fragments put together, then UDP datagrams and TCP segments, and the
//! SIP messages in streams of those. Checksums are not looked at: a capture on the sending machine
//! has none yet.

mod fragments;
mod ip;
pub(crate) mod link;
mod sip_streams;
mod transport;

pub(crate) use fragments::Fragments;
pub(crate) use ip::IpPacket;
pub(crate) use sip_streams::{SipStreams, is_sip};
pub(crate) use transport::{Content, Transport};
