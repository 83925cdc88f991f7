//! What a switchboard needs of the world.

use std::{sync::Arc, time::Duration};

use crate::{
    artifact::Recordings,
    config::{Credentials, Limits},
    journal::{Journal, JournalError},
    net::Network,
    wall::Wall,
};

/// What a switchboard needs of the world.
pub struct Options {
    /// The network that phones use.
    pub network: Arc<dyn Network>,
    /// Where facts go; what it already holds is taken up again.
    pub journal: Journal,
    /// Bounds.
    pub limits: Limits,
    /// Where passwords of phones survive a restart; none keeps them in memory only.
    pub credentials: Option<Credentials>,
    /// Where recordings go.
    pub recordings: Recordings,
    /// Seed of every identifier; fixed in simulations.
    pub seed: u64,
    /// How many media workers share the legs.
    pub media_workers: usize,
    /// How long `AddPhone` and `Register` wait for the registrar's answer.
    pub registration_wait: Duration,
}

/// The switchboard cannot begin its work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    /// The root actor did not start.
    #[error("the root actor did not start")]
    Root(#[from] ractor::SpawnErr),
}

impl Options {
    /// Everything in memory: for tests, simulations and runs without a data folder.
    #[must_use]
    pub fn in_memory(network: Arc<dyn Network>, wall: Wall, seed: u64) -> Self {
        Self {
            network,
            journal: Journal::in_memory(wall),
            limits: Limits::default(),
            credentials: None,
            recordings: Recordings::under(std::path::Path::new("recordings")),
            seed,
            media_workers: 1,
            registration_wait: Duration::from_secs(1),
        }
    }
}
