//! Asks each question once: answers are kept as long as they are valid, and whoever asks while one
//! is pending waits for it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use offhook_sip::next_hop::Question;
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};

use super::{Answer, LookupError, Resolver, SystemResolver};

/// Most answers kept at a time.
pub(super) const MOST_KEPT: usize = 1_024;
/// Most records examined per answer; a zone with more is a fault or an attack.
pub(super) const MOST_RECORDS: usize = 256;
/// Longest time to keep an answer, whatever its TTL.
pub(super) const LONGEST: Duration = Duration::from_secs(3_600);
/// The same for an answer without records (RFC 2308 §5 recommends hours, but a tester who fixes a
/// zone waits a minute).
const LONGEST_NEGATIVE: Duration = Duration::from_secs(60);
/// The same for a question that no name server answered: a dialog asks for every request, and a
/// tester will soon fix it.
const FAILED: Duration = Duration::from_secs(5);
/// How long one question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The names of one network; clones share the cache.
#[derive(Clone)]
pub struct Names {
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Box<dyn Resolver>,
    kept: Mutex<BTreeMap<Question, Arc<Entry>>>,
}

/// A question and, once it has come, its answer. If everybody who asked has given up, the next one
/// asks again.
#[derive(Default)]
struct Entry(OnceCell<Kept>);

#[derive(Clone)]
struct Kept {
    answer: Result<Answer, LookupError>,
    until: Instant,
}

/// What is known about a question.
pub(super) struct Known {
    /// The answer, with its remaining TTL.
    pub(super) answer: Result<Answer, LookupError>,
    /// The answer was already there.
    pub(super) from_cache: bool,
}

impl Names {
    /// Creates names that ask `resolver`.
    #[must_use]
    pub fn new(resolver: impl Resolver) -> Self {
        Self { shared: Arc::new(Shared { resolver: Box::new(resolver), kept: Mutex::default() }) }
    }

    /// Returns how many answers are kept or pending.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn resolver(&self) -> &dyn Resolver {
        &*self.shared.resolver
    }

    /// Returns what is known about a question, asking if necessary.
    pub(super) async fn ask(&self, question: &Question) -> Known {
        let question = in_lower_case(question);
        let entry = self.entry(&question);
        let from_cache = entry.0.initialized();
        let kept = entry.0.get_or_init(|| self.look_up(&question)).await.clone();
        let left = kept.until.saturating_duration_since(Instant::now());
        Known { answer: kept.answer.map(|answer| Answer { ttl: left, ..answer }), from_cache }
    }

    async fn look_up(&self, question: &Question) -> Kept {
        let answer = timeout(PATIENCE, self.shared.resolver.ask(question)).await;
        let mut answer = answer.unwrap_or(Err(LookupError::Silent));
        let hold = match &mut answer {
            Ok(answer) => {
                answer.records.truncate(MOST_RECORDS);
                let longest = if answer.records.is_empty() { LONGEST_NEGATIVE } else { LONGEST };
                answer.ttl.min(longest)
            }
            // Otherwise a silent server would cost its timeout for every request and every ACK.
            Err(_) => FAILED,
        };
        Kept { answer, until: Instant::now() + hold }
    }

    /// Returns the entry of a question; a new one if there is none that is still valid.
    fn entry(&self, question: &Question) -> Arc<Entry> {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get(question).filter(|entry| entry.holds()) {
            return Arc::clone(entry);
        }
        let entry = Arc::new(Entry::default());
        if !kept.contains_key(question) && kept.len() >= MOST_KEPT {
            make_room(&mut kept);
        }
        // If all entries are for pending questions, this one is asked without being kept.
        if kept.len() < MOST_KEPT || kept.contains_key(question) {
            kept.insert(question.clone(), Arc::clone(&entry));
        }
        entry
    }
}

impl Entry {
    fn until(&self) -> Option<Instant> {
        self.0.get().map(|kept| kept.until)
    }

    /// Returns whether it has a valid answer, or will have one.
    fn holds(&self) -> bool {
        self.until().is_none_or(|until| until > Instant::now())
    }
}

/// Drops entries that are no longer valid or have nobody waiting; if there are none, the answer
/// that expires first.
fn make_room(kept: &mut BTreeMap<Question, Arc<Entry>>) {
    kept.retain(|_, entry| entry.holds() && (entry.0.initialized() || Arc::strong_count(entry) > 1));
    if kept.len() >= MOST_KEPT {
        let answers = kept.iter().filter_map(|(question, entry)| Some((entry.until()?, question)));
        if let Some(first) = answers.min().map(|(_, question)| question.clone()) {
            kept.remove(&first);
        }
    }
}

fn in_lower_case(question: &Question) -> Question {
    match question {
        Question::Naptr(name) => Question::Naptr(name.to_ascii_lowercase()),
        Question::Srv(name) => Question::Srv(name.to_ascii_lowercase()),
        Question::Address(name) => Question::Address(name.to_ascii_lowercase()),
    }
}

/// The names of the machine.
impl Default for Names {
    fn default() -> Self {
        Self::new(SystemResolver::default())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("kept", &self.kept()).finish_non_exhaustive()
    }
}
