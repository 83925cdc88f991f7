//! Which fields each kind of event has, and their JSON types, from the schema of the event types.
//!
//! A condition on a field that none of the kinds has, or that has another type, could never hold:
//! it is refused with an explanation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use schemars::Schema;
use serde_json::Value;

use super::{
    CallEvent, CaptureEvent, Condition, Event, EventPattern, Expected, MediaEvent, PhoneEvent, RunEvent,
    SipEvent, SystemEvent,
};

/// What the schema says of a field's values.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// JSON types; empty if the schema gives none.
    pub types: BTreeSet<String>,
    /// The words of an enumeration.
    pub words: BTreeSet<String>,
    /// Whether other texts than these words are possible too.
    pub any_text: bool,
}

/// Dotted paths of a kind's data with their values.
type Fields = BTreeMap<String, Values>;

static FIELDS: LazyLock<BTreeMap<String, Fields>> = LazyLock::new(|| {
    let schemas = [
        schemars::schema_for!(PhoneEvent),
        schemars::schema_for!(CallEvent),
        schemars::schema_for!(MediaEvent),
        schemars::schema_for!(CaptureEvent),
        schemars::schema_for!(SipEvent),
        schemars::schema_for!(RunEvent),
        schemars::schema_for!(SystemEvent),
    ];
    schemas.iter().flat_map(fields_of_schema).collect()
});

/// A condition that can never hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleCondition {
    /// None of the kinds has the field.
    #[error("'{path}' is not a field of {of}, which has {}", if fields.is_empty() { "no fields".to_owned() } else { fields.join(", ") })]
    Field {
        /// The path as written.
        path: String,
        /// The patterns as written.
        of: String,
        /// The available fields.
        fields: Vec<String>,
    },
    /// The field exists, but has values of another type.
    #[error("'{path}' is {is}, never {asked}")]
    Type {
        /// The path as written.
        path: String,
        /// Its type.
        is: String,
        /// The type of the value in the condition.
        asked: &'static str,
    },
    /// The field is an enumeration, and the condition fits none of its words.
    #[error("'{path}' is never {asked}: it is {}", words.join(", "))]
    Word {
        /// The path as written.
        path: String,
        /// The condition.
        asked: String,
        /// The words of the enumeration.
        words: Vec<String>,
    },
}

/// Returns the fields of a kind.
#[must_use]
pub fn fields_of(kind: &str) -> Option<&'static Fields> {
    FIELDS.get(kind)
}

/// Checks that a condition can hold for some event that the patterns match.
///
/// # Errors
/// No such kind has the field, or it has another type.
pub fn check(patterns: &[EventPattern], condition: &Condition) -> Result<(), ImpossibleCondition> {
    let mut known = Fields::new();
    for kind in Event::kinds() {
        if patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(kind)) {
            for (path, values) in FIELDS.get(kind).into_iter().flatten() {
                known.entry(path.clone()).or_default().extend(values);
            }
        }
    }
    let Some(values) = known.get(&condition.path) else {
        return Err(ImpossibleCondition::Field {
            path: condition.path.clone(),
            of: patterns.iter().map(EventPattern::as_str).collect::<Vec<_>>().join(" or "),
            fields: known.into_keys().collect(),
        });
    };
    check_values(&condition.path, values, &condition.expected)
}

impl Values {
    fn extend(&mut self, others: &Self) {
        self.types.extend(others.types.iter().cloned());
        self.words.extend(others.words.iter().cloned());
        self.any_text |= others.any_text;
    }

    /// Returns the words if the field can be nothing but one of them, or null.
    fn enumeration(&self) -> Option<&BTreeSet<String>> {
        let only_texts = self.types.iter().all(|is| is == "string" || is == "null");
        (only_texts && !self.any_text && !self.words.is_empty()).then_some(&self.words)
    }
}

fn check_values(path: &str, values: &Values, expected: &Expected) -> Result<(), ImpossibleCondition> {
    check_type(path, &values.types, expected)?;
    let fits = |word: &String| expected.holds(Some(&Value::String(word.clone())));
    match (expected, values.enumeration()) {
        // One possible value among several is enough, and every type has been checked.
        (Expected::Matches(_) | Expected::Equals(Value::String(_)) | Expected::OneOf(_), Some(words))
            if !expected.holds(None) && !words.iter().any(fits) =>
        {
            Err(ImpossibleCondition::Word {
                path: path.to_owned(),
                asked: expected.to_string(),
                words: words.iter().cloned().collect(),
            })
        }
        (_, _) => Ok(()),
    }
}

fn check_type(path: &str, types: &BTreeSet<String>, expected: &Expected) -> Result<(), ImpossibleCondition> {
    let (asked, fits): (&'static str, &[&str]) = match expected {
        Expected::Missing | Expected::Matches(_) | Expected::StatusClass(_) => return Ok(()),
        Expected::OneOf(options) => {
            let mut refused = options.iter().filter_map(|option| check_type(path, types, option).err());
            // One possible value among them is enough.
            return match refused.next() {
                Some(first) if refused.count() + 1 == options.len() => Err(first),
                Some(_) | None => Ok(()),
            };
        }
        Expected::Compared(_) => ("a number", &["number", "integer"]),
        Expected::Equals(value) => match value {
            Value::Null => return Ok(()),
            Value::Bool(_) => ("true or false", &["boolean"]),
            Value::Number(_) => ("a number", &["number", "integer"]),
            Value::String(_) => ("a text", &["string"]),
            Value::Array(_) => ("a list", &["array"]),
            Value::Object(_) => ("a mapping", &["object"]),
        },
    };
    if types.is_empty() || types.iter().any(|is| fits.contains(&is.as_str())) {
        return Ok(());
    }
    let word = |is: &String| match is.as_str() {
        "string" => "a text",
        "number" | "integer" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "a mapping",
    };
    let mut words: Vec<_> = types.iter().filter(|is| *is != "null").map(word).collect();
    words.dedup();
    Err(ImpossibleCondition::Type { path: path.to_owned(), is: words.join(" or "), asked })
}

fn fields_of_schema(schema: &Schema) -> Vec<(String, Fields)> {
    let root = schema.as_value();
    let variants = root.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    variants
        .iter()
        .filter_map(|variant| {
            let kind = variant.pointer("/properties/kind/const")?.as_str()?;
            let mut fields = Fields::new();
            collect(root, variant.pointer("/properties/data")?, "", &mut fields, 0);
            Some((kind.to_owned(), fields))
        })
        .collect()
}

/// Collects property paths, following references; the depth bound guards against recursive types.
fn collect(root: &Value, schema: &Value, prefix: &str, fields: &mut Fields, depth: usize) {
    if depth > 6 {
        return;
    }
    if !prefix.is_empty() {
        let values = fields.entry(prefix.to_owned()).or_default();
        let texts = |value: &Value| value.as_str().map(str::to_owned);
        let types: Vec<String> = match schema.get("type") {
            Some(Value::Array(several)) => several.iter().filter_map(texts).collect(),
            one => one.and_then(texts).into_iter().collect(),
        };
        let listed = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let words: Vec<String> = listed.iter().chain(schema.get("const")).filter_map(texts).collect();
        values.any_text |= words.is_empty() && types.iter().any(|is| is == "string");
        values.types.extend(types);
        if !words.is_empty() {
            values.types.insert("string".to_owned());
        }
        values.words.extend(words);
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
        && let Some(target) = root.pointer(reference.trim_start_matches('#'))
    {
        collect(root, target, prefix, fields, depth + 1);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        for part in schema.get(list).and_then(Value::as_array).into_iter().flatten() {
            collect(root, part, prefix, fields, depth + 1);
        }
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        collect(root, property, &path, fields, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_has_its_fields_in_the_schema() {
        for kind in Event::kinds() {
            assert!(FIELDS.contains_key(kind), "{kind}");
        }
        assert!(FIELDS["call.ended"].contains_key("status"));
        assert!(FIELDS["media.statistics"].contains_key("statistics.mos"));
        assert!(FIELDS["sip.sent"].contains_key("method"));
        assert!(FIELDS["call.dialog"].contains_key("dialog.remote_tag"));
    }

    #[test]
    fn a_condition_that_can_never_hold_is_refused_by_name() {
        let verdict = |kind: &str, path: &str, expected: Value| {
            let condition = Condition::new(path, &expected).unwrap();
            check(&[kind.parse().unwrap()], &condition).map_err(|error| error.to_string())
        };
        for (kind, path, expected) in [
            ("call.ended", "status", json!(486)),
            ("call.ended", "status", json!("4xx")),
            ("call.ended", "status", json!(">= 400")),
            ("call.ended", "status", json!(null)),
            ("call.ended", "status", json!(["486", 480])),
            ("call.ended", "by", json!("remote")),
            ("dtmf.received", "digit", json!("5")),
            ("*", "digit", json!("5")),
        ] {
            assert_eq!(verdict(kind, path, expected.clone()), Ok(()), "{kind} {path} {expected}");
        }
        let field = verdict("call.ended", "banana", json!(1)).unwrap_err();
        assert!(field.starts_with("'banana' is not a field of call.ended, which has "), "{field}");
        assert_eq!(
            verdict("call.ended", "status", json!("486")).unwrap_err(),
            "'status' is a number, never a text"
        );
        assert_eq!(
            verdict("dtmf.received", "digit", json!(5)).unwrap_err(),
            "'digit' is a text, never a number"
        );
        assert_eq!(
            verdict("call.ended", "status", json!(["486"])).unwrap_err(),
            "'status' is a number, never a text"
        );
    }

    #[test]
    fn a_word_that_an_enumeration_does_not_have_is_refused_with_those_it_has() {
        let verdict = |kind: &str, path: &str, expected: Value| {
            let condition = Condition::new(path, &expected).unwrap();
            check(&[kind.parse().unwrap()], &condition).map_err(|error| error.to_string())
        };
        for (kind, path, expected) in [
            ("call.ended", "by", json!(["remote", "somebody"])),
            ("call.ended", "by", json!("~^(local|remote)$")),
            ("call.ended", "by", json!(null)),
            ("call.ended", "reason", json!("whatever a peer writes")),
            ("sip.received", "method", json!("BANANA")),
            ("dtmf.received", "method", json!("info")),
        ] {
            assert_eq!(verdict(kind, path, expected.clone()), Ok(()), "{kind} {path} {expected}");
        }
        for (kind, path, expected, told) in [
            ("call.ended", "by", json!("us"), "'by' is never us: it is "),
            ("call.ended", "by", json!(["us", "them"]), "'by' is never one of us, them: it is "),
            ("call.ended", "by", json!("~^us$"), "'by' is never ~^us$: it is "),
            ("run.finished", "verdict", json!("ok"), "'verdict' is never ok: it is "),
            ("dtmf.received", "method", json!("morse"), "'method' is never morse: it is "),
            ("media.changed", "direction", json!("up"), "'direction' is never up: it is "),
        ] {
            let refused = verdict(kind, path, expected).expect_err(path);
            assert!(refused.starts_with(told), "{refused}");
        }
        assert_eq!(
            verdict("call.ended", "by", json!("us")).unwrap_err(),
            "'by' is never us: it is local, remote"
        );
    }
}
