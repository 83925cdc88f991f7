//! A command of a call, with what only its phone can add.

use offhook_media::session::Source;

use crate::command::CallCommand;

/// A command as its phone hands it on.
#[derive(Debug)]
pub(crate) struct Told {
    /// What, with whole addresses.
    pub(crate) command: CallCommand,
    /// Refer-To of an attended transfer: the other call's dialog, which only the phone knows.
    pub(crate) replacing: Option<String>,
    /// What is to be played, once it is ready.
    pub(crate) source: Option<Source>,
}

impl From<CallCommand> for Told {
    fn from(command: CallCommand) -> Self {
        Self { command, replacing: None, source: None }
    }
}
