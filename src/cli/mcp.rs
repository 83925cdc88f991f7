//! `offhook mcp`: serves MCP over standard input and output.

use std::io;

use clap::Args;

use super::{Exit, Output};

/// Arguments of `offhook mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(_args: McpArgs, output: &mut Output) -> io::Result<Exit> {
    output.remark("offhook mcp is not built yet")?;
    Ok(Exit::Internal)
}
