//! Registration: RFC 3261 §10.2. One REGISTER at a time, refreshed before it expires, with back-off after failures.
//!
//! A refusal that a repeat cannot cure (401 and 403 after credentials, 404 and other 4xx) ends the attempts until
//! the user asks again. Leaves out Path, GRUU and outbound (RFC 5626) apart from the CRLF keep-alive.

use crate::auth::Credentials;
use crate::message::{HeaderName, Message, Method, NameAddr, StatusCode, Uri};
use crate::user_agent::{
    Anomaly, ContactForm, Deadline, Destination, Draft, Event, Flow, Outgoing, Output, Owner, RegistrationId,
    RequestFailure, Transmit, User, UserAgent,
};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// First wait after a failure that may pass, doubled for each further one.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// Longest wait between attempts.
const LAST_RETRY: Duration = Duration::from_secs(600);
/// The longest lifetime or wait that we accept from a registrar, unless we asked for more: beyond a
/// day, we would not notice that it has forgotten us.
const MOST_BELIEVED: Duration = Duration::from_secs(24 * 3600);

/// How many proxies of a Service-Route are kept.
const MOST_PROXIES: usize = 8;

/// What is to be registered, and where.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Request-URI: the registrar's domain, without a user part.
    pub registrar: Uri,
    /// Address of record, for From and To.
    pub aor: Uri,
    /// Where the REGISTER goes.
    pub destination: Destination,
    /// Answers challenges.
    pub credentials: Option<Credentials>,
    /// Lifetime to ask for, in whole seconds.
    pub expires: Duration,
    /// Display name of From and To.
    pub display: Option<String>,
    /// User part of the Contact; that of `aor` when absent.
    pub contact_user: Option<String>,
    /// Parameters appended to the Contact, as `;name=value` text.
    pub contact_params: String,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
}

impl Registration {
    /// Returns a registration for an hour without credentials.
    pub fn new(registrar: Uri, aor: Uri, destination: Destination) -> Self {
        Self {
            registrar,
            aor,
            destination,
            credentials: None,
            expires: Duration::from_secs(3600),
            display: None,
            contact_user: None,
            contact_params: String::new(),
            headers: Vec::new(),
        }
    }

    /// Finds our binding in a registrar's answer: the contact that we sent, or one of the same user
    /// where something on the path has put in the address that it sees.
    fn binding_in<'a>(&self, list: &'a [NameAddr], own: Option<SocketAddr>) -> Option<&'a NameAddr> {
        let user = self.contact_user.as_deref().map(Cow::Borrowed).or_else(|| self.aor.user_decoded());
        let same_user = |contact: &&NameAddr| contact.uri.user_decoded() == user;
        let exact = list.iter().filter(same_user).find(|contact| {
            contact.uri.host().and_then(crate::message::Host::ip) == own.map(|own| own.ip())
                && contact.uri.port().unwrap_or(5060) == own.map_or(0, |own| own.port())
        });
        // Of several others, those of earlier starts have less time left.
        exact.or_else(|| list.iter().filter(same_user).max_by_key(|contact| contact.expires()))
    }
}

/// What happened to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationEvent {
    /// The registrar asked for credentials; the answer is on its way.
    Challenged {
        /// 401 or 407.
        status: StatusCode,
    },
    /// The registrar has the binding.
    Registered {
        /// Lifetime that the registrar granted.
        expires: Duration,
        /// When the next REGISTER goes out by itself.
        refresh_in: Duration,
        /// Status of the response.
        status: StatusCode,
        /// Its reason phrase, odd ones included.
        reason: String,
        /// Bindings of the address of record, ours included.
        contact_count: usize,
    },
    /// The binding is gone at our request; the registration is forgotten.
    Unregistered {
        /// Status of the response.
        status: StatusCode,
    },
    /// The last REGISTER failed.
    Failed {
        /// Status; absent on a time-out or transport failure.
        status: Option<StatusCode>,
        /// Reason phrase, or what went wrong.
        reason: String,
        /// When the next attempt goes out by itself; `None` when the engine waits for the user.
        retry_in: Option<Duration>,
    },
}

/// What a registration waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistrationTimer {
    /// Refresh the binding before it expires.
    Refresh,
    /// Try again after a failure.
    Retry,
    /// Keep the NAT binding of the registered flow open (RFC 5626 §3.5.1).
    KeepAlive,
}

impl RegistrationTimer {
    pub(crate) const FIRST: Self = Self::Refresh;
    pub(crate) const LAST: Self = Self::KeepAlive;
}

/// State of one registration.
#[derive(Debug)]
pub(crate) struct RegistrationState {
    what: Registration,
    call_id: String,
    tag: String,
    cseq: u32,
    expires: Duration,
    /// Proxies that later requests of the account go through (RFC 3608).
    service_route: Vec<Uri>,
    /// The REGISTER that is under way.
    outgoing: Option<u64>,
    /// The REGISTER that is under way removes the binding.
    removing: bool,
    /// Another REGISTER is wanted when this one is over.
    again: Option<Again>,
    failures: u32,
    raised_to_minimum: bool,
    flow: Option<Flow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Refresh,
    Remove,
}

impl RegistrationState {
    pub(crate) const fn next_cseq(&mut self) -> u32 {
        self.cseq = self.cseq.wrapping_add(1);
        self.cseq
    }
}

impl UserAgent {
    /// Registers, and keeps the binding alive until [`Self::unregister`].
    pub fn register(&mut self, now: Instant, registration: Registration) -> RegistrationId {
        let id = RegistrationId(self.fresh_id());
        let state = RegistrationState {
            call_id: self.ids.call_id(),
            tag: self.ids.tag(),
            cseq: 0,
            expires: registration.expires,
            what: registration,
            service_route: Vec::new(),
            outgoing: None,
            removing: false,
            again: None,
            failures: 0,
            raised_to_minimum: false,
            flow: None,
        };
        self.registrations.insert(id, Box::new(state));
        self.send_register(now, id, false);
        id
    }

    /// Sends a REGISTER now, also after a failure that ended the attempts. Unknown handles are ignored.
    pub fn refresh(&mut self, now: Instant, id: RegistrationId) {
        self.register_again(now, id, Again::Refresh);
    }

    /// Removes the binding; [`RegistrationEvent::Unregistered`] or `Failed` follows, then the handle is dead.
    pub fn unregister(&mut self, now: Instant, id: RegistrationId) {
        self.register_again(now, id, Again::Remove);
    }

    /// Replaces the credentials, or takes them away; they count from the next REGISTER on.
    pub fn set_credentials(&mut self, id: RegistrationId, credentials: Option<Credentials>) {
        if let Some(state) = self.registrations.get_mut(&id) {
            state.what.credentials = credentials;
            self.wallet.forget(Owner::Registration(id));
        }
    }

    /// Returns the proxies that further requests of the account go through (RFC 3608), as its registrar last named them.
    pub fn service_route(&self, id: RegistrationId) -> &[Uri] {
        self.registrations.get(&id).map_or(&[], |state| &state.service_route)
    }

    /// Tells whether a REGISTER waits for its outcome.
    pub fn is_registering(&self, id: RegistrationId) -> bool {
        self.registrations.get(&id).is_some_and(|state| state.outgoing.is_some())
    }

    fn register_again(&mut self, now: Instant, id: RegistrationId, again: Again) {
        let Some(state) = self.registrations.get_mut(&id) else { return };
        if state.outgoing.is_some() {
            // §10.2: no new REGISTER before the last one is over. A wish to remove is never weakened.
            if state.again != Some(Again::Remove) && !state.removing {
                state.again = Some(again);
            }
        } else {
            self.send_register(now, id, again == Again::Remove);
        }
    }

    fn send_register(&mut self, now: Instant, id: RegistrationId, removing: bool) {
        self.deadlines.stop_all(Deadline::of_registration(id));
        let mut extra = Vec::new();
        self.push_product(&mut extra);
        extra.push((HeaderName::Allow, self.allow_text()));
        let Some(state) = self.registrations.get_mut(&id) else { return };
        state.removing = removing;
        state.again = None;
        let what = &state.what;
        let expires = if removing { 0 } else { state.expires.as_secs() };
        let mut address = NameAddr::new(what.aor.as_identity());
        address.display.clone_from(&what.display);
        let user = what.contact_user.clone();
        let user = user.or_else(|| what.aor.user().map(str::to_owned)).unwrap_or_default();
        let mut headers = vec![
            (HeaderName::From, address.clone().with_tag(&state.tag).to_string()),
            (HeaderName::To, address.to_string()),
            (HeaderName::CallId, state.call_id.clone()),
            (HeaderName::Expires, expires.to_string()),
        ];
        headers.extend(extra);
        headers.extend(what.headers.iter().cloned());
        let draft = Draft {
            method: Method::Register,
            uri: what.registrar.clone(),
            contact: ContactForm::Local { user, params: what.contact_params.clone() },
            headers,
            body: None,
        };
        let (destination, credentials) = (what.destination.clone(), what.credentials.clone());
        let cseq = state.next_cseq();
        let outgoing = Outgoing::new(User::Registration(id), draft, cseq, &destination, credentials);
        // The request may fail before `send_request` returns; then the outcome has already cleared
        // the mark.
        state.outgoing = Some(0);
        let outgoing = self.send_request(now, outgoing);
        if let Some(state) = self.registrations.get_mut(&id).filter(|state| state.outgoing == Some(0)) {
            state.outgoing = Some(outgoing);
        }
    }

    pub(crate) fn note_challenge(&mut self, user: User, status: StatusCode) {
        if let User::Registration(id) = user {
            self.raise(Event::Registration { id, event: RegistrationEvent::Challenged { status } });
        }
    }

    pub(crate) fn registration_timer(&mut self, now: Instant, id: RegistrationId, timer: RegistrationTimer) {
        match timer {
            RegistrationTimer::KeepAlive => self.keep_alive(now, id),
            RegistrationTimer::Refresh | RegistrationTimer::Retry => {
                self.register_again(now, id, Again::Refresh);
            }
        }
    }

    fn keep_alive(&mut self, now: Instant, id: RegistrationId) {
        let flow = self.registrations.get(&id).and_then(|state| state.flow);
        let (Some(flow), Some(interval)) = (flow, self.config.keep_alive) else { return };
        self.outputs.push_back(Output::Transmit(Transmit::keep_alive(flow)));
        self.arm(now, Deadline::Registration(id, RegistrationTimer::KeepAlive), interval);
    }

    pub(crate) fn registration_outcome(
        &mut self,
        now: Instant,
        id: RegistrationId,
        outgoing: u64,
        outcome: Result<&Message, RequestFailure>,
    ) {
        let flow = self.outgoing.get(&outgoing).and_then(|outgoing| outgoing.flow);
        let Some(state) = self.registrations.get_mut(&id) else { return };
        state.outgoing = None;
        match outcome {
            Ok(response) => match response.status() {
                Some(status) if status.is_success() && state.removing => {
                    self.end_registration(id, RegistrationEvent::Unregistered { status });
                }
                Some(status) if status.is_success() => self.registered(now, id, response, status, flow),
                Some(status) => self.registration_refused(now, id, response, status),
                None => {}
            },
            Err(failure) => self.registration_failed(now, id, None, failure.to_string(), None),
        }
        let again = self.registrations.get_mut(&id).filter(|state| state.outgoing.is_none());
        if let Some(again) = again.and_then(|state| state.again.take()) {
            self.send_register(now, id, again == Again::Remove);
        }
    }

    fn end_registration(&mut self, id: RegistrationId, event: RegistrationEvent) {
        self.registrations.remove(&id);
        self.deadlines.stop_all(Deadline::of_registration(id));
        self.wallet.forget(Owner::Registration(id));
        self.raise(Event::Registration { id, event });
    }

    fn registered(
        &mut self,
        now: Instant,
        id: RegistrationId,
        response: &Message,
        status: StatusCode,
        flow: Option<Flow>,
    ) {
        let own = flow.and_then(|flow| self.config.address(flow.transport));
        let Some(state) = self.registrations.get_mut(&id) else { return };
        // One that cannot be read is somebody else's binding.
        let list: Vec<NameAddr> =
            response.values(HeaderName::Contact).iter().filter_map(|value| value.parse().ok()).collect();
        let Some(ours) = state.what.binding_in(&list, own) else {
            // §10.2.4: the answer lists all bindings of the address of record, and ours is not
            // among them.
            if let Some(flow) = flow {
                self.anomaly(Anomaly::BindingNotListed, flow, response.bytes());
            }
            let reason = "the registrar does not list our contact among its bindings".to_owned();
            self.registration_failed(now, id, Some(status), reason, None);
            return;
        };
        let granted = ours.expires().or_else(|| response.expires().ok().flatten());
        let granted = granted.map_or(state.expires, |seconds| Duration::from_secs(seconds.into()));
        let expires = granted.min(state.expires.max(MOST_BELIEVED));
        if let Some(flow) = flow.filter(|_| granted > expires) {
            self.anomaly(Anomaly::LifetimeTooLong { granted, believed: expires }, flow, response.bytes());
        }
        let Some(state) = self.registrations.get_mut(&id) else { return };
        if expires.is_zero() {
            // Refreshing a binding that is gone at once would hammer the registrar.
            let reason = "the registrar granted no lifetime".to_owned();
            self.registration_failed(now, id, Some(status), reason, None);
            return;
        }
        let refresh_in = refresh_after(expires);
        state.failures = 0;
        state.raised_to_minimum = false;
        state.flow = flow;
        state.service_route = service_route(response);
        let event = RegistrationEvent::Registered {
            expires,
            refresh_in,
            status,
            reason: response.reason().map(|reason| reason.into_owned()).unwrap_or_default(),
            contact_count: list.len(),
        };
        self.raise(Event::Registration { id, event });
        self.arm(now, Deadline::Registration(id, RegistrationTimer::Refresh), refresh_in);
        let datagrams = flow.is_some_and(|flow| !flow.transport.is_reliable());
        if let Some(interval) = self.config.keep_alive.filter(|_| datagrams) {
            self.arm(now, Deadline::Registration(id, RegistrationTimer::KeepAlive), interval);
        }
    }

    fn registration_refused(
        &mut self,
        now: Instant,
        id: RegistrationId,
        response: &Message,
        status: StatusCode,
    ) {
        let reason = response.reason().map(|reason| reason.into_owned()).unwrap_or_default();
        let Some(state) = self.registrations.get_mut(&id) else { return };
        let minimum =
            response.min_expires().ok().flatten().map(|seconds| Duration::from_secs(seconds.into()));
        if status == StatusCode::INTERVAL_TOO_BRIEF
            && let Some(minimum) =
                minimum.filter(|minimum| *minimum > state.expires && *minimum <= MOST_BELIEVED)
            && !state.raised_to_minimum
            // A removal never turns into a new binding.
            && !state.removing
        {
            // §10.2.8: try again with the interval that the registrar asks for, once.
            state.raised_to_minimum = true;
            state.expires = minimum;
            self.send_register(now, id, false);
            return;
        }
        let after =
            response.retry_after().ok().flatten().map(|after| Duration::from_secs(after.seconds.into()));
        self.registration_failed(now, id, Some(status), reason, after);
    }

    fn registration_failed(
        &mut self,
        now: Instant,
        id: RegistrationId,
        status: Option<StatusCode>,
        reason: String,
        after: Option<Duration>,
    ) {
        let Some(state) = self.registrations.get_mut(&id) else { return };
        if state.removing {
            self.end_registration(id, RegistrationEvent::Failed { status, reason, retry_in: None });
            return;
        }
        let retry_in = status.is_none_or(|status| status.is_success() || may_pass(status)).then(|| {
            let doubled = FIRST_RETRY.saturating_mul(1 << state.failures.min(8)).min(LAST_RETRY);
            let wait = after.unwrap_or(doubled).clamp(FIRST_RETRY, MOST_BELIEVED);
            // Phones that lost the same registrar must not all come back in the same instant.
            wait + self.ids.between(Duration::ZERO, wait / 10)
        });
        state.failures = state.failures.saturating_add(1);
        if let Some(wait) = retry_in {
            self.arm(now, Deadline::Registration(id, RegistrationTimer::Retry), wait);
        }
        self.raise(Event::Registration { id, event: RegistrationEvent::Failed { status, reason, retry_in } });
    }
}

/// Reads the Service-Route of an answer; one that does not begin with a loose router cannot be
/// followed.
fn service_route(response: &Message) -> Vec<Uri> {
    let proxies = response.service_route().unwrap_or_default();
    let route: Vec<Uri> = proxies.into_iter().take(MOST_PROXIES).map(|proxy| proxy.uri).collect();
    if route.first().is_some_and(Uri::lr) { route } else { Vec::new() }
}

/// Tells whether a later attempt may succeed after this status.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.code(), 408 | 480 | 491 | 500..=699)
}

/// Returns when to refresh: early enough for a whole time-out and another try, but never before half the lifetime.
fn refresh_after(expires: Duration) -> Duration {
    let lead = (expires / 10).max(Duration::from_secs(35)).min(expires / 2);
    expires.saturating_sub(lead).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_refreshed_early_enough_for_a_second_try() {
        let cases = [(60, 30), (120, 85), (300, 265), (3600, 3240), (2, 1), (0, 1)];
        for (expires, after) in cases {
            assert_eq!(refresh_after(Duration::from_secs(expires)), Duration::from_secs(after), "{expires}");
        }
    }

    #[test]
    fn only_passing_refusals_are_tried_again() {
        for code in 400..700_u16 {
            let status = StatusCode::new(code).unwrap();
            assert_eq!(may_pass(status), code >= 500 || [408, 480, 491].contains(&code), "{code}");
        }
    }
}
