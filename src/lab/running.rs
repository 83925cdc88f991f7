//! A running lab: start, queries, stop.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    engine::{Engine, EngineOptions, LiveCounts, NUMBERS},
    media::Media,
    options::LabOptions,
    shell::{Shell, lock, now},
    users::{User, UserTable, UsersError, random},
};
use crate::{
    config::{Account, PbxProfile},
    event::Transport,
    net::{Arrival, Network, Signaling, SignalingOptions},
};

/// Messages and connection failures that may wait for the engine.
const PERMITS: usize = 4096;
/// Facts from voices that may wait.
const FACTS: usize = 4096;

/// Why a lab did not start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There are no users.
    #[error(transparent)]
    Users(#[from] UsersError),
}

/// A running lab PBX; dropping it ends it at once, [`Lab::stop`] in an orderly way.
pub struct Lab {
    address: SocketAddr,
    realm: String,
    users: Vec<User>,
    engine: Arc<Mutex<Engine>>,
    signaling: Arc<Signaling>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// Canceled when the task has ended, however it ended.
    ended: CancellationToken,
    #[cfg(test)]
    failure: Arc<std::sync::atomic::AtomicBool>,
}

impl Lab {
    /// Starts a lab on `network`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be used, or the users cannot be read.
    pub fn start(network: Arc<dyn Network>, options: LabOptions) -> Result<Self, LabError> {
        let table = UserTable::load(&options.users)?;
        let users = table.list();
        let (arrived, arrivals) = mpsc::channel(PERMITS);
        let deliver = move |arrival: Arrival| {
            // Each arrival has a permit, so there is room; if the lab is gone, nobody needs it.
            drop(arrived.try_send(arrival));
        };
        let sockets = SignalingOptions { local: options.bind, permits: PERMITS, phone: None };
        let address = options.bind;
        let signaling = Signaling::open(Arc::clone(&network), sockets, deliver)
            .map_err(|source| LabError::Listen { address, source })?;
        let address = reachable(&*network, signaling.local());
        let realm = options.realm.clone();
        let seed = options.seed.unwrap_or_else(random);
        let (noticed, facts) = mpsc::channel(FACTS);
        let media = Media::new(Arc::clone(&network), seed, noticed);
        let parts = EngineOptions { lab: options, users: table, address, seed, media, network };
        let engine = Arc::new(Mutex::new(Engine::new(parts)));
        let signaling = Arc::new(signaling);
        #[cfg(test)]
        let failure = Arc::<std::sync::atomic::AtomicBool>::default();
        let shell = Shell {
            engine: Arc::clone(&engine),
            signaling: Arc::clone(&signaling),
            arrivals,
            facts,
            #[cfg(test)]
            fail: Arc::clone(&failure),
        };
        let (stop, stopped) = oneshot::channel();
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            shell.run(stopped).await;
            // Also dropped by a panic.
            drop(guard);
        });
        Ok(Self {
            address,
            realm,
            users,
            engine,
            signaling,
            stop: Some(stop),
            task,
            ended,
            #[cfg(test)]
            failure,
        })
    }

    /// Returns the address where phones reach it, UDP and TCP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what a phone or a scenario must know to use it.
    #[must_use]
    pub fn profile(&self) -> PbxProfile {
        let account =
            |user: &User| Account { username: user.username.clone(), password: user.password.clone() };
        PbxProfile {
            domain: self.address.to_string(),
            transport: Transport::Udp,
            realm: Some(self.realm.clone()),
            accounts: self.users.iter().map(account).collect(),
            numbers: NUMBERS
                .iter()
                .map(|(name, number)| ((*name).to_owned(), (*number).to_owned()))
                .collect(),
        }
    }

    /// Returns who may register.
    pub(super) fn users(&self) -> &[User] {
        &self.users
    }

    /// Waits until its task has ended, because of [`Lab::stop`] or a failure.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone().cancelled_owned()
    }

    /// Returns the flag that makes the task panic at its next input.
    #[cfg(test)]
    pub(super) fn failure(&self) -> Arc<std::sync::atomic::AtomicBool> {
        Arc::clone(&self.failure)
    }

    /// Returns what is alive, for tests to check afterwards.
    #[must_use]
    pub fn live(&self) -> LiveCounts {
        let counts = lock(&self.engine).live(now());
        LiveCounts { connections: self.signaling.connections(), ..counts }
    }

    /// Returns how many messages were unusable or belonged to nothing.
    #[must_use]
    pub fn anomalies(&self) -> u64 {
        lock(&self.engine).anomalies()
    }

    /// Returns how many datagrams were refused because the lab could not keep up.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.signaling.refused()
    }

    /// Ends every call and closes the sockets; takes at most two seconds.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take()
            && stop.send(()).is_ok()
            && let Err(error) = (&mut self.task).await
        {
            tracing::error!(%error, "the lab's task ended badly");
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns `local` with an IP that peers can use.
fn reachable(network: &dyn Network, local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    // A documentation address (RFC 5737, RFC 3849): nothing is sent there, it only selects the
    // outgoing route.
    let outside: IpAddr = if local.is_ipv4() {
        Ipv4Addr::new(192, 0, 2, 1).into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()
    };
    let fallback: IpAddr =
        if local.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let ip = network.local_ip_towards(SocketAddr::new(outside, 9)).unwrap_or(fallback);
    SocketAddr::new(ip, local.port())
}
