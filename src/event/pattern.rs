//! Selecting kinds of events: one language for scenarios, MCP, the command line and queries of the
//! journal.
//!
//! `call.ended` is that kind; `call.*` is every kind below `call`, and `call` itself; `*` is every
//! kind.

use std::{fmt, str::FromStr};

use super::Event;

/// Selects kinds of events: an exact name, `prefix.*` (the prefix itself and everything below it)
/// or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern(String);

/// A pattern matches no kind of event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown event '{given}'; there are {}", known.join(", "))]
pub struct UnknownKind {
    /// The pattern as written.
    pub given: String,
    /// The kinds of the same subject, or the subjects if there are none.
    pub known: Vec<String>,
}

impl EventPattern {
    /// Creates a pattern without checking that the journal knows such a kind; documents also have
    /// names of their own.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is `*`.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// Returns whether the pattern matches an event with this name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix(".*") {
            _ if self.is_any() => true,
            Some(prefix) => {
                name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            None => self.0 == name,
        }
    }
}

impl FromStr for EventPattern {
    type Err = UnknownKind;

    /// Parses a pattern that matches at least one kind; a subject alone (`call`) stands for all its
    /// kinds.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let text = text.trim();
        let kinds = Event::kinds();
        let fits = |pattern: &Self| kinds.iter().any(|kind| pattern.matches(kind));
        [Self::new(text), Self::new(format!("{text}.*"))].into_iter().find(fits).ok_or_else(|| {
            let subject = |kind: &str| kind.split('.').next().unwrap_or_default().to_owned();
            let asked = subject(text);
            let mut known: Vec<String> =
                kinds.iter().filter(|kind| subject(kind) == asked).map(|kind| (*kind).to_owned()).collect();
            if known.is_empty() {
                known = kinds.iter().map(|kind| format!("{}.*", subject(kind))).collect();
                known.sort();
                known.dedup();
            }
            UnknownKind { given: text.to_owned(), known }
        })
    }
}

impl AsRef<str> for EventPattern {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_exactly_by_prefix_or_always() {
        for (pattern, name, fits) in [
            ("call.ended", "call.ended", true),
            ("call.ended", "call.ended.x", false),
            ("call.*", "call.ended", true),
            ("call.*", "call", true),
            ("call.*", "caller.x", false),
            ("call.e*", "call.ended", false),
            ("call.state.*", "call.state.early", true),
            ("*", "anything", true),
        ] {
            assert_eq!(EventPattern::new(pattern).matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_no_kind_fits_is_refused_with_those_that_are_there() {
        for (text, read) in
            [("call.ended", "call.ended"), (" call.* ", "call.*"), ("call", "call.*"), ("*", "*")]
        {
            assert_eq!(text.parse::<EventPattern>().unwrap().as_str(), read);
        }
        let near = "call.banana".parse::<EventPattern>().unwrap_err();
        assert!(
            near.known.contains(&"call.ended".to_owned()) && !near.known.contains(&"sip.sent".to_owned())
        );
        let far = "banana*".parse::<EventPattern>().unwrap_err();
        assert!(far.to_string().starts_with("unknown event 'banana*'; there are call.*, "), "{far}");
    }
}
