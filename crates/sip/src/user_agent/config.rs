//! The settings of one user agent.

use super::ability::{ABILITIES, BodyType, OptionTag};
use crate::message::Method;
use crate::transaction::{Room, Timers};
use crate::transport::Transport;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Settings of a [`UserAgent`](super::UserAgent); all values, no globals.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of every branch, tag, Call-ID, cnonce and random wait.
    pub seed: u64,
    /// Transaction timers.
    pub timers: Timers,
    /// Text of the User-Agent and Server headers; empty leaves them out.
    pub product: String,
    /// Local address of each transport as peers should see it (Via sent-by, Contact). A transport
    /// without an address is not used, TCP not even for large requests.
    pub local: BTreeMap<Transport, SocketAddr>,
    /// Size above which a request for a UDP destination goes by TCP first (RFC 3261 §18.1.1).
    pub datagram_limit: usize,
    /// Methods named in Allow, which the engine or its user handles; others are answered 405 or 501.
    pub allow: Vec<Method>,
    /// Bodies that are understood and named in Accept; others are refused with 415 (§8.2.3).
    pub bodies: Vec<BodyType>,
    /// Option tags named in Supported and accepted in the Require of their requests; others are answered 420.
    pub supported: Vec<OptionTag>,
    /// Answers OPTIONS by itself: 200 with Allow, Accept and Supported.
    pub answer_options: bool,
    /// Asks for `rport` in Via (RFC 3581).
    pub rport: bool,
    /// Interval of the CRLF ping on the flow of a UDP registration (RFC 5626 §3.5.1).
    pub keep_alive: Option<Duration>,
    /// Resolves the name of a dialog's next hop (RFC 3263) before each request in it. Otherwise,
    /// and if the name has no address, requests go to where the dialog came from.
    pub follow_names: bool,
    /// Room for server transactions, which a stranger's request occupies for 32 s. Past it only BYE
    /// and CANCEL of known calls get in.
    pub room: Room,
    /// The part of it that may be taken by requests that belong to no call. Past it a request is
    /// answered 503 without a transaction (RFC 3261 §8.2.7, §21.5.4); an INVITE in a dialog is
    /// dropped.
    pub room_of_strangers: Room,
}

impl Config {
    /// Returns the settings of an ordinary softphone without a local address.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            timers: Timers::default(),
            product: "offhook".to_owned(),
            local: BTreeMap::new(),
            datagram_limit: 1300,
            allow: ABILITIES.iter().flat_map(|ability| ability.methods).cloned().collect(),
            bodies: ABILITIES.iter().flat_map(|ability| ability.bodies).cloned().collect(),
            supported: Vec::new(),
            answer_options: true,
            rport: true,
            keep_alive: None,
            follow_names: false,
            room: Room { requests: 65_536, bytes: 64 << 20 },
            room_of_strangers: Room { requests: 4_096, bytes: 16 << 20 },
        }
    }

    /// Returns our address on a transport.
    pub(crate) fn address(&self, transport: Transport) -> Option<SocketAddr> {
        self.local.get(&transport).copied()
    }
}
