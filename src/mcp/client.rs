//! The clients of one server: what each of them created, what ends when it leaves, and who is
//! notified when phones come or go.

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

/// Most tools that may run at once for one client; an agent uses a handful.
pub(super) const MOST_TOOLS: usize = 256;

/// How long ending what a client created may take.
const CLEAN_UP: Duration = Duration::from_millis(2500);

/// All clients of a server.
pub(super) struct Clients {
    next: AtomicU64,
    makers: Mutex<BTreeMap<PhoneId, Maker>>,
    /// Counts the changes of the roster.
    roster: watch::Sender<u64>,
}

/// Who created a phone.
struct Maker {
    client: ClientId,
    /// The phone's first event: a later phone of the same name is somebody else's.
    first: Seq,
}

/// One client, from its connection to its leaving.
pub(super) struct Client {
    pub(super) id: ClientId,
    /// What its tools use. `closing` is canceled when the client has gone or the server is to stop;
    /// that also cancels its runs.
    pub(super) services: Arc<Services>,
    /// One permit for each running tool.
    pub(super) tools: Arc<Semaphore>,
    clients: Arc<Clients>,
    /// The last change of the roster it was notified of.
    told: AtomicU64,
}

impl Clients {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(1), makers: Mutex::default(), roster: watch::Sender::new(0) })
    }

    /// Creates a client that works with `services` and owns what it creates.
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

    /// Counts a change of the roster by this client, which its caller notifies.
    pub(super) fn roster_changed(&self) {
        self.clients.roster.send_modify(|changes| {
            *changes += 1;
            // Inside the closure, so that nobody sees the change before it counts as notified.
            self.told.fetch_max(*changes, Ordering::AcqRel);
        });
    }

    /// Waits for a change of the roster that this client has not been notified of.
    pub(super) async fn roster_change_of_others(&self) {
        let mut roster = self.clients.roster.subscribe();
        let untold = |changes: &u64| *changes > self.told.load(Ordering::Acquire);
        // The sender is in the clients, which `self` holds.
        if let Ok(changes) = roster.wait_for(untold).await {
            self.told.fetch_max(*changes, Ordering::AcqRel);
        }
    }

    /// Ends what the client's tools are doing, including its runs.
    pub(super) fn stop_work(&self) {
        self.services.closing.cancel();
    }

    /// Ends what the client created, within a limited time; what others created goes on.
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

/// The door for one client's commands: it remembers who created which phone.
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
                Command::Node(
                    NodeCommand::DropPhone { .. } | NodeCommand::HangUpAll | NodeCommand::Conference { .. },
                )
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
    /// Notes who created a phone; if its client has left meanwhile, the phone is dropped at once.
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
