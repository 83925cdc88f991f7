//! The scenario engine behind the scenario tools.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use super::runs::{NotStarted, Runs, Validation};
use crate::{
    config::PbxProfile,
    event::Cause,
    scenario::{self, Diagnostic, Host, Known, Level, Reading, Segment, Terms},
    suite::Attempt,
};

/// Name of a document that could not be read.
const UNREADABLE: &str = "<parse-failed>";

/// Runs scenarios with the phones of this process.
pub struct ScenarioEngine {
    /// Where runs live.
    pub host: Arc<dyn Host>,
    /// How long a run waits for accounts and phones that other runs have.
    pub lease_wait: Duration,
    /// The phone system that scenarios make phones for; none where phones exist already.
    pub profile: Option<PbxProfile>,
}

impl ScenarioEngine {
    fn read(&self, document: JsonObject) -> Reading {
        let mut known = Known::default();
        if let Some(profile) = &self.profile {
            known.add_numbers(profile.numbers.keys());
        }
        scenario::check_json(&Value::Object(document), &known)
    }

    async fn begin(
        &self,
        document: JsonObject,
        timeout: Option<Duration>,
        cause: Cause,
    ) -> Result<Attempt, NotStarted> {
        let reading = self.read(document);
        let validation = validation_of(&reading);
        let (true, Some(mut scenario)) = (reading.is_runnable(), reading.scenario) else {
            return Err(NotStarted::Mistakes(validation));
        };
        scenario.timeout = timeout.unwrap_or(scenario.timeout);
        let terms =
            Terms { profile: self.profile.clone(), lease_wait: self.lease_wait, cause, create_listed: false };
        Attempt::begin(&*self.host, scenario, terms, 1).await.map_err(NotStarted::Refused)
    }
}

impl Runs for ScenarioEngine {
    fn validate(&self, document: &JsonObject) -> Validation {
        validation_of(&self.read(document.clone()))
    }

    fn start(
        &self,
        document: JsonObject,
        timeout: Option<Duration>,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Attempt, NotStarted>> + Send + '_>> {
        Box::pin(self.begin(document, timeout, cause))
    }
}

fn validation_of(reading: &Reading) -> Validation {
    let of_level = |level: Level| {
        reading.findings.iter().filter(move |finding| finding.level == level).map(issue).collect::<Vec<_>>()
    };
    Validation {
        scenario_name: reading
            .scenario
            .as_ref()
            .map_or_else(|| UNREADABLE.to_owned(), |scenario| scenario.name.clone()),
        issues: of_level(Level::Error),
        warnings: of_level(Level::Warning),
    }
}

/// Makes the issue of a finding: the older keys for its place, then code, path and suggestion.
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
    if let Some(suggestion) = &finding.suggestion {
        whole.insert("suggestion".into(), suggestion.as_str().into());
    }
    Value::Object(whole)
}
