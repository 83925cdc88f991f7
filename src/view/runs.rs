//! Scenario runs: the one fold from which every surface and every report shows how they went.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::{CallEvent, Cause, Ending, Envelope, Event, RunEvent, SystemEvent, Verdict},
    id::{CallId, PhoneId, RunId, Seq},
    journal::Fold,
};

/// How many of the newest runs are kept.
const RUNS: usize = 1_000;
/// How many of the first failures, expectations and calls of a run are kept.
const ENTRIES: usize = 1_000;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// The scenario's name.
    pub name: String,
    /// Tags to select it by.
    pub tags: Vec<String>,
    /// Its phones as the scenario calls them.
    pub phones: Vec<PhoneId>,
    /// File it was read from.
    pub source: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// Position of `run.started`.
    pub first: Seq,
    /// Position of the latest event about its execution; of `run.finished` once it is over.
    pub latest: Seq,
    /// Its calls in the order in which they began.
    pub calls: Vec<CallId>,
    /// Expectations that held, in order.
    pub held: Vec<Held>,
    /// What did not hold or did not work, in order.
    pub failures: Vec<Failure>,
    /// Hooks that fired.
    pub hooks_fired: u64,
    /// How it ended; `None` while it runs.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason in one sentence.
    pub reason: String,
    /// What ended it; `None` in journals of the first version.
    pub ending: Option<Ending>,
    /// The time until the verdict was certain.
    pub elapsed: Duration,
    /// Names of the hooks that never matched.
    pub idle_hooks: Vec<String>,
    /// Calls that could not be ended in time.
    pub left_over: Vec<CallId>,
}

/// An expectation that held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// `line:column` in the file, if known.
    pub at: Option<String>,
    /// What was expected.
    pub expected: String,
    /// The event that met it; `None` for an absence.
    pub by: Option<Seq>,
}

/// Something that did not hold or did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `line:column` in the file, if known.
    pub at: Option<String>,
    /// The hook or list it belongs to.
    pub list: String,
    /// The action that was rejected or failed; `None` for an expectation.
    pub action: Option<String>,
    /// What was expected.
    pub expected: String,
    /// What happened instead.
    pub instead: String,
    /// The nearest event.
    pub by: Option<Seq>,
    /// The step, such as `steps[3]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl RunView {
    /// Returns how the run ended; one that is not over has failed on our side.
    #[must_use]
    pub fn outcome(&self) -> RunEnd {
        self.end.clone().unwrap_or_else(|| RunEnd::broken("the run ended without a verdict"))
    }

    fn begin(id: RunId, envelope: &Envelope) -> Self {
        Self { first: envelope.seq, latest: envelope.seq, ..Self::unknown(id, envelope.at) }
    }

    /// Builds the view of a run of which nothing is known, or nothing any more.
    #[must_use]
    pub fn unknown(id: RunId, at: Timestamp) -> Self {
        Self {
            id,
            name: String::new(),
            tags: Vec::new(),
            phones: Vec::new(),
            source: None,
            started_at: at,
            first: Seq(0),
            latest: Seq(0),
            calls: Vec::new(),
            held: Vec::new(),
            failures: Vec::new(),
            hooks_fired: 0,
            end: None,
        }
    }

    fn apply(&mut self, event: &RunEvent, cause: &Cause) {
        let list = || if let Cause::Run { hook, .. } = cause { hook.clone() } else { String::new() };
        match event {
            RunEvent::Started { name, phones, source, tags } => {
                self.name.clone_from(name);
                self.phones = phones.iter().filter_map(|phone| phone.parse().ok()).collect();
                self.source.clone_from(source);
                self.tags.clone_from(tags);
            }
            RunEvent::HookFired { .. } => self.hooks_fired = self.hooks_fired.saturating_add(1),
            RunEvent::ActionFailed { action, hook, at, error, step, .. } => self.failed(Failure {
                at: at.clone(),
                list: hook.clone(),
                action: Some(action.clone()),
                expected: format!("'{action}' to work"),
                instead: error.clone(),
                by: None,
                step: step.clone(),
            }),
            RunEvent::ExpectationMet { expectation, at, by } if self.held.len() < ENTRIES => {
                self.held.push(Held { at: at.clone(), expected: expectation.clone(), by: *by });
            }
            RunEvent::ExpectationFailed { expectation, at, instead, by, step } => self.failed(Failure {
                at: at.clone(),
                list: list(),
                action: None,
                expected: expectation.clone(),
                instead: instead.clone(),
                by: *by,
                step: step.clone(),
            }),
            RunEvent::Finished { verdict, reason, elapsed_ms, ending, idle_hooks, left_over } => {
                self.end = Some(RunEnd {
                    verdict: *verdict,
                    reason: reason.clone(),
                    ending: *ending,
                    elapsed: Duration::from_millis(*elapsed_ms),
                    idle_hooks: idle_hooks.clone(),
                    left_over: left_over.clone(),
                });
            }
            RunEvent::ExpectationMet { .. }
            | RunEvent::ActionStarted { .. }
            | RunEvent::ActionFinished { .. }
            | RunEvent::CleaningUp {}
            | RunEvent::Checkpoint { .. }
            | RunEvent::Log { .. }
            | RunEvent::Signal { .. } => {}
        }
    }

    fn failed(&mut self, failure: Failure) {
        if self.failures.len() < ENTRIES {
            self.failures.push(failure);
        }
    }
}

impl RunEnd {
    /// Builds the end of a run that a failure of our own ended.
    #[must_use]
    pub fn broken(reason: &str) -> Self {
        Self {
            verdict: Verdict::Error,
            reason: reason.to_owned(),
            ending: None,
            elapsed: Duration::ZERO,
            idle_hooks: Vec::new(),
            left_over: Vec::new(),
        }
    }
}

/// The newest runs.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    by_id: BTreeMap<RunId, Arc<RunView>>,
    next: u64,
}

impl Runs {
    /// Returns a run.
    #[must_use]
    pub fn get(&self, run: RunId) -> Option<Arc<RunView>> {
        self.by_id.get(&run).cloned()
    }

    /// Returns the runs, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<RunView>> {
        self.by_id.values().cloned().collect()
    }

    /// Returns the id for the next run: never used before in this journal, and 1 in an empty one.
    #[must_use]
    pub fn next_id(&self) -> RunId {
        RunId(self.next.max(1))
    }
}

impl Fold for Runs {
    fn apply(&mut self, envelope: &Envelope) {
        if let Event::System(SystemEvent::Pruned { runs, .. }) = &envelope.event {
            let retired = |run: &RunId| runs.iter().any(|[first, last]| (*first..=*last).contains(&run.0));
            return self.by_id.retain(|id, _| !retired(id));
        }
        let Some(id) = envelope.subject.run else { return };
        if let Event::Run(event) = &envelope.event {
            self.next = self.next.max(id.0.saturating_add(1));
            if let RunEvent::Started { .. } = event {
                self.by_id.insert(id, Arc::new(RunView::begin(id, envelope)));
                if self.by_id.len() > RUNS {
                    self.by_id.pop_first();
                }
            }
            if let Some(run) = self.by_id.get_mut(&id) {
                let run = Arc::make_mut(run);
                run.latest = envelope.seq;
                run.apply(event, &envelope.cause);
            }
        } else if let (Event::Call(CallEvent::Placed { .. } | CallEvent::Incoming { .. }), Some(call)) =
            (&envelope.event, envelope.subject.call)
            && let Some(run) = self.by_id.get_mut(&id).filter(|run| run.calls.len() < ENTRIES)
        {
            Arc::make_mut(run).calls.push(call);
        }
    }
}
