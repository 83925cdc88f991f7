//! The DNS of a simulated network: a table of records, as slow or silent as a test wants it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offhook_sip::next_hop::{Question, Record};

use crate::net::{Answer, BoxFuture, LookupError, Resolver};

/// TTL of answers that were given none.
const TTL: Duration = Duration::from_secs(60);

/// The records of a simulated network; clones share one table.
#[derive(Clone, Default)]
pub(super) struct Table {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: BTreeMap<Question, Result<Answer, LookupError>>,
    delay: Duration,
    asked: Vec<Question>,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, question: Question, answer: Result<Answer, LookupError>) {
        self.lock().answers.insert(question, answer);
    }

    pub(super) fn set_addresses(&self, name: &str, addresses: Vec<IpAddr>) {
        let records = addresses.into_iter().map(Record::Address).collect();
        self.set(Question::Address(name.to_ascii_lowercase()), Ok(Answer { records, ttl: TTL }));
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    pub(super) fn asked(&self) -> Vec<Question> {
        self.lock().asked.clone()
    }
}

impl Resolver for Table {
    fn own(&self, host: &str) -> BoxFuture<'_, Vec<IpAddr>> {
        let local = host.eq_ignore_ascii_case("localhost");
        Box::pin(async move { if local { vec![Ipv4Addr::LOCALHOST.into()] } else { Vec::new() } })
    }

    fn ask(&self, question: &Question) -> BoxFuture<'_, Result<Answer, LookupError>> {
        let (answer, delay) = {
            let mut state = self.lock();
            state.asked.push(question.clone());
            let nothing = || Ok(Answer { records: Vec::new(), ttl: TTL });
            (state.answers.get(question).cloned().unwrap_or_else(nothing), state.delay)
        };
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            answer
        })
    }
}
