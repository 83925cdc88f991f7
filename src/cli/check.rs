//! `offhook check`: finds the mistakes of scenarios and profiles without dialing.

use std::{io, path::PathBuf};

use clap::Args;

use super::{Exit, Output, against::Against, profiles, reasons, scenarios};
use crate::scenario::{Diagnostic, Known, Level};

/// Arguments of `offhook check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Scenarios, PBX profiles and phones files, or folders of them.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// One JSON object per finding, and a last one with the counts.
    #[arg(long)]
    json: bool,
    /// Phone system whose numbers scenarios may use: lab, sip:HOST:PORT or a profile file; without it, any profile may come.
    #[arg(long, value_name = "lab|URI|PROFILE")]
    against: Option<Against>,
}

/// The findings so far.
#[derive(Default)]
struct Found {
    errors: usize,
    warnings: usize,
}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(args: CheckArgs, output: &mut Output) -> io::Result<Exit> {
    let profile = match args.against.as_ref().map(Against::profile).transpose() {
        Ok(profile) => profile.flatten(),
        Err(error) => {
            output.remark(format_args!("offhook check: {}", reasons(&error)))?;
            return Ok(Exit::Invalid);
        }
    };
    let mut known = Known { open: args.against.is_none(), ..Known::default() };
    known.add_numbers(profile.iter().flat_map(|profile| profile.numbers.keys()));
    let files = match scenarios::collect(&args.paths) {
        Ok(files) => files,
        Err(error) => {
            output.remark(format_args!("offhook check: {error}"))?;
            return Ok(Exit::Invalid);
        }
    };
    if files.is_empty() {
        output.remark("offhook check: there is no scenario file")?;
        return Ok(Exit::NothingSelected);
    }
    let mut found = Found::default();
    for file in &files {
        let findings = match profiles::check(file) {
            Some(findings) => Ok(findings),
            None => scenarios::check(file, &known).map(|checked| checked.findings),
        };
        match findings {
            Ok(findings) => found.show(&findings, &file.display().to_string(), args.json, output)?,
            Err(error) => {
                output.remark(format_args!("offhook check: {error}"))?;
                found.errors += 1;
            }
        }
    }
    let Found { errors, warnings } = found;
    if args.json {
        output.json(&serde_json::json!({ "files": files.len(), "errors": errors, "warnings": warnings }))?;
    } else {
        let count =
            |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
        let (files, errors, warnings) =
            (count(files.len(), "file"), count(errors, "error"), count(warnings, "warning"));
        output.line(format_args!("{files}: {errors}, {warnings}"))?;
    }
    Ok(if errors == 0 { Exit::Passed } else { Exit::Invalid })
}

impl Found {
    fn show(
        &mut self,
        findings: &[Diagnostic],
        file: &str,
        json: bool,
        output: &mut Output,
    ) -> io::Result<()> {
        for finding in findings {
            match finding.level {
                Level::Error => self.errors += 1,
                Level::Warning => self.warnings += 1,
            }
            if json {
                output.json(&finding.to_json(file))?;
            } else {
                output.line(finding.line(file))?;
            }
        }
        Ok(())
    }
}
