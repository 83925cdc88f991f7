//! `cargo xtask check`, `precommit` and `ci`: everything that needs no peer.

use crate::{interop, shell, tidy};
use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// The documentation of a module may link to its private items, because it is built with them.
const DOC_FLAGS: &str = "-D warnings -A rustdoc::private_intra_doc_links";

/// Runs format, lints, tests and doc tests.
///
/// # Errors
/// At the first that fails.
pub(crate) fn check() -> Result<()> {
    format()?;
    lints()?;
    doc_tests()?;
    tests(&[], &[])
}

/// Runs what is quick enough for every commit: format, tidy rules, forgotten snapshots.
///
/// # Errors
/// At the first that fails.
pub(crate) fn precommit() -> Result<()> {
    format()?;
    let repository = shell::repository()?;
    let complaints = tidy::complaints(&repository);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if !complaints.is_empty() {
        bail!("{} tidy complaints", complaints.len());
    }
    Ok(())
}

/// Runs all that CI runs: [`check`] without its tests, documentation, compiling the benchmarks, the
/// dependency policy, and [`interop::test()`], which holds every test, the replay of the fuzz
/// corpora among them.
///
/// # Errors
/// At the first that fails.
pub(crate) fn ci() -> Result<()> {
    format()?;
    lints()?;
    shell::run(
        shell::cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])?
            .env("RUSTDOCFLAGS", DOC_FLAGS),
    )?;
    shell::run(&mut shell::cargo(&["bench", "--workspace", "--no-run"])?)?;
    dependencies()?;
    interop::test(&[])
}

/// Runs the documentation's examples; nextest cannot.
///
/// # Errors
/// When one fails.
pub(crate) fn doc_tests() -> Result<()> {
    shell::run(&mut shell::cargo(&["test", "--workspace", "--doc", "--quiet"])?)
}

/// Runs a short round of every benchmark, which shows that it still works; the figures of such a round mean nothing.
///
/// # Errors
/// When one fails.
pub(crate) fn short_benches() -> Result<()> {
    let words = ["test", "--workspace", "--features", interop::FEATURE, "--quiet", "--bench", "*"];
    shell::run(shell::cargo(&words)?.stdout(Stdio::null()))
}

/// Runs the tests through nextest, or cargo where it is missing; its summary is the last thing printed.
///
/// # Errors
/// When a test fails or does not compile.
pub(crate) fn tests(selection: &[&str], environment: &[(&str, String)]) -> Result<()> {
    let mut command = test_runner()?;
    command.args(if selection.is_empty() { &["--workspace"][..] } else { selection });
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    if shell::status(&mut command)?.success() { Ok(()) } else { Err(TestsFailed.into()) }
}

/// Tests failed, and their runner has said which: its summary stays the last thing printed.
#[derive(Debug)]
pub(crate) struct TestsFailed;

impl std::fmt::Display for TestsFailed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("tests failed")
    }
}

impl std::error::Error for TestsFailed {}

fn test_runner() -> Result<Command> {
    if shell::succeeds("cargo", &["nextest", "--version"]) {
        shell::cargo(&["nextest", "run"])
    } else {
        shell::cargo(&["test", "--no-fail-fast"])
    }
}

/// Checks the dependencies against deny.toml. Advisories are left out: their list has to be
/// fetched, and changes without us.
fn dependencies() -> Result<()> {
    if !shell::succeeds("cargo", &["deny", "--version"]) {
        shell::run(&mut shell::cargo(&["install", "cargo-deny", "--locked", "--quiet"])?)?;
    }
    shell::run(&mut shell::cargo(&["deny", "check", "bans", "licenses", "sources"])?)
}

fn format() -> Result<()> {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--", "--check"])?)
}

fn lints() -> Result<()> {
    let words =
        ["clippy", "--workspace", "--all-targets", "--features", interop::FEATURE, "--", "-D", "warnings"];
    shell::run(&mut shell::cargo(&words)?)
}
