//! Events that are missing from the file although nobody retired them: deleted by hand, rejected by
//! a full disk, or lost with part of the database.
//!
//! They are found when the file is opened and read back, and reported once.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    event::{Envelope, Event, SystemEvent},
    id::Seq,
};

/// Gaps found in the numbers, and those an earlier start has reported.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    found: Vec<(Seq, u64)>,
    told: BTreeSet<Seq>,
}

impl Gaps {
    /// Examines the events after `after`, in order. Numbers up to `horizon` may be missing because
    /// their events were retired.
    pub(super) fn look(&mut self, after: Seq, events: &[Arc<Envelope>], horizon: Seq) {
        let mut last = after;
        for envelope in events {
            let missing = envelope.seq.0.saturating_sub(last.0).saturating_sub(1);
            if missing > 0 && last >= horizon {
                self.found.push((last, missing));
            }
            if let Event::System(SystemEvent::Missing { after, .. }) = &envelope.event {
                self.told.insert(*after);
            }
            last = envelope.seq;
        }
    }

    /// Returns the gaps not reported yet: after which event, and how many are missing.
    pub(super) fn untold(self) -> impl Iterator<Item = (Seq, u64)> {
        let told = self.told;
        self.found.into_iter().filter(move |(after, _)| !told.contains(after))
    }
}

/// Returns what is missing at the end of a file that held events up to `reached`, but now ends at `end`.
pub(super) fn lost_end(end: Seq, reached: Seq) -> Option<(Seq, u64)> {
    let missing = reached.0.saturating_sub(end.0);
    (missing > 0).then_some((end, missing))
}
