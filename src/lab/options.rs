//! What a lab is told when it starts.

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
    /// Where it listens, UDP and TCP; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Who may register.
    pub users: Users,
    /// Digest realm.
    pub realm: String,
    /// Which digest algorithms are offered.
    pub digest: DigestChoice,
    /// Whether INVITE and MESSAGE must be authenticated, as REGISTER always must.
    pub authenticate_calls: bool,
    /// Seed of tags, nonces, SSRCs; none takes a random one. Nonces of a known seed can be guessed: for tests only.
    pub seed: Option<u64>,
    /// Calls at a time; more are refused with 503.
    pub most_calls: usize,
    /// Delays and limits.
    pub timing: Timing,
    /// Who is told what happens, if anybody; one who does not keep up misses some.
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

/// Which digest algorithms are offered (RFC 8760).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestChoice {
    /// MD5 and SHA-256.
    #[default]
    Both,
    /// MD5: some phones, baresip 1.0 among them, give up at a challenge that they do not know.
    Md5,
    /// SHA-256.
    Sha256,
}

/// Delays and limits, all in the lab's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a phone rings before the caller gets 480.
    pub ring_limit: Duration,
    /// The same for a number with 9 before it.
    pub short_ring_limit: Duration,
    /// How long 604 sends early media.
    pub early_media: Duration,
    /// How long 608 rings.
    pub slow_answer: Duration,
    /// How long 603 waits for the next digit.
    pub digit_wait: Duration,
    /// How long 603 waits before it hangs up.
    pub goodbye: Duration,
    /// How long a phone that transferred its call has to hang up, which is its part (RFC 5589 §6.1), before the lab does.
    pub transfer_linger: Duration,
    /// Shortest registration; shorter ones are refused with 423.
    pub shortest_registration: Duration,
    /// Registration without a lifetime.
    pub usual_registration: Duration,
    /// Longest registration; longer ones are cut.
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
