//! `offhook mcp`: serves MCP over standard input and output until the input ends or a signal comes.

use std::{future::Future, io, path::PathBuf, pin::Pin, sync::Arc};

use clap::Args;
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Output};
use crate::{
    command::{Code, Command, Execute, Outcome, Rejection},
    event::{Cause, Subject, SystemEvent},
    journal::Journal,
    mcp::{McpServer, NoRuns, PhoneTools, Services},
    view::Views,
    wall::Wall,
};

/// Arguments of `offhook mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// How phone actions are listed: tools of each phone (dynamic), once with a phone_id (static), or by client (auto).
    #[arg(long, value_name = "dynamic|static|auto", default_value = "auto")]
    phone_tools: PhoneTools,
    /// Folder of the recordings.
    #[arg(long, value_name = "DIR", default_value = "/recordings")]
    recordings: PathBuf,
}

/// Refuses every command, where no phones are built in.
struct NoPhones;

impl Execute for NoPhones {
    fn execute(
        &self,
        _: Command,
        _: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send + '_>> {
        Box::pin(async { Err(Rejection::new(Code::Unavailable, "this build has no phones")) })
    }
}

/// Executes the verb; standard output belongs to the protocol from here on.
pub(crate) async fn run(args: McpArgs, output: &mut Output) -> io::Result<Exit> {
    let closing = CancellationToken::new();
    end_on_signal(closing.clone())?;
    let journal = Journal::in_memory(Wall::system());
    let views = Views::attach(&journal);
    journal.append(
        Subject::system(),
        Cause::Start,
        SystemEvent::Started { version: env!("CARGO_PKG_VERSION").into() },
    );
    let services = Services {
        execute: Arc::new(NoPhones),
        journal: journal.clone(),
        views,
        runs: Arc::new(NoRuns),
        recordings: args.recordings,
        zone: TimeZone::system(),
        closing,
    };
    let served = McpServer::new(services, args.phone_tools).serve_stdio().await;
    journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    match served {
        Ok(()) => Ok(Exit::Passed),
        Err(error) => {
            output.remark(format_args!("offhook mcp: {error}"))?;
            Ok(Exit::Internal)
        }
    }
}

/// Ends the server in order when the process is asked to stop.
fn end_on_signal(closing: CancellationToken) -> io::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            () = closing.cancelled() => {}
        }
        closing.cancel();
    });
    Ok(())
}
