//! Scenario runs: what they were and how they ended.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Envelope, Event, RunEvent, Verdict},
    id::{PhoneId, RunId, Seq},
    journal::Fold,
};

/// Runs kept, the newest ones.
const RUNS: usize = 1_000;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Its handle.
    pub id: RunId,
    /// The scenario's name.
    pub name: String,
    /// Its phones.
    pub phones: Vec<PhoneId>,
    /// File it was read from.
    pub source: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// Position of `run.started`.
    pub first: Seq,
    /// Position of its latest event; of `run.finished` once it is over.
    pub latest: Seq,
    /// The verdict; absent while it runs.
    pub verdict: Option<Verdict>,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// How long it took, milliseconds.
    pub elapsed_ms: Option<u64>,
    /// Expectations that held.
    pub met: u64,
    /// Expectations that did not.
    pub failed: u64,
    /// Hooks that fired.
    pub hooks_fired: u64,
    /// Actions that were refused or failed.
    pub actions_failed: u64,
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

    /// Returns the handle for the next run: never used before in this journal, and 1 in an empty one.
    #[must_use]
    pub fn next_id(&self) -> RunId {
        RunId(self.next.max(1))
    }
}

impl Fold for Runs {
    fn apply(&mut self, envelope: &Envelope) {
        let Some(id) = envelope.subject.run else { return };
        let Event::Run(event) = &envelope.event else { return };
        self.next = self.next.max(id.0.saturating_add(1));
        if let RunEvent::Started { name, phones, source } = event {
            let run = RunView {
                id,
                name: name.clone(),
                phones: phones.iter().filter_map(|phone| phone.parse().ok()).collect(),
                source: source.clone(),
                started_at: envelope.at,
                first: envelope.seq,
                latest: envelope.seq,
                verdict: None,
                reason: None,
                elapsed_ms: None,
                met: 0,
                failed: 0,
                hooks_fired: 0,
                actions_failed: 0,
            };
            self.by_id.insert(id, Arc::new(run));
            if self.by_id.len() > RUNS {
                self.by_id.pop_first();
            }
        } else if let Some(run) = self.by_id.get_mut(&id) {
            let run = Arc::make_mut(run);
            run.latest = envelope.seq;
            run_fact(run, event);
        }
    }
}

fn run_fact(run: &mut RunView, event: &RunEvent) {
    match event {
        RunEvent::HookFired { .. } => run.hooks_fired = run.hooks_fired.saturating_add(1),
        RunEvent::ActionFailed { .. } => run.actions_failed = run.actions_failed.saturating_add(1),
        RunEvent::ExpectationMet { .. } => run.met = run.met.saturating_add(1),
        RunEvent::ExpectationFailed { .. } => run.failed = run.failed.saturating_add(1),
        RunEvent::Finished { verdict, reason, elapsed_ms, ending: _ } => {
            run.verdict = Some(*verdict);
            run.reason = Some(reason.clone());
            run.elapsed_ms = Some(*elapsed_ms);
        }
        RunEvent::Started { .. }
        | RunEvent::ActionStarted { .. }
        | RunEvent::Checkpoint { .. }
        | RunEvent::Log { .. }
        | RunEvent::Signal { .. } => {}
    }
}
