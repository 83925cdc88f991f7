//! What `offhook run` shows while runs are going on: their progress or their events, and each
//! result.

use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    super::{Output, output::harmless},
    kept::Kept,
    session::Session,
    verb::RunArgs,
};
use crate::{
    event::{Envelope, Event, RunEvent, Verdict},
    id::RunId,
    report::{self, RunReport},
    suite::{Completed, Plan, Watch},
};

/// Shows runs to the user, and collects the reports.
pub(super) struct Screen<'a> {
    output: &'a mut Output,
    json: bool,
    /// Only one scenario is run, so there is room for its whole ladder.
    alone: bool,
    /// Where journal and recordings are kept, if they are.
    kept: Option<PathBuf>,
    /// Where the journals of runs that did not pass are kept otherwise.
    failed: Kept,
    /// Name and start of the run being shown.
    current: (String, Instant),
    pub(super) reports: Vec<RunReport>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(args: &RunArgs, plan: &Plan, session: &Session, output: &'a mut Output) -> Self {
        Self {
            output,
            json: args.json,
            alone: plan.scenarios.len() == 1,
            kept: session.kept().map(ToOwned::to_owned),
            failed: Kept::new(),
            current: (String::new(), Instant::now()),
            reports: Vec::new(),
        }
    }

    /// Returns lines that say where to look further; for a run that did not pass its events are
    /// saved for that.
    fn look(&mut self, completed: &Completed) -> io::Result<Vec<String>> {
        let log = |data: &Path| format!("offhook log --data {} --run {}", data.display(), completed.run.id);
        if let Some(folder) = &self.kept {
            return Ok(vec![log(folder)]);
        }
        if !matches!(completed.run.outcome().verdict, Verdict::Failed | Verdict::Blocked | Verdict::Error) {
            return Ok(Vec::new());
        }
        let mut look = Vec::new();
        match self.failed.keep(&completed.events) {
            Ok(file) => look.push(log(&file)),
            Err(error) => {
                self.output
                    .remark(format_args!("offhook run: the journal of the run is not kept: {error}"))?;
            }
        }
        let source = completed.run.source.as_deref().unwrap_or_default();
        look.push(format!("offhook run --keep {source} keeps recordings, too"));
        Ok(look)
    }
}

impl Watch for Screen<'_> {
    type Error = io::Error;

    fn saw(&mut self, _: RunId, envelope: &Envelope) -> io::Result<()> {
        if self.json {
            return self.output.json(&line_of(envelope));
        }
        if let Event::Run(RunEvent::Started { name, .. }) = &envelope.event {
            self.current = (name.clone(), Instant::now());
        }
        if self.output.is_terminal()
            && let Some(doing) = report::progress(&envelope.event)
        {
            let (name, begun) = &self.current;
            let elapsed = begun.elapsed().as_secs_f64();
            let (name, doing) = (harmless(name), harmless(&doing));
            self.output.text(format_args!("\r\x1b[2K{name}  {elapsed:.1} s  {doing}"))?;
        }
        Ok(())
    }

    fn completed(&mut self, completed: Completed) -> io::Result<()> {
        let look = self.look(&completed)?;
        let report = RunReport::of(&completed.run, &completed.events, look, self.output.width());
        if self.json {
            self.output.json(&report::result_line(&report))?;
        } else {
            if self.output.is_terminal() {
                self.output.text("\r\x1b[2K")?;
            }
            self.output.line(report::verdict_block(&report, self.alone))?;
        }
        self.reports.push(report);
        Ok(())
    }
}

/// Formats an event as a line of `--json`: the journal's own form, marked as an event.
fn line_of(envelope: &Envelope) -> serde_json::Value {
    let mut line = serde_json::json!({ "type": "event" });
    if let (Some(fields), Ok(serde_json::Value::Object(event))) =
        (line.as_object_mut(), serde_json::to_value(envelope))
    {
        fields.extend(event);
    }
    line
}
