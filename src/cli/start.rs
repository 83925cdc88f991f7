//! Starting the tree of actors for a verb: on the machine's network, with or without a data folder.

use std::{
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;

use crate::{
    artifact::Recordings,
    net::SystemNetwork,
    switchboard::{Options, StartError, Switchboard},
    wall::Wall,
};

/// Arguments of every verb that has phones.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Folder that keeps journal, passwords and recordings; without it everything is forgotten at the end.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Folder of the recordings [default: /recordings if it can be written, else DIR/recordings, else ./recordings]
    #[arg(long, value_name = "DIR")]
    pub(super) recordings: Option<PathBuf>,
}

impl StartArgs {
    /// Starts the tree; the journal of a data folder is taken up.
    ///
    /// `registration_wait` is how long adding a phone waits for the registrar's answer.
    ///
    /// # Errors
    /// The data folder cannot be used.
    pub(super) async fn start(&self, registration_wait: Duration) -> Result<Switchboard, StartError> {
        let network = Arc::new(SystemNetwork::default());
        let mut options = match &self.data {
            Some(folder) => Options::in_folder(network, Wall::system(), seed(), folder)?,
            None => Options::in_memory(network, Wall::system(), seed()),
        };
        options.recordings = self.recordings();
        options.media_workers = 2;
        options.registration_wait = registration_wait;
        Switchboard::start(options).await
    }

    /// Returns where recordings go and how their paths are shown.
    pub(super) fn recordings(&self) -> Recordings {
        Recordings::of_process(self.recordings.as_deref(), self.data.as_deref())
    }
}

/// Returns a number that differs from process to process: identifiers on the wire must never meet again.
fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
