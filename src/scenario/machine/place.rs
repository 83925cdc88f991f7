//! Where a step stands in its document, for those who have no lines to count: documents of tool calls.

use super::{
    super::model::{Hook, Scenario},
    lists::{List, Which},
};

impl List {
    /// Says which step of the document it is at, as `steps[3]`.
    pub(super) fn place(&self, scenario: &Scenario) -> String {
        let list = match self.which {
            Which::Initial => "initial_actions".to_owned(),
            Which::Main => "steps".to_owned(),
            Which::Hook(index) => match scenario.hooks.get(index) {
                Some(Hook { pattern: Some(pattern), .. }) => format!("{pattern}.then"),
                // Hooks of patterns stand before those of the document.
                _ => {
                    let before = scenario.hooks.iter().take(index);
                    format!("hooks[{}].then", before.filter(|hook| hook.pattern.is_none()).count())
                }
            },
        };
        format!("{list}[{}]", self.next)
    }
}
