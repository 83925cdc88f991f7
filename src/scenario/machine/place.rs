//! The position of a step in its document, for documents from tool calls, which have no line
//! numbers.

use super::{
    super::model::{Hook, Scenario},
    lists::{List, Which},
};

impl List {
    /// Returns the step that the list is at, such as `steps[3]`.
    pub(super) fn place(&self, scenario: &Scenario) -> String {
        let list = match self.which {
            Which::Initial => "initial_actions".to_owned(),
            Which::Main => "steps".to_owned(),
            Which::Hook(index) => match scenario.hooks.get(index) {
                Some(Hook { pattern: Some(pattern), .. }) => format!("{pattern}.then"),
                // Hooks from patterns come before those of the document.
                _ => {
                    let before = scenario.hooks.iter().take(index);
                    format!("hooks[{}].then", before.filter(|hook| hook.pattern.is_none()).count())
                }
            },
        };
        format!("{list}[{}]", self.next)
    }
}
