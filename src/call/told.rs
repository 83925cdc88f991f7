//! A command of a call, with what only its phone can add, and where the reply goes.

use offhook_media::session::Source;
use tokio::sync::oneshot;

use crate::command::{CallCommand, Outcome, Rejection};

/// Where the reply to a command goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, Rejection>>;

/// A command as its phone forwards it.
#[derive(Debug)]
pub(crate) struct Told {
    /// The command, with complete addresses.
    pub(crate) command: CallCommand,
    /// Refer-To of an attended transfer: it names the other call's dialog, which only the phone
    /// knows.
    pub(crate) replacing: Option<String>,
    /// The sound to play, once it is ready.
    pub(crate) ready: Option<Ready>,
}

/// A sound that is ready to be played.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The sound.
    pub(crate) source: Source,
    /// Number of the play request. A later request to play or stop overtakes it.
    pub(crate) request: u64,
}

impl From<CallCommand> for Told {
    fn from(command: CallCommand) -> Self {
        Self { command, replacing: None, ready: None }
    }
}
