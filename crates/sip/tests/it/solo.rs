//! One engine whose peer is the test itself, message by message.

use crate::cast::{address, uri};
use offhook_sip::auth::Credentials;
use offhook_sip::message::{Builder, HeaderName, Message, Method, StatusCode};
use offhook_sip::session::{Invite, SessionEvent};
use offhook_sip::testkit::{SDP, epoch};
use offhook_sip::user_agent::{
    Body, Config, Destination, Event, Flow, Input, Output, SessionId, Transport, UserAgent,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One engine at 192.0.2.1 and everything it did.
pub(crate) struct Solo {
    pub(crate) agent: UserAgent,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<(Flow, Message)>,
    pub(crate) events: Vec<Event>,
    deadline: Option<Instant>,
}

pub(crate) const PEER: &str = "192.0.2.2:5060";

pub(crate) fn peer() -> SocketAddr {
    PEER.parse().unwrap()
}

impl Solo {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(7);
        config.local.insert(Transport::Udp, "192.0.2.1:5060".parse().unwrap());
        config.product = String::new();
        change(&mut config);
        let agent = UserAgent::new(config);
        Self { agent, now: epoch(), sent: Vec::new(), events: Vec::new(), deadline: None }
    }

    /// Acts on the engine and collects what follows.
    pub(crate) fn act<T>(&mut self, action: impl FnOnce(&mut UserAgent, Instant) -> T) -> T {
        let result = action(&mut self.agent, self.now);
        loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) => {
                    if let Some(message) = transmit.message() {
                        self.sent.push((transmit.flow, message.clone()));
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Fired(_) => {}
                Output::Timeout(next) => {
                    self.deadline = next.map(|(at, _)| at);
                    return result;
                }
            }
        }
    }

    pub(crate) fn receive_from(&mut self, remote: SocketAddr, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote };
        self.act(|agent, now| agent.handle_input(now, Input::Received { flow, bytes }));
    }

    pub(crate) fn receive(&mut self, message: &Message) {
        self.receive_from(peer(), message.bytes());
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.deadline.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.act(|agent, now| agent.handle_input(now, Input::Timeout));
        }
        self.now = end;
    }

    /// Waits until nothing is pending and demands that nothing is left.
    pub(crate) fn settle(&mut self) {
        self.wait(Duration::from_secs(600));
        assert_eq!(self.agent.leftovers(), Vec::<String>::new());
    }

    /// Returns the last message that was sent.
    pub(crate) fn last(&self) -> &Message {
        &self.sent.last().unwrap().1
    }

    /// Returns start lines of everything sent, shortened to method or status, and forgets it.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        let line = |(_, message): &(Flow, Message)| match message.status() {
            Some(status) => format!("{} {}", status.code(), message.method()),
            None => message.method().to_string(),
        };
        let lines = self.sent.iter().map(line).collect();
        self.sent.clear();
        lines
    }

    /// Returns the session events so far, and forgets all events.
    pub(crate) fn take_session_events(&mut self) -> Vec<SessionEvent> {
        let events = std::mem::take(&mut self.events);
        events
            .into_iter()
            .filter_map(|event| if let Event::Session { event, .. } = event { Some(event) } else { None })
            .collect()
    }

    /// Returns the names of the session events so far, and forgets all events.
    pub(crate) fn take_names(&mut self) -> Vec<String> {
        let name = |event: &SessionEvent| {
            let text = format!("{event:?}");
            text.split([' ', '{', '(']).next().unwrap().to_owned()
        };
        self.take_session_events().iter().map(name).collect()
    }

    /// Returns the anomalies so far, without details, and forgets all events.
    pub(crate) fn take_anomalies(&mut self) -> Vec<String> {
        let events = std::mem::take(&mut self.events);
        let name = |event: Event| if let Event::Anomaly { what, .. } = event { Some(what) } else { None };
        events
            .into_iter()
            .filter_map(name)
            .map(|what| format!("{what:?}").split([' ', '{', '(']).next().unwrap().to_owned())
            .collect()
    }

    /// Calls the peer.
    pub(crate) fn call(&mut self, offer: bool) -> SessionId {
        let destination = Destination::udp(peer());
        let mut invite = Invite::new(uri("sip:bob@192.0.2.2"), address("<sip:alice@192.0.2.1>"), destination);
        invite.body = offer.then(|| Body::sdp(SDP));
        invite.credentials = Some(Credentials::new("alice", "secret"));
        self.act(|agent, now| agent.invite(now, invite))
    }

    /// Calls the peer, who answers at once, and forgets what was sent and reported on the way.
    pub(crate) fn established(&mut self) -> (SessionId, Message) {
        let id = self.call(true);
        let invite = self.last().clone();
        self.receive(&ok(&invite, "bob"));
        self.sent.clear();
        self.events.clear();
        (id, invite)
    }
}

/// Answers a request of the engine with a To tag and a Contact.
pub(crate) fn answer(request: &Message, status: StatusCode, tag: &str) -> Builder {
    request.response_to(status, None).to_tag(tag).header(HeaderName::Contact, "<sip:bob@192.0.2.2>")
}

/// Answers an INVITE of the engine with 200 and a session description.
pub(crate) fn ok(invite: &Message, tag: &str) -> Message {
    answer(invite, StatusCode::OK, tag).body("application/sdp", SDP).build()
}

/// A request of the peer inside the dialog that an INVITE of the engine made.
pub(crate) fn in_dialog(invite: &Message, tag: &str, method: &Method, cseq: u32) -> Builder {
    let from = invite.to().unwrap().with_tag(tag);
    Builder::request(method.clone(), &invite.contacts().unwrap().first().unwrap().uri.clone())
        .header(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{cseq}{tag}"))
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, from)
        .header(HeaderName::To, invite.header(HeaderName::From).unwrap())
        .header(HeaderName::CallId, invite.call_id().unwrap())
        .header(HeaderName::CSeq, format!("{cseq} {method}"))
        .header(HeaderName::Contact, "<sip:bob@192.0.2.2>")
}

/// A request of the peer outside any dialog.
pub(crate) fn fresh(method: &Method, name: &str) -> Builder {
    Builder::request(method.clone(), &uri("sip:alice@192.0.2.1"))
        .header(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{name}"))
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, format!("<sip:bob@192.0.2.2>;tag=from-{name}"))
        .header(HeaderName::To, "<sip:alice@192.0.2.1>")
        .header(HeaderName::CallId, format!("call-{name}"))
        .header(HeaderName::CSeq, format!("1 {method}"))
        .header(HeaderName::Contact, "<sip:bob@192.0.2.2>")
}

/// The ACK of a response that the engine gave to an INVITE of the peer; a 2xx needs a branch of its own.
pub(crate) fn ack(invite: &Message, response: &Message, branch: Option<&str>) -> Message {
    let mut ack = Builder::from_message(invite)
        .request_line(&Method::Ack, &uri("sip:alice@192.0.2.1"))
        .set(HeaderName::To, response.header(HeaderName::To).unwrap())
        .set(HeaderName::CSeq, format!("{} ACK", invite.cseq().unwrap().number))
        .without_body();
    if let Some(branch) = branch {
        ack = ack.set(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.2;branch={branch}"));
    }
    ack.build()
}
