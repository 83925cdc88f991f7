//! What to run.

use crate::scenario::Scenario;

/// Scenarios in their order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The scenarios; each can be run.
    pub scenarios: Vec<Scenario>,
}

impl Plan {
    /// Keeps only the scenarios that have one of these tags; all of them if no tag is given.
    #[must_use]
    pub fn tagged(mut self, tags: &[String]) -> Self {
        let wanted = |scenario: &Scenario| tags.iter().any(|tag| scenario.tags.contains(tag));
        self.scenarios.retain(|scenario| tags.is_empty() || wanted(scenario));
        self
    }

    /// Returns whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scenarios.is_empty()
    }
}
