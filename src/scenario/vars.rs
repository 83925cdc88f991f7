//! Templates: texts in which `${name}` and `$call` stand for values known only at run time.

use std::fmt;

/// A text with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    text: String,
}

/// A name that is not defined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known as '${{{name}}}'")]
pub struct Unresolved {
    /// The name.
    pub name: String,
}

enum Part<'a> {
    Literal(&'a str),
    Name(&'a str),
}

impl Template {
    /// Creates a template; `$${` stands for a literal `${`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Returns the text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the text is the same in every run.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.names().next().is_none()
    }

    /// Returns the names in the text, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        parts(&self.text).filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Literal(_) => None,
        })
    }

    /// Replaces the placeholders.
    ///
    /// # Errors
    /// The first name for which `value_of` has no value.
    pub fn fill(&self, value_of: impl Fn(&str) -> Option<String>) -> Result<String, Unresolved> {
        let mut filled = String::with_capacity(self.text.len());
        for part in parts(&self.text) {
            match part {
                Part::Literal(text) => filled.push_str(text),
                Part::Name(name) => match value_of(name) {
                    Some(value) => filled.push_str(&value),
                    None => return Err(Unresolved { name: name.to_owned() }),
                },
            }
        }
        Ok(filled)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(after) = rest.strip_prefix("$${") {
            rest = after;
            return Some(Part::Literal("${"));
        }
        if let Some((name, after)) = rest.strip_prefix("${").and_then(|inner| inner.split_once('}')) {
            rest = after;
            return Some(Part::Name(name.trim()));
        }
        let skip = rest.chars().next().map_or(0, char::len_utf8);
        let next =
            rest.char_indices().skip(1).find(|(_, c)| *c == '$').map_or(rest.len(), |(at, _)| at.max(skip));
        let (literal, after) = rest.split_at(next);
        rest = after;
        Some(Part::Literal(literal))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_unknown_ones_named() {
        let value_of = |name: &str| (name == "b").then(|| "sip:6002@pbx".to_owned());
        for (text, filled) in [
            ("${b}", "sip:6002@pbx"),
            ("<${ b }>;x", "<sip:6002@pbx>;x"),
            ("costs $5 and $${b}", "costs $5 and ${b}"),
            ("ü$", "ü$"),
            ("${open", "${open"),
        ] {
            assert_eq!(Template::new(text).fill(value_of).unwrap(), filled, "{text}");
        }
        let error = Template::new("${nobody}").fill(value_of).unwrap_err();
        assert_eq!(error.to_string(), "nothing is known as '${nobody}'");
    }
}
