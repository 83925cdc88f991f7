//! The clients of one server: what each of them made, what its leaving ends, and who hears that phones came or went.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::services::Services;
use crate::{
    command::{Command, Execute, NodeCommand, Outcome, Rejection},
    event::{Cause, Surface},
    id::{ClientId, PhoneId, Seq},
    view::Views,
};

/// Tools that may be at work for one client; an agent has a handful.
pub(super) const MOST_TOOLS: usize = 256;

/// How long it may take to end what a client made.
const CLEAN_UP: Duration = Duration::from_millis(2500);

/// All clients of a server.
pub(super) struct Clients {
    next: AtomicU64,
    makers: Mutex<BTreeMap<PhoneId, Maker>>,
    /// Counts the changes of the roster.
    roster: watch::Sender<u64>,
}

/// Who made a phone.
struct Maker {
    client: ClientId,
    /// The phone's first event: one of the same name that came later is somebody else's.
    first: Seq,
}

/// One client, from its connection to its leaving.
pub(super) struct Client {
    pub(super) id: ClientId,
    /// What its tools work with. Its `closing` is canceled when the client has gone or the server is to stop, and then
    /// its runs are canceled, too.
    pub(super) services: Arc<Services>,
    /// One permit for each tool that is at work.
    pub(super) tools: Arc<Semaphore>,
    clients: Arc<Clients>,
    /// The change of the roster of which it has been told.
    told: AtomicU64,
}

impl Clients {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(1), makers: Mutex::default(), roster: watch::Sender::new(0) })
    }

    /// Makes a client that works with `services` and owns what it makes.
    pub(super) fn enter(self: &Arc<Self>, services: &Services) -> Arc<Client> {
        let id = ClientId(self.next.fetch_add(1, Ordering::Relaxed));
        let closing = services.closing.child_token();
        let door = Door {
            execute: Arc::clone(&services.execute),
            views: services.views.clone(),
            clients: Arc::clone(self),
            client: id,
            gone: closing.clone(),
        };
        let services = Services { execute: Arc::new(door), closing, ..services.clone() };
        Arc::new(Client {
            id,
            services: Arc::new(services),
            tools: Arc::new(Semaphore::new(MOST_TOOLS)),
            clients: Arc::clone(self),
            told: AtomicU64::new(*self.roster.borrow()),
        })
    }

    fn makers(&self) -> MutexGuard<'_, BTreeMap<PhoneId, Maker>> {
        self.makers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Returns the cause of what the client does outside any request.
    fn cause(&self) -> Cause {
        Cause::Command { surface: Surface::Mcp, client: Some(self.id), request: None }
    }

    /// Says that this client has changed the roster and is told of it by the caller.
    pub(super) fn roster_changed(&self) {
        self.clients.roster.send_modify(|changes| {
            *changes += 1;
            // Inside, so that nobody sees the change before it counts as told.
            self.told.fetch_max(*changes, Ordering::AcqRel);
        });
    }

    /// Waits for a change of the roster of which this client has not been told.
    pub(super) async fn roster_change_of_others(&self) {
        let mut roster = self.clients.roster.subscribe();
        let untold = |changes: &u64| *changes > self.told.load(Ordering::Acquire);
        // The sender lives in the clients that `self` holds.
        if let Ok(changes) = roster.wait_for(untold).await {
            self.told.fetch_max(*changes, Ordering::AcqRel);
        }
    }

    /// Ends what the client's tools are doing, its runs among it.
    pub(super) fn stop_work(&self) {
        self.services.closing.cancel();
    }

    /// Ends what the client made, within a bounded time; what others made goes on.
    pub(super) async fn leave(&self) {
        self.stop_work();
        let mine: Vec<PhoneId> = {
            let makers = self.clients.makers();
            let mine = |(phone, maker): (&PhoneId, &Maker)| {
                let is_mine =
                    maker.client == self.id && first(&self.services.views, phone) == Some(maker.first);
                is_mine.then(|| phone.clone())
            };
            makers.iter().filter_map(mine).collect()
        };
        let had_any = !mine.is_empty();
        let mut farewells = JoinSet::new();
        for phone in mine {
            let (services, cause) = (Arc::clone(&self.services), self.cause());
            farewells.spawn(async move {
                let dropped = services
                    .execute
                    .execute(Command::Node(NodeCommand::DropPhone { phone, hang_up: true }), cause);
                if let Err(error) = dropped.await {
                    tracing::debug!(%error, "refused while leaving");
                }
            });
        }
        let all = async { while farewells.join_next().await.is_some() {} };
        if timeout(CLEAN_UP, all).await.is_err() {
            tracing::warn!("a client left before its phones had closed");
        }
        if had_any {
            self.roster_changed();
        }
    }
}

fn first(views: &Views, phone: &PhoneId) -> Option<Seq> {
    views.phone(phone).map(|phone| phone.first)
}

/// The door for the commands of one client: it remembers who made which phone.
struct Door {
    execute: Arc<dyn Execute>,
    views: Views,
    clients: Arc<Clients>,
    client: ClientId,
    gone: CancellationToken,
}

impl Execute for Door {
    fn execute(
        &self,
        command: Command,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send + '_>> {
        Box::pin(async move {
            let made = match &command {
                Command::Node(NodeCommand::AddPhone(add)) => Some(add.phone.clone()),
                Command::Node(NodeCommand::DropPhone { .. } | NodeCommand::HangUpAll)
                | Command::Phone(..)
                | Command::Call(..) => None,
            };
            let done = self.execute.execute(command, cause.clone()).await;
            if let (Some(phone), true) = (made, done.is_ok()) {
                self.remember(phone, cause).await;
            }
            done
        })
    }
}

impl Door {
    /// Notes who made a phone; one whose client has left meanwhile goes at once.
    async fn remember(&self, phone: PhoneId, cause: Cause) {
        let Some(first) = first(&self.views, &phone) else { return };
        {
            let mut makers = self.clients.makers();
            makers.retain(|phone, maker| self::first(&self.views, phone) == Some(maker.first));
            makers.insert(phone.clone(), Maker { client: self.client, first });
            if !self.gone.is_cancelled() {
                return;
            }
        }
        if let Err(error) =
            self.execute.execute(Command::Node(NodeCommand::DropPhone { phone, hang_up: true }), cause).await
        {
            tracing::debug!(%error, "a phone of a client that has left stays");
        }
    }
}
