//! Which calls are in which conference, and what each hears. No lock, no actor, no sound.

use std::collections::{BTreeMap, BTreeSet};

use crate::{command::Refused, id::CallId};

/// How many calls a conference may have: each change is told to all of them with all of them.
pub(super) const MOST: usize = 100;

/// What the other side of a call takes part in; neither while the call is on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audio {
    /// The others can hear it.
    pub(crate) says: bool,
    /// It can hear the others.
    pub(crate) hears: bool,
}

/// A call's place in a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// All calls of the conference, this one included.
    pub(crate) members: Vec<CallId>,
    /// The members that its other side hears.
    pub(crate) hears: Vec<CallId>,
    /// The members whose other sides hear it.
    pub(crate) heard_by: Vec<CallId>,
}

/// Number of a conference; of use only inside the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u64);

/// What a call has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) call: CallId,
    /// Its new place; `None` if it is in no conference any more.
    pub(super) place: Option<Place>,
}

/// Where a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) conference: Number,
    pub(super) seat: Seat,
    /// Whether its sound is connected; not while it is on hold.
    pub(super) connected: bool,
}

/// The calls with audio, and the conferences of some of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    calls: BTreeMap<CallId, Entry>,
    conferences: BTreeMap<Number, BTreeSet<CallId>>,
    last: Number,
}

#[derive(Debug)]
struct Entry {
    audio: Audio,
    conference: Option<Number>,
    /// What the call was told last.
    told: Option<Place>,
}

impl Table {
    /// Returns whether a conference goes on.
    pub(super) fn goes_on(&self, conference: Number) -> bool {
        self.conferences.contains_key(&conference)
    }

    /// Makes a conference of those of `calls` that have audio; returns these too.
    ///
    /// The conference that the first of them is in, if any is, becomes this one: its other calls
    /// leave it. Calls of another conference move; that one goes on without them.
    ///
    /// # Errors
    /// Fewer than two have audio, or there are too many; nothing changes.
    pub(super) fn confer(&mut self, calls: &[CallId]) -> Result<(Vec<CallId>, Vec<Change>), Refused> {
        let named: BTreeSet<CallId> =
            calls.iter().copied().filter(|call| self.calls.contains_key(call)).collect();
        match named.len() {
            0 | 1 => return Err(Refused::TooFewToConfer(None)),
            2..=MOST => {}
            _ => return Err(Refused::ConferenceFull(MOST)),
        }
        let known = calls.iter().find_map(|call| self.conference_of(*call));
        let conference = known.unwrap_or_else(|| {
            self.last = Number(self.last.0 + 1);
            self.last
        });
        let mut touched = named.clone();
        for call in &named {
            if let Some(before) = self.conference_of(*call).filter(|before| *before != conference) {
                touched.extend(self.take_out(*call, before));
            }
        }
        let before = self.conferences.insert(conference, named.clone()).unwrap_or_default();
        touched.extend(&before);
        for call in &touched {
            if let Some(entry) = self.calls.get_mut(call) {
                let was_here = entry.conference == Some(conference);
                let is_here = named.contains(call);
                entry.conference =
                    if is_here { Some(conference) } else { entry.conference.filter(|_| !was_here) };
            }
        }
        Ok((named.into_iter().collect(), self.changes(touched)))
    }

    /// Notes what a call takes part in; without audio it is in no conference.
    pub(super) fn set_audio(&mut self, call: CallId, audio: Option<Audio>) -> Vec<Change> {
        let Some(audio) = audio else { return self.forget(call) };
        let fresh = Entry { audio, conference: None, told: None };
        let entry = self.calls.entry(call).or_insert(fresh);
        entry.audio = audio;
        let conference = entry.conference.and_then(|number| self.conferences.get(&number));
        let touched = conference.cloned().unwrap_or_default();
        self.changes(touched)
    }

    fn forget(&mut self, call: CallId) -> Vec<Change> {
        let conference = self.conference_of(call);
        let touched = conference.map(|number| self.take_out(call, number)).unwrap_or_default();
        let mut changes = self.changes(touched);
        let told = self.calls.remove(&call).and_then(|entry| entry.told);
        changes.extend(told.map(|_| Change { call, place: None }));
        changes
    }

    fn conference_of(&self, call: CallId) -> Option<Number> {
        self.calls.get(&call)?.conference
    }

    /// Takes a call out of a conference, which is over without a second member; returns whom that
    /// concerns.
    fn take_out(&mut self, call: CallId, conference: Number) -> BTreeSet<CallId> {
        let Some(members) = self.conferences.get_mut(&conference) else { return BTreeSet::new() };
        members.remove(&call);
        let left = members.clone();
        if left.len() < 2 {
            self.conferences.remove(&conference);
        }
        let alone = left.iter().filter(|_| left.len() < 2);
        for gone in alone.chain([&call]) {
            if let Some(entry) = self.calls.get_mut(gone) {
                entry.conference = None;
            }
        }
        left
    }

    /// Returns what is new to these calls.
    fn changes(&mut self, touched: BTreeSet<CallId>) -> Vec<Change> {
        let mut changes = Vec::new();
        for call in touched {
            let place = self.place(call);
            if let Some(entry) = self.calls.get_mut(&call).filter(|entry| entry.told != place) {
                entry.told.clone_from(&place);
                changes.push(Change { call, place });
            }
        }
        changes
    }

    fn place(&self, call: CallId) -> Option<Place> {
        let Entry { audio, conference, .. } = self.calls.get(&call)?;
        let conference = (*conference)?;
        let members = self.conferences.get(&conference)?;
        let others = |wanted: bool, test: fn(&Audio) -> bool| -> Vec<CallId> {
            let fits = |other: &&CallId| {
                **other != call && self.calls.get(other).is_some_and(|entry| test(&entry.audio))
            };
            members.iter().filter(|_| wanted).filter(fits).copied().collect()
        };
        let seat = Seat {
            members: members.iter().copied().collect(),
            hears: others(audio.hears, |audio| audio.says),
            heard_by: others(audio.says, |audio| audio.hears),
        };
        Some(Place { conference, seat, connected: audio.says || audio.hears })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Audio = Audio { says: true, hears: true };
    const HELD: Audio = Audio { says: false, hears: false };

    /// Returns a table of these calls, each with audio.
    fn with(calls: impl IntoIterator<Item = u64>) -> Table {
        let mut table = Table::default();
        for call in calls {
            assert_eq!(table.set_audio(CallId(call), Some(OPEN)), []);
        }
        table
    }

    fn ids(calls: &[u64]) -> Vec<CallId> {
        calls.iter().copied().map(CallId).collect()
    }

    fn confer(table: &mut Table, calls: &[u64]) -> Vec<String> {
        said(table.confer(&ids(calls)).unwrap().1)
    }

    /// Returns each change as `call: members, whom it hears, who hears it`.
    fn said(changes: Vec<Change>) -> Vec<String> {
        let list =
            |calls: &[CallId]| calls.iter().map(|call| call.0.to_string()).collect::<Vec<_>>().join(" ");
        let line = |Change { call, place }: Change| match place {
            None => format!("{}: alone", call.0),
            Some(Place { seat: Seat { members, hears, heard_by }, .. }) => {
                format!("{}: {}, hears {}, by {}", call.0, list(&members), list(&hears), list(&heard_by))
            }
        };
        changes.into_iter().map(line).collect()
    }

    #[test]
    fn each_call_hears_all_others_and_not_itself() {
        let mut table = with([1, 2, 3]);
        assert_eq!(
            confer(&mut table, &[3, 1, 2, 1]),
            ["1: 1 2 3, hears 2 3, by 2 3", "2: 1 2 3, hears 1 3, by 1 3", "3: 1 2 3, hears 1 2, by 1 2"]
        );
        assert_eq!(confer(&mut table, &[1, 2, 3]), [""; 0], "nothing is new");
    }

    #[test]
    fn a_call_on_hold_stays_a_member_and_neither_hears_nor_is_heard() {
        let mut table = with([1, 2, 3]);
        confer(&mut table, &[1, 2, 3]);
        let held = table.set_audio(CallId(2), Some(HELD));
        let connected: Vec<bool> =
            held.iter().map(|change| change.place.as_ref().unwrap().connected).collect();
        assert_eq!(connected, [true, false, true]);
        assert_eq!(
            said(held),
            ["1: 1 2 3, hears 3, by 3", "2: 1 2 3, hears , by ", "3: 1 2 3, hears 1, by 1"]
        );
        assert_eq!(
            said(table.set_audio(CallId(2), Some(OPEN))),
            ["1: 1 2 3, hears 2 3, by 2 3", "2: 1 2 3, hears 1 3, by 1 3", "3: 1 2 3, hears 1 2, by 1 2"]
        );
    }

    #[test]
    fn a_call_that_only_listens_hears_and_is_not_heard() {
        let mut table = with([1, 2]);
        table.set_audio(CallId(3), Some(Audio { says: false, hears: true }));
        assert_eq!(
            confer(&mut table, &[1, 2, 3]),
            ["1: 1 2 3, hears 2, by 2 3", "2: 1 2 3, hears 1, by 1 3", "3: 1 2 3, hears 1 2, by "]
        );
    }

    #[test]
    fn calls_that_are_not_named_again_leave() {
        let mut table = with([1, 2, 3, 4]);
        confer(&mut table, &[1, 2, 3, 4]);
        assert_eq!(
            confer(&mut table, &[1, 2]),
            ["1: 1 2, hears 2, by 2", "2: 1 2, hears 1, by 1", "3: alone", "4: alone"]
        );
        assert_eq!(
            confer(&mut table, &[1, 2, 4]),
            ["1: 1 2 4, hears 2 4, by 2 4", "2: 1 2 4, hears 1 4, by 1 4", "4: 1 2 4, hears 1 2, by 1 2"]
        );
    }

    #[test]
    fn a_call_moves_from_one_conference_to_another_and_the_rest_goes_on() {
        let mut table = with(1..=5);
        confer(&mut table, &[1, 2, 3]);
        confer(&mut table, &[4, 5]);
        assert_eq!(
            confer(&mut table, &[4, 5, 3]),
            [
                "1: 1 2, hears 2, by 2",
                "2: 1 2, hears 1, by 1",
                "3: 3 4 5, hears 4 5, by 4 5",
                "4: 3 4 5, hears 3 5, by 3 5",
                "5: 3 4 5, hears 3 4, by 3 4"
            ]
        );
        let moved = confer(&mut table, &[3, 4, 5, 1]);
        assert_eq!(moved[1], "2: alone", "one call alone is no conference: {moved:?}");
        assert_eq!(table.conferences.len(), 1);
    }

    #[test]
    fn a_conference_is_over_when_its_last_but_one_call_has_gone() {
        let mut table = with([1, 2, 3]);
        confer(&mut table, &[1, 2, 3]);
        assert_eq!(
            said(table.set_audio(CallId(3), None)),
            ["1: 1 2, hears 2, by 2", "2: 1 2, hears 1, by 1", "3: alone"]
        );
        assert_eq!(said(table.set_audio(CallId(1), None)), ["2: alone", "1: alone"]);
        assert!(table.conferences.is_empty() && table.set_audio(CallId(1), None).is_empty());
        assert_eq!(said(table.set_audio(CallId(2), Some(HELD))), [""; 0]);
    }

    #[test]
    fn fewer_than_two_calls_with_audio_are_refused_and_change_nothing() {
        let mut table = with([1, 2]);
        confer(&mut table, &[1, 2]);
        for calls in [&[][..], &[1], &[1, 1], &[1, 7, 8]] {
            assert_eq!(table.confer(&ids(calls)), Err(Refused::TooFewToConfer(None)), "{calls:?}");
        }
        assert_eq!(confer(&mut table, &[2, 9, 1]), [""; 0], "a call without audio does not count");
    }

    #[test]
    fn a_conference_has_a_limit() {
        let mut table = with(0..=100);
        let all: Vec<u64> = (0..=100).collect();
        assert_eq!(table.confer(&ids(&all)), Err(Refused::ConferenceFull(100)));
        assert_eq!(confer(&mut table, &all[1..]).len(), 100);
    }
}
