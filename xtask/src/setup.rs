//! `cargo xtask setup`: what a checkout needs once.

use crate::shell;
use anyhow::Result;
use std::process::Command;

/// Programs that some task uses, and what is lost without each.
const TOOLS: [(&str, &str); 7] = [
    ("cargo-nextest", "tests run with `cargo test` instead"),
    ("cargo-deny", "`cargo xtask ci` installs it from its source"),
    ("sipp", "`cargo xtask test` installs it from Debian's sip-tester"),
    ("tshark", "`cargo xtask test` installs it"),
    ("apt-get", "the lab Asterisk needs Docker"),
    ("docker", "the lab Asterisk needs root"),
    ("cargo-fuzz", "`cargo xtask fuzz` does not work; the corpora are replayed all the same"),
];

/// Points git at the hooks of the repository and lists the tools that are there.
///
/// # Errors
/// When git refuses.
pub(crate) fn run() -> Result<()> {
    shell::run(
        Command::new("git").args(["config", "core.hooksPath", ".githooks"]).current_dir(shell::repository()?),
    )?;
    for (program, without) in TOOLS {
        if shell::installed(program) {
            println!("{program}: found");
        } else {
            println!("{program}: not found; {without}");
        }
    }
    Ok(())
}
