//! `cargo xtask fuzz`: one fuzz target for a while. Needs cargo-fuzz; `fuzz/` is a workspace of its own.

use crate::shell;
use anyhow::{Context, Result};

/// Runs a fuzz target for some seconds; what it finds is left in `fuzz/artifacts`.
///
/// # Errors
/// When the seconds are not a number, cargo-fuzz is missing, or the target crashes.
pub(crate) fn run(target: &str, seconds: &str) -> Result<()> {
    let seconds: u32 = seconds.parse().with_context(|| format!("`{seconds}` is not a number of seconds"))?;
    let limit = format!("-max_total_time={seconds}");
    let mut command = shell::cargo(&["fuzz", "run", target, "--", &limit])?;
    // The sanitizer flags are unstable; this lets the installed toolchain accept them.
    shell::run(command.env("RUSTC_BOOTSTRAP", "1"))
}
