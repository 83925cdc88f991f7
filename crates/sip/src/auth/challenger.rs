//! The server side of digest authentication, for registrars and PBXes in tests: issues nonces, verifies answers.
//!
//! Nonces are remembered with their last count, so that replays are noticed (RFC 7616 §3.4.5). Time is an argument.

use super::digest::{self, Algorithm, Inputs, Qop};
use crate::ids::Ids;
use crate::index::Index;
use crate::message::AuthParams;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the server knows about a user.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password.
    Password(String),
    /// `H(user:realm:password)` in hexadecimal, for the algorithm that the challenge names.
    Ha1(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The result of checking an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is right; this is the user.
    Ok(String),
    /// The answer is right, but its nonce is too old, unknown or already used with this count:
    /// challenge again with `stale`.
    Stale,
    /// The answer is wrong, or is made for another realm, algorithm or URI form.
    Wrong,
    /// There is no digest answer.
    Missing,
    /// No user has this name.
    UnknownUser(String),
}

/// Issues challenges and verifies the answers.
#[derive(Debug)]
pub struct Challenger {
    /// Realm of every challenge.
    pub realm: String,
    /// Algorithm of every challenge.
    pub algorithm: Algorithm,
    /// Quality of protection that is offered; `None` makes RFC 2069 challenges.
    pub qop: Option<Qop>,
    /// How long a nonce may be used.
    pub lifetime: Duration,
    ids: Ids,
    nonces: Index<String, Nonce>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Nonce {
    issued: Instant,
    last_count: u32,
}

/// How many nonces are kept; older ones count as stale.
const MEMORY: usize = 4096;

impl Challenger {
    /// Returns a challenger with MD5, `qop="auth"` and nonces that live five minutes.
    pub fn new(realm: impl Into<String>, seed: u64) -> Self {
        Self {
            realm: realm.into(),
            algorithm: Algorithm::MD5,
            qop: Some(Qop::Auth),
            lifetime: Duration::from_secs(300),
            ids: Ids::new(seed),
            nonces: Index::new(),
            order: VecDeque::new(),
        }
    }

    /// Returns the value of a WWW-Authenticate or Proxy-Authenticate header with a new nonce.
    pub fn issue(&mut self, now: Instant, stale: bool) -> String {
        let nonce = format!("{:016x}{:016x}", self.ids.next_u64(), self.ids.next_u64());
        self.nonces.insert(nonce.clone(), Nonce { issued: now, last_count: 0 });
        self.order.push_back(nonce.clone());
        if self.order.len() > MEMORY
            && let Some(oldest) = self.order.pop_front()
        {
            self.nonces.remove(&oldest);
        }
        let mut value = format!(
            "Digest realm={}, nonce=\"{nonce}\", algorithm={}",
            digest::quoted(&self.realm),
            self.algorithm.as_str()
        );
        if let Some(qop) = self.qop {
            value.push_str(", qop=\"");
            value.push_str(qop.as_str());
            value.push('"');
        }
        if stale {
            value.push_str(", stale=true");
        }
        value
    }

    /// Verifies the answer of a request with `method` and `body`; `lookup` finds a user's secret.
    pub fn verify(
        &mut self,
        now: Instant,
        answer: Option<&AuthParams>,
        method: &str,
        body: &[u8],
        lookup: impl FnOnce(&str) -> Option<Secret>,
    ) -> Verdict {
        let Some(answer) = answer.filter(|answer| answer.scheme.eq_ignore_ascii_case("Digest")) else {
            return Verdict::Missing;
        };
        let get = |name: &str| answer.get(name).unwrap_or_default();
        let username = get("username");
        let Some(secret) = lookup(username) else { return Verdict::UnknownUser(username.to_owned()) };
        let ha1 = match secret {
            Secret::Password(password) => digest::ha1(self.algorithm, username, &self.realm, &password),
            Secret::Ha1(ha1) => ha1,
        };
        let count = u32::from_str_radix(get("nc"), 16).unwrap_or(0);
        let Some(qop) = self.answered_qop(answer) else { return Verdict::Wrong };
        let inputs = Inputs {
            algorithm: self.algorithm,
            ha1: &ha1,
            nonce: get("nonce"),
            qop: qop.map(|qop| (qop, count)),
            cnonce: get("cnonce"),
            method,
            uri: get("uri"),
            body,
        };
        let named = answer.get("algorithm").map_or(Some(Algorithm::MD5), Algorithm::parse);
        let fits = named == Some(self.algorithm) && get("realm") == self.realm;
        if !fits || !get("response").eq_ignore_ascii_case(&digest::response(&inputs)) {
            return Verdict::Wrong;
        }
        if self.consume(now, get("nonce"), qop.map(|_| count)) {
            Verdict::Ok(username.to_owned())
        } else {
            Verdict::Stale
        }
    }

    /// Returns the qop that the answer uses; the outer `None` means that this one was not offered.
    fn answered_qop(&self, answer: &AuthParams) -> Option<Option<Qop>> {
        match (answer.get("qop"), self.qop) {
            // A client may ignore qop (RFC 2069 form), and we offered it as an option.
            (None, _) => Some(None),
            (Some(used), Some(offered)) => {
                used.trim().eq_ignore_ascii_case(offered.as_str()).then_some(Some(offered))
            }
            (Some(_), None) => None,
        }
    }

    fn consume(&mut self, now: Instant, nonce: &str, count: Option<u32>) -> bool {
        let Some(known) = self.nonces.get_mut(nonce) else { return false };
        if now.saturating_duration_since(known.issued) > self.lifetime {
            return false;
        }
        let Some(count) = count else { return true };
        if count <= known.last_count {
            return false;
        }
        known.last_count = count;
        true
    }
}
