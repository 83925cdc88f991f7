//! `offhook lab`: runs the embedded lab PBX.

use std::io;

use clap::Args;

use super::{Exit, Output};

/// Arguments of `offhook lab`.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(_args: LabArgs, output: &mut Output) -> io::Result<Exit> {
    output.remark("offhook lab is not built yet")?;
    Ok(Exit::Internal)
}
