//! The verb: select, check, run on schedule, report, exit with the right code.

use std::{
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    super::{
        Exit, Output,
        against::Against,
        captures::{CaptureArgs, captures as captures_of_process, captures_folder},
        reasons, scenarios,
        start::NetworkArgs,
    },
    screen::Screen,
    session::Session,
};
use crate::{
    config::PbxProfile,
    event::Verdict,
    node::{Data, NodeOptions, asked_to_end},
    report::{self, RunReport},
    scenario::{Known, Level},
    suite::{Plan, Schedule, SuiteError},
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
    /// How long a run waits for accounts and phones that other runs have before it counts as blocked.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::super::start::duration)]
    lease_wait: Duration,
    /// Runs only scenarios with this tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Writes JSON lines: every event of the runs, a result per scenario, a summary.
    #[arg(long)]
    pub(super) json: bool,
    /// Writes a JUnit XML file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Folder for journal, recordings and captures; without it they are in memory and temporary.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Captures every phone that a scenario makes into this folder.
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    #[command(flatten)]
    capture: CaptureArgs,
    /// Keeps journal, recordings and captures in a fresh temporary folder.
    #[arg(long, conflicts_with = "data")]
    keep: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

impl RunArgs {
    fn node_options(&self, profile: Option<PbxProfile>) -> NodeOptions {
        let captures = captures_folder(self.captures.as_deref());
        let captures = captures.map(|folder| captures_of_process(Some(&folder), None));
        NodeOptions {
            network: self.network.network(),
            data: self.data.clone().map_or(Data::Memory, Data::Folder),
            captures,
            capture_form: self.capture.form(),
            media_workers: 1,
            profile,
            ..NodeOptions::system()
        }
    }
}

/// Executes the verb.
pub(crate) async fn run(args: RunArgs, output: &mut Output) -> io::Result<Exit> {
    let profile = match args.against.profile() {
        Ok(profile) => profile,
        Err(error) => return refuse(output, &reasons(&error), Exit::Invalid),
    };
    let mut known = Known::default();
    known.add_numbers(profile.iter().flat_map(|profile| profile.numbers.keys()));
    let plan = match select(&args, &known, output)? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if let Some(path) = args.junit.as_deref().filter(|path| !can_be_written_at_once(path)) {
        let reason = format!("--junit {}: not a regular file; nothing was dialed", path.display());
        return refuse(output, &reason, Exit::Invalid);
    }
    let interrupted = asked_to_end()?;
    let started = Session::start(&args.against, args.node_options(profile), args.keep).await;
    let session = match started {
        Ok(session) => session,
        Err(error) => return refuse(output, &reasons(&error), Exit::NotReady),
    };
    session.end_when(interrupted.clone());
    if !args.json {
        output.line(format_args!("against {}", session.target()))?;
    }
    let schedule = Schedule::new(
        session.host(),
        session.terms(args.lease_wait, args.captures.is_some()),
        interrupted.clone(),
    );
    let begun = Instant::now();
    let mut screen = Screen::new(&args, &plan, &session, output);
    match schedule.run(plan, &mut screen).await {
        Ok(()) => {}
        Err(SuiteError::Watch(error)) => return Err(error),
        Err(SuiteError::NotStarted(error)) => return Err(io::Error::other(error)),
    }
    let reports = screen.reports;
    let exit = exit_of(&reports, interrupted.is_cancelled());
    let exit = match write_junit(&args, &reports, output)? {
        true => exit,
        false => unwritten(exit),
    };
    conclude(&args, &session, &reports, begun.elapsed(), exit, output)?;
    if let Err(error) = session.stop().await {
        output.remark(format_args!("offhook run: {}", reasons(&error)))?;
        return Ok(unwritten(exit));
    }
    Ok(exit)
}

fn refuse(output: &mut Output, reason: &str, exit: Exit) -> io::Result<Exit> {
    output.remark(format_args!("offhook run: {reason}"))?;
    Ok(exit)
}

/// Reads, checks and selects; nothing is dialed if any file has an error.
fn select(args: &RunArgs, known: &Known, output: &mut Output) -> io::Result<Result<Plan, Exit>> {
    let files = match scenarios::collect(&args.paths) {
        Ok(files) => files,
        Err(error) => return refuse(output, &error.to_string(), Exit::Invalid).map(Err),
    };
    let (mut plan, mut invalid) = (Plan::default(), false);
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
            // A warning is worth a line only to someone about to fix the file.
            if finding.level == Level::Error {
                output.remark(finding.line(&checked.path))?;
            }
        }
        plan.scenarios.extend(checked.scenario);
    }
    if invalid {
        return refuse(output, "nothing was dialed; `offhook check` shows all findings", Exit::Invalid)
            .map(Err);
    }
    let plan = plan.tagged(&args.tags);
    if plan.is_empty() {
        return refuse(output, "no scenario was selected", Exit::NothingSelected).map(Err);
    }
    Ok(Ok(plan))
}

/// Returns whether writing a file waits for nobody: opening a FIFO would block until somebody reads
/// it, even while the process is asked to end.
fn can_be_written_at_once(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |known| known.is_file() || known.file_type().is_char_device())
}

/// Writes the JUnit file if one is wanted; returns whether that succeeded.
fn write_junit(args: &RunArgs, reports: &[RunReport], output: &mut Output) -> io::Result<bool> {
    if let Some(path) = &args.junit
        && let Err(error) = std::fs::write(path, report::junit(reports))
    {
        output.remark(format_args!("offhook run: {}: {error}", path.display()))?;
        return Ok(false);
    }
    Ok(true)
}

/// Returns the exit code when results, or the journal, could not be written: that is not a success.
fn unwritten(exit: Exit) -> Exit {
    if exit == Exit::Passed { Exit::NotReady } else { exit }
}

fn conclude(
    args: &RunArgs,
    session: &Session,
    reports: &[RunReport],
    elapsed: Duration,
    exit: Exit,
    output: &mut Output,
) -> io::Result<()> {
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

/// Combines verdicts into the exit code: our own failures first, then failed runs, then an
/// environment that was not ready.
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
