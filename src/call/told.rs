//! A command of a call, with what only its phone can add, and where its answer goes.

use offhook_media::session::Source;
use tokio::sync::oneshot;

use crate::command::{CallCommand, Outcome, Rejection};

/// Where the answer to a command goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, Rejection>>;

/// A command as its phone hands it on.
#[derive(Debug)]
pub(crate) struct Told {
    /// What, with whole addresses.
    pub(crate) command: CallCommand,
    /// Refer-To of an attended transfer: the other call's dialog, which only the phone knows.
    pub(crate) replacing: Option<String>,
    /// What is to be played, once it is ready.
    pub(crate) ready: Option<Ready>,
}

/// A sound that is ready to be played.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The sound.
    pub(crate) source: Source,
    /// Number of the request for it: a later one, to play or to stop, overtakes it.
    pub(crate) request: u64,
}

impl From<CallCommand> for Told {
    fn from(command: CallCommand) -> Self {
        Self { command, replacing: None, ready: None }
    }
}
