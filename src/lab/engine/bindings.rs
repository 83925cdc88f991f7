//! The registrar's table: which contacts a user has, RFC 3261 §10.3.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use offhook_sip::{
    message::{Contacts, HeaderName, Message, NameAddr, StatusCode, Uri},
    user_agent::{Destination, Flow},
};

use crate::lab::options::Timing;

/// Most contacts per user.
const MOST_CONTACTS: usize = 10;

/// One place where a user can be reached.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) uri: Uri,
    flow: Flow,
    until: Instant,
    call_id: String,
    cseq: u32,
}

impl Binding {
    /// Returns where requests for this contact go.
    ///
    /// The contact's own address is trusted if it is the address the REGISTER came from; otherwise
    /// the phone is behind NAT and only the way back is open.
    pub(super) fn destination(&self) -> Destination {
        let own = self
            .uri
            .host()
            .and_then(|host| host.ip())
            .map(|ip| SocketAddr::new(ip, self.uri.port().unwrap_or(5060)));
        let back = self.flow.remote;
        let transport = self.flow.transport;
        let candidates = if transport.is_reliable() {
            // The phone's connection is the way to it; its listener is the second choice.
            let listener = own.filter(|own| own.ip() == back.ip() && *own != back);
            std::iter::once(back).chain(listener).map(|to| (transport, to)).collect()
        } else {
            vec![(transport, own.filter(|own| own.ip() == back.ip()).unwrap_or(back))]
        };
        Destination::among(candidates)
    }
}

/// The bindings of every user.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    by_user: HashMap<String, Vec<Binding>>,
}

/// Why a REGISTER is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400: contradicts itself or an earlier request.
    Bad(&'static str),
    /// 423 with Min-Expires, in seconds.
    TooBrief(u64),
    /// 403: too many contacts, or one that is the PBX itself.
    Forbidden(&'static str),
}

impl Refusal {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::TooBrief(_) => StatusCode::INTERVAL_TOO_BRIEF,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
        }
    }
}

impl Bindings {
    /// Returns the current bindings of `user`, newest first.
    pub(super) fn of(&mut self, user: &str, now: Instant) -> Vec<Binding> {
        let Some(list) = self.by_user.get_mut(user) else { return Vec::new() };
        list.retain(|binding| binding.until > now);
        list.iter().rev().cloned().collect()
    }

    /// Returns how many bindings are current.
    pub(super) fn count(&self, now: Instant) -> usize {
        self.by_user.values().flatten().filter(|binding| binding.until > now).count()
    }

    /// Carries out a REGISTER completely, or not at all.
    pub(super) fn register(
        &mut self,
        now: Instant,
        user: &str,
        request: &Message,
        flow: Flow,
        timing: &Timing,
        own: SocketAddr,
    ) -> Result<(), Refusal> {
        let contacts = request.contacts().map_err(|_| Refusal::Bad("Unusable Contact"))?;
        let header = request.expires().map_err(|_| Refusal::Bad("Unusable Expires"))?;
        let mut list = self.of(user, now);
        list.reverse();
        let call_id = request.call_id().unwrap_or_default();
        let cseq = request.cseq().map(|cseq| cseq.number).unwrap_or_default();
        if contacts.is_star() {
            if header != Some(0) {
                return Err(Refusal::Bad("Contact * needs Expires 0"));
            }
            list.clear();
        }
        for contact in contacts.list() {
            let lifetime = lifetime(contact, header, timing)?;
            let same = |binding: &Binding| binding.uri.equivalent(&contact.uri);
            if list.iter().any(|binding| same(binding) && binding.call_id == call_id && binding.cseq >= cseq)
            {
                return Err(Refusal::Bad("Older than the last registration"));
            }
            list.retain(|binding| !same(binding));
            if lifetime.is_zero() {
                continue;
            }
            let binding = Binding {
                uri: contact.uri.clone(),
                flow,
                until: now + lifetime,
                call_id: call_id.clone(),
                cseq,
            };
            if binding.destination().candidates.iter().any(|(_, to)| *to == own) {
                return Err(Refusal::Forbidden("That contact is this server"));
            }
            list.push(binding);
        }
        if list.len() > MOST_CONTACTS {
            return Err(Refusal::Forbidden("Too Many Contacts"));
        }
        self.by_user.insert(user.to_owned(), list);
        Ok(())
    }

    /// Returns the Contact headers that list the bindings of `user`.
    pub(super) fn headers(&mut self, user: &str, now: Instant) -> Vec<(HeaderName, String)> {
        let line = |binding: &Binding| {
            let left = binding.until.saturating_duration_since(now);
            // Rounded up, so that a new binding shows its whole lifetime.
            let seconds = left.as_millis().div_ceil(1000);
            (HeaderName::Contact, format!("<{}>;expires={seconds}", binding.uri))
        };
        self.of(user, now).iter().map(line).collect()
    }
}

fn lifetime(contact: &NameAddr, header: Option<u32>, timing: &Timing) -> Result<Duration, Refusal> {
    let asked = contact.expires().or(header).map(|seconds| Duration::from_secs(seconds.into()));
    let asked = asked.unwrap_or(timing.usual_registration);
    if !asked.is_zero() && asked < timing.shortest_registration {
        return Err(Refusal::TooBrief(timing.shortest_registration.as_secs()));
    }
    Ok(asked.min(timing.longest_registration))
}

/// Returns whether a REGISTER only queries the bindings.
pub(super) fn is_query(contacts: &Contacts) -> bool {
    !contacts.is_star() && contacts.list().is_empty()
}
