//! Records of a capture, one after the other, from anything that can be read.
//!
//! draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng, both byte orders. Memory is bounded by one
//! packet and the interfaces; whatever is longer than [`MOST_PACKET_BYTES`] is kept to there. A
//! file that ends within a record is cut, which is no error: captures are copied while they are
//! written. Names, statistics and comments are skipped. `pcap-file` 2.0 is no dependency because it
//! refuses packets that were cut to the snapshot length, takes every pcapng time for nanoseconds,
//! and holds 8 MB for each file that is open.

mod classic;
mod error;
mod interface;
mod pcapng;
mod reader;
mod source;

pub use error::{Damage, ReadError};
pub use reader::{Reader, Record};

/// Most bytes of a packet that are kept: no IP packet is longer.
pub const MOST_PACKET_BYTES: usize = 262_144;
