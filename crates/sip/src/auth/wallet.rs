//! The client's memory of challenges: reusable nonces with their counts, and the challenges a
//! request has answered.
//!
//! Challenges are remembered per owner (a registration, a session), so that its later requests go
//! out with credentials at once. A request answers each realm once, once more when the nonce was
//! stale, and only a few rounds in all: neither a wrong password nor an endless series of realms
//! can cause a loop.

use super::Credentials;
use super::digest::{self, Challenge, Target};
use crate::ids::Ids;
use crate::message::{HeaderName, Message};
use std::collections::BTreeMap;

/// How often one request may be challenged, whatever the realms (RFC 3261 §22.3: one round for each
/// server on the path), and how many challenges are kept for each owner.
const MOST_ROUNDS: usize = 5;

/// One remembered challenge.
#[derive(Debug, Clone)]
struct Entry {
    proxy: bool,
    challenge: Challenge,
    count: u32,
    cnonce: String,
}

/// Challenges by owner.
#[derive(Debug)]
pub(crate) struct Wallet<O> {
    entries: BTreeMap<O, Vec<Entry>>,
}

/// What one request has answered so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts {
    rounds: usize,
    answered: Vec<Attempt>,
}

#[derive(Debug, Clone)]
struct Attempt {
    proxy: bool,
    realm: String,
    retried_stale: bool,
}

impl Attempts {
    /// Notes one more answer; false when it would repeat a refused one.
    fn allow(&mut self, proxy: bool, challenge: &Challenge) -> bool {
        let known = self
            .answered
            .iter_mut()
            .find(|attempt| attempt.proxy == proxy && attempt.realm == challenge.realm);
        match known {
            None => {
                let realm = challenge.realm.clone();
                self.answered.push(Attempt { proxy, realm, retried_stale: false });
                true
            }
            Some(attempt) if challenge.stale && !attempt.retried_stale => {
                attempt.retried_stale = true;
                true
            }
            Some(_) => false,
        }
    }
}

impl<O: Copy + Ord> Wallet<O> {
    pub(crate) fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// Takes the challenges of a 401 or 407; true when the request is worth sending again.
    pub(crate) fn take(
        &mut self,
        owner: O,
        response: &Message,
        credentials: &Credentials,
        attempts: &mut Attempts,
        ids: &mut Ids,
    ) -> bool {
        attempts.rounds += 1;
        if attempts.rounds > MOST_ROUNDS {
            return false;
        }
        let mut useful = false;
        for (proxy, name) in [(false, HeaderName::WwwAuthenticate), (true, HeaderName::ProxyAuthenticate)] {
            for challenge in strongest(response, name, credentials) {
                if !attempts.allow(proxy, &challenge) {
                    return false;
                }
                useful = true;
                self.remember(owner, proxy, challenge, ids);
            }
        }
        useful
    }

    fn remember(&mut self, owner: O, proxy: bool, challenge: Challenge, ids: &mut Ids) {
        let list = self.entries.entry(owner).or_default();
        list.retain(|entry| entry.proxy != proxy || entry.challenge.realm != challenge.realm);
        if list.len() == MOST_ROUNDS {
            list.remove(0);
        }
        list.push(Entry { proxy, challenge, count: 0, cnonce: ids.cnonce() });
    }

    /// Returns the headers to send, and counts the use of each nonce.
    pub(crate) fn answers(
        &mut self,
        owner: O,
        credentials: &Credentials,
        target: &Target<'_>,
    ) -> Vec<(HeaderName, String)> {
        let Some(list) = self.entries.get_mut(&owner) else { return Vec::new() };
        let mut headers = Vec::with_capacity(list.len());
        for entry in list {
            entry.count = entry.count.saturating_add(1);
            let value = digest::answer(&entry.challenge, credentials, target, entry.count, &entry.cnonce);
            let name = if entry.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization };
            headers.push((name, value));
        }
        headers
    }

    /// Forgets everything about an owner.
    pub(crate) fn forget(&mut self, owner: O) {
        self.entries.remove(&owner);
    }
}

/// Returns the strongest challenge of each realm that the credentials are meant for.
fn strongest(response: &Message, name: HeaderName, credentials: &Credentials) -> Vec<Challenge> {
    let mut best: Vec<Challenge> = Vec::new();
    let offered = response.challenges(name).unwrap_or_default();
    for challenge in offered.iter().filter_map(Challenge::from_params) {
        if credentials.realm.as_ref().is_some_and(|realm| *realm != challenge.realm) {
            continue;
        }
        match best.iter_mut().find(|known| known.realm == challenge.realm) {
            // RFC 8760 §2.4 lets the server order them; a weaker first choice must not win over a stronger one.
            Some(known) if challenge.algorithm > known.algorithm => *known = challenge,
            Some(_) => {}
            None => best.push(challenge),
        }
    }
    best
}
