//! `offhook run`: executes scenarios.

use std::io;

use clap::Args;

use super::{Exit, Output};

/// Arguments of `offhook run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Scenario files or folders.
    paths: Vec<std::path::PathBuf>,
}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(_args: RunArgs, output: &mut Output) -> io::Result<Exit> {
    output.remark("offhook run is not built yet")?;
    Ok(Exit::Internal)
}
