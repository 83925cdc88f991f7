//! What `offhook run` shows while runs go on: their progress or their events, and each result.

use std::{io, path::PathBuf, time::Instant};

use super::{
    super::{Output, output::harmless},
    session::Session,
    verb::RunArgs,
};
use crate::{
    event::{Envelope, Event, RunEvent},
    id::RunId,
    report::{self, RunReport},
    suite::{Completed, Plan, Watch},
};

/// Looks on for the user, and keeps the reports.
pub(super) struct Screen<'a> {
    output: &'a mut Output,
    json: bool,
    /// Only one scenario is run, so there is room for its whole ladder.
    alone: bool,
    /// Where journal and recordings stay, when they do.
    kept: Option<PathBuf>,
    /// Name and start of the run that is shown.
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
            current: (String::new(), Instant::now()),
            reports: Vec::new(),
        }
    }

    fn look(&self, completed: &Completed) -> String {
        let source = completed.run.source.as_deref().unwrap_or_default();
        match &self.kept {
            Some(folder) => format!("offhook log --data {} --run {}", folder.display(), completed.run.id),
            None => format!("offhook run --keep {source} keeps journal and recordings"),
        }
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
        let report = RunReport::of(&completed.run, &completed.events, vec![self.look(&completed)]);
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
