//! `offhook check`: finds the mistakes of scenarios without dialing.

use std::io;

use clap::Args;

use super::{Exit, Output};

/// Arguments of `offhook check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Scenario files or folders.
    paths: Vec<std::path::PathBuf>,
}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(_args: CheckArgs, output: &mut Output) -> io::Result<Exit> {
    output.remark("offhook check is not built yet")?;
    Ok(Exit::Internal)
}
