//! `offhook mcp`: serves MCP over standard input and output until the input ends or a signal comes.

use std::{io, sync::Arc, time::Duration};

use clap::Args;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::{Exit, Output, against::Against, prune, reasons, start::StartArgs};
use crate::{
    lab::LabOptions,
    mcp::{McpServer, PhoneTools, ScenarioEngine, Services},
    node::{Node, NodeOptions, asked_to_end},
};

/// Arguments of `offhook mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// How phone actions are listed: tools of each phone (dynamic), once with a phone_id (static), or by client (auto).
    #[arg(long, value_name = "dynamic|static|auto", default_value = "auto")]
    phone_tools: PhoneTools,
    /// Phone system for which scenarios make phones: the embedded lab PBX (started now), an address, or a profile.
    #[arg(long, value_name = "lab|sip:HOST:PORT|PROFILE.yaml")]
    against: Option<Against>,
    /// How long a scenario waits for accounts and phones that others are using before it counts as blocked.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::start::duration)]
    lease_wait: Duration,
    /// Removes calls and runs that are over and older than this from the journal of --data, now and every hour: `30d`, `12h`.
    #[arg(long, value_name = "AGE", requires = "data", value_parser = prune::age)]
    keep: Option<Duration>,
    #[command(flatten)]
    start: StartArgs,
}

/// Executes the verb; standard output belongs to the protocol from here on.
pub(crate) async fn run(args: McpArgs, output: &mut Output) -> io::Result<Exit> {
    let closing = asked_to_end()?;
    let profile = match args.against.as_ref().map_or(Ok(None), Against::profile) {
        Ok(profile) => profile,
        Err(error) => return not_ready(output, &reasons(&error)),
    };
    let options = NodeOptions {
        // The tools wait for all registrations of a request together.
        registration_wait: Duration::ZERO,
        lab: (args.against == Some(Against::Lab)).then(LabOptions::default),
        profile,
        keep: args.keep,
        ..args.start.options()
    };
    let node = match Node::start(options).await {
        Ok(node) => node,
        Err(error) => return not_ready(output, &reasons(&error)),
    };
    let served =
        McpServer::new(services(&node, args.lease_wait, closing), args.phone_tools).serve_stdio().await;
    let mut exit = Exit::Passed;
    if let Err(error) = node.stop().await {
        output.remark(format_args!("offhook mcp: {}", reasons(&error)))?;
        exit = Exit::NotReady;
    }
    if let Err(error) = served {
        output.remark(format_args!("offhook mcp: {}", reasons(&error)))?;
        exit = Exit::Internal;
    }
    Ok(exit)
}

fn not_ready(output: &mut Output, reason: &str) -> io::Result<Exit> {
    output.remark(format_args!("offhook mcp: {reason}"))?;
    Ok(Exit::NotReady)
}

/// Returns what the tools use.
fn services(node: &Node, lease_wait: Duration, closing: CancellationToken) -> Services {
    let board = Arc::new(node.switchboard().clone());
    let engine = ScenarioEngine { host: board.clone(), lease_wait, profile: node.profile().cloned() };
    Services {
        execute: board,
        journal: node.journal().clone(),
        views: node.views().clone(),
        runs: Arc::new(engine),
        recordings: node.recordings().clone(),
        captures: node.captures().clone(),
        zone: TimeZone::system(),
        closing,
    }
}
