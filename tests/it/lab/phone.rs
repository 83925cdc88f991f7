//! A phone for tests: a bare user agent, one media session, and a log of everything that happened to it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use offhook::net::{Arrival, Batch, Flow, MediaSocket, Network, Signaling, SignalingOptions, Transport};
use offhook_media::{
    audio::Tone,
    dtmf::DigitMethod,
    negotiate::{self, Capabilities, LocalMedia},
    sdp::{Direction, SessionDescription},
    session::{Fact, MediaSession, Output as MediaOutput, SessionConfig, Source, StreamStats},
};
use offhook_sip::{
    auth::Credentials,
    message::{HeaderName, Message, Method, NameAddr, StatusCode, Uri},
    registration::{Registration, RegistrationEvent},
    session::{EndCause, Invite, SessionEvent},
    user_agent::{
        Body, Config, Destination, Event, Input, OutOfDialog, Output, RequestFailure, SessionId, UserAgent,
    },
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

/// Longest wait for anything, in virtual time.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) struct Phone {
    pub(super) user: String,
    password: String,
    lab: SocketAddr,
    transport: Transport,
    state: Arc<Mutex<State>>,
    signaling: Arc<Signaling>,
    kick: Arc<Notify>,
    changed: Arc<Notify>,
    task: JoinHandle<()>,
}

struct State {
    agent: UserAgent,
    deadline: Option<std::time::Instant>,
    signaling: Arc<Signaling>,
    rtp: Arc<dyn MediaSocket>,
    rtcp: Arc<dyn MediaSocket>,
    media: MediaSession,
    local: LocalMedia,
    offer: Option<SessionDescription>,
    events: Vec<Event>,
    facts: Vec<Fact>,
    /// Its calls are over: its media clock stands still.
    resting: bool,
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

pub(super) fn text(body: &Option<Vec<u8>>) -> String {
    String::from_utf8(body.clone().unwrap_or_default()).unwrap()
}

impl State {
    fn drain(&mut self) {
        loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) => {
                    self.signaling.send(&transmit.flow, transmit.bytes()).unwrap();
                }
                Output::Event(Event::Session { id, event: SessionEvent::GlareOver }) => {
                    let body = self.offer();
                    self.agent.reinvite(now(), id, body).unwrap();
                }
                Output::Event(event) => self.events.push(event),
                Output::Fired(_) => {}
                Output::Timeout(next) => {
                    self.deadline = next.map(|(at, _)| at);
                    break;
                }
            }
        }
        while let Some(output) = self.media.poll_output() {
            match output {
                MediaOutput::Packet { to, bytes } => drop(self.rtp.try_send(&bytes, to)),
                MediaOutput::Rtcp { to, bytes } => drop(self.rtcp.try_send(&bytes, to)),
                MediaOutput::Fact(fact) => self.facts.push(fact),
                MediaOutput::RecordFrame(_) => {}
            }
        }
    }

    fn offer(&mut self) -> Body {
        self.local.version += 1;
        let offer = negotiate::offer(&Capabilities::default(), &self.local);
        let body = Body::sdp(offer.to_string());
        self.offer = Some(offer);
        body
    }

    fn answer(&mut self, offer: &[u8]) -> Body {
        self.local.version += 1;
        let offer = SessionDescription::parse(offer).unwrap();
        let agreed = negotiate::answer(&Capabilities::default(), &self.local, &offer).unwrap();
        self.media.set_plan(now(), agreed.plan);
        Body::sdp(agreed.description.to_string())
    }

    fn agree(&mut self, answer: &[u8]) {
        let answer = SessionDescription::parse(answer).unwrap();
        let offer = self.offer.clone().expect("an offer is open");
        let plan = negotiate::accept_answer(&Capabilities::default(), &offer, &answer).unwrap();
        self.media.set_plan(now(), plan);
    }
}

async fn run(
    state: Arc<Mutex<State>>,
    mut arrivals: mpsc::Receiver<Arrival>,
    kick: Arc<Notify>,
    changed: Arc<Notify>,
) {
    let (rtp, rtcp) = {
        let state = state.lock().unwrap();
        (Arc::clone(&state.rtp), Arc::clone(&state.rtcp))
    };
    let (mut packets, mut reports) = (Batch::new(), Batch::new());
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        let (deadline, resting) = {
            let state = state.lock().unwrap();
            (state.deadline, state.resting)
        };
        let alarm = async {
            match deadline {
                Some(at) => sleep_until(Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = kick.notified() => {}
            () = alarm => state.lock().unwrap().agent.handle_input(now(), Input::Timeout),
            _ = ticks.tick(), if !resting => state.lock().unwrap().media.handle_tick(now()),
            Ok(()) = rtp.receive(&mut packets) => for packet in packets.datagrams() {
                state.lock().unwrap().media.handle_packet(packet.at, packet.from, packet.bytes);
            },
            Ok(()) = rtcp.receive(&mut reports) => for report in reports.datagrams() {
                state.lock().unwrap().media.handle_rtcp(report.at, report.from, report.bytes);
            },
            Some(arrival) = arrivals.recv() => match arrival {
                Arrival::Message { flow, message, .. } => {
                    state.lock().unwrap().agent.handle_input(now(), Input::Message { flow, message: &message });
                }
                Arrival::Unparsable { flow, bytes, .. } => {
                    state.lock().unwrap().agent.handle_input(now(), Input::Received { flow, bytes: &bytes });
                }
                Arrival::Returned { flow, sent, .. } => {
                    state.lock().unwrap().agent.handle_input(now(), Input::Returned { flow, sent: &sent });
                }
                Arrival::Failed { flow, .. } => {
                    state.lock().unwrap().agent.handle_input(now(), Input::TransportFailed { flow });
                }
                Arrival::Closed { .. } | Arrival::Unframeable { .. } => {}
            },
        }
        state.lock().unwrap().drain();
        changed.notify_waiters();
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a phone is created from.
pub(super) struct Setup<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) ip: IpAddr,
    pub(super) lab: SocketAddr,
    pub(super) transport: Transport,
    pub(super) seed: u64,
}

impl Phone {
    pub(super) fn new(network: Arc<dyn Network>, setup: &Setup<'_>) -> Self {
        let (arrived, arrivals) = mpsc::channel(256);
        let local = SocketAddr::new(setup.ip, 0);
        let options = SignalingOptions { local, permits: 128, phone: None };
        let deliver = move |arrival| arrived.try_send(arrival).unwrap();
        let signaling = Arc::new(Signaling::open(Arc::clone(&network), options, deliver).unwrap());
        let (rtp, rtcp) = network.bind_media(setup.ip).unwrap();
        let mut config = Config::new(setup.seed);
        config.local = signaling.locals().collect();
        let local = LocalMedia {
            session_id: setup.seed,
            version: 1,
            address: setup.ip,
            port: rtp.local().port(),
            direction: Direction::SendRecv,
        };
        let media = SessionConfig { seed: setup.seed, reception_timeout: None, ..SessionConfig::default() };
        let state = Arc::new(Mutex::new(State {
            agent: UserAgent::new(config),
            deadline: None,
            signaling: Arc::clone(&signaling),
            rtp,
            rtcp,
            media: MediaSession::new(media, now()),
            local,
            offer: None,
            events: Vec::new(),
            facts: Vec::new(),
            resting: false,
        }));
        let (kick, changed) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let task = tokio::spawn(run(Arc::clone(&state), arrivals, Arc::clone(&kick), Arc::clone(&changed)));
        Self {
            user: setup.user.to_owned(),
            password: setup.password.to_owned(),
            lab: setup.lab,
            transport: setup.transport,
            state,
            signaling,
            kick,
            changed,
            task,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Applies an action to the engine, and sends what follows.
    pub(super) fn act<T>(&self, action: impl FnOnce(&mut UserAgent, std::time::Instant) -> T) -> T {
        let mut state = self.lock();
        let done = action(&mut state.agent, now());
        state.drain();
        drop(state);
        self.kick.notify_one();
        done
    }

    /// Sends bytes that no engine would send.
    pub(super) fn send_raw(&self, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, local: self.signaling.local(), remote: self.lab };
        self.signaling.send(&flow, bytes).unwrap();
    }

    async fn until<T>(&self, what: &str, mut found: impl FnMut(&mut State) -> Option<T>) -> T {
        let search = async {
            loop {
                let changed = self.changed.notified();
                if let Some(found) = found(&mut self.lock()) {
                    return found;
                }
                changed.await;
            }
        };
        match timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => panic!("{} never saw: {what}; it saw {:#?}", self.user, self.lock().events),
        }
    }

    /// Waits for the first event that `pick` wants, past or future, and removes it from the log.
    pub(super) async fn event<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        self.until(what, |state| {
            let (at, found) =
                state.events.iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?)))?;
            state.events.remove(at);
            Some(found)
        })
        .await
    }

    /// The same for the events of one session.
    pub(super) async fn session<T>(
        &self,
        id: SessionId,
        what: &str,
        pick: impl Fn(&SessionEvent) -> Option<T>,
    ) -> T {
        self.event(what, |event| match event {
            Event::Session { id: of, event } if *of == id => pick(event),
            _ => None,
        })
        .await
    }

    /// Waits for the first fact that `pick` wants.
    pub(super) async fn fact<T>(&self, what: &str, pick: impl Fn(&Fact) -> Option<T>) -> T {
        self.until(what, |state| {
            let (at, found) =
                state.facts.iter().enumerate().find_map(|(at, fact)| Some((at, pick(fact)?)))?;
            state.facts.remove(at);
            Some(found)
        })
        .await
    }

    /// Waits until `digits` were received, in order.
    pub(super) async fn digits(&self, digits: &str) {
        for wanted in digits.chars() {
            let got = self.fact("a digit", |fact| match fact {
                Fact::Digit { digit, .. } => Some(digit.as_char()),
                _ => None,
            });
            assert_eq!(got.await, wanted);
        }
    }

    pub(super) fn stats(&self) -> StreamStats {
        self.lock().media.stats()
    }

    /// Waits until `more` further packets have been received.
    pub(super) async fn hears(&self, more: u64) {
        let wanted = self.stats().packets_received + more;
        self.until("packets", |state| (state.media.stats().packets_received >= wanted).then_some(())).await;
    }

    pub(super) fn play_tone(&self) {
        self.lock().media.play(Source::Tone(Tone::steady(&[440.0], -10.0)));
    }

    pub(super) fn send_digits(&self, digits: &str) {
        let time = Duration::from_millis(100);
        self.lock().media.send_digits(DigitMethod::Rfc4733, digits, time, time).unwrap();
    }

    pub(super) fn uri(&self, number: &str) -> Uri {
        Uri::parse(&format!("sip:{number}@{}", self.lab)).unwrap()
    }

    fn destination(&self) -> Destination {
        Destination::among(vec![(self.transport, self.lab)])
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials::new(&self.user, &self.password))
    }

    /// Registers, and returns the outcome.
    pub(super) async fn register(&self) -> RegistrationEvent {
        self.register_for(3600).await
    }

    pub(super) async fn register_for(&self, seconds: u64) -> RegistrationEvent {
        let registrar = Uri::parse(&format!("sip:{}", self.lab)).unwrap();
        let mut registration = Registration::new(registrar, self.uri(&self.user), self.destination());
        registration.credentials = self.credentials();
        registration.expires = Duration::from_secs(seconds);
        self.act(|agent, now| agent.register(now, registration));
        self.registration().await
    }

    pub(super) async fn registration(&self) -> RegistrationEvent {
        self.event("an outcome of the registration", |event| match event {
            Event::Registration { event: RegistrationEvent::Challenged { .. }, .. } => None,
            Event::Registration { event, .. } => Some(event.clone()),
            _ => None,
        })
        .await
    }

    /// Sends a request outside any call, and returns its final response.
    pub(super) async fn request(
        &self,
        method: Method,
        number: &str,
        headers: &[(HeaderName, &str)],
        body: Option<&str>,
    ) -> Result<Message, RequestFailure> {
        let from = NameAddr::new(self.uri(&self.user));
        let to = match method {
            Method::Register => from.clone(),
            _ => NameAddr::new(self.uri(number)),
        };
        let mut request = OutOfDialog::new(method, self.uri(number), from, to, self.destination());
        request.credentials = self.credentials();
        request.headers = headers.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
        request.body = body.map(|body| Body { content_type: "text/plain".to_owned(), bytes: body.into() });
        let id = self.act(|agent, now| agent.request(now, request));
        self.event("a response", |event| match event {
            Event::Response { id: of, provisional: false, outcome } if *of == id => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Calls a number, with our offer.
    pub(super) fn call(&self, number: &str) -> SessionId {
        let body = self.lock().offer();
        self.invite(number, Some(body), Vec::new())
    }

    pub(super) fn invite(
        &self,
        number: &str,
        body: Option<Body>,
        headers: Vec<(HeaderName, String)>,
    ) -> SessionId {
        let from = NameAddr::new(self.uri(&self.user)).with_display("Ann");
        let mut invite = Invite::new(self.uri(number), from, self.destination());
        invite.credentials = self.credentials();
        invite.body = body;
        invite.headers = headers;
        self.act(|agent, now| agent.invite(now, invite))
    }

    /// Waits for a call.
    pub(super) async fn incoming(&self) -> (SessionId, Message, Option<Vec<u8>>) {
        self.event("an incoming call", |event| match event {
            Event::Session { id, event: SessionEvent::Incoming { invite, offer, .. } } => {
                Some((*id, invite.clone(), offer.clone()))
            }
            _ => None,
        })
        .await
    }

    pub(super) fn respond(&self, id: SessionId, code: u16, reason: Option<&str>, body: Option<Body>) {
        let status = StatusCode::new(code).unwrap();
        self.act(|agent, now| agent.respond(now, id, status, reason, body, Vec::new())).unwrap();
    }

    /// Answers an offer of a call or a re-INVITE with 200.
    pub(super) fn accept(&self, id: SessionId, offer: &[u8]) {
        let body = self.lock().answer(offer);
        self.respond(id, 200, None, Some(body));
    }

    /// Returns an answer to `offer`.
    pub(super) fn answer_to(&self, offer: &[u8]) -> Body {
        self.lock().answer(offer)
    }

    /// Returns an offer; the next answer belongs to it.
    pub(super) fn offer(&self) -> Body {
        self.lock().offer()
    }

    /// Applies the answer to our offer.
    pub(super) fn agree(&self, answer: &[u8]) {
        self.lock().agree(answer);
    }

    /// Waits for the answer to our call, and lets media flow.
    pub(super) async fn answered(&self, id: SessionId) -> String {
        let sdp = self.session(id, "an answer", |event| match event {
            SessionEvent::Answered { sdp, .. } => Some(sdp.clone()),
            _ => None,
        });
        let sdp = sdp.await.expect("the answer has a description");
        self.agree(&sdp);
        String::from_utf8(sdp).unwrap()
    }

    /// Waits for a provisional response, and returns its status and description.
    pub(super) async fn provisional(&self, id: SessionId) -> (u16, Option<Vec<u8>>) {
        self.session(id, "a provisional response", |event| match event {
            SessionEvent::Provisional { status, sdp, .. } => Some((status.code(), sdp.clone())),
            _ => None,
        })
        .await
    }

    /// Waits for the refusal of our call.
    pub(super) async fn refused(&self, id: SessionId) -> (u16, String) {
        self.session(id, "a refusal", |event| match event {
            SessionEvent::Rejected { status, reason, .. } => Some((status.code(), reason.clone())),
            _ => None,
        })
        .await
    }

    pub(super) async fn ended(&self, id: SessionId) -> EndCause {
        self.session(id, "the end", |event| match event {
            SessionEvent::Ended { cause, .. } => Some(*cause),
            _ => None,
        })
        .await
    }

    pub(super) fn hang_up(&self, id: SessionId) {
        self.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    }

    /// Sends a re-INVITE with this direction.
    pub(super) fn reoffer(&self, id: SessionId, direction: Direction) {
        let body = {
            let mut state = self.lock();
            state.local.direction = direction;
            state.offer()
        };
        self.act(|agent, now| agent.reinvite(now, id, body)).unwrap();
    }

    /// Waits for a re-INVITE, answers it, and returns what it offered.
    pub(super) async fn accept_reoffer(&self, id: SessionId) -> String {
        let offer = self.session(id, "a re-INVITE", |event| match event {
            SessionEvent::Reoffered { offer, .. } => Some(offer.clone()),
            _ => None,
        });
        let offer = offer.await.expect("the re-INVITE has an offer");
        self.accept(id, &offer);
        String::from_utf8(offer).unwrap()
    }

    /// Waits for the answer to our re-INVITE.
    pub(super) async fn modified(&self, id: SessionId) -> String {
        let answer = self.session(id, "an answer to the re-INVITE", |event| match event {
            SessionEvent::Modified { answer, .. } => Some(answer.clone()),
            _ => None,
        });
        let answer = answer.await.unwrap();
        self.agree(&answer);
        String::from_utf8(answer).unwrap()
    }

    /// Stops the media clock, which nothing needs after the last call of a test.
    pub(super) fn rest(&self) {
        self.lock().resting = true;
        self.kick.notify_one();
    }

    /// Returns what the engine has not finished.
    pub(super) fn leftovers(&self) -> Vec<String> {
        self.lock().agent.leftovers()
    }
}
