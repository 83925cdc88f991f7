//! The scenario engine behind the scenario tools.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::runs::{Document, NotStarted, Runs, UNREADABLE, Validation};
use crate::{
    config::PbxProfile,
    event::Cause,
    scenario::{self, Diagnostic, Host, Known, Level, Reading, Segment, Terms},
    suite::Attempt,
};

/// Most findings per level in an answer; the first ones show what is wrong, and an agent pays for
/// each.
const MOST_FINDINGS: usize = 50;

/// Runs scenarios with the phones of this process.
pub struct ScenarioEngine {
    /// Where runs live.
    pub host: Arc<dyn Host>,
    /// How long a run waits for accounts and phones that other runs have.
    pub lease_wait: Duration,
    /// The phone system that scenarios create phones on; `None` where phones exist already.
    pub profile: Option<PbxProfile>,
}

impl ScenarioEngine {
    /// Reads a document as `offhook check` does: on a thread that may wait for the disk.
    async fn read(&self, document: Document) -> Result<Reading, String> {
        let mut known = Known::default();
        if let Some(profile) = &self.profile {
            known.add_numbers(profile.numbers.keys());
        }
        let reading = tokio::task::spawn_blocking(move || {
            let mut reading = match document {
                Document::Object(object) => scenario::check_json(&Value::Object(object), &known),
                Document::Text(text) => scenario::check_yaml(&text, None, &known),
            };
            scenario::check_sounds(&mut reading);
            reading
        });
        reading.await.map_err(|error| error.to_string())
    }

    async fn begin(
        &self,
        document: Document,
        timeout: Option<Duration>,
        cause: Cause,
    ) -> Result<Attempt, NotStarted> {
        let reading = match self.read(document).await {
            Ok(reading) => reading,
            Err(error) => return Err(NotStarted::Mistakes(Validation::unread(&error))),
        };
        let validation = validation_of(&reading);
        let (true, Some(mut scenario)) = (reading.is_runnable(), reading.scenario) else {
            return Err(NotStarted::Mistakes(validation));
        };
        scenario.timeout = timeout.unwrap_or(scenario.timeout);
        let (profile, lease_wait) = (self.profile.clone(), self.lease_wait);
        let terms = Terms { profile, lease_wait, captured: false, cause };
        Attempt::begin(&*self.host, scenario, terms, 1).await.map_err(NotStarted::Refused)
    }
}

impl Runs for ScenarioEngine {
    fn validate(&self, document: Document) -> Pin<Box<dyn Future<Output = Validation> + Send + '_>> {
        Box::pin(async {
            let reading = self.read(document).await;
            reading.map_or_else(|error| Validation::unread(&error), |reading| validation_of(&reading))
        })
    }

    fn start(
        &self,
        document: Document,
        timeout: Option<Duration>,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Attempt, NotStarted>> + Send + '_>> {
        Box::pin(self.begin(document, timeout, cause))
    }
}

fn validation_of(reading: &Reading) -> Validation {
    let mut left_out = 0;
    let mut of_level = |level: Level| {
        let findings: Vec<_> = reading.findings.iter().filter(|finding| finding.level == level).collect();
        left_out += findings.len().saturating_sub(MOST_FINDINGS);
        findings.into_iter().take(MOST_FINDINGS).map(issue).collect::<Vec<_>>()
    };
    let (issues, warnings) = (of_level(Level::Error), of_level(Level::Warning));
    Validation {
        scenario_name: reading
            .scenario
            .as_ref()
            .map_or_else(|| UNREADABLE.to_owned(), |scenario| scenario.name.clone()),
        issues,
        warnings,
        left_out,
    }
}

/// Converts a finding to an issue: the older keys for its place, then code, path and suggestion.
fn issue(finding: &Diagnostic) -> Value {
    let mut issue = Map::new();
    let index = |at: usize| match finding.path.get(at) {
        Some(Segment::Index(index)) => Some(*index),
        Some(Segment::Key(_)) | None => None,
    };
    let key = |at: usize| match finding.path.get(at) {
        Some(Segment::Key(key)) => key.as_str(),
        Some(Segment::Index(_)) | None => "",
    };
    let kind = match (key(0), key(2)) {
        ("hooks", "then") => {
            issue.insert("source".into(), "scenario.hooks".into());
            issue.insert("hook".into(), json!(index(1)));
            issue.insert("step".into(), json!(index(3)));
            "action"
        }
        ("hooks", _) => {
            issue.insert("source".into(), "scenario.hooks".into());
            issue.insert("index".into(), json!(index(1)));
            "hook"
        }
        (section @ ("stop_on" | "initial_actions" | "steps"), _) => {
            issue.insert("index".into(), json!(index(1)));
            section.trim_end_matches('s')
        }
        _ => "parse",
    };
    let mut whole = Map::new();
    whole.insert("kind".into(), kind.into());
    whole.extend(issue);
    whole.insert("msg".into(), finding.text.as_str().into());
    whole.insert("code".into(), finding.rule.code().into());
    whole.insert("path".into(), finding.path_text().into());
    if let Some(at) = finding.at.text() {
        whole.insert("at".into(), at.into());
    }
    if let Some(suggestion) = &finding.suggestion {
        whole.insert("suggestion".into(), suggestion.as_str().into());
    }
    Value::Object(whole)
}
