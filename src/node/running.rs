//! A node from start to end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::task::{AbortHandle, spawn_blocking};

use super::{Data, NodeOptions, fresh_folder};
use crate::{
    artifact::{ArtifactFolder, ArtifactKind},
    capture::CaptureOptions,
    command::Rejection,
    config::PbxProfile,
    journal::{Journal, JournalError},
    lab::LabConnector,
    net::Network,
    phone::CLOSING,
    switchboard::{Options, ShutdownError, StartError, Switchboard},
    view::Views,
    wall::Wall,
};

/// How long stopping may take: the time that each phone has, the same again for one that fails
/// meanwhile, a second for journaling the ends of its calls, and two for the lab.
const SHUTDOWN: Duration = Duration::from_secs(3 * CLOSING.as_secs() + 3);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The tree of actors did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The lab PBX did not start.
    #[error("the embedded lab PBX did not start")]
    Lab(#[source] Rejection),
}

/// A node did not stop in an orderly way.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The journal could not be written to its end.
    #[error(transparent)]
    Shutdown(#[from] ShutdownError),
    /// What is known so far is kept; the next start ends what is left on the wire.
    #[error("phones did not close in time")]
    Late,
    /// The same, but not even that could be kept.
    #[error("phones did not close in time")]
    LateAndLost(#[source] JournalError),
}

/// A running program: phones and their tree, the journal and its folds, the lab.
pub struct Node {
    switchboard: Switchboard,
    lab: Option<Arc<LabConnector>>,
    profile: Option<PbxProfile>,
    recordings: ArtifactFolder,
    captures: CaptureOptions,
    data: Data,
    /// Removes what has become too old from the journal.
    retention: Option<AbortHandle>,
    /// Removed with the node.
    temporary: Option<PathBuf>,
}

impl Node {
    /// Starts everything that `options` names. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`] says what is not available; nothing runs then.
    pub async fn start(options: NodeOptions) -> Result<Self, NodeError> {
        let NodeOptions { network, wall, seed, data, recordings, captures, .. } = options;
        let (folder, temporary) = match &data {
            Data::Memory if recordings.is_some() && captures.is_some() => (PathBuf::new(), None),
            Data::Memory => {
                let folder = fresh_folder();
                (folder.clone(), Some(folder))
            }
            Data::Folder(folder) => (folder.clone(), None),
        };
        let recordings =
            recordings.unwrap_or_else(|| ArtifactFolder::in_data(ArtifactKind::Recordings, &folder));
        let folder = captures.unwrap_or_else(|| ArtifactFolder::in_data(ArtifactKind::Captures, &folder));
        let captures = CaptureOptions { folder, form: options.capture_form };
        let base = open(network.clone(), wall, seed, data.clone()).await?;
        let switchboard = Switchboard::start(Options {
            limits: options.limits,
            recordings: recordings.clone(),
            captures: captures.clone(),
            media_workers: options.media_workers,
            registration_wait: options.registration_wait,
            ..base
        })
        .await?;
        let journal = switchboard.journal().clone();
        let retention = options.keep.map(|age| tokio::spawn(journal.keep_for(age)).abort_handle());
        let profile = options.profile;
        let mut node =
            Self { switchboard, lab: None, profile, recordings, captures, data, retention, temporary };
        if let Some(lab) = options.lab {
            let lab = Arc::new(LabConnector::new(network, lab));
            if let Err(rejection) = node.switchboard.connect(lab.clone()).await {
                if let Err(error) = node.stop().await {
                    tracing::warn!(%error, "what had been started did not end in order");
                }
                return Err(NodeError::Lab(rejection));
            }
            node.profile = lab.profile();
            node.lab = Some(lab);
        }
        Ok(node)
    }

    /// Returns the door for commands.
    #[must_use]
    pub const fn switchboard(&self) -> &Switchboard {
        &self.switchboard
    }

    /// Returns the journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        self.switchboard.journal()
    }

    /// Returns the folds that answer reads.
    #[must_use]
    pub fn views(&self) -> &Views {
        self.switchboard.views()
    }

    /// Returns the embedded lab PBX.
    #[must_use]
    pub fn lab(&self) -> Option<&LabConnector> {
        self.lab.as_deref()
    }

    /// Returns the phone system that scenarios create phones on: the lab's own if there is a lab.
    #[must_use]
    pub const fn profile(&self) -> Option<&PbxProfile> {
        self.profile.as_ref()
    }

    /// Returns where recordings go, and how their paths are shown.
    #[must_use]
    pub const fn recordings(&self) -> &ArtifactFolder {
        &self.recordings
    }

    /// Returns where captures go, and how their paths are shown.
    #[must_use]
    pub const fn captures(&self) -> &ArtifactFolder {
        &self.captures.folder
    }

    /// Returns the folder in which journal and recordings are kept, if they are.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.data {
            Data::Memory => None,
            Data::Folder(folder) => Some(folder),
        }
    }

    /// Ends everything in order, within a limited time: runs, calls, bindings, phones, lab,
    /// journal.
    ///
    /// # Errors
    /// [`StopError`] says what did not end in an orderly way; it is over all the same.
    pub async fn stop(self) -> Result<(), StopError> {
        if let Some(retention) = &self.retention {
            retention.abort();
        }
        let closed = match tokio::time::timeout(SHUTDOWN, self.switchboard.shutdown()).await {
            Ok(closed) => closed.map_err(StopError::Shutdown),
            Err(_) => {
                Err(self.journal().close().await.map_or_else(StopError::LateAndLost, |()| StopError::Late))
            }
        };
        // If phones were late, nobody has done this yet.
        self.switchboard.disconnect().await;
        if let Some(folder) = self.temporary {
            remove(folder).await;
        }
        closed
    }
}

/// Opens the data of a node; waits for the disk, but not on a runtime thread.
async fn open(network: Arc<dyn Network>, wall: Wall, seed: u64, data: Data) -> Result<Options, NodeError> {
    let Data::Folder(path) = data else { return Ok(Options::in_memory(network, wall, seed)) };
    let folder = path.clone();
    let opened = spawn_blocking(move || Options::in_folder(network, wall, seed, &folder)).await;
    match opened {
        Ok(options) => Ok(options?),
        Err(broken) => Err(NodeError::Folder { path, source: io::Error::other(broken) }),
    }
}

/// Removes a recordings folder that nobody asked to keep; it does not exist if nothing was
/// recorded.
async fn remove(folder: PathBuf) {
    let removed = spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
    match removed {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(Err(error)) => tracing::warn!(%error, "temporary recordings stay behind"),
        Err(error) => tracing::warn!(%error, "temporary recordings stay behind"),
    }
}
