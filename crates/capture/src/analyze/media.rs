//! Where calls want their media, according to their session descriptions.
//!
//! RFC 8866, RFC 3264 section 5.1. Host names are not looked up and ICE candidates not looked at.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use offhook_media::sdp::SessionDescription;

use super::analysis::up_to;

/// Most addresses of a call.
const MOST_ADDRESSES: usize = 64;
/// Most named payload types of an address.
const MOST_NAMES: usize = 64;
/// Most bytes of a codec's name.
const MOST_NAME: usize = 64;

/// An address that a call has announced.
#[derive(Debug, Clone)]
pub(super) struct Announced {
    pub(super) at: Option<Duration>,
    /// Encoding names by payload type.
    names: BTreeMap<u8, String>,
}

/// The addresses of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Media {
    addresses: BTreeMap<SocketAddr, Announced>,
    /// Addresses that are not kept.
    pub(super) left_out: u64,
}

impl Media {
    /// Takes the addresses of a session description; one that cannot be read has none.
    pub(super) fn announce(&mut self, at: Option<Duration>, description: &[u8]) {
        let Ok(description) = SessionDescription::parse(description) else { return };
        for section in description.media.iter().filter(|section| section.protocol.contains("RTP/")) {
            let connection = description.connection_of(section);
            let Some(host) = connection.and_then(|connection| connection.address()) else { continue };
            if section.port == 0 || host.is_unspecified() {
                continue;
            }
            let address = SocketAddr::new(host, section.port);
            if self.addresses.len() == MOST_ADDRESSES && !self.addresses.contains_key(&address) {
                self.left_out += 1;
                continue;
            }
            let none = || Announced { at, names: BTreeMap::new() };
            let announced = self.addresses.entry(address).or_insert_with(none);
            for map in section.payload_types().filter_map(|number| section.rtpmap(number)).take(MOST_NAMES) {
                let name = up_to(&map.encoding, MOST_NAME);
                let _former = announced.names.insert(map.payload_type, name);
            }
        }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = (SocketAddr, &Announced)> {
        self.addresses.iter().map(|(address, announced)| (*address, announced))
    }

    /// Returns what a payload type means from one address to another: numbers are those of the
    /// receiver's description (RFC 3264 section 5.1), if it has one.
    pub(super) fn name(&self, from: SocketAddr, to: SocketAddr, payload_type: u8) -> Option<&str> {
        let name = |address| self.addresses.get(address)?.names.get(&payload_type);
        name(&to).or_else(|| name(&from)).map(String::as_str)
    }
}
