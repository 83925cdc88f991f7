//! The verb: select, check, run one after the other, report, exit with the truth.

use std::{
    io,
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant},
};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{
    super::{Exit, Output, against::Against, reasons, scenarios},
    result::Described,
    session::Session,
};
use crate::{
    event::{Envelope, Verdict},
    node::asked_to_end,
    report::{self, RunReport},
    scenario::{Known, Level, RunSummary, Scenario},
};

/// Arguments of `offhook run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Scenario files, or folders of them.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Phone system: the embedded lab, sip:HOST:PORT with the lab's accounts, or a profile file.
    #[arg(long, value_name = "lab|URI|PROFILE", default_value = "lab")]
    against: Against,
    /// Runs only scenarios with this tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Writes JSON lines: every event of the runs, a result per scenario, a summary.
    #[arg(long)]
    json: bool,
    /// Writes a JUnit XML file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Folder for journal and recordings; without it they are in memory and temporary.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Keeps journal and recordings in a fresh temporary folder.
    #[arg(long, conflicts_with = "data")]
    keep: bool,
}

/// A scenario that is to be run.
struct Selected {
    path: String,
    scenario: Scenario,
}

/// Executes the verb.
pub(crate) async fn run(args: RunArgs, output: &mut Output) -> io::Result<Exit> {
    let profile = match args.against.profile() {
        Ok(profile) => profile,
        Err(error) => return refuse(output, &reasons(&error), Exit::Invalid),
    };
    let mut known = Known::default();
    known.add_numbers(profile.iter().flat_map(|profile| profile.numbers.keys()));
    let selected = match select(&args, &known, output)? {
        Ok(selected) => selected,
        Err(exit) => return Ok(exit),
    };
    let interrupted = asked_to_end()?;
    let started = Session::start(&args.against, profile, args.data.clone(), args.keep).await;
    let session = match started {
        Ok(session) => session,
        Err(error) => return refuse(output, &reasons(&error), Exit::NotReady),
    };
    if !args.json {
        output.line(format_args!("against {}", session.target()))?;
    }
    let begun = Instant::now();
    let mut reports = Vec::new();
    let alone = selected.len() == 1;
    for selected in selected {
        if interrupted.is_cancelled() {
            break;
        }
        let report = run_one(selected, &session, &interrupted, args.json, output).await?;
        if args.json {
            output.json(&report::result_line(&report))?;
        } else {
            output.line(report::verdict_block(&report, alone))?;
        }
        reports.push(report);
    }
    let exit = exit_of(&reports, interrupted.is_cancelled());
    conclude(&args, &session, &reports, begun.elapsed(), exit, output)?;
    if let Err(error) = session.stop().await {
        output.remark(format_args!("offhook run: {}", reasons(&error)))?;
    }
    Ok(exit)
}

fn refuse(output: &mut Output, reason: &str, exit: Exit) -> io::Result<Exit> {
    output.remark(format_args!("offhook run: {reason}"))?;
    Ok(exit)
}

/// Reads, checks and selects; nothing is dialed when any file has an error.
fn select(args: &RunArgs, known: &Known, output: &mut Output) -> io::Result<Result<Vec<Selected>, Exit>> {
    let files = match scenarios::collect(&args.paths) {
        Ok(files) => files,
        Err(error) => return refuse(output, &error.to_string(), Exit::Invalid).map(Err),
    };
    let (mut selected, mut invalid) = (Vec::new(), false);
    for file in files {
        let checked = match scenarios::check(&file, known) {
            Ok(checked) => checked,
            Err(error) => {
                output.remark(format_args!("offhook run: {error}"))?;
                invalid = true;
                continue;
            }
        };
        invalid |= checked.has_errors();
        for finding in &checked.findings {
            // A warning is worth a line only to someone who is about to fix the file.
            if finding.level == Level::Error {
                output.remark(finding.line(&checked.path))?;
            }
        }
        let Some(scenario) = checked.scenario else { continue };
        if args.tags.is_empty() || args.tags.iter().any(|tag| scenario.tags.contains(tag)) {
            selected.push(Selected { path: checked.path, scenario });
        }
    }
    if invalid {
        return refuse(output, "nothing was dialed; `offhook check` shows all findings", Exit::Invalid)
            .map(Err);
    }
    if selected.is_empty() {
        return refuse(output, "no scenario was selected", Exit::NothingSelected).map(Err);
    }
    Ok(Ok(selected))
}

/// Runs one scenario and shows its progress.
async fn run_one(
    selected: Selected,
    session: &Session,
    interrupted: &CancellationToken,
    json: bool,
    output: &mut Output,
) -> io::Result<RunReport> {
    let described = Described::of(&selected.scenario, &selected.path);
    let name = described.name.clone();
    let after = session.journal().head();
    let handle = match session.run(selected.scenario).await {
        Ok(handle) => handle,
        Err(error) => return Err(io::Error::other(error)),
    };
    let mut reader = session.journal().reader(after);
    let (canceler, run) = (handle.canceler(), handle.id());
    let mut finished = pin!(handle.wait());
    let begun = Instant::now();
    let mut asked = false;
    let show = |envelope: &Envelope, output: &mut Output| {
        if json {
            return output.json(&line_of(envelope));
        }
        if output.is_terminal()
            && envelope.subject.run == Some(run)
            && let Some(doing) = report::progress(&envelope.event)
        {
            let elapsed = begun.elapsed().as_secs_f64();
            output.text(format_args!("\r\x1b[2K{name}  {elapsed:.1} s  {doing}"))?;
        }
        Ok(())
    };
    let summary: RunSummary = loop {
        tokio::select! {
            biased;
            summary = &mut finished => break summary,
            () = interrupted.cancelled(), if !asked => {
                asked = true;
                canceler.cancel("interrupted");
            }
            Ok(envelope) = reader.next() => show(&envelope, output)?,
        }
    };
    while let Ok(Some(envelope)) = reader.try_next().await {
        show(&envelope, output)?;
    }
    if output.is_terminal() && !json {
        output.text("\r\x1b[2K")?;
    }
    Ok(described.report(summary, session.journal(), after, session.kept()).await)
}

/// Returns an event as a line of `--json`: the journal's own form, marked as an event.
fn line_of(envelope: &Envelope) -> serde_json::Value {
    let mut line = serde_json::json!({ "type": "event" });
    if let (Some(fields), Ok(serde_json::Value::Object(event))) =
        (line.as_object_mut(), serde_json::to_value(envelope))
    {
        fields.extend(event);
    }
    line
}

fn conclude(
    args: &RunArgs,
    session: &Session,
    reports: &[RunReport],
    elapsed: Duration,
    exit: Exit,
    output: &mut Output,
) -> io::Result<()> {
    if let Some(path) = &args.junit
        && let Err(error) = std::fs::write(path, report::junit(reports))
    {
        output.remark(format_args!("offhook run: {}: {error}", path.display()))?;
    }
    if args.json {
        output.json(&report::suite_line(reports, exit.code()))?;
    } else {
        if let Some(folder) = session.kept() {
            output.line(format_args!("journal and recordings: {}", folder.display()))?;
        }
        output.line(report::summary_line(reports, elapsed))?;
    }
    Ok(())
}

/// Folds verdicts into the exit code: our own failure first, then failures, then an environment that was not ready.
fn exit_of(reports: &[RunReport], interrupted: bool) -> Exit {
    let any = |verdict| reports.iter().any(|report| report.verdict == verdict);
    if interrupted {
        Exit::Interrupted
    } else if any(Verdict::Error) {
        Exit::Internal
    } else if any(Verdict::Failed) {
        Exit::Failed
    } else if any(Verdict::Blocked) {
        Exit::NotReady
    } else if any(Verdict::Passed) || any(Verdict::Flaky) {
        Exit::Passed
    } else {
        Exit::NothingSelected
    }
}
