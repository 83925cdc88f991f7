//! The actor around one phone: each network arrival or command is one mutation of the user agent,
//! followed by one drain.
//!
//! `drain` handles what the engine outputs, `commands` what users ask for, `calls` what belongs to
//! calls, and `recovery` what an earlier process or actor left behind.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use offhook_sip::{
    Index,
    auth::Credentials,
    message::{Method, NameAddr, Uri},
    user_agent::{BodyType, Config, Input, RegistrationId, RequestId, UserAgent},
};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    Dangling, Left, Outbox, Registrar,
    alarm::{Alarm, Due, timer_reason},
    call_table::CallTable,
    commands::CLOSING,
    evidence::Evidence,
    gate::Away,
    names::Asker,
};
use crate::{
    call::{Beginning, CallActor, CallArguments, CallMedia, Conferences, RecordingPlace, Reply, ToPhone},
    capture::{CapturedCall, Captures},
    command::{CallCommand, CallSelector, Outcome, PhoneCommand},
    config::{Limits, Occupant, Pool},
    event::{Cause, Event, PhoneEvent, PhoneSpec, Subject},
    id::{CallId, PhoneId, Seq},
    journal::Journal,
    media::MediaHub,
    net::{Arrival, Network, Resolution, Signaling, SignalingOptions},
    secret::Secret,
    telemetry::SeldomTogether,
};

/// How long a process that is stopping waits for the other sides of its calls, runs included.
const PATIENCE: Duration = Duration::from_secs(3);

/// The least time a phone of such a process waits, so that a prompt answer is still heard.
const LEAST: Duration = Duration::from_millis(250);

/// What all phones of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) journal: Journal,
    pub(crate) outbox: Outbox,
    pub(crate) hub: Arc<MediaHub>,
    pub(crate) conferences: Conferences,
    pub(crate) limits: Limits,
    pub(crate) recordings: Arc<crate::artifact::ArtifactFolder>,
    pub(crate) captures: Captures,
    /// One permit for each further call the process may have.
    pub(crate) call_permits: Arc<Semaphore>,
    /// Hands out run ids and knows which run has which phone.
    pub(crate) pool: Pool,
    /// Number of the next call.
    pub(crate) next_call: Arc<AtomicU64>,
    /// Seed from which all seeds are derived; fixed in simulations, random otherwise.
    pub(crate) seed: u64,
    /// Deadline for waiting on others, set once the process is stopping.
    pub(crate) process_ends: Arc<OnceLock<Instant>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Reserves room for one more call; `None` at the limit.
    pub(super) fn call_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.call_permits).try_acquire_owned().ok()
    }

    /// Returns the subject of facts about a phone.
    pub(crate) fn subject(&self, phone: &PhoneId) -> Subject {
        Subject::phone(phone.clone()).during(self.pool.run_of(phone))
    }

    /// Mixes the seed of the process with a phone's name and a number, such as the number of its
    /// life.
    pub(crate) fn seed_of(&self, id: &PhoneId, number: u64) -> u64 {
        // FNV-1a: spreads names well enough; its users mix further.
        let start = self.seed ^ 0xcbf2_9ce4_8422_2325 ^ number.rotate_left(32);
        id.as_str().bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// Starts the limit on how long anything in this process may wait for others.
    pub(crate) fn end_process(&self) {
        self.process_ends.get_or_init(|| Instant::now() + PATIENCE);
    }

    /// Returns how long a phone that closes now waits for others.
    pub(super) fn closing_time(&self) -> Duration {
        let left = self.process_ends.get().map(|end| end.saturating_duration_since(Instant::now()));
        left.map_or(CLOSING, |left| left.clamp(LEAST, CLOSING))
    }

    /// Returns whether calls whose end the other side has not confirmed are left to the next
    /// process, which finds them in the journal.
    pub(crate) fn leaves_calls_open(&self) -> bool {
        self.journal.is_on_disk() && self.process_ends.get().is_some()
    }

    pub(super) fn new_call(&self) -> CallId {
        CallId(self.next_call.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a phone's actor starts with.
#[derive(Clone, Debug)]
pub(crate) struct PhoneArguments {
    pub(crate) id: PhoneId,
    pub(crate) spec: PhoneSpec,
    pub(crate) password: Secret<String>,
    pub(crate) registrar: Registrar,
    pub(crate) shared: Shared,
    /// Calls that an earlier life of this phone left up.
    pub(crate) dangling: Vec<Dangling>,
    /// Port of the previous life. Reusing it lets messages under way arrive and keeps one contact
    /// at the registrar.
    pub(crate) last_port: Option<u16>,
    /// The run that has the phone to itself for now.
    pub(crate) occupant: Occupant,
    /// Distinguishes the lives of one phone, so that no identifier is used twice.
    pub(crate) life: u64,
    pub(crate) cause: Cause,
    /// The phone was already dropped: this life only ends the dangling calls.
    pub(crate) closing: bool,
}

/// The messages of a phone's actor.
#[derive(Debug)]
pub(crate) enum PhoneMessage {
    /// Something arrived from the network.
    Arrival(Arrival),
    /// A deadline may have passed.
    Deadline,
    /// A user command for the phone.
    Command {
        /// The command.
        command: PhoneCommand,
        /// The cause to journal.
        cause: Cause,
        /// Where the reply goes.
        reply: Reply,
    },
    /// A user command for one of the calls.
    CallCommand {
        /// Selects the call.
        selector: CallSelector,
        /// The command.
        command: CallCommand,
        /// The cause to journal.
        cause: Cause,
        /// Where the reply goes.
        reply: Reply,
    },
    /// The phone is dropped: it ends its calls, then its binding, then itself.
    Close {
        /// Whether to hang up calls on the wire.
        hang_up: bool,
        /// The cause to journal.
        cause: Cause,
    },
    /// A URI has been resolved to addresses.
    Followed {
        /// The addresses, and the steps that led to them.
        found: Box<Resolution>,
        /// Who is waiting for it.
        asker: Box<Asker>,
    },
    /// A call wants something signaled.
    FromCall(ToPhone),
    /// Makes the phone, or this call, fail on purpose; for the tests of supervision.
    #[cfg(test)]
    Fail(Option<CallId>),
}

impl From<ToPhone> for PhoneMessage {
    fn from(request: ToPhone) -> Self {
        Self::FromCall(request)
    }
}

impl TryFrom<PhoneMessage> for ToPhone {
    type Error = ();

    fn try_from(message: PhoneMessage) -> Result<Self, ()> {
        let PhoneMessage::FromCall(request) = message else { return Err(()) };
        Ok(request)
    }
}

/// One phone.
pub(crate) struct PhoneActor;

/// The binding at the registrar, or the attempt at one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) id: RegistrationId,
    /// Whether the registrar has accepted it, as far as we know.
    pub(super) held: bool,
    /// It is being removed, or will be as soon as the registrar accepts it.
    pub(super) leaving: bool,
    /// Somebody asked to register again while it was being removed.
    pub(super) again: bool,
}

/// What a pending request outside any call is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// A MESSAGE to this address.
    Message { to: String, sent: Seq },
    /// The end of a call that was left dangling.
    Recovery(Left),
}

/// The actor's state.
pub(crate) struct Shell {
    pub(super) me: ActorRef<PhoneMessage>,
    pub(super) id: PhoneId,
    pub(super) spec: PhoneSpec,
    /// The From of our requests; neither username nor domain ever changes.
    pub(super) from: Option<NameAddr>,
    pub(super) password: Secret<String>,
    pub(super) registrar: Registrar,
    pub(super) shared: Shared,
    pub(super) occupant: Occupant,
    /// `None` once the phone has closed, so that its port is free before anybody learns of it.
    pub(super) signaling: Option<Arc<Signaling>>,
    pub(super) local: SocketAddr,
    pub(super) agent: UserAgent,
    pub(super) binding: Option<Binding>,
    pub(super) calls: CallTable,
    /// The same calls by their Call-ID header, including those that ended a moment ago.
    pub(super) sip_call_ids: Index<String, CallId>,
    /// Ended calls whose last messages may still be retransmitted.
    pub(super) lingering: VecDeque<(Instant, String, CallId)>,
    pub(super) requests: BTreeMap<RequestId, Purpose>,
    pub(super) refused: u64,
    pub(super) evidence: Evidence,
    /// Why the call being offered is refused.
    pub(super) turned_away: Option<Away>,
    /// Limits log lines about refused calls, and about what its calls could not do.
    pub(super) refusals: SeldomTogether,
    /// URIs resolved in this life; seeds the random choice among servers of equal priority.
    pub(super) followed: u64,
    /// Why the message just sent, or the name the engine was waiting for, could not be reached.
    pub(super) unsent: Option<String>,
    /// The phone is closing.
    pub(super) closing: bool,
    /// Why it closes.
    pub(super) closed_by: Cause,
    /// The time for closing is over: nothing waits for the wire any more.
    pub(super) out_of_time: bool,
    pub(super) alarm: Alarm,
    pub(super) calls_made: u64,
    pub(super) life: u64,
}

impl Actor for PhoneActor {
    type Msg = PhoneMessage;
    type State = Shell;
    type Arguments = PhoneArguments;

    async fn pre_start(
        &self,
        me: ActorRef<PhoneMessage>,
        start: PhoneArguments,
    ) -> Result<Shell, ActorProcessingErr> {
        let captures = &start.shared.captures;
        // Before there is a socket, so that nothing passes unseen. A predecessor that failed while it
        // closed may have left its own.
        match start.spec.capture_enabled {
            true => captures.begin(&start.id, Vec::new(), &start.cause),
            false => drop(captures.end(&start.id, &start.cause)),
        }
        let mut phone = match Shell::open(me, &start) {
            Ok(phone) => phone,
            Err(error) => {
                drop(captures.end(&start.id, &start.cause));
                return Err(error.into());
            }
        };
        phone.append(PhoneEvent::Bound { local: phone.local }, &start.cause);
        phone.recover(&start.dangling, &start.cause);
        if start.closing {
            phone.begin_closing(&start.cause);
        } else if phone.spec.register {
            phone.register(&start.cause);
        }
        phone.drain(&start.cause).await;
        phone.close_when_quiet().await;
        Ok(phone)
    }

    async fn handle(
        &self,
        _me: ActorRef<PhoneMessage>,
        message: PhoneMessage,
        phone: &mut Shell,
    ) -> Result<(), ActorProcessingErr> {
        // Boxed, and freed between messages: otherwise the loop of every idle phone would hold room
        // for it.
        Box::pin(phone.take(message)).await;
        Ok(())
    }

    async fn post_stop(
        &self,
        _me: ActorRef<PhoneMessage>,
        phone: &mut Shell,
    ) -> Result<(), ActorProcessingErr> {
        phone.tell_left_out();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _me: ActorRef<PhoneMessage>,
        event: SupervisionEvent,
        phone: &mut Shell,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                let cause = phone.call_failed(actor.get_id(), &error.to_string());
                Box::pin(phone.drain(&cause)).await;
                Box::pin(phone.close_when_quiet()).await;
            }
            SupervisionEvent::ActorTerminated(actor, ..) => {
                phone.call_stopped(actor.get_id());
                Box::pin(phone.close_when_quiet()).await;
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl Shell {
    fn open(me: ActorRef<PhoneMessage>, start: &PhoneArguments) -> std::io::Result<Self> {
        let shared = start.shared.clone();
        let ip = start.registrar.local_ip(&*shared.network)?;
        let deliver = me.clone();
        let options = SignalingOptions {
            local: SocketAddr::new(ip, start.spec.local_port),
            permits: shared.limits.waiting_messages_per_phone,
            phone: Some(start.id.clone()),
        };
        let open = |port| {
            let (network, deliver) = (Arc::clone(&shared.network), deliver.clone());
            let local = SocketAddr::new(ip, port);
            let options = SignalingOptions { local, ..options.clone() };
            Signaling::open(network, options, move |arrival| {
                // If the phone is gone, the drop frees the permit.
                drop(deliver.cast(PhoneMessage::Arrival(arrival)));
            })
        };
        let again = start.last_port.filter(|_| start.spec.local_port == 0).and_then(|port| open(port).ok());
        let signaling = again.map_or_else(|| open(start.spec.local_port), Ok)?;
        let seed = shared.seed_of(&start.id, start.life);
        let config = Config {
            local: signaling.locals().collect(),
            product: concat!("offhook/", env!("CARGO_PKG_VERSION")).to_owned(),
            keep_alive: Some(Duration::from_secs(15)),
            follow_names: true,
            ..Config::new(seed)
        };
        let config = with_texts(config);
        Ok(Self {
            alarm: Alarm::start(me.clone()),
            me,
            id: start.id.clone(),
            from: aor(&start.spec).map(|aor| NameAddr::new(aor.as_identity())),
            spec: start.spec.clone(),
            password: start.password.clone(),
            registrar: start.registrar.clone(),
            shared,
            occupant: start.occupant.clone(),
            local: signaling.local(),
            signaling: Some(Arc::new(signaling)),
            agent: UserAgent::new(config),
            binding: None,
            calls: CallTable::default(),
            sip_call_ids: Index::new(),
            lingering: VecDeque::new(),
            requests: BTreeMap::new(),
            refused: 0,
            evidence: Evidence::new(start.shared.limits.calls_per_phone),
            turned_away: None,
            refusals: SeldomTogether::default(),
            followed: 0,
            unsent: None,
            closing: false,
            closed_by: start.cause.clone(),
            out_of_time: false,
            calls_made: 0,
            life: start.life,
        })
    }

    /// Handles one message, then everything that follows from it.
    async fn take(&mut self, message: PhoneMessage) {
        let cause = match message {
            PhoneMessage::Arrival(arrival) => self.arrival(arrival),
            PhoneMessage::Deadline => return self.deadline_passed().await,
            PhoneMessage::Command { command, cause, reply } => match self.cannot_begin(&command) {
                Some(refused) => {
                    // The asker may be gone.
                    drop(reply.send(Err(refused)));
                    cause
                }
                None => self.command(command, cause, reply).await,
            },
            PhoneMessage::CallCommand { selector, command, cause, reply } => {
                self.call_command(&selector, command, cause, reply)
            }
            PhoneMessage::Close { hang_up, cause } => self.close(hang_up, cause),
            PhoneMessage::Followed { found, asker } => self.followed(&found, *asker).await,
            PhoneMessage::FromCall(request) => self.perform(request),
            #[cfg(test)]
            PhoneMessage::Fail(None) => panic!("asked to"),
            #[cfg(test)]
            PhoneMessage::Fail(Some(call)) => {
                let actor = self.calls.actor(call).cloned().unwrap();
                actor.cast(crate::call::CallMessage::Fail).unwrap();
                return;
            }
        };
        self.drain(&cause).await;
        self.handled();
        self.unsent = None;
        self.close_when_quiet().await;
    }

    /// Returns the subject of facts about this phone.
    pub(super) fn subject(&self, call: Option<CallId>) -> Subject {
        Subject { call, ..Subject::phone(self.id.clone()).during(self.occupant.run()) }
    }

    /// Appends a fact about this phone.
    pub(super) fn append(&self, event: impl Into<Event>, cause: &Cause) -> Seq {
        self.shared.journal.append(self.subject(None), cause.clone(), event)
    }

    pub(super) fn outcome(&self, call: Option<CallId>) -> Outcome {
        Outcome { seq: self.shared.journal.head(), call, calls: call.into_iter().collect() }
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        let credentials = Credentials::new(self.spec.username.clone(), self.password.reveal().clone());
        let realm = self.spec.realm.clone().filter(|realm| !realm.is_empty() && realm != "*");
        (!self.password.reveal().is_empty()).then_some(Credentials { realm, ..credentials })
    }

    /// Returns the address of record, `sip:user@domain`.
    pub(super) fn aor(&self) -> Option<Uri> {
        aor(&self.spec)
    }

    /// Returns the Service-Route the registrar gave us (RFC 3608).
    pub(super) fn service_route(&self) -> Vec<Uri> {
        self.binding.map(|binding| self.agent.service_route(binding.id).to_vec()).unwrap_or_default()
    }

    /// Spawns the actor of a call. Box this future when awaiting it: otherwise the future of every
    /// phone message grows by its size.
    pub(super) async fn spawn_call(
        &mut self,
        call: CallId,
        beginning: Beginning,
        media: CallMedia,
        cause: &Cause,
    ) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.rtp_port = media.rtp_port();
            let captured = CapturedCall {
                call,
                sip_call_id: entry.sip_call_id.clone(),
                rtp_port: entry.rtp_port,
                inbound: entry.inbound,
            };
            self.shared.captures.call_began(&self.id, captured, cause);
        }
        let arguments = CallArguments {
            id: call,
            phone: self.id.clone(),
            occupant: self.occupant.clone(),
            beginning,
            media,
            journal: self.shared.journal.clone(),
            to_phone: self.me.get_derived(),
            settings: self.settings(),
            recordings: RecordingPlace {
                folder: Arc::clone(&self.shared.recordings),
                captures: self.shared.captures.clone(),
            },
            conferences: self.shared.conferences.clone(),
            refusals: self.refusals.clone(),
            cause: cause.clone(),
        };
        match Actor::spawn_linked(None, CallActor, arguments, self.me.get_cell()).await {
            Ok((actor, _)) => self.calls.started(call, actor),
            Err(error) => drop(self.abandon(call, &error.to_string())),
        }
    }

    /// Handles every deadline that has passed, each according to its reason.
    async fn deadline_passed(&mut self) {
        self.alarm.rang();
        while let Some(due) = self.alarm.take_due() {
            let cause = match due {
                Due::Engine(reason) => {
                    self.agent.handle_input(Instant::now().into_std(), Input::Timeout);
                    Cause::Timer { reason: timer_reason(reason) }
                }
                Due::RegistrarSilent => self.registrar_silent(),
                Due::ClosingLimit => self.close_now(),
                Due::LeftOut => self.tell_left_out(),
            };
            self.drain(&cause).await;
            self.handled();
            self.close_when_quiet().await;
        }
    }
}

fn aor(spec: &PhoneSpec) -> Option<Uri> {
    format!("sip:{}@{}", spec.username, spec.domain).parse().ok()
}

/// Adds the text types that a phone shows as they arrive; its own `send_message` may send them too.
fn with_texts(mut config: Config) -> Config {
    let texts = ["text/html", "text/xml", "application/json", "application/xml", "message/cpim"];
    config.bodies.extend(texts.map(|media| BodyType {
        media,
        purpose: "render",
        requests: &[Method::Message],
    }));
    config
}
