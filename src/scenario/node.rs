//! A document as a tree of values that know where they were written.
//!
//! YAML and JSON documents become the same tree, so that one reader serves both and can report
//! every mistake at once.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_yaml::Spanned;

use super::diagnostic::{Diagnostic, Level, Position, Rule};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Where it begins.
    pub at: Position,
    /// Its content.
    pub content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; `raw` keeps the leading zeros of an extension.
    Number {
        /// As written.
        raw: String,
        /// Its value.
        value: serde_json::Number,
    },
    /// Any other scalar.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key begins.
    pub key_at: Position,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Reads one YAML document.
    ///
    /// # Errors
    /// A [`Rule::Syntax`] finding at the place where reading had to stop.
    pub(super) fn from_yaml(text: &str) -> Result<Self, Box<Diagnostic>> {
        let mut options = serde_yaml::Options::default();
        options.strict_booleans = true;
        match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(raw) => Ok(build(raw, text)),
            Err(error) => {
                let at = error.location().map(position).unwrap_or_default();
                let whole = error.without_snippet().to_string();
                let sentence = whole.split(" at line ").next().unwrap_or(&whole);
                let sentence = sentence.split(", set DuplicateKeyPolicy").next().unwrap_or(sentence);
                let sentence = sentence.split("; use from_str_multiple").next().unwrap_or(sentence);
                Err(Box::new(Diagnostic {
                    level: Level::Error,
                    rule: Rule::Syntax,
                    at,
                    path: Vec::new(),
                    text: sentence.to_owned(),
                    suggestion: None,
                }))
            }
        }
    }

    /// Converts a JSON value; its nodes have no places.
    #[must_use]
    pub(super) fn from_json(value: &Value) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Bool(*value),
            Value::Number(value) => Content::Number { raw: value.to_string(), value: value.clone() },
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => Content::Map(
                fields
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        key_at: Position::default(),
                        value: Self::from_json(value),
                    })
                    .collect(),
            ),
        };
        Self { at: Position::default(), content }
    }

    /// Returns the value as JSON.
    #[must_use]
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number { value, .. } => Value::Number(value.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// Returns the spelling of a scalar; `None` for null, lists and mappings.
    #[must_use]
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.content {
            Content::Text(text) | Content::Number { raw: text, .. } => Some(text.clone()),
            Content::Bool(value) => Some(value.to_string()),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Describes the node for use in a sentence, quoting a scalar.
    #[must_use]
    pub(super) fn describe(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::Bool(value) => format!("'{value}'"),
            Content::Number { raw, .. } => format!("the number {raw}"),
            Content::Text(text) if text.chars().count() > 40 => {
                format!("'{}…'", text.chars().take(40).collect::<String>())
            }
            Content::Text(text) => format!("'{text}'"),
            Content::List(items) => format!("a list of {}", items.len()),
            Content::Map(entries) => {
                let keys: Vec<_> = entries.iter().take(3).map(|entry| entry.key.as_str()).collect();
                let more = if entries.len() > 3 { ", …" } else { "" };
                format!("a mapping {{{}{more}}}", keys.join(", "))
            }
        }
    }
}

/// A value from the YAML reader, before spellings are looked up in the text.
enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(serde_json::Number::from_f64(value).map_or_else(|| Raw::Text(value.to_string()), Raw::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Raw, D::Error> {
        Raw::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = from.next_key()? {
            entries.push((key, from.next_value()?));
        }
        Ok(Raw::Map(entries))
    }
}

fn position(location: serde_yaml::Location) -> Position {
    Position {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX),
    }
}

fn build(raw: Spanned<Raw>, text: &str) -> Node {
    let Spanned { value, referenced, defined } = raw;
    let content = match value {
        Raw::Null => Content::Null,
        Raw::Bool(value) => Content::Bool(value),
        Raw::Number(value) => Content::Number { raw: spelling(defined, text, &value), value },
        Raw::Text(text) => Content::Text(text),
        Raw::List(items) => Content::List(items.into_iter().map(|item| build(item, text)).collect()),
        Raw::Map(entries) => Content::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key_at: position(key.referenced),
                    key: key.value,
                    value: build(value, text),
                })
                .collect(),
        ),
    };
    Node { at: position(referenced), content }
}

/// Returns a number as it was written: `0123` is a number to YAML and an extension to a phone
/// system.
fn spelling(at: serde_yaml::Location, text: &str, value: &serde_json::Number) -> String {
    let span = at.span();
    let written = span.byte_offset().zip(span.byte_len()).and_then(|(start, len)| {
        let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
        text.get(start..start.checked_add(len)?)
    });
    match written {
        Some(written) if written.chars().all(|c| c.is_ascii_digit()) && !written.is_empty() => {
            written.to_owned()
        }
        Some(_) | None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_place_and_spelling() {
        let node = Node::from_yaml("to: 0123\non: yes\nlist:\n  - answer\n").unwrap();
        let Content::Map(entries) = &node.content else { panic!("{node:?}") };
        assert_eq!(entries[0].value.scalar().as_deref(), Some("0123"));
        assert_eq!((entries[1].key.as_str(), entries[1].value.scalar().as_deref()), ("on", Some("yes")));
        let Content::List(items) = &entries[2].value.content else { panic!("{entries:?}") };
        assert_eq!(items[0].at, Position { line: 4, column: 5 });
    }

    #[test]
    fn a_syntax_error_names_its_place() {
        for (text, at, part) in [
            ("a: [1,\nb: 2", (1, 4), "bracket"),
            ("a: 1\na: 2\n", (2, 1), "duplicate mapping key: a"),
            ("a: b: c", (1, 5), "not allowed"),
            ("- a\n---\n- b", (3, 1), "multiple YAML documents"),
        ] {
            let error = Node::from_yaml(text).unwrap_err();
            assert_eq!((error.at.line, error.at.column), at, "{error:?}");
            assert!(error.text.contains(part) && !error.text.contains("_str"), "{error:?}");
        }
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = level - 1;
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", ")));
        }
        assert_eq!(Node::from_yaml(&text).unwrap_err().rule, Rule::Syntax);
    }
}
