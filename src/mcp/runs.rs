//! What the server needs from the scenario engine.

use std::{future::Future, pin::Pin, time::Duration};

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::{command::Rejection, event::Cause, suite::Attempt};

/// Name of a document that could not be read.
pub(super) const UNREADABLE: &str = "<parse-failed>";

/// A scenario as a client sends it.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// Already parsed.
    Object(JsonObject),
    /// YAML, or JSON; its findings have a line and a column.
    Text(String),
}

/// The result of checking a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validation {
    /// The scenario's name; `<parse-failed>` if the document could not be read.
    pub scenario_name: String,
    /// One object per mistake, with at least `kind` and `msg`, up to a limit; if empty, the
    /// scenario can be run.
    pub issues: Vec<Value>,
    /// The same for what is merely doubtful.
    pub warnings: Vec<Value>,
    /// Issues and warnings beyond the limit.
    pub left_out: usize,
}

impl Validation {
    /// The document was not examined.
    pub(super) fn unread(why: &str) -> Self {
        Self {
            scenario_name: UNREADABLE.into(),
            issues: vec![serde_json::json!({ "kind": "parse", "msg": why })],
            ..Self::default()
        }
    }
}

/// Why a run did not start.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotStarted {
    /// The document has mistakes.
    #[error("the scenario has {} mistakes", .0.issues.len())]
    Mistakes(Validation),
    /// No run can start now.
    #[error(transparent)]
    Refused(Rejection),
}

/// The scenario engine, seen from a surface.
pub trait Runs: Send + Sync {
    /// Finds the mistakes in a document without dialing.
    fn validate(&self, document: Document) -> Pin<Box<dyn Future<Output = Validation> + Send + '_>>;

    /// Starts a run; `timeout` overrides the document's own.
    fn start(
        &self,
        document: Document,
        timeout: Option<Duration>,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Attempt, NotStarted>> + Send + '_>>;
}

/// Used where there is no scenario engine: every document has the mistake that nothing can run it.
pub struct NoRuns;

impl NoRuns {
    fn refusal() -> Validation {
        Validation::unread("no scenario engine in this process")
    }
}

impl Runs for NoRuns {
    fn validate(&self, _: Document) -> Pin<Box<dyn Future<Output = Validation> + Send + '_>> {
        Box::pin(async { Self::refusal() })
    }

    fn start(
        &self,
        _: Document,
        _: Option<Duration>,
        _: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Attempt, NotStarted>> + Send + '_>> {
        Box::pin(async { Err(NotStarted::Mistakes(Self::refusal())) })
    }
}
