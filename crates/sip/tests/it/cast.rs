//! The people in the flows: Alice, who calls, Bob, who answers, and a registrar that knows Alice.

use offhook_sip::auth::{Challenger, Credentials, Secret, Verdict};
use offhook_sip::message::{Builder, HeaderName, Message, Method, NameAddr, StatusCode, Uri};
use offhook_sip::registration::{Registration, RegistrationEvent};
use offhook_sip::session::{EndCause, Invite, Party, SessionEvent};
use offhook_sip::testkit::{Desk, Network, Pair, SDP, Script, Side, UasScript, ladder};
use offhook_sip::user_agent::{Body, Config, Destination, Event, SessionId};
use std::time::Duration;

/// Parses a URI that a test spells out.
pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// Parses an address that a test spells out.
pub(crate) fn address(text: &str) -> NameAddr {
    text.parse().unwrap()
}

/// Returns a pair whose peers allow REGISTER and REFER as well.
pub(crate) fn pair(network: Network) -> Pair {
    let config = |seed| {
        let mut config = Config::new(seed);
        config.product = String::new();
        config.allow.extend([Method::Register, Method::Refer]);
        config
    };
    Pair::new(config(1), config(2), network)
}

/// Returns the way to Bob.
pub(crate) fn to_bob(pair: &Pair) -> Destination {
    Destination::udp(pair.b.address)
}

/// Returns Alice's call to Bob.
pub(crate) fn call(pair: &Pair) -> Invite {
    let mut invite =
        Invite::new(uri("sip:bob@192.0.2.2"), address("Alice <sip:alice@192.0.2.1>"), to_bob(pair));
    invite.body = Some(Body::sdp(SDP));
    invite.credentials = Some(Credentials::new("alice", "secret"));
    invite
}

/// Returns Alice's registration at Bob's address.
pub(crate) fn registration(pair: &Pair) -> Registration {
    let mut registration = Registration::new(uri("sip:192.0.2.2"), uri("sip:alice@192.0.2.2"), to_bob(pair));
    registration.credentials = Some(Credentials::new("alice", "secret"));
    registration
}

/// Lets Alice call Bob, who behaves as the script says.
pub(crate) fn calling(network: Network, bob: UasScript) -> (Pair, SessionId) {
    let mut pair = pair(network);
    pair.script(Side::B, bob);
    let invite = call(&pair);
    let id = pair.act(Side::A, |agent, now| agent.invite(now, invite));
    (pair, id)
}

/// Runs to the end and demands that nothing is left in either engine.
pub(crate) fn finish(pair: &mut Pair) {
    pair.drive().unwrap();
    assert_eq!(pair.leftovers(), Vec::<String>::new(), "{}", ladder::draw(&pair.sent));
}

/// Returns the session events of one side, without their times.
pub(crate) fn session_events(pair: &Pair, side: Side) -> Vec<SessionEvent> {
    let session = |(_, event): &(Duration, Event)| {
        if let Event::Session { event, .. } = event { Some(event.clone()) } else { None }
    };
    pair.peer(side).events.iter().filter_map(session).collect()
}

/// Returns the registration events of one side.
pub(crate) fn registration_events(pair: &Pair, side: Side) -> Vec<RegistrationEvent> {
    let registration = |(_, event): &(Duration, Event)| {
        if let Event::Registration { event, .. } = event { Some(event.clone()) } else { None }
    };
    pair.peer(side).events.iter().filter_map(registration).collect()
}

/// Returns how the session of one side ended, and demands that it did so exactly once and last.
pub(crate) fn ended(pair: &Pair, side: Side) -> (Party, EndCause, Option<u16>) {
    let events = session_events(pair, side);
    let ends = events.iter().filter(|event| matches!(event, SessionEvent::Ended { .. })).count();
    assert_eq!(ends, 1, "{side:?}: {events:#?}");
    match events.last() {
        Some(SessionEvent::Ended { by, cause, status, .. }) => (*by, *cause, status.map(StatusCode::code)),
        other => panic!("{side:?} did not end last: {other:?}"),
    }
}

/// Returns the names of the session events of one side.
pub(crate) fn names(pair: &Pair, side: Side) -> Vec<String> {
    let name = |event: &SessionEvent| {
        let text = format!("{event:?}");
        text.split([' ', '{', '(']).next().unwrap().to_owned()
    };
    session_events(pair, side).iter().map(name).collect()
}

/// Returns the requests with one method that one side sent first, retransmissions left out.
pub(crate) fn requests(pair: &Pair, side: Side, method: &Method) -> Vec<Message> {
    let sent = pair.sent.iter().filter(|sent| sent.from == side && !sent.retransmission);
    let messages = sent.filter_map(|sent| sent.message.clone());
    messages.filter(|message| message.is_request() && message.method() == *method).collect()
}

/// A registrar, or any UAS, that wants credentials for some methods and then does what an ordinary user does.
pub(crate) struct Guard {
    pub(crate) challenger: Challenger,
    pub(crate) methods: Vec<Method>,
    pub(crate) proxy: bool,
    pub(crate) expires: u32,
    pub(crate) then: UasScript,
}

impl Guard {
    /// Returns a guard of REGISTER who grants what is asked, up to an hour.
    pub(crate) fn registrar() -> Self {
        Self {
            challenger: Challenger::new("lab", 99),
            methods: vec![Method::Register],
            proxy: false,
            expires: 3600,
            then: UasScript::default(),
        }
    }

    fn verdict(&mut self, desk: &Desk<'_>, message: &Message) -> Verdict {
        let answers = if self.proxy { message.proxy_authorization() } else { message.authorization() };
        let answers = answers.unwrap_or_default();
        let method = message.method();
        let lookup = |user: &str| (user == "alice").then(|| Secret::Password("secret".to_owned()));
        self.challenger.verify(desk.now, answers.first(), method.as_str(), message.body(), lookup)
    }

    /// Returns the answer of a registrar: the binding with the lifetime it gets, or none.
    fn grant(&self, message: &Message) -> Builder {
        let asked = message.expires().unwrap().unwrap_or(3600).min(self.expires);
        let reply = message.response_to(StatusCode::OK, None);
        let contact = message.contacts().unwrap().first().unwrap().clone();
        if asked == 0 {
            return reply;
        }
        reply.header(HeaderName::Contact, contact.with_param("expires", Some(&asked.to_string())))
    }

    /// Returns the challenge that must be sent, if any.
    fn challenge(&mut self, desk: &Desk<'_>, message: &Message) -> Option<(StatusCode, HeaderName, String)> {
        if !self.methods.contains(&message.method()) {
            return None;
        }
        let stale = match self.verdict(desk, message) {
            Verdict::Ok(_) => return None,
            Verdict::Stale => true,
            Verdict::Wrong | Verdict::Missing | Verdict::UnknownUser(_) => false,
        };
        let value = self.challenger.issue(desk.now, stale);
        Some(if self.proxy {
            (StatusCode::PROXY_AUTHENTICATION_REQUIRED, HeaderName::ProxyAuthenticate, value)
        } else {
            (StatusCode::UNAUTHORIZED, HeaderName::WwwAuthenticate, value)
        })
    }
}

impl Script for Guard {
    fn event(&mut self, desk: &mut Desk<'_>, event: &Event) {
        match event {
            Event::Request { id, message, .. } => {
                let reply = if let Some((status, name, value)) = self.challenge(desk, message) {
                    message.response_to(status, None).header(name, value)
                } else if message.method() == Method::Register {
                    self.grant(message)
                } else {
                    message.response_to(StatusCode::OK, None)
                };
                desk.agent.reply(desk.now, *id, reply).unwrap();
            }
            Event::Session { id, event: SessionEvent::Incoming { invite, .. } } => {
                if let Some((status, name, value)) = self.challenge(desk, invite) {
                    let headers = vec![(name, value)];
                    desk.agent.respond(desk.now, *id, status, None, None, headers).unwrap();
                } else {
                    self.then.event(desk, event);
                }
            }
            Event::Session { .. }
            | Event::Registration { .. }
            | Event::Response { .. }
            | Event::Resolve { .. }
            | Event::FailedOver { .. }
            | Event::Anomaly { .. } => self.then.event(desk, event),
        }
    }
}

/// Returns the only session of one side.
pub(crate) fn session_of(pair: &Pair, side: Side) -> SessionId {
    let session = |(_, event): &(Duration, Event)| {
        if let Event::Session { id, .. } = event { Some(*id) } else { None }
    };
    // Alice has no event before the first response, but her session is the first handle she gave out.
    let first = pair.peer(side).events.iter().rev().find_map(session);
    first.or_else(|| pair.peer(side).agent.session_ids().first().copied()).unwrap()
}
