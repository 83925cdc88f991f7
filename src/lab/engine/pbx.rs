//! The engine's state, its inputs and outputs, and the dispatch of events.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use offhook_sip::{
    message::{Host, Message, Method, NameAddr, Scheme, StatusCode, Uri},
    session::SessionEvent,
    user_agent::{
        Body, BodyType, Config, Event, IncomingId, Input, NamedHeaders, OptionTag, Output, RequestId,
        SessionId, Transmit, Transport, UserAgent,
    },
};

use super::{
    alarms::Alarms,
    bindings::Bindings,
    description::ground,
    guard::Guard,
    hunt::Hunt,
    leg::{Leg, Role},
    messages::Relayed,
};
use crate::{
    lab::{
        media::{Media, MediaFact, MediaLeg},
        options::LabOptions,
        told::Teller,
        users::UserTable,
    },
    net::{Network, carries},
};

/// What an engine is created from.
pub(in crate::lab) struct EngineOptions {
    pub(in crate::lab) lab: LabOptions,
    pub(in crate::lab) users: UserTable,
    /// Bound address, with an IP that peers can reach.
    pub(in crate::lab) address: SocketAddr,
    pub(in crate::lab) seed: u64,
    pub(in crate::lab) media: Media,
    pub(in crate::lab) network: Arc<dyn Network>,
}

/// What is alive in a lab; all zero some time after the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Dialogs with phones; a call between two phones has two.
    pub legs: usize,
    /// Sessions of the user agent; a finished one absorbs retransmissions for 32 s.
    pub sessions: usize,
    /// SIP transactions, absorbing ones included.
    pub transactions: usize,
    /// Pairs of media ports.
    pub media_legs: usize,
    /// The PBX's own deadlines.
    pub alarms: usize,
    /// Requests passed on that wait for their response.
    pub relayed: usize,
    /// Registered contacts.
    pub bindings: usize,
    /// Open streams.
    pub connections: usize,
}

/// The PBX without sockets.
pub(in crate::lab) struct Engine {
    pub(super) agent: UserAgent,
    pub(super) options: LabOptions,
    pub(super) users: UserTable,
    pub(super) bindings: Bindings,
    pub(super) guard: Guard,
    pub(super) media: Media,
    pub(super) legs: HashMap<SessionId, Leg>,
    pub(super) hunts: HashMap<SessionId, Hunt>,
    pub(super) voices: HashMap<u64, SessionId>,
    pub(super) relayed: HashMap<RequestId, Relayed>,
    /// Requests passed on to several contacts: how many responses may still come.
    pub(super) copies: HashMap<IncomingId, usize>,
    pub(super) alarms: Alarms,
    pub(super) teller: Teller,
    pub(super) address: SocketAddr,
    network: Arc<dyn Network>,
    outbox: VecDeque<Transmit>,
    agent_deadline: Option<Instant>,
    anomalies: u64,
}

impl Engine {
    pub(in crate::lab) fn new(options: EngineOptions) -> Self {
        let EngineOptions { lab, users, address, seed, media, network } = options;
        let mut config = Config::new(seed);
        "offhook lab".clone_into(&mut config.product);
        config.local = Transport::ALL.into_iter().filter(|it| carries(*it)).map(|it| (it, address)).collect();
        config.allow.extend([Method::Register, Method::Refer]);
        config.supported.push(OptionTag::REPLACES);
        // To a registrar everybody is a stranger.
        config.room_of_strangers = config.room;
        // What phones send each other is passed on, whatever it is.
        config.bodies.push(BodyType {
            media: "*/*",
            purpose: "",
            requests: &[Method::Info, Method::Message],
        });
        Self {
            agent: UserAgent::new(config),
            guard: Guard::new(&lab.realm, lab.digest, seed),
            teller: Teller::new(lab.told.clone()),
            options: lab,
            users,
            bindings: Bindings::default(),
            media,
            legs: HashMap::new(),
            hunts: HashMap::new(),
            voices: HashMap::new(),
            relayed: HashMap::new(),
            copies: HashMap::new(),
            alarms: Alarms::default(),
            address,
            network,
            outbox: VecDeque::new(),
            agent_deadline: None,
            anomalies: 0,
        }
    }

    /// Handles a message that arrived, or the failure of a flow.
    pub(in crate::lab) fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.agent.handle_input(now, input);
        self.drain(now);
    }

    /// Handles a fact from a voice.
    pub(in crate::lab) fn handle_fact(&mut self, now: Instant, (leg, fact): MediaFact) {
        if let Some(&session) = self.voices.get(&leg) {
            self.robot_heard(now, session, &fact);
            self.drain(now);
        }
    }

    /// Handles what is due by `now`.
    pub(in crate::lab) fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_input(now, Input::Timeout);
        self.drain(now);
        while let Some(leg) = self.alarms.due(now) {
            self.alarm(now, leg);
            self.drain(now);
        }
    }

    /// Returns the next message to send; poll until empty after every input.
    pub(in crate::lab) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    /// Returns when `handle_timeout` must be called.
    pub(in crate::lab) fn deadline(&self) -> Option<Instant> {
        [self.agent_deadline, self.alarms.next()].into_iter().flatten().min()
    }

    /// Ends every call.
    pub(in crate::lab) fn end_all(&mut self, now: Instant) {
        let mut legs: Vec<SessionId> = self.legs.keys().copied().collect();
        legs.sort_unstable();
        self.hunts.clear();
        for leg in legs {
            self.leave(now, leg, Vec::new());
        }
        self.drain(now);
    }

    /// Returns what is alive.
    pub(in crate::lab) fn live(&self, now: Instant) -> LiveCounts {
        LiveCounts {
            legs: self.legs.len(),
            sessions: self.agent.sessions(),
            transactions: self.agent.transactions(),
            media_legs: self.media.alive(),
            alarms: self.alarms.len(),
            relayed: self.relayed.len() + self.copies.len() + self.voices.len() + self.hunts.len(),
            bindings: self.bindings.count(now),
            connections: 0,
        }
    }

    /// Returns how often a peer did something that no well-behaved peer does.
    pub(in crate::lab) const fn anomalies(&self) -> u64 {
        self.anomalies
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) => self.outbox.push_back(transmit),
                Output::Event(event) => self.event(now, event),
                Output::Fired(_) => {}
                Output::Timeout(next) => {
                    self.agent_deadline = next.map(|(at, _)| at);
                    return;
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Session { id, event } => self.session_event(now, id, event),
            Event::Request { id, message, flow, .. } => self.request(now, id, &message, flow),
            Event::Response { id, provisional: false, outcome } => {
                self.passed_on(now, id, outcome.as_ref().ok());
            }
            // The lab responds to where requests came from: its engine resolves no names, and has
            // one address for each request.
            Event::Response { .. }
            | Event::Registration { .. }
            | Event::Resolve { .. }
            | Event::FailedOver { .. } => {}
            Event::Anomaly { what, flow, .. } => {
                self.anomalies += 1;
                tracing::debug!(?what, remote = %flow.remote, "odd message at the lab");
            }
        }
    }

    fn session_event(&mut self, now: Instant, id: SessionId, mut event: SessionEvent) {
        ground(&mut event);
        match event {
            SessionEvent::Incoming { invite, flow, offer, replaces } => {
                self.incoming(now, id, &invite, flow, offer.as_deref(), replaces.as_ref());
            }
            SessionEvent::Provisional { status, reason, sdp, .. } => {
                self.branch_rings(now, id, status, &reason, sdp.as_deref());
            }
            SessionEvent::Answered { sdp, .. } => self.branch_answered(now, id, sdp.as_deref()),
            SessionEvent::Acknowledged { sdp } => self.acknowledged(now, id, sdp.as_deref()),
            SessionEvent::Reoffered { offer, .. } => self.reoffered(now, id, offer.as_deref()),
            SessionEvent::Modified { answer, .. } => self.modified(now, id, answer.as_deref()),
            SessionEvent::ModifyFailed { status, .. } => self.modify_failed(now, id, status),
            SessionEvent::GlareOver => self.offer_again(now, id),
            SessionEvent::Refer { request, message } => self.referred(now, id, request, &message),
            SessionEvent::Info { request, message } | SessionEvent::Message { request, message } => {
                self.pass_in_dialog(now, id, request, message);
            }
            SessionEvent::Notify { request, .. } => {
                // We send no REFER and no SUBSCRIBE.
                self.reply(now, request, StatusCode::CALL_DOES_NOT_EXIST);
            }
            SessionEvent::RequestDone { request, outcome } => {
                self.passed_on(now, request, outcome.as_ref().ok());
            }
            SessionEvent::Rejected { status, reason, .. } => self.branch_refused(now, id, status, &reason),
            SessionEvent::Ended { reason_header, .. } => self.ended(now, id, reason_header),
            SessionEvent::Trying
            | SessionEvent::SurplusAnswer { .. }
            | SessionEvent::Glare { .. }
            | SessionEvent::Canceled { .. }
            | SessionEvent::Ending { .. } => {}
        }
    }

    fn alarm(&mut self, now: Instant, id: SessionId) {
        match self.legs.get(&id).map(|leg| &leg.role) {
            Some(Role::Robot(_)) => self.robot_alarm(now, id),
            Some(Role::Transferred) => self.leave(now, id, Vec::new()),
            Some(Role::Caller | Role::Bridged { .. } | Role::Waiting) => self.hunt_over(now, id),
            Some(Role::Branch { .. } | Role::Leaving) | None => {}
        }
    }
}

/// What all parts of the engine need.
impl Engine {
    /// Responds to an INVITE or re-INVITE.
    pub(super) fn respond(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        body: Option<Body>,
        headers: NamedHeaders,
    ) {
        self.respond_as(now, id, (status, None), body, headers);
    }

    /// Responds to an INVITE with a status and, if the response comes from somebody else, its
    /// reason phrase.
    pub(super) fn respond_as(
        &mut self,
        now: Instant,
        id: SessionId,
        (status, reason): (StatusCode, Option<&str>),
        body: Option<Body>,
        headers: NamedHeaders,
    ) {
        self.teller.responded(id, status);
        if let Err(error) = self.agent.respond(now, id, status, reason, body, headers) {
            tracing::debug!(%error, "the lab's answer came too late");
        }
    }

    /// Responds to any other request with a bare status.
    pub(super) fn reply(&mut self, now: Instant, id: IncomingId, status: StatusCode) {
        if let Err(error) = self.agent.reply_status(now, id, status) {
            tracing::debug!(%error, "the lab's answer came too late");
        }
    }

    /// Responds to any other request with more than a status.
    pub(super) fn reply_with(
        &mut self,
        now: Instant,
        id: IncomingId,
        request: &Message,
        status: StatusCode,
        headers: NamedHeaders,
    ) {
        let start = request.response_to(status, None);
        let response =
            headers.into_iter().fold(start, |response, (name, value)| response.header(name, value));
        if let Err(error) = self.agent.reply(now, id, response) {
            tracing::debug!(%error, "the lab's answer came too late");
        }
    }

    /// Ends a leg in the way its state requires; its `Ended` removes it.
    pub(super) fn leave(&mut self, now: Instant, id: SessionId, headers: NamedHeaders) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.role = Role::Leaving;
        self.voices.remove(&leg.media.id());
        self.alarms.clear(id);
        if self.agent.hang_up(now, id, headers).is_err() {
            self.legs.remove(&id);
        }
    }

    /// Opens media ports where `peer` can reach them.
    pub(super) fn open_media(&self, peer: SocketAddr) -> Option<MediaLeg> {
        let ip: IpAddr = if self.options.bind.ip().is_unspecified() {
            self.network.local_ip_towards(peer).unwrap_or_else(|_| self.address.ip())
        } else {
            self.address.ip()
        };
        self.media.open(ip).inspect_err(|error| tracing::warn!(%error, "no media ports at the lab")).ok()
    }

    /// Returns the address of a number at this PBX.
    pub(super) fn number(&self, user: &str) -> NameAddr {
        let host = Host::from(self.address.ip());
        NameAddr::new(Uri::from_parts(Scheme::Sip, user, host, Some(self.address.port())))
    }
}
