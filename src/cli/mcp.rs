//! `offhook mcp`: serves MCP over standard input and output until the input ends or a signal comes.

use std::{error::Error, io, sync::Arc, time::Duration};

use clap::Args;
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Output, against::Against, start::StartArgs};
use crate::{
    config::PbxProfile,
    lab::{Lab, LabOptions},
    mcp::{McpServer, PhoneTools, ScenarioEngine, Services},
    phone::CLOSING,
    switchboard::Switchboard,
};

/// How long phones may take to close after the client is gone: the time that each has, again for one that fails meanwhile,
/// and a second for writing the ends of its calls down.
const SHUTDOWN: Duration = Duration::from_secs(2 * CLOSING.as_secs() + 1);

/// Arguments of `offhook mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// How phone actions are listed: tools of each phone (dynamic), once with a phone_id (static), or by client (auto).
    #[arg(long, value_name = "dynamic|static|auto", default_value = "auto")]
    phone_tools: PhoneTools,
    /// Phone system for which scenarios make phones: the embedded lab PBX (started now), an address, or a profile.
    #[arg(long, value_name = "lab|sip:HOST:PORT|PROFILE.yaml")]
    against: Option<Against>,
    #[command(flatten)]
    start: StartArgs,
}

/// Executes the verb; standard output belongs to the protocol from here on.
pub(crate) async fn run(args: McpArgs, output: &mut Output) -> io::Result<Exit> {
    let closing = CancellationToken::new();
    end_on_signal(closing.clone())?;
    // The tools wait for all registrations of a request together.
    let board = match args.start.start(Duration::ZERO).await {
        Ok(board) => board,
        Err(error) => {
            output.remark(format_args!("offhook mcp: {error}"))?;
            return Ok(Exit::NotReady);
        }
    };
    let (lab, profile) = match system(args.against.as_ref(), &board) {
        Ok(system) => system,
        Err(error) => {
            output.remark(format_args!("offhook mcp: {error}"))?;
            return Ok(Exit::NotReady);
        }
    };
    let engine = ScenarioEngine {
        execute: Arc::new(board.clone()),
        journal: board.journal().clone(),
        views: board.views().clone(),
        profile,
    };
    let services = Services {
        execute: Arc::new(board.clone()),
        journal: board.journal().clone(),
        views: board.views().clone(),
        runs: Arc::new(engine),
        recordings: args.start.recordings(),
        zone: TimeZone::system(),
        closing,
    };
    let served = McpServer::new(services, args.phone_tools).serve_stdio().await;
    match tokio::time::timeout(SHUTDOWN, board.shutdown()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => output.remark(format_args!("offhook mcp: {error}"))?,
        Err(_) => {
            output.remark("offhook mcp: phones did not close in time")?;
            // What is known so far is kept; the next start ends what is left on the wire.
            if let Err(error) = board.journal().close().await {
                output.remark(format_args!("offhook mcp: {error}"))?;
            }
        }
    }
    if let Some(lab) = lab {
        lab.stop().await;
    }
    match served {
        Ok(()) => Ok(Exit::Passed),
        Err(error) => {
            output.remark(format_args!("offhook mcp: {error}"))?;
            Ok(Exit::Internal)
        }
    }
}

/// Finds the phone system for scenarios; the embedded lab is started where it is asked for.
fn system(
    against: Option<&Against>,
    board: &Switchboard,
) -> Result<(Option<Lab>, Option<PbxProfile>), Box<dyn Error>> {
    let Some(against) = against else { return Ok((None, None)) };
    if *against == Against::Lab {
        let lab = Lab::start(board.network(), LabOptions::default())?;
        let profile = lab.profile();
        return Ok((Some(lab), Some(profile)));
    }
    Ok((None, against.profile()?))
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
