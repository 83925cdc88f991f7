//! From a URI to its addresses, with every step on the way.

use std::{net::SocketAddr, time::Duration};

use offhook_sip::{
    message::{Host, Uri},
    next_hop::{NextHop, NextHopError, Question, Record, Step, Target},
};
use tokio::time::{Instant, timeout};

use super::{LookupError, Names};
use crate::{event::NameLookup, net::Transport};

/// How long resolving a URI may take in all; less than the sender of a command waits for its reply.
const PATIENCE: Duration = Duration::from_secs(8);
/// Records of one answer that the steps show.
const SHOWN: usize = 8;

/// Why a URI leads to no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The URI itself does not allow it.
    #[error(transparent)]
    Uri(#[from] NextHopError),
    /// The DNS has no address for it.
    #[error("the name has no address")]
    Nothing,
    /// A question that mattered got no answer.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The answers took too long.
    #[error("the name was not resolved within {} s", PATIENCE.as_secs())]
    TooLong,
}

/// The result of resolving a URI.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The URI.
    pub uri: Uri,
    /// The queries, in order; empty if the URI holds a numeric address.
    pub lookups: Vec<NameLookup>,
    /// Where to send, in the order to try, or why nowhere.
    pub targets: Result<Vec<(Transport, SocketAddr)>, NameError>,
    /// How long it took.
    pub took: Duration,
}

impl Resolution {
    /// Returns the result for a URI whose resolution was given up.
    pub(crate) const fn out_of_time(uri: Uri, took: Duration) -> Self {
        let targets = Err(NameError::Lookup(LookupError::Silent));
        Self { uri, lookups: Vec::new(), targets, took }
    }

    /// Returns the addresses to send to; may be empty.
    #[must_use]
    pub fn places(&self) -> &[(Transport, SocketAddr)] {
        self.targets.as_deref().unwrap_or_default()
    }

    async fn ask(
        &mut self,
        names: &Names,
        question: &Question,
        trouble: &mut Option<LookupError>,
    ) -> Vec<Record> {
        if let Question::Address(host) = question {
            let own = self.own(names, host).await;
            if !own.is_empty() {
                return own;
            }
        }
        let known = names.ask(question).await;
        let (records, ttl, problem) = match known.answer {
            Ok(answer) => (answer.records, Some(answer.ttl), None),
            Err(error) => (Vec::new(), None, Some(error)),
        };
        self.lookups.push(NameLookup {
            question: question.to_string(),
            records: records.iter().take(SHOWN).map(Record::to_string).collect(),
            count: records.len(),
            ttl_s: ttl.map(|ttl| ttl.as_secs()),
            from_cache: known.from_cache,
            problem: problem.as_ref().map(LookupError::to_string),
        });
        *trouble = trouble.take().or(problem);
        records
    }

    /// Returns what the machine itself knows about a host.
    async fn own(&mut self, names: &Names, host: &str) -> Vec<Record> {
        let own = names.resolver().own(host).await;
        if !own.is_empty() {
            self.lookups.push(NameLookup {
                question: format!("hosts {host}"),
                records: own.iter().take(SHOWN).map(ToString::to_string).collect(),
                count: own.len(),
                ttl_s: None,
                from_cache: false,
                problem: None,
            });
        }
        own.into_iter().map(Record::Address).collect()
    }

    async fn walk(&mut self, names: &Names, hop: &mut NextHop, host: Option<&str>) -> Option<LookupError> {
        let mut trouble = None;
        let own = match host {
            Some(host) => names.resolver().own(host).await,
            None => Vec::new(),
        };
        while let Step::Ask(question) = hop.poll() {
            // A name for which the machine itself has an address is not looked up for services.
            let skipped = !own.is_empty() && !matches!(question, Question::Address(_));
            let records = if skipped { Vec::new() } else { self.ask(names, &question, &mut trouble).await };
            hop.answer(records);
        }
        trouble
    }
}

impl Names {
    /// Resolves a URI to addresses by NAPTR, SRV, A and AAAA, over the offered transports, best
    /// first.
    ///
    /// `random` decides between servers of the same priority. If the URI holds a numeric address,
    /// nothing is asked and nothing waited for.
    pub async fn find(&self, uri: &Uri, offered: &[Transport], random: u64) -> Resolution {
        let begun = Instant::now();
        let mut found = Resolution {
            uri: uri.clone(),
            lookups: Vec::new(),
            targets: Ok(Vec::new()),
            took: Duration::ZERO,
        };
        let mut hop = match NextHop::new(uri, offered, random) {
            Ok(hop) => hop,
            Err(error) => return Resolution { targets: Err(error.into()), ..found },
        };
        let host = uri.maddr().or_else(|| uri.host().cloned());
        let host = match &host {
            Some(Host::Name(name)) => Some(name.trim_end_matches('.')),
            Some(Host::V4(_) | Host::V6(_)) | None => None,
        };
        let walked = timeout(PATIENCE, found.walk(self, &mut hop, host)).await;
        let places: Vec<_> =
            hop.found().iter().map(|Target { transport, address, .. }| (*transport, *address)).collect();
        found.targets = match walked {
            // What was found before the time ran out is better than nothing.
            _ if !places.is_empty() => Ok(places),
            Ok(None) => Err(NameError::Nothing),
            Ok(Some(trouble)) => Err(trouble.into()),
            Err(_) => Err(NameError::TooLong),
        };
        found.took = begun.elapsed();
        found
    }
}
