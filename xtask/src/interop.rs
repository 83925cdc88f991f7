//! `cargo xtask test` and `interop`: the tests with everything they need around them.

use crate::lab::{self, Place};
use crate::{check, shell};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The feature that turns the tests against real peers on.
pub(crate) const FEATURE: &str = "offhook/interop";
/// Programs that the interop tests start, with their Debian packages.
const PEERS: [(&str, &str); 2] = [("sipp", "sip-tester"), ("tshark", "tshark")];
const NOT_INTEROP: &str = "--no-interop";

/// Installs and starts what the tests need, then runs all of them, or all but interop with `--no-interop`.
///
/// # Errors
/// When a test fails, or a peer cannot be had; then the message names the command that needs none.
pub(crate) fn test(arguments: &[&str]) -> Result<()> {
    let (flags, runner) = split(arguments);
    let mut selection = vec!["--workspace"];
    if flags.contains(&NOT_INTEROP) {
        check::doc_tests()?;
        selection.extend(runner);
        return check::tests(&selection, &[]);
    }
    let peers = Peers::start()?;
    check::doc_tests()?;
    check::short_benches()?;
    selection.extend(["--features", FEATURE]);
    selection.extend(runner);
    check::tests(&selection, &peers.environment)
}

/// Runs only the tests against real peers.
///
/// # Errors
/// As [`test()`].
pub(crate) fn only(arguments: &[&str]) -> Result<()> {
    let (_, runner) = split(arguments);
    let peers = Peers::start()?;
    let mut selection = vec!["--package", "offhook", "--features", "interop", "--test", "interop"];
    selection.extend(runner);
    check::tests(&selection, &peers.environment)
}

fn split<'a>(arguments: &'a [&'a str]) -> (&'a [&'a str], &'a [&'a str]) {
    let at = arguments.iter().position(|word| *word == "--").unwrap_or(arguments.len());
    let (flags, rest) = arguments.split_at(at);
    (flags, rest.get(1..).unwrap_or_default())
}

/// The peers of one test run; those that it started end with it.
struct Peers {
    place: Place,
    ours: bool,
    environment: Vec<(&'static str, String)>,
}

impl Peers {
    fn start() -> Result<Self> {
        let place = Place::from_environment()?;
        let ours = lab::ensure(&place)?;
        let mut peers = Self { environment: place.ports.variables().to_vec(), place, ours };
        shell::install_packages(&PEERS)
            .context("everything but the interop tests runs with: cargo xtask test --no-interop")?;
        if let Some(python) = python()? {
            peers.environment.push(("OFFHOOK_PYTHON", python.display().to_string()));
        }
        Ok(peers)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Silent when it works: the test runner's summary stays the last thing printed.
        if self.ours
            && let Err(error) = lab::end(&self.place)
        {
            eprintln!("xtask: the lab Asterisk may still run: {error:#}");
        }
    }
}

/// Makes the Python environment of `tests/interop/requirements.txt` and returns its interpreter;
/// `None` without that file.
///
/// # Errors
/// When Python is missing or pip fails.
fn python() -> Result<Option<PathBuf>> {
    let repository = shell::repository()?;
    let requirements = repository.join("tests/interop/requirements.txt");
    let Ok(wanted) = std::fs::read_to_string(&requirements) else { return Ok(None) };
    let folder = repository.join("target/lab/venv");
    let interpreter = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Some(interpreter));
    }
    let create = || shell::quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    if create().is_err() {
        shell::install_packages(&[("python3", "python3"), ("ensurepip", "python3-venv")])?;
        create().context("could not make the Python environment")?;
    }
    let mut install = Command::new(&interpreter);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    shell::quietly(install.arg(&requirements))?;
    std::fs::write(&stamp, wanted).context("could not record the Python environment")?;
    Ok(Some(interpreter))
}
