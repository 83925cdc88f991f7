//! Which events a reader wants, and whom an append has to wake.
//!
//! Each reader has a place; for every kind, phone, call and run there is a bit set of places. An
//! append combines the sets its event names, so it costs a few words however many readers do not
//! want it.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use tokio::sync::Notify;

use crate::{
    event::{Envelope, Event, EventPattern},
    id::{CallId, PhoneId, RunId, Seq},
};

/// Words in a set of kinds.
const WORDS: usize = 4;

/// What a reader wants; by default everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// The subjects of wanted events; empty means any.
    pub subjects: Vec<About>,
    /// The kinds of wanted events.
    pub kinds: Kinds,
}

/// What an event may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A phone, its calls included.
    Phone(PhoneId),
    /// A call.
    Call(CallId),
    /// A run.
    Run(RunId),
    /// No subject in particular: the process.
    Process,
}

/// A set of kinds of events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kinds([u64; WORDS]);

impl Interest {
    /// Wants everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Wants these kinds, exact or by subject (`call.*`), about anybody.
    #[must_use]
    pub fn of_kinds<K: AsRef<str>>(patterns: &[K]) -> Self {
        Self { subjects: Vec::new(), kinds: Kinds::of(patterns) }
    }

    /// Restricts the interest to one subject.
    #[must_use]
    pub fn about(self, subject: About) -> Self {
        Self { subjects: vec![subject], ..self }
    }

    /// Returns whether an event is wanted.
    #[must_use]
    pub fn concerns(&self, envelope: &Envelope) -> bool {
        self.kinds.has(&envelope.event)
            && (self.subjects.is_empty() || self.subjects.iter().any(|about| about.names(envelope)))
    }
}

impl About {
    fn names(&self, envelope: &Envelope) -> bool {
        let subject = &envelope.subject;
        match self {
            Self::Phone(phone) => subject.phone.as_ref() == Some(phone),
            Self::Call(call) => subject.call == Some(*call),
            Self::Run(run) => subject.run == Some(*run),
            Self::Process => is_about_the_process(envelope),
        }
    }
}

fn is_about_the_process(envelope: &Envelope) -> bool {
    let subject = &envelope.subject;
    subject.phone.is_none() && subject.call.is_none() && subject.run.is_none()
}

impl Kinds {
    /// Returns every kind.
    #[must_use]
    pub const fn all() -> Self {
        Self([u64::MAX; WORDS])
    }

    /// Returns the kinds that match, exactly or by subject (`call.*`); no pattern means every kind.
    #[must_use]
    pub fn of<K: AsRef<str>>(patterns: &[K]) -> Self {
        if patterns.is_empty() {
            return Self::all();
        }
        let mut chosen = Self([0; WORDS]);
        let patterns: Vec<_> = patterns.iter().map(|pattern| EventPattern::new(pattern.as_ref())).collect();
        for (place, kind) in Event::kinds().into_iter().enumerate() {
            if patterns.iter().any(|pattern| pattern.matches(kind)) {
                set(&mut chosen.0, place);
            }
        }
        chosen
    }

    /// Returns the complement.
    #[must_use]
    pub fn except(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    fn has(&self, event: &Event) -> bool {
        is_set(&self.0, event.ordinal())
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::all()
    }
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let chosen = Event::kinds().into_iter().enumerate().filter(|(place, _)| is_set(&self.0, *place));
        f.debug_set().entries(chosen.map(|(_, kind)| kind)).finish()
    }
}

/// A set of places, 64 in a word; grows as needed.
type Bits = Vec<u64>;

fn set(words: &mut [u64], place: usize) {
    if let Some(word) = words.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn is_set(words: &[u64], place: usize) -> bool {
    words.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
}

fn insert(bits: &mut Bits, place: usize) {
    if bits.len() <= place / 64 {
        bits.resize(place / 64 + 1, 0);
    }
    set(bits, place);
}

fn remove(bits: &mut Bits, place: usize) {
    if let Some(word) = bits.get_mut(place / 64) {
        *word &= !(1 << (place % 64));
    }
}

fn word(bits: &Bits, at: usize) -> u64 {
    bits.get(at).copied().unwrap_or_default()
}

fn word_of<K: Hash + Eq>(sets: &HashMap<K, Bits>, key: Option<&K>, at: usize) -> u64 {
    key.and_then(|key| sets.get(key)).map_or(0, |bits| word(bits, at))
}

/// The readers of a journal, indexed by what they want.
pub(super) struct Watchers {
    readers: Vec<Option<Watcher>>,
    free: Vec<usize>,
    /// Readers that have read everything so far and have not been woken since.
    armed: Bits,
    any_armed: usize,
    of_kind: Vec<Bits>,
    of_anybody: Bits,
    of_phone: HashMap<PhoneId, Bits>,
    of_call: HashMap<CallId, Bits>,
    of_run: HashMap<RunId, Bits>,
    of_process: Bits,
}

struct Watcher {
    interest: Interest,
    more: Arc<Notify>,
    /// The event that woke it. Between the reader's position and this event there is nothing it
    /// wants.
    first: Option<Seq>,
}

impl Watchers {
    pub(super) fn new() -> Self {
        Self {
            readers: Vec::new(),
            free: Vec::new(),
            armed: Bits::new(),
            any_armed: 0,
            of_kind: vec![Bits::new(); Event::kinds().len()],
            of_anybody: Bits::new(),
            of_phone: HashMap::new(),
            of_call: HashMap::new(),
            of_run: HashMap::new(),
            of_process: Bits::new(),
        }
    }

    /// Adds a reader; returns its place and what it waits on.
    pub(super) fn enter(&mut self, interest: Interest) -> (usize, Arc<Notify>) {
        let place = self.free.pop().unwrap_or(self.readers.len());
        for (kind, readers) in self.of_kind.iter_mut().enumerate() {
            if is_set(&interest.kinds.0, kind) {
                insert(readers, place);
            }
        }
        if interest.subjects.is_empty() {
            insert(&mut self.of_anybody, place);
        }
        for about in &interest.subjects {
            insert(
                match about {
                    About::Phone(phone) => self.of_phone.entry(phone.clone()).or_default(),
                    About::Call(call) => self.of_call.entry(*call).or_default(),
                    About::Run(run) => self.of_run.entry(*run).or_default(),
                    About::Process => &mut self.of_process,
                },
                place,
            );
        }
        let more = Arc::new(Notify::new());
        let watcher = Watcher { interest, more: Arc::clone(&more), first: None };
        if place == self.readers.len() {
            self.readers.push(Some(watcher));
        } else if let Some(slot) = self.readers.get_mut(place) {
            *slot = Some(watcher);
        }
        (place, more)
    }

    /// Removes a reader.
    pub(super) fn leave(&mut self, place: usize) {
        self.disarm(place);
        let Some(watcher) = self.readers.get_mut(place).and_then(Option::take) else { return };
        self.free.push(place);
        self.of_kind.iter_mut().for_each(|readers| remove(readers, place));
        remove(&mut self.of_anybody, place);
        remove(&mut self.of_process, place);
        for about in &watcher.interest.subjects {
            match about {
                About::Phone(phone) => forget(&mut self.of_phone, phone, place),
                About::Call(call) => forget(&mut self.of_call, call, place),
                About::Run(run) => forget(&mut self.of_run, run, place),
                About::Process => {}
            }
        }
    }

    /// Notes that a reader has read everything so far.
    pub(super) fn arm(&mut self, place: usize) {
        if let Some(Some(watcher)) = self.readers.get_mut(place) {
            watcher.first = None;
            if !is_set(&self.armed, place) {
                insert(&mut self.armed, place);
                self.any_armed = self.any_armed.saturating_add(1);
            }
        }
    }

    /// Returns whether nothing a reader wants has happened since it had read everything.
    pub(super) fn is_armed(&self, place: usize) -> bool {
        is_set(&self.armed, place)
    }

    /// Returns the event that woke a reader, if one has since it had read everything.
    pub(super) fn first(&self, place: usize) -> Option<Seq> {
        self.readers.get(place)?.as_ref()?.first
    }

    fn disarm(&mut self, place: usize) {
        if is_set(&self.armed, place) {
            remove(&mut self.armed, place);
            self.any_armed = self.any_armed.saturating_sub(1);
        }
    }

    /// Wakes the readers that wait for an event like this, each once until it has read on; returns
    /// how many.
    pub(super) fn happened(&mut self, envelope: &Envelope) -> usize {
        if self.any_armed == 0 {
            return 0;
        }
        let Some(of_kind) = self.of_kind.get(envelope.event.ordinal()) else { return 0 };
        let subject = &envelope.subject;
        let process = is_about_the_process(envelope);
        let mut woken = 0;
        for at in 0..self.armed.len() {
            let wanting = word(&self.armed, at) & word(of_kind, at);
            if wanting == 0 {
                continue;
            }
            let mut concerned = wanting
                & (word(&self.of_anybody, at)
                    | word_of(&self.of_phone, subject.phone.as_ref(), at)
                    | word_of(&self.of_call, subject.call.as_ref(), at)
                    | word_of(&self.of_run, subject.run.as_ref(), at)
                    | if process { word(&self.of_process, at) } else { 0 });
            while concerned != 0 {
                let bit = concerned.trailing_zeros();
                concerned &= concerned - 1;
                remove(&mut self.armed, at * 64 + bit as usize);
                self.any_armed = self.any_armed.saturating_sub(1);
                if let Some(Some(watcher)) = self.readers.get_mut(at * 64 + bit as usize) {
                    watcher.first = Some(envelope.seq);
                    watcher.more.notify_one();
                    woken += 1;
                }
            }
        }
        woken
    }
}

fn forget<K: Hash + Eq>(sets: &mut HashMap<K, Bits>, key: &K, place: usize) {
    if let Some(bits) = sets.get_mut(key) {
        remove(bits, place);
        if bits.iter().all(|word| *word == 0) {
            sets.remove(key);
        }
    }
}
