//! Timer values of RFC 3261 §17 (table 4) and RFC 6026, and the one table of pending deadlines.
//!
//! Values are data in the configuration, never globals. The table holds one deadline for an owner and a reason;
//! setting it again moves it, so a stale firing cannot happen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    /// How long a failed INVITE's server, or the answerer of one, waits for the ACK (timer H, §13.3.1.4).
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

/// Why the engine wants to be woken at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Retransmit an INVITE (figure 5).
    TimerA,
    /// Give up waiting for a response to an INVITE (figure 5).
    TimerB,
    /// Stop absorbing failures of an INVITE (figure 5).
    TimerD,
    /// Retransmit another request (figure 6).
    TimerE,
    /// Give up waiting for the final response to another request (figure 6).
    TimerF,
    /// Retransmit a failure response to an INVITE (figure 7).
    TimerG,
    /// Give up waiting for the ACK of a failure response (figure 7).
    TimerH,
    /// Stop absorbing ACKs (figure 7).
    TimerI,
    /// Forget the response to another request (figure 8).
    TimerJ,
    /// Stop absorbing repeated responses (figure 6).
    TimerK,
    /// Forget an INVITE that was answered (RFC 6026).
    TimerL,
    /// Stop accepting 2xx for an INVITE (RFC 6026).
    TimerM,
    /// Send 100 Trying because the user has not said anything yet (§17.2.1).
    Trying,
    /// Forget a request that the user never answered.
    Unanswered,
    /// Retransmit the 2xx to an INVITE until its ACK arrives (§13.3.1.4).
    RepeatAnswer,
    /// Give up waiting for the ACK of a 2xx (§13.3.1.4).
    AckMissing,
    /// Repeat a provisional response so that proxies keep the INVITE alive (§13.3.1.1).
    RepeatProvisional,
    /// Give up waiting for the final response to a canceled INVITE (§9.1).
    CancelLimit,
    /// Try a re-INVITE again after 491 (§14.1).
    Glare,
    /// Refresh a registration before it expires.
    Refresh,
    /// Try a failed registration again.
    RegistrationRetry,
    /// Keep the NAT binding of a registered flow open (RFC 5626 §3.5.1).
    KeepAlive,
}

impl Reason {
    const FIRST: Self = Self::TimerA;
    const LAST: Self = Self::KeepAlive;
}

/// Pending deadlines, at most one for an owner and a reason; the earliest is found in logarithmic time.
#[derive(Debug)]
pub(crate) struct TimerTable<O> {
    by_time: BTreeMap<(Instant, u64), (O, Reason)>,
    by_owner: BTreeMap<(O, Reason), (Instant, u64)>,
    count: u64,
}

impl<O: Copy + Ord> TimerTable<O> {
    pub(crate) const fn new() -> Self {
        Self { by_time: BTreeMap::new(), by_owner: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn set(&mut self, owner: O, reason: Reason, at: Instant) {
        // Equal deadlines fire in the order in which they were set.
        self.count = self.count.wrapping_add(1);
        let slot = (at, self.count);
        if let Some(old) = self.by_owner.insert((owner, reason), slot) {
            self.by_time.remove(&old);
        }
        self.by_time.insert(slot, (owner, reason));
    }

    pub(crate) fn stop(&mut self, owner: O, reason: Reason) {
        if let Some(slot) = self.by_owner.remove(&(owner, reason)) {
            self.by_time.remove(&slot);
        }
    }

    pub(crate) fn stop_all(&mut self, owner: O) {
        while let Some((&key, &slot)) =
            self.by_owner.range((owner, Reason::FIRST)..=(owner, Reason::LAST)).next()
        {
            self.by_owner.remove(&key);
            self.by_time.remove(&slot);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Reason)> {
        self.by_time.first_key_value().map(|(&(at, _), &(_, reason))| (at, reason))
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(O, Reason)> {
        let (&(at, _), _) = self.by_time.first_key_value()?;
        if at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_owner.remove(&key);
        Some(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_owner.len()
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = (O, Reason, Instant)> + '_ {
        self.by_time.iter().map(|(&(at, _), &(owner, reason))| (owner, reason, at))
    }
}
