//! Diagnostics: `tracing` to standard error, filtered by `OFFHOOK_LOG`.
//!
//! Standard output belongs to results and to MCP.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

/// Installs the process-wide subscriber; the level is `warn` unless `OFFHOOK_LOG` says otherwise.
pub fn init() {
    let mut filter = EnvFilter::try_from_env("OFFHOOK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // Below that level the MCP library prints whole requests, passwords included.
    if let Ok(quiet) = "rmcp=warn".parse() {
        filter = filter.add_directive(quiet);
    }
    let colors = io::stderr().is_terminal();
    // A second call (tests) finds a subscriber in place; keeping the first is right.
    drop(fmt().with_env_filter(filter).with_ansi(colors).with_writer(io::stderr).try_init());
}
