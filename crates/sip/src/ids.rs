//! Identifiers the engine invents: branches, tags, Call-IDs, cnonces, and the random waits of RFC 3261.
//!
//! Everything comes from one injected seed, so two runs with the same seed and the same inputs
//! send the same bytes. Not a cryptographic generator: the shell chooses the seed.

use std::time::Duration;

use offhook_seed::{Seed, scramble};

/// The cookie that every RFC 3261 branch starts with (§8.1.1.7).
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

/// Seeded source of identifiers and random waits.
#[derive(Debug, Clone)]
pub struct Ids {
    seed: Seed,
}

impl Ids {
    /// Starts the sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        // Neighboring seeds must not give overlapping sequences, hence one scramble before use.
        Self { seed: Seed::new(scramble(seed ^ 0x6f66_6668_6f6f_6b21)) }
    }

    /// Returns the next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.seed.next_u64()
    }

    /// Returns a Via branch with the RFC 3261 cookie.
    pub fn branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{:016x}", self.next_u64())
    }

    /// Returns a From or To tag (64 random bits, §19.3 asks for 32).
    pub fn tag(&mut self) -> String {
        format!("{:016x}", self.next_u64())
    }

    /// Returns a Call-ID without a host part (§8.1.1.4).
    pub fn call_id(&mut self) -> String {
        format!("{:016x}{:08x}", self.next_u64(), self.next_u64() >> 32)
    }

    /// Returns a client nonce for digest authentication.
    pub fn cnonce(&mut self) -> String {
        format!("{:016x}", self.next_u64())
    }

    /// Returns a number in `0..bound`; zero for a zero bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        match self.next_u64().checked_rem(bound) {
            Some(number) => number,
            None => 0,
        }
    }

    /// Returns a duration in `from..to` in whole multiples of ten milliseconds (the unit of §14.1).
    pub const fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let steps = to.saturating_sub(from).as_millis() / 10;
        from.saturating_add(Duration::from_millis(self.below(steps as u64).saturating_mul(10)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_seed_gives_the_same_identifiers() {
        let (mut a, mut b) = (Ids::new(7), Ids::new(7));
        assert_eq!((a.branch(), a.tag(), a.call_id()), (b.branch(), b.tag(), b.call_id()));
    }

    #[test]
    fn neighboring_seeds_do_not_repeat_each_other() {
        let mut seen = HashSet::new();
        for seed in 0..64 {
            let mut ids = Ids::new(seed);
            for _ in 0..64 {
                assert!(seen.insert(ids.tag()), "a tag came twice");
            }
        }
    }

    #[test]
    fn a_random_wait_stays_in_its_range() {
        let mut ids = Ids::new(1);
        let (from, to) = (Duration::from_millis(2_100), Duration::from_secs(4));
        for _ in 0..1_000 {
            let wait = ids.between(from, to);
            assert!(wait >= from && wait < to && wait.as_millis().is_multiple_of(10), "{wait:?}");
        }
        assert_eq!(ids.between(to, from), to);
    }
}
