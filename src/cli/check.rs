//! `offhook check`: finds the mistakes of scenarios without dialing.

use std::{io, path::PathBuf};

use clap::Args;

use super::{Exit, Output, against::Against, scenarios};
use crate::scenario::{Known, Level};

/// Arguments of `offhook check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Scenario files, or folders of them.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// One JSON object per finding, and a last one with the counts.
    #[arg(long)]
    json: bool,
    /// Checks names of numbers against this phone system: lab, sip:HOST:PORT or a profile file.
    #[arg(long, value_name = "lab|URI|PROFILE", default_value = "lab")]
    against: Against,
}

/// Executes the verb.
#[expect(clippy::unused_async, reason = "every verb has the same shape")]
pub(crate) async fn run(args: CheckArgs, output: &mut Output) -> io::Result<Exit> {
    let profile = match args.against.profile() {
        Ok(profile) => profile,
        Err(error) => {
            output.remark(format_args!("offhook check: {error}"))?;
            return Ok(Exit::Invalid);
        }
    };
    let mut known = Known::default();
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
    let (mut errors, mut warnings) = (0_usize, 0_usize);
    for file in &files {
        let checked = match scenarios::check(file, &known) {
            Ok(checked) => checked,
            Err(error) => {
                output.remark(format_args!("offhook check: {error}"))?;
                errors += 1;
                continue;
            }
        };
        for finding in &checked.findings {
            match finding.level {
                Level::Error => errors += 1,
                Level::Warning => warnings += 1,
            }
            if args.json {
                output.json(&finding.to_json(&checked.path))?;
            } else {
                output.line(finding.line(&checked.path))?;
            }
        }
    }
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
