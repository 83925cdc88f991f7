//! Arguments that a tool does not have: reported back where the compatible surface tolerates them,
//! refused everywhere else.

use rmcp::model::JsonObject;

use super::arguments::Parameter;
use crate::scenario::nearest;

/// Most names that are reported; a caller may give any number.
const MOST: usize = 10;
/// Most characters of a name that are reported.
const LONGEST: usize = 40;

/// The names that a tool knows.
pub(super) struct Known(Vec<&'static str>);

/// Arguments that the tool does not know.
pub(super) struct Unknown {
    /// The names, shortened.
    pub(super) names: Vec<String>,
    /// What the caller may have meant.
    pub(super) hint: String,
}

impl Known {
    /// Takes the names of a tool's parameters.
    pub(super) fn of(parameters: &[Parameter]) -> Self {
        Self(parameters.iter().map(|parameter| parameter.name).collect())
    }

    /// Returns what a caller gave beyond them.
    pub(super) fn unknown(&self, given: &JsonObject) -> Option<Unknown> {
        let mut hints = Vec::new();
        let mut names = Vec::new();
        for name in given.keys().filter(|name| !self.0.contains(&name.as_str())).take(MOST) {
            let near = nearest(name, self.0.iter().copied());
            let name: String = name.chars().take(LONGEST).collect();
            hints.push(match near {
                Some(near) => format!("there is no argument '{name}' (did you mean '{near}'?)"),
                None => format!("there is no argument '{name}'"),
            });
            names.push(name);
        }
        if names.is_empty() {
            return None;
        }
        let known = if self.0.is_empty() { "none".to_owned() } else { self.0.join(", ") };
        Some(Unknown { names, hint: format!("{}; known are: {known}", hints.join("; ")) })
    }
}
