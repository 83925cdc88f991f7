//! Timer names and values of RFC 3261 §17 (table 4) and RFC 6026; values are data in the configuration, never globals.

use std::time::Duration;

/// Timer values; the defaults are those of RFC 3261.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate; first retransmission interval.
    pub t1: Duration,
    /// Longest retransmission interval of everything except an INVITE.
    pub t2: Duration,
    /// Longest time a message stays in the network.
    pub t4: Duration,
    /// How long an INVITE waits for a first response (timer B).
    pub b: Duration,
    /// How long a client keeps absorbing final responses to a failed INVITE over UDP (timer D).
    pub d: Duration,
    /// How long another request waits for its final response (timer F).
    pub f: Duration,
    /// How long a server waits for the ACK of its final response to an INVITE (timer H, §13.3.1.4).
    pub h: Duration,
    /// How long a server remembers its response to another request over UDP (timer J).
    pub j: Duration,
    /// How long a server absorbs repeats of an INVITE it answered (timer L, RFC 6026).
    pub l: Duration,
    /// How long a client accepts further 2xx to its INVITE (timer M, RFC 6026).
    pub m: Duration,
    /// Silence after an incoming INVITE before 100 Trying goes out by itself; zero sends it at once.
    pub trying: Duration,
}

impl Timers {
    /// Returns the values that follow from the three base values, as table 4 derives them.
    pub const fn from_base(t1: Duration, t2: Duration, t4: Duration) -> Self {
        let limit = t1.saturating_mul(64);
        Self {
            t1,
            t2,
            t4,
            b: limit,
            d: Duration::from_secs(32),
            f: limit,
            h: limit,
            j: limit,
            l: limit,
            m: limit,
            trying: Duration::from_millis(200),
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::from_base(Duration::from_millis(500), Duration::from_secs(4), Duration::from_secs(5))
    }
}

/// The timers of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerName {
    /// Retransmit an INVITE (figure 5).
    A,
    /// Give up waiting for a response to an INVITE (figure 5).
    B,
    /// Stop absorbing failures of an INVITE (figure 5).
    D,
    /// Retransmit another request (figure 6).
    E,
    /// Give up waiting for the final response to another request (figure 6).
    F,
    /// Retransmit a failure response to an INVITE (figure 7).
    G,
    /// Give up waiting for the ACK of a failure response (figure 7).
    H,
    /// Stop absorbing ACKs (figure 7).
    I,
    /// Forget the response to another request (figure 8).
    J,
    /// Stop absorbing repeated responses (figure 6).
    K,
    /// Forget an INVITE that was answered (RFC 6026).
    L,
    /// Stop accepting 2xx for an INVITE (RFC 6026).
    M,
    /// Send 100 Trying because the user has not said anything yet (§17.2.1).
    Trying,
    /// Forget a request that the user never answered.
    Unanswered,
}

impl TimerName {
    pub(super) const FIRST: Self = Self::A;
    pub(super) const LAST: Self = Self::Unanswered;
}
