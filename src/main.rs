//! The offhook program: parses the command line and hands over to `offhook::cli`.

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context;
use offhook::{
    cli::{Cli, Exit, Output},
    telemetry,
};

/// Events are made by one thread and freed by another, tens of thousands a second (`benches/call_setups.rs`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Usage errors exit through clap with code 2, help and version with 0.
    let cli = Cli::of_process();
    telemetry::init();
    let mut output = Output::standard();
    match execute(cli, &mut output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Standard error may be the stream that broke; then only the exit code can tell.
            drop(output.remark(format_args!("offhook: {error:#}")));
            Exit::Internal.into()
        }
    }
}

fn execute(cli: Cli, output: &mut Output) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(cli.execute(output));
    let flushed = output.flush();
    // A read of standard input that never returns must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match result.and_then(|exit| flushed.map(|()| exit)) {
        // `offhook log | head` closes the pipe; the reader has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Passed),
        other => other.context("cannot write the result"),
    }
}
