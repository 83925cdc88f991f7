//! The command line: one file per verb, one door to standard output, one table of exit codes.

mod against;
mod captures;
mod check;
mod lab;
mod log;
mod mcp;
mod output;
mod profiles;
mod prune;
mod run;
mod scenarios;
mod start;

use output::reasons;
pub use output::{Exit, Output};

use std::io;

use clap::{Parser, Subcommand, error::ContextValue};

use crate::secret::without_password;

/// Softphones, a lab PBX and a scenario runner in one program, for people and AI agents who test phone systems.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done from a shell.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Run scenarios against the embedded lab PBX or a real phone system.
    Run(run::RunArgs),
    /// Check scenarios and profiles without dialing: every mistake with line, column and a suggestion.
    Check(check::CheckArgs),
    /// Start the embedded lab PBX and keep it running.
    Lab(lab::LabArgs),
    /// Show the journal: what happened, to which phone and call, and why.
    Log(log::LogArgs),
    /// Serve the phones, calls and scenarios over MCP on standard input and output.
    Mcp(mcp::McpArgs),
}

impl Cli {
    /// Parses the command line of this process; exits for help, version and usage errors.
    #[must_use]
    pub fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| discreet(error).exit())
    }

    /// Executes the chosen verb and returns how the process should exit.
    ///
    /// # Errors
    /// Only if standard output or standard error cannot be written.
    pub async fn execute(self, output: &mut Output) -> io::Result<Exit> {
        match self.verb {
            Verb::Run(args) => run::run(args, output).await,
            Verb::Check(args) => check::run(args, output).await,
            Verb::Lab(args) => lab::run(args, output).await,
            Verb::Log(args) => log::run(args, output).await,
            Verb::Mcp(args) => mcp::run(args, output).await,
        }
    }
}

/// Removes passwords from what an error quotes of the command line: a URI may be anywhere, also by
/// mistake.
fn discreet(mut error: clap::Error) -> clap::Error {
    let hide = |text: &String| without_password(text).into_owned();
    let hidden = |value: &ContextValue| {
        if let ContextValue::String(text) = value {
            Some(ContextValue::String(hide(text)))
        } else if let ContextValue::Strings(texts) = value {
            Some(ContextValue::Strings(texts.iter().map(hide).collect()))
        } else {
            None
        }
    };
    let quoted: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, hidden(value)?))).collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_argument_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_error_quotes_a_password() {
        for line in [
            &["run", "x.yaml", "--against", "sips:bob:hunter2@pbx"][..],
            &["run", "x.yaml", "--against=sips:bob:hunter2@pbx"],
            &["run", "x.yaml", "--against", "bob:hunter2@pbx"],
            &["run", "x.yaml", "--against", "bob:hunter2@pbx/profile.yaml"],
            &["check", "x.yaml", "--against", "SIPS:bob:hunter2@pbx"],
            &["mcp", "--pbx", "sips:bob:hunter2@pbx"],
            &["mcp", "sip:bob:hunter2@pbx"],
            &["lab", "--bind", "sip:bob:hunter2@pbx"],
            &["lab", "--users", "3", "--digest", "sip:bob:hunter2@pbx"],
            &["log", "--direction", "sip:bob:hunter2@pbx"],
            &["log", "--since", "sip:bob:hunter2@pbx"],
            &["run", "x.yaml", "--lease-wait", "sip:bob:hunter2@pbx"],
            &["run", "x.yaml", "--dns", "sip:bob:hunter2@pbx"],
            &["run", "x.yaml", "--agianst=sip:bob:hunter2@pbx"],
            &["sip:bob:hunter2@pbx"],
        ] {
            let line: Vec<_> = ["offhook"].iter().chain(line).collect();
            let told = discreet(Cli::try_parse_from(&line).unwrap_err()).to_string();
            assert!(!told.contains("hunter2"), "{line:?}: {told}");
        }
    }

    #[test]
    fn every_verb_is_recognized() {
        for verb in ["run", "check", "lab", "log", "mcp"] {
            let error = Cli::try_parse_from(["offhook", verb, "--help"]).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp, "{verb}");
        }
    }
}
