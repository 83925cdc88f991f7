//! The PBX's own deadlines, at most one per leg.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use offhook_sip::user_agent::SessionId;

/// Pending deadlines; setting one again moves it.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    by_time: BTreeMap<(Instant, u64), SessionId>,
    by_leg: HashMap<SessionId, (Instant, u64)>,
    count: u64,
}

impl Alarms {
    pub(super) fn set(&mut self, leg: SessionId, at: Instant) {
        self.clear(leg);
        self.count += 1;
        self.by_time.insert((at, self.count), leg);
        self.by_leg.insert(leg, (at, self.count));
    }

    pub(super) fn clear(&mut self, leg: SessionId) {
        if let Some(key) = self.by_leg.remove(&leg) {
            self.by_time.remove(&key);
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next leg whose deadline has passed.
    pub(super) fn due(&mut self, now: Instant) -> Option<SessionId> {
        let (&(at, _), &leg) = self.by_time.first_key_value()?;
        if at > now {
            return None;
        }
        self.clear(leg);
        Some(leg)
    }

    pub(super) fn len(&self) -> usize {
        self.by_time.len()
    }
}
