//! What documents may look like: every accepted spelling, read into the model.
//!
//! The older form (hooks, `initial_actions`, `stop_on`) and the native one (`steps`, `expect`) are
//! one language here.

mod action;
mod compat;
mod document;
mod events;
mod expect;
mod fields;
mod lens;
mod library;
mod scalar;
mod shapes;

pub use compat::{CallMemory, CompatEvent, WHICH_PHONE, is_older_family, older_name, status, stop_reason};
pub use lens::Lens;
pub use scalar::{has_no_unit, parse_duration};
pub use shapes::{ACTIONS, ActionShape, ArgShape};

use serde_json::Value;

use super::{
    diagnostic::{Diagnostic, Level},
    model::Scenario,
    node::Node,
};

/// Numbers that every PBX profile has unless it overrides them.
pub const DEFAULT_NUMBERS: &[(&str, &str)] = &[
    ("echo", "600"),
    ("tone", "601"),
    ("announcement", "602"),
    ("read_back", "603"),
    ("early_media", "604"),
    ("no_answer", "605"),
    ("busy", "606"),
    ("unavailable", "607"),
    ("slow_answer", "608"),
    ("conference", "609"),
    ("unknown", "699"),
];

/// What is known of the environment before a document is read.
#[derive(Clone, Debug)]
pub struct Known {
    /// Names of the PBX profile's numbers.
    pub numbers: Vec<String>,
    /// Whether the profile is unknown, so that it may have other numbers.
    pub open: bool,
}

impl Known {
    /// Adds the names of a PBX profile's numbers.
    pub fn add_numbers<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            if !self.numbers.contains(name) {
                self.numbers.push(name.clone());
            }
        }
    }
}

impl Default for Known {
    fn default() -> Self {
        let numbers = DEFAULT_NUMBERS.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { numbers, open: false }
    }
}

/// A document after reading.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The scenario; present whenever the document is a mapping, and runnable unless a finding is
    /// an error.
    pub scenario: Option<Scenario>,
    /// Everything found, in the order of the text.
    pub findings: Vec<Diagnostic>,
}

impl Reading {
    /// Returns whether it can be run.
    #[must_use]
    pub fn is_runnable(&self) -> bool {
        self.scenario.is_some() && self.findings.iter().all(|finding| finding.level != Level::Error)
    }
}

/// Reads a YAML document.
pub(super) fn read_yaml(text: &str, source: Option<&str>, known: &Known) -> Reading {
    match Node::from_yaml(text) {
        Ok(root) => {
            let mut reading = read_node(&root, known);
            if let Some(scenario) = &mut reading.scenario {
                scenario.source = source.map(str::to_owned);
            }
            reading
        }
        Err(finding) => Reading { scenario: None, findings: vec![*finding] },
    }
}

/// Reads a JSON document, as it comes from a tool call.
pub(super) fn read_json(value: &Value, known: &Known) -> Reading {
    read_node(&Node::from_json(value), known)
}

fn read_node(root: &Node, known: &Known) -> Reading {
    let mut lower = fields::Lower::default();
    let scenario = document::scenario(&mut lower, root, known);
    Reading { scenario, findings: lower.findings }
}
