//! Options of a switchboard.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    artifact::{ArtifactFolder, ArtifactKind},
    capture::CaptureOptions,
    config::{Credentials, CredentialsError, Limits},
    journal::{Journal, JournalError},
    net::Network,
    wall::Wall,
};

/// Options of a switchboard.
pub struct Options {
    /// The network that phones use.
    pub network: Arc<dyn Network>,
    /// Where facts go; what it already holds is continued.
    pub journal: Journal,
    /// The limits.
    pub limits: Limits,
    /// Where passwords of phones survive a restart; `None` keeps them only in memory.
    pub credentials: Option<Credentials>,
    /// Where recordings go.
    pub recordings: ArtifactFolder,
    /// How captures are written.
    pub captures: CaptureOptions,
    /// Seed of every identifier; fixed in simulations.
    pub seed: u64,
    /// How many media workers share the legs.
    pub media_workers: usize,
    /// How long `AddPhone` and `Register` wait for the registrar's answer.
    pub registration_wait: Duration,
}

/// Why a switchboard could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The passwords cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
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
            recordings: ArtifactFolder::under(ArtifactKind::Recordings, Path::new("recordings")),
            captures: CaptureOptions::under(ArtifactFolder::under(
                ArtifactKind::Captures,
                Path::new("captures"),
            )),
            seed,
            media_workers: 1,
            registration_wait: Duration::from_secs(1),
        }
    }

    /// Everything under `folder`: journal, passwords, recordings.
    ///
    /// # Errors
    /// The folder cannot be created, is in use by another process, or holds a damaged journal.
    pub fn in_folder(
        network: Arc<dyn Network>,
        wall: Wall,
        seed: u64,
        folder: &Path,
    ) -> Result<Self, StartError> {
        let journal = Journal::open(folder, wall)?;
        let credentials = Credentials::open(folder)?;
        Ok(Self {
            journal,
            credentials: Some(credentials),
            recordings: ArtifactFolder::in_data(ArtifactKind::Recordings, folder),
            captures: CaptureOptions::under(ArtifactFolder::in_data(ArtifactKind::Captures, folder)),
            ..Self::in_memory(network, wall, seed)
        })
    }
}
