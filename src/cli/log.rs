//! `offhook log`: shows the journal.

use std::io;

use clap::Args;

use super::{Exit, Output};

/// Arguments of `offhook log`.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(_args: LogArgs, output: &mut Output) -> io::Result<Exit> {
    output.remark("offhook log is not built yet")?;
    Ok(Exit::Internal)
}
