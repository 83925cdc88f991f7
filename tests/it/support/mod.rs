//! The one world that simulated tests live in: a network in memory, virtual time, a switchboard,
//! and functions to wait with.

pub(crate) mod folder;
pub(crate) mod peer;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use offhook::{
    command::{CallCommand, CallSelector, Command, Execute, Outcome, PhoneCommand, Rejection, Sound},
    config::Limits,
    event::{CallEvent, Cause, Envelope, Event, MediaEvent, PhoneSpec, Surface},
    id::{CallId, PhoneId, Seq},
    secret::Secret,
    sim,
    switchboard::{Options, Switchboard},
    wall::Wall,
};

/// A simulated network and one switchboard on it.
pub(crate) struct World {
    pub(crate) network: sim::Network,
    pub(crate) board: Switchboard,
    /// Per phone, the event after which waiting begins, so that nothing is seen twice and nothing
    /// is missed.
    cursors: HashMap<PhoneId, Seq>,
}

impl World {
    /// Starts an empty world; needs paused time.
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// Starts an empty world with limits.
    pub(crate) async fn with(limits: Limits) -> Self {
        Self::changed(|options| options.limits = limits).await
    }

    /// Starts an empty world with other options.
    pub(crate) async fn changed(change: impl FnOnce(&mut Options)) -> Self {
        let network = sim::Network::new(7);
        let wall = Wall::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let mut options = Options::in_memory(Arc::new(network.clone()), wall, 7);
        change(&mut options);
        let board = Switchboard::start(options).await.unwrap();
        Self { network, board, cursors: HashMap::new() }
    }

    /// Executes a command.
    pub(crate) async fn run(&self, command: Command) -> Result<Outcome, Rejection> {
        self.board.execute(command, Cause::command(Surface::Library)).await
    }

    /// Adds a phone that does not register, listening on a fixed port of the simulated host.
    pub(crate) async fn phone(&self, name: &str, port: u16) -> PhoneId {
        let phone: PhoneId = name.parse().unwrap();
        let spec = PhoneSpec { local_port: port, register: false, ..spec("127.0.0.1:5060", name) };
        self.run(Command::add(phone.clone(), spec, Secret::new("x".into()))).await.unwrap();
        phone
    }

    /// Places a call and returns its id.
    pub(crate) async fn call(&self, from: &PhoneId, target: &str) -> CallId {
        let command = Command::Phone(
            from.clone(),
            PhoneCommand::PlaceCall { target: target.into(), headers: [].into() },
        );
        self.run(command).await.unwrap().call.unwrap()
    }

    /// Lets a peer call a phone, which answers; returns the call and the phone's tag in it.
    pub(crate) async fn called_by(&mut self, peer: &peer::Peer, phone: &PhoneId) -> (CallId, String) {
        peer.request("INVITE", 1, "", peer::EVENTS);
        let call = self.next(phone, "call.incoming").await.subject.call.unwrap();
        self.run(Command::Call(on(call), CallCommand::Answer { status: 200 })).await.unwrap();
        let to = peer::tag(&peer::header(&peer.next("SIP/2.0 200").await, "To"));
        peer.request("ACK", 1, &to, "");
        self.next(phone, "call.established").await;
        (call, to)
    }

    /// Lets a phone call a peer, which answers with this session description.
    pub(crate) async fn calls(&mut self, phone: &PhoneId, peer: &peer::Peer, sdp: &str) -> CallId {
        let call = self.call(phone, &format!("sip:peer@127.0.0.1:{}", peer.port())).await;
        let invite = peer.next("INVITE").await;
        peer.answer(&invite, "200 OK", "", sdp);
        self.next(phone, "call.established").await;
        call
    }

    /// Hangs up a call; its peer agrees.
    pub(crate) async fn hang_up(&self, call: CallId, peer: &peer::Peer) {
        self.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
        peer.agrees().await;
    }

    /// Counts the facts of one kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.board.journal().query_blocking(&offhook::journal::Query::of_kinds(&[kind])).unwrap().len()
    }

    /// Waits for the next event of a kind on a phone.
    pub(crate) async fn next(&mut self, phone: &PhoneId, kind: &str) -> Arc<Envelope> {
        self.next_within(phone, kind, Duration::from_secs(60)).await
    }

    pub(crate) async fn next_within(
        &mut self,
        phone: &PhoneId,
        kind: &str,
        within: Duration,
    ) -> Arc<Envelope> {
        let mut reader = self.board.journal().reader(self.cursors.get(phone).copied().unwrap_or_default());
        let found = tokio::time::timeout(within, async {
            loop {
                let envelope = reader.next().await.unwrap();
                if envelope.subject.phone.as_ref() == Some(phone) && envelope.event.kind() == kind {
                    return envelope;
                }
            }
        })
        .await;
        let Ok(envelope) = found else { panic!("no {kind} on {phone} within {within:?}\n{}", self.story()) };
        self.cursors.insert(phone.clone(), envelope.seq);
        envelope
    }

    /// Returns every event as a line, without the SIP messages.
    pub(crate) fn story(&self) -> String {
        let all = self.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
        let line = |e: &Arc<Envelope>| {
            let mut data = e.event.data();
            if let Some(fields) = data.as_object_mut() {
                fields.remove("message");
            }
            let phone = e.subject.phone.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {phone} {} {data}", e.seq, e.event.kind())
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Checks what every call promises at its end: it ends once, nothing follows, and its media has
    /// stopped.
    fn every_call_ended_once(&self) {
        let all = self.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
        let mut calls: BTreeMap<CallId, Vec<&Event>> = BTreeMap::new();
        for envelope in &all {
            if let (Some(call), Event::Call(_) | Event::Media(_)) = (envelope.subject.call, &envelope.event) {
                calls.entry(call).or_default().push(&envelope.event);
            }
        }
        for (call, facts) in calls {
            let count = |wanted: fn(&Event) -> bool| facts.iter().filter(|fact| wanted(fact)).count();
            let story = || format!("call {call}\n{}", self.story());
            assert_eq!(count(|fact| matches!(fact, Event::Call(CallEvent::Ended { .. }))), 1, "{}", story());
            let last = facts.last().map(|fact| fact.kind());
            assert_eq!(last, Some("call.ended"), "{}", story());
            let started = count(|fact| matches!(fact, Event::Media(MediaEvent::Started { .. })));
            let stopped = count(|fact| matches!(fact, Event::Media(MediaEvent::Stopped { .. })));
            assert_eq!(started, stopped, "{}", story());
        }
    }

    /// Ends the world and checks that no socket and no call is left.
    pub(crate) async fn end(self) {
        self.board.shutdown().await.unwrap();
        assert_eq!(self.board.views().all_active_calls().len(), 0, "calls are left\n{}", self.story());
        // Reader tasks end when they are next scheduled.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(self.network.sockets(), 0, "sockets are left");
        assert_eq!(self.board.media_load().legs, 0, "media legs are left");
        self.every_call_ended_once();
    }
}

/// Starts an empty world with a phone `a` and a peer beside it.
pub(crate) async fn beside_a_peer() -> (World, PhoneId, peer::Peer) {
    let world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = peer::Peer::new(&world.network, 5070, 5061);
    (world, a, peer)
}

/// Returns a phone's settings with the usual defaults.
pub(crate) fn spec(domain: &str, username: &str) -> PhoneSpec {
    PhoneSpec::new(domain, username)
}

/// Selects a call.
pub(crate) fn on(call: CallId) -> CallSelector {
    CallSelector::call(call)
}

/// A sine tone of one frequency.
pub(crate) fn tone(hz: f64) -> Sound {
    Sound::Tone { hz: vec![hz], level_dbfs: -10.0, duration: None }
}
