//! The world of one `offhook run`: journal, phones, and the phone system that they use.

use std::{
    error::Error,
    hash::{BuildHasher, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::super::against::Against;
use crate::{
    artifact::Recordings,
    config::{Limits, PbxProfile},
    event::{Cause, Surface},
    journal::{Journal, JournalError},
    lab::{Lab, LabError, LabOptions},
    net::SystemNetwork,
    scenario::{self, Scenario},
    switchboard::{Options, StartError, Switchboard},
    wall::Wall,
};

/// Why nothing could be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The data folder cannot be used.
    #[error("the data folder {path} cannot be used")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The phones' tree did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The lab PBX did not start.
    #[error("the embedded lab PBX did not start")]
    Lab(#[from] LabError),
}

/// Everything that a session runs on.
pub(super) struct Session {
    switchboard: Switchboard,
    lab: Option<Lab>,
    profile: Option<PbxProfile>,
    /// Folder of journal and recordings, and whether it stays.
    folder: PathBuf,
    keeps: bool,
}

impl Session {
    /// Starts journal, switchboard and, where it is wanted, the lab.
    pub(super) async fn start(
        against: &Against,
        profile: Option<PbxProfile>,
        data: Option<&Path>,
        keep: bool,
    ) -> Result<Self, SessionError> {
        let seed = std::hash::RandomState::new().build_hasher().finish();
        let wall = Wall::system();
        let folder = data.map_or_else(
            || std::env::temp_dir().join(format!("offhook-{}-{seed:08x}", std::process::id())),
            Path::to_owned,
        );
        let keeps = keep || data.is_some();
        let journal = if keeps {
            let folder_error = |source| SessionError::Folder { path: folder.clone(), source };
            std::fs::create_dir_all(&folder).map_err(folder_error)?;
            Journal::open(&folder, wall)?
        } else {
            Journal::in_memory(wall)
        };
        let network = Arc::new(SystemNetwork::default());
        let switchboard = Switchboard::start(Options {
            network: network.clone(),
            journal,
            limits: Limits::default(),
            credentials: None,
            recordings: Recordings::under(&folder.join("recordings")),
            seed,
            media_workers: 1,
            registration_wait: Duration::from_secs(1),
        })
        .await?;
        let lab = match against {
            Against::Lab => Some(Lab::start(network, LabOptions::default())?),
            Against::Address { .. } | Against::Profile(_) => None,
        };
        let profile = lab.as_ref().map(Lab::profile).or(profile);
        Ok(Self { switchboard, lab, profile, folder, keeps })
    }

    pub(super) fn journal(&self) -> &Journal {
        self.switchboard.journal()
    }

    /// Returns where journal and recordings stay, when they do.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.keeps.then_some(self.folder.as_path())
    }

    /// Returns where the phones register, for people.
    pub(super) fn target(&self) -> String {
        let domain = self.profile.as_ref().map_or("nothing", |profile| profile.domain.as_str());
        if self.lab.is_some() { format!("the embedded lab PBX at {domain}") } else { domain.to_owned() }
    }

    pub(super) async fn run(&self, scenario: Scenario) -> Result<scenario::RunHandle, scenario::NotStarted> {
        let context = scenario::Context {
            execute: Arc::new(self.switchboard.clone()),
            journal: self.journal().clone(),
            views: self.switchboard.views().clone(),
            profile: self.profile.clone(),
            run: self.switchboard.views().next_run_id(),
            cause: Cause::command(Surface::Cli),
            create_listed: true,
        };
        scenario::start(scenario, context).await
    }

    /// Ends everything in order: phones, journal, lab.
    pub(super) async fn stop(self) {
        if let Err(error) = self.switchboard.shutdown().await {
            tracing::warn!(%error, "the session did not end in order");
        }
        if let Some(lab) = self.lab {
            lab.stop().await;
        }
        if !self.keeps && self.folder.exists() {
            match std::fs::remove_dir_all(&self.folder) {
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, "temporary recordings stay behind"),
            }
        }
    }
}

/// Returns an error with all that it comes from.
pub(super) fn reasons(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
