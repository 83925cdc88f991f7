//! The tree of actors: start, parts, end.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use ractor::{Actor, ActorRef};
use tokio::sync::{Semaphore, oneshot};

use super::{
    Options, StartError,
    connectors::Connectors,
    directory::Directory,
    execute::ANSWER,
    passwords::Passwords,
    phones::Phones,
    places::Places,
    runs::Runs,
    supervisor::{Closing, Supervise, Supervisor},
    turns::Turns,
};
use crate::{
    call::Conferences,
    capture::Captures,
    config::Pool,
    event::{Cause, Subject, SystemEvent},
    journal::{Journal, JournalError},
    media::{MediaHub, MediaLoad},
    net::Network,
    phone::{CLOSING, Outbox, Shared},
    view::Views,
};

/// The tree of actors and the door to it; shared by clones.
#[derive(Clone)]
pub struct Switchboard {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) journal: Journal,
    pub(super) views: Views,
    pub(super) directory: Directory<Phones>,
    pub(super) turns: Turns,
    pub(super) places: Places,
    pub(super) root: ActorRef<Supervise<Phones>>,
    pub(super) connectors: ActorRef<Supervise<Connectors>>,
    pub(super) runs: ActorRef<Supervise<Runs>>,
    /// One permit for each run that may start.
    pub(super) run_places: Arc<Semaphore>,
    pub(super) shared: Shared,
    pub(super) passwords: Passwords,
    pub(super) registration_wait: Duration,
    sidecars: tokio::task::AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.sidecars.abort();
    }
}

impl Switchboard {
    /// Starts the tree and takes over what, according to the journal, an earlier process left:
    /// dangling calls are ended on the wire, phones register again.
    ///
    /// # Errors
    /// [`StartError`] says what failed.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let views = attach(options.journal.clone()).await;
        let directory = Directory::default();
        let hub = Arc::new(MediaHub::start(options.media_workers));
        let pool = Pool::new(views.next_run_id());
        let (taps, writers) = (options.network.taps().clone(), hub.writers());
        let captures = Captures::new(options.captures, options.journal.clone(), pool.clone(), taps, writers);
        let shared = Shared {
            network: options.network,
            outbox: Outbox::start(options.journal.clone()),
            journal: options.journal.clone(),
            conferences: Conferences::new(Arc::clone(&hub)),
            hub,
            call_permits: Arc::new(Semaphore::new(options.limits.calls.min(Semaphore::MAX_PERMITS))),
            limits: options.limits,
            recordings: Arc::new(options.recordings),
            pool,
            captures,
            next_call: Arc::new(AtomicU64::new(views.next_call_id().0)),
            seed: options.seed,
            process_ends: Arc::default(),
        };
        let phones = Phones { shared: shared.clone(), views: views.clone() };
        let (root, _) = Actor::spawn(None, Supervisor::new(), (phones, directory.clone())).await?;
        let connectors = (Connectors { journal: options.journal.clone() }, Directory::default());
        let (connectors, _) = Actor::spawn(None, Supervisor::new(), connectors).await?;
        let runs = (Runs { journal: options.journal.clone() }, Directory::default());
        let (runs, _) = Actor::spawn(None, Supervisor::new(), runs).await?;
        let described = super::sidecars::describe_recordings(options.journal.clone(), views.clone());
        let inner = Inner {
            sidecars: tokio::spawn(described).abort_handle(),
            journal: options.journal,
            views,
            directory,
            turns: Turns::default(),
            places: Places::default(),
            root,
            connectors,
            runs,
            run_places: Arc::new(Semaphore::new(options.limits.runs.min(Semaphore::MAX_PERMITS))),
            shared,
            passwords: Passwords::new(options.credentials),
            registration_wait: options.registration_wait,
        };
        let switchboard = Self { inner: Arc::new(inner) };
        switchboard.take_up().await;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        switchboard.append_system(SystemEvent::Started { version });
        Ok(switchboard)
    }

    fn append_system(&self, event: SystemEvent) {
        self.inner.journal.append(Subject::system(), Cause::Start, event);
    }

    /// Returns the journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// Returns the views that answer reads.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.inner.views
    }

    /// Returns what runs share: ids, accounts, phones.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.inner.shared.pool
    }

    /// Returns the network.
    #[must_use]
    pub fn network(&self) -> Arc<dyn Network> {
        Arc::clone(&self.inner.shared.network)
    }

    /// Returns how well the media clock keeps its pace.
    #[must_use]
    pub fn media_load(&self) -> MediaLoad {
        self.inner.shared.hub.load()
    }

    /// Announces that the process will end as soon as its runs have. Phones that runs drop
    /// meanwhile wait for others no longer than the process does, and leave what is not confirmed
    /// to the next one.
    pub fn prepare_to_end(&self) {
        self.inner.shared.end_process();
    }

    /// Ends everything in order: runs, calls, bindings, phones, links, journal.
    ///
    /// Takes at most two seconds for the runs, three for runs and phones together, and two more for
    /// phones that fail meanwhile. A phone that could not be taken over when the process started
    /// stays in the journal with its calls, and the next start tries again.
    ///
    /// # Errors
    /// The journal could not be written to its end.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        self.prepare_to_end();
        // Runs first: the end of a phone is not what a scenario waited for.
        if tokio::time::timeout(CLOSING, self.close_runs()).await.is_err() {
            tracing::warn!("runs did not close in time");
        }
        if tokio::time::timeout(ANSWER, self.close_phones()).await.is_err() {
            tracing::warn!("phones did not close in time");
        }
        // Of phones that did not.
        self.inner.shared.captures.end_all().await;
        self.disconnect().await;
        self.append_system(SystemEvent::Stopped {});
        self.inner.runs.stop(None);
        self.inner.root.stop(None);
        self.inner.journal.flush().await?;
        self.inner.journal.close().await?;
        Ok(())
    }

    /// Closes what the root holds, including phones that wait for their restart or are closing
    /// already, because their calls are still up on the other side.
    async fn close_phones(&self) {
        let (reply, closing) = oneshot::channel();
        // Without a root there are no phones.
        drop(self.inner.root.cast(Supervise::CloseAll { reply }));
        for Closing { id: phone, closed } in closing.await.unwrap_or_default() {
            if let Ok(Err(rejection)) = closed.await {
                tracing::warn!(%phone, error = %rejection, "phone did not close in order");
            }
        }
    }
}

/// Attaches the views, which reads the older part of the journal from disk.
async fn attach(journal: Journal) -> Views {
    let attaching = journal.clone();
    let attached = tokio::task::spawn_blocking(move || Views::attach(&attaching)).await;
    attached.unwrap_or_else(|_| Views::attach(&journal))
}

/// The process did not end in an orderly way.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The journal could not be written to its end.
    #[error("the journal could not be written to its end")]
    Journal(#[from] JournalError),
}
