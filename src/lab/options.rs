//! Settings of a lab.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    told::Told,
    users::{Passwords, Users},
};

/// Settings of a lab PBX.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Where it listens, UDP and TCP; port 0 picks a free one.
    pub bind: SocketAddr,
    /// Who may register.
    pub users: Users,
    /// Digest realm.
    pub realm: String,
    /// The digest algorithms it offers.
    pub digest: DigestChoice,
    /// Whether INVITE and MESSAGE must be authenticated, as REGISTER always must.
    pub authenticate_calls: bool,
    /// Seed for tags, nonces and SSRCs; `None` picks a random one. Nonces from a known seed can be
    /// guessed: for tests only.
    pub seed: Option<u64>,
    /// Calls at a time; more are refused with 503.
    pub most_calls: usize,
    /// Delays and limits.
    pub timing: Timing,
    /// Where to report what happens, if anywhere; reports that find no room are lost.
    pub told: Option<mpsc::Sender<Told>>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            bind: (Ipv4Addr::LOCALHOST, 0).into(),
            users: Users::Generated { count: 10, passwords: Passwords::Lab },
            realm: "offhook-lab".to_owned(),
            digest: DigestChoice::Both,
            authenticate_calls: true,
            seed: None,
            most_calls: 5000,
            timing: Timing::default(),
            told: None,
        }
    }
}

/// The digest algorithms offered (RFC 8760).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestChoice {
    /// MD5 and SHA-256.
    #[default]
    Both,
    /// MD5: some phones, such as baresip 1.0, give up at a challenge with an algorithm they do not
    /// know.
    Md5,
    /// SHA-256.
    Sha256,
}

/// Delays and limits, all by the lab's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a phone rings before the caller gets 480.
    pub ring_limit: Duration,
    /// The same for a number prefixed with 9.
    pub short_ring_limit: Duration,
    /// How long 604 sends early media.
    pub early_media: Duration,
    /// How long 608 rings.
    pub slow_answer: Duration,
    /// How long 603 waits for the next digit.
    pub digit_wait: Duration,
    /// How long 603 waits before it hangs up.
    pub goodbye: Duration,
    /// How long a phone that has transferred its call has to hang up, as it should (RFC 5589 §6.1),
    /// before the lab does.
    pub transfer_linger: Duration,
    /// Shortest registration; shorter ones are refused with 423.
    pub shortest_registration: Duration,
    /// Lifetime of a registration that gives none.
    pub usual_registration: Duration,
    /// Longest registration; longer ones are shortened.
    pub longest_registration: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            ring_limit: seconds(30),
            short_ring_limit: seconds(3),
            early_media: seconds(2),
            slow_answer: seconds(3),
            digit_wait: seconds(3),
            goodbye: seconds(1),
            transfer_linger: seconds(32),
            shortest_registration: seconds(60),
            usual_registration: seconds(3600),
            longest_registration: seconds(7200),
        }
    }
}
