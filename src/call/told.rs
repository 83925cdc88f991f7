//! A command of a call, with what only its phone can add.

use crate::command::CallCommand;

/// A command as its phone hands it on.
#[derive(Debug)]
pub(crate) struct Told {
    /// What, with whole addresses.
    pub(crate) command: CallCommand,
    /// Refer-To of an attended transfer: the other call's dialog, which only the phone knows.
    pub(crate) replacing: Option<String>,
}

impl From<CallCommand> for Told {
    fn from(command: CallCommand) -> Self {
        Self { command, replacing: None }
    }
}
