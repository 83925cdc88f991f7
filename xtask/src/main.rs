//! Development tasks, `cargo xtask <task>`: the one entry that people, the git hook and CI share.
//!
//! Each task says which command it runs, so that a failure can be repeated by hand.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a development tool talks to a terminal")]

mod bench;
mod check;
mod fuzz;
mod interop;
mod lab;
mod setup;
mod shell;
#[path = "../../tests/it/tidy/mod.rs"]
mod tidy;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <task>

  setup                     points git at .githooks and lists the tools that are there
  check                     format, clippy, tests and doc tests; needs no peer
  precommit                 format, tidy rules, forgotten snapshots; what the git hook runs
  test [--no-interop] [-- runner arguments]
                            installs and starts what the tests need, then runs all of them
  interop [-- runner arguments]
                            only the tests against real peers
  ci                        check, fuzz corpora, bench build and test
  bench [name]              runs the benchmarks and prints their table
  fuzz <target> [seconds]   runs one fuzz target (needs cargo-fuzz), 60 s unless said
  lab up|down|status        the lab Asterisk on loopback";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<check::TestsFailed>() {
                eprintln!("xtask: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => setup::run(),
        ["check"] => check::check(),
        ["precommit"] => check::precommit(),
        ["test", rest @ ..] => interop::test(rest),
        ["interop", rest @ ..] => interop::only(rest),
        ["ci"] => check::ci(),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", target] => fuzz::run(target, "60"),
        ["fuzz", target, seconds] => fuzz::run(target, seconds),
        ["lab", "up"] => lab::up(),
        ["lab", "down"] => lab::down(),
        ["lab", "status"] => lab::status(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown task `{}`\n\n{USAGE}", words.join(" ")),
    }
}
