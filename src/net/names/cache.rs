//! Each question once: answers are kept for as long as they hold, and who asks while one is under way waits for it.

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

/// Answers that are kept at a time.
pub(super) const MOST_KEPT: usize = 1_024;
/// Records of one answer that are looked at; a zone of more is a fault or an attack.
pub(super) const MOST_RECORDS: usize = 256;
/// How long an answer is kept at most, whatever it says of itself.
pub(super) const LONGEST: Duration = Duration::from_secs(3_600);
/// The same for one without records (RFC 2308 §5 recommends hours; a tester who mends a zone waits a minute).
const LONGEST_NEGATIVE: Duration = Duration::from_secs(60);
/// The same for a question that no name server answered: a dialog asks for every request, and a tester mends it soon.
const FAILED: Duration = Duration::from_secs(5);
/// How long one question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The names of one network; clones share what is kept.
#[derive(Clone)]
pub struct Names {
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Box<dyn Resolver>,
    kept: Mutex<BTreeMap<Question, Arc<Entry>>>,
}

/// A question and, from some time on, its answer. An entry whose askers have all given up is asked anew by the next.
#[derive(Default)]
struct Entry(OnceCell<Kept>);

#[derive(Clone)]
struct Kept {
    answer: Result<Answer, LookupError>,
    until: Instant,
}

/// What is known about a question.
pub(super) struct Known {
    /// The answer, with the time that it still holds.
    pub(super) answer: Result<Answer, LookupError>,
    /// It was there before anybody asked now.
    pub(super) from_cache: bool,
}

impl Names {
    /// Returns names that `resolver` knows.
    #[must_use]
    pub fn new(resolver: impl Resolver) -> Self {
        Self { shared: Arc::new(Shared { resolver: Box::new(resolver), kept: Mutex::default() }) }
    }

    /// Returns how many answers are kept or awaited.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn resolver(&self) -> &dyn Resolver {
        &*self.shared.resolver
    }

    /// Returns what is known about a question, after asking where nothing is.
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
            // A server that is silent would cost its patience for every request and every ACK.
            Err(_) => FAILED,
        };
        Kept { answer, until: Instant::now() + hold }
    }

    /// Returns the entry of a question; a new one where there is none that still holds.
    fn entry(&self, question: &Question) -> Arc<Entry> {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get(question).filter(|entry| entry.holds()) {
            return Arc::clone(entry);
        }
        let entry = Arc::new(Entry::default());
        if !kept.contains_key(question) && kept.len() >= MOST_KEPT {
            make_room(&mut kept);
        }
        // When all the room is for questions that are under way, this one is asked without being kept.
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

    /// Tells whether it has an answer that still holds, or will have one.
    fn holds(&self) -> bool {
        self.until().is_none_or(|until| until > Instant::now())
    }
}

/// Drops what no longer holds or is awaited by nobody; if that is nothing, the answer that holds shortest.
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
