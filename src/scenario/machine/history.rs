//! What a run has seen, in order and by kind, for whoever looks back.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::seen::Seen;
use crate::id::Seq;

/// Most events kept for looking back.
const MOST: usize = 50_000;

/// The newest events of a run.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<Arc<Seen>>,
    /// How many older ones have been dropped; event numbers count these too.
    dropped: usize,
    /// Numbers of the kept events by kind, oldest first.
    kinds: BTreeMap<usize, VecDeque<usize>>,
}

impl History {
    pub(super) fn push(&mut self, seen: Arc<Seen>) {
        let number = self.dropped + self.events.len();
        self.kinds.entry(seen.envelope.event.ordinal()).or_default().push_back(number);
        self.events.push_back(seen);
        if self.events.len() > MOST
            && let Some(oldest) = self.events.pop_front()
        {
            self.dropped += 1;
            // The oldest event of all is also the oldest of its kind.
            if let Some(numbers) = self.kinds.get_mut(&oldest.envelope.event.ordinal()) {
                numbers.pop_front();
            }
        }
    }

    pub(super) fn newest(&self) -> Option<&Arc<Seen>> {
        self.events.back()
    }

    /// Returns the events, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Seen>> {
        self.events.iter()
    }

    /// Returns the events of the wanted kinds, oldest first; `wanted` is given one event of each
    /// kind.
    pub(super) fn of_kinds<'a>(
        &'a self,
        wanted: &dyn Fn(&Seen) -> bool,
    ) -> impl Iterator<Item = &'a Arc<Seen>> + use<'a> {
        let chosen = self.kinds.values().filter(|numbers| {
            let sample = numbers.front().and_then(|number| self.numbered(*number));
            sample.is_some_and(|sample| wanted(sample))
        });
        let mut numbers: Vec<usize> = chosen.flatten().copied().collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.numbered(number))
    }

    /// Returns the event with this seq.
    pub(super) fn at(&self, seq: Seq) -> Option<&Arc<Seen>> {
        let place = self.events.binary_search_by_key(&seq, |seen| seen.seq()).ok()?;
        self.events.get(place)
    }

    fn numbered(&self, number: usize) -> Option<&Arc<Seen>> {
        self.events.get(number.checked_sub(self.dropped)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Cause, Envelope, Event, MediaEvent, RunEvent, Subject};

    fn seen(seq: u64) -> Arc<Seen> {
        let event: Event = match seq % 3 {
            0 => MediaEvent::SilenceStarted { epoch: 1 }.into(),
            1 => MediaEvent::ReceptionResumed { epoch: 1 }.into(),
            _ => RunEvent::Checkpoint { label: String::new() }.into(),
        };
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let envelope =
            Envelope { seq: Seq(seq), at, subject: Subject::default(), cause: Cause::Start, event };
        Arc::new(Seen::new(Arc::new(envelope), None, None, false))
    }

    #[test]
    fn looking_back_by_kind_finds_what_looking_at_everything_finds() {
        let mut history = History::default();
        let is_media = |seen: &Seen| matches!(seen.envelope.event, Event::Media(_));
        for seq in 1..=(2 * MOST as u64) {
            history.push(seen(2 * seq));
            if seq % 9_973 != 0 && seq != MOST as u64 + 1 {
                continue;
            }
            let seqs = |seen: &Arc<Seen>| seen.seq();
            let all: Vec<Seq> = history.iter().filter(|seen| is_media(seen)).map(seqs).collect();
            assert_eq!(history.of_kinds(&is_media).map(seqs).collect::<Vec<_>>(), all);
            assert_eq!(history.of_kinds(&|_| false).count(), 0);
        }
        assert_eq!(history.of_kinds(&|_| true).count(), MOST);
        let newest = history.newest().unwrap().seq();
        assert_eq!(history.at(newest).unwrap().seq(), newest);
        assert!(history.at(Seq(newest.0 - 1)).is_none(), "a position between two events");
        assert!(history.at(Seq(2)).is_none(), "not kept any more");
    }
}
