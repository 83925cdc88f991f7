//! Conditions on the fields of an event: one language for scenarios, MCP and whatever else selects
//! events by their data.
//!
//! Values are compared without conversion: `200` is not `"200"`. [`super::fields`] finds such slips
//! before anybody waits.

use std::{fmt, str::FromStr};

use regex::Regex;
use serde_json::Value;

/// A condition on one field of an event.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Dotted path into the data.
    pub path: String,
    /// What the field must be.
    pub expected: Expected,
}

/// What a field must be.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Null or missing.
    Missing,
    /// One of these, exactly, or in one of these status classes.
    OneOf(Vec<Self>),
    /// Its text form contains a match.
    Matches(Regex),
    /// A number in this hundred, such as 4 for `4xx`.
    StatusClass(u64),
    /// A number that satisfies a comparison.
    Compared(Comparison),
    /// Exactly this, without conversion.
    Equals(Value),
}

impl Condition {
    /// Parses a condition from a value in a document.
    ///
    /// # Errors
    /// The regular expression after `~` does not compile.
    pub fn new(path: impl Into<String>, expected: &Value) -> Result<Self, regex::Error> {
        let expected = match expected {
            Value::Null => Expected::Missing,
            Value::Array(items) => Expected::OneOf(items.iter().cloned().map(Expected::Equals).collect()),
            Value::String(text) => Self::from_text(text)?,
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => Expected::Equals(expected.clone()),
        };
        Ok(Self { path: path.into(), expected })
    }

    fn from_text(text: &str) -> Result<Expected, regex::Error> {
        if let Some(pattern) = text.strip_prefix('~') {
            return Regex::new(pattern).map(Expected::Matches);
        }
        if let Some(class) = status_class(text) {
            return Ok(Expected::StatusClass(class));
        }
        Ok(match text.parse() {
            Ok(comparison @ Comparison::Between(..)) => Expected::Compared(comparison),
            Ok(comparison) if text.starts_with(['<', '>', '=', '!']) => Expected::Compared(comparison),
            Ok(_) | Err(_) => Expected::Equals(Value::String(text.to_owned())),
        })
    }

    /// Returns whether a field's value fits; `None` stands for a missing field.
    #[must_use]
    pub fn holds(&self, found: Option<&Value>) -> bool {
        self.expected.holds(found)
    }
}

/// Returns the hundred that `4xx` and the like stand for.
#[must_use]
pub fn status_class(text: &str) -> Option<u64> {
    let class = text.strip_suffix("xx")?.parse().ok()?;
    (text.len() == 3 && (1..=6).contains(&class)).then_some(class)
}

impl Expected {
    pub(super) fn holds(&self, found: Option<&Value>) -> bool {
        let found = found.filter(|value| !value.is_null());
        let Some(found) = found else {
            return match self {
                Self::Missing => true,
                Self::OneOf(options) => options.iter().any(|option| option.holds(None)),
                Self::Equals(value) => value.is_null(),
                Self::Matches(_) | Self::StatusClass(_) | Self::Compared(_) => false,
            };
        };
        match self {
            Self::Missing => false,
            Self::OneOf(options) => options.iter().any(|option| option.holds(Some(found))),
            Self::Matches(regex) => match found.as_str() {
                Some(text) => regex.is_match(text),
                None => regex.is_match(&found.to_string()),
            },
            Self::StatusClass(class) => whole_number(found).is_some_and(|number| number / 100 == *class),
            Self::Compared(comparison) => found.as_f64().is_some_and(|number| comparison.holds(number)),
            Self::Equals(value) => equal(value, found),
        }
    }
}

fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Compares without conversion between types, except that `1000` equals `1000.0`.
fn equal(expected: &Value, found: &Value) -> bool {
    match (expected.as_f64(), found.as_f64()) {
        (Some(left), Some(right)) => (left - right).abs() < f64::EPSILON,
        _ => expected == found,
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("null"),
            Self::OneOf(options) => {
                let options: Vec<_> = options.iter().map(ToString::to_string).collect();
                write!(f, "one of {}", options.join(", "))
            }
            Self::Matches(regex) => write!(f, "~{regex}"),
            Self::StatusClass(class) => write!(f, "{class}xx"),
            Self::Compared(comparison) => comparison.fmt(f),
            Self::Equals(Value::String(text)) => f.write_str(text),
            Self::Equals(value) => value.fmt(f),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expected {
            Expected::Compared(comparison) => write!(f, "{} {comparison}", self.path),
            Expected::Missing
            | Expected::OneOf(_)
            | Expected::Matches(_)
            | Expected::StatusClass(_)
            | Expected::Equals(_) => write!(f, "{} = {}", self.path, self.expected),
        }
    }
}

/// Comparison of a number with a bound, written `>= 40`, `< 2`, `40..60` or just `40`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    /// `>= n`
    AtLeast(f64),
    /// `> n`
    Above(f64),
    /// `<= n`
    AtMost(f64),
    /// `< n`
    Below(f64),
    /// `== n` or `n`
    Exactly(f64),
    /// `!= n`
    Not(f64),
    /// `a..b`, both inclusive.
    Between(f64, f64),
}

/// Creates a comparison from its bound.
type MakeComparison = fn(f64) -> Comparison;

/// The text is not a comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a comparison such as '>= 40', '< 2', '40..60' or '40'")]
pub struct NotAComparison;

impl Comparison {
    /// Returns whether the number fits.
    #[must_use]
    pub fn holds(self, number: f64) -> bool {
        match self {
            Self::AtLeast(bound) => number >= bound,
            Self::Above(bound) => number > bound,
            Self::AtMost(bound) => number <= bound,
            Self::Below(bound) => number < bound,
            Self::Exactly(bound) => (number - bound).abs() < 1e-9,
            Self::Not(bound) => (number - bound).abs() >= 1e-9,
            Self::Between(low, high) => (low..=high).contains(&number),
        }
    }

    /// Returns whether a number that fits still fits when it grows: then waiting for more is
    /// pointless.
    #[must_use]
    pub const fn only_grows_true(self) -> bool {
        match self {
            Self::AtLeast(_) | Self::Above(_) => true,
            Self::AtMost(_) | Self::Below(_) | Self::Exactly(_) | Self::Not(_) | Self::Between(..) => false,
        }
    }

    /// Returns the largest number that fits, if there is one.
    #[must_use]
    pub const fn ceiling(self) -> Option<f64> {
        match self {
            Self::AtMost(bound) | Self::Below(bound) | Self::Exactly(bound) | Self::Between(_, bound) => {
                Some(bound)
            }
            Self::AtLeast(_) | Self::Above(_) | Self::Not(_) => None,
        }
    }
}

impl FromStr for Comparison {
    type Err = NotAComparison;

    fn from_str(text: &str) -> Result<Self, NotAComparison> {
        let number = |text: &str| match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) | Err(_) => Err(NotAComparison),
        };
        let text = text.trim();
        if let Some((low, high)) = text.split_once("..") {
            let (low, high) = (number(low)?, number(high)?);
            return if low <= high { Ok(Self::Between(low, high)) } else { Err(NotAComparison) };
        }
        let make: [(&str, MakeComparison); 6] = [
            (">=", Self::AtLeast),
            ("<=", Self::AtMost),
            ("==", Self::Exactly),
            ("!=", Self::Not),
            (">", Self::Above),
            ("<", Self::Below),
        ];
        for (sign, make) in make {
            if let Some(rest) = text.strip_prefix(sign) {
                return number(rest).map(make);
            }
        }
        number(text).map(Self::Exactly)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, ">= {bound}"),
            Self::Above(bound) => write!(f, "> {bound}"),
            Self::AtMost(bound) => write!(f, "<= {bound}"),
            Self::Below(bound) => write!(f, "< {bound}"),
            Self::Exactly(bound) => write!(f, "== {bound}"),
            Self::Not(bound) => write!(f, "!= {bound}"),
            Self::Between(low, high) => write!(f, "{low}..{high}"),
        }
    }
}

/// Follows a dotted path into a value; list indexes are numbers.
#[must_use]
pub fn look_up<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(data, |value, key| match value {
        Value::Object(fields) => fields.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_follow_the_published_table() {
        for (expected, found, holds) in [
            (json!(null), None, true),
            (json!(null), Some(json!(null)), true),
            (json!(null), Some(json!(0)), false),
            (json!([486, 480]), Some(json!(486)), true),
            (json!([486, 480]), Some(json!("486")), false),
            (json!(["4xx"]), Some(json!(486)), false),
            (json!("~^sip:6"), Some(json!("sip:600@x")), true),
            (json!("~^4"), Some(json!(486)), true),
            (json!("~x"), None, false),
            (json!("4xx"), Some(json!(486)), true),
            (json!("4xx"), Some(json!(500)), false),
            (json!("4xx"), None, false),
            (json!("7xx"), Some(json!(700)), false),
            (json!("200"), Some(json!(200)), false),
            (json!(200), Some(json!(200)), true),
            (json!(1000), Some(json!(1000.0)), true),
            (json!(">= 100"), Some(json!(120)), true),
            (json!(">= 100"), Some(json!("120")), false),
            (json!("415..435"), Some(json!(425.3)), true),
            (json!("6001.."), Some(json!("6001..")), true),
            (json!({"a": 1}), Some(json!({"a": 1})), true),
        ] {
            let condition = Condition::new("x", &expected).unwrap();
            assert_eq!(condition.holds(found.as_ref()), holds, "{expected} against {found:?}");
        }
        assert!(Condition::new("x", &json!("~(")).is_err());
    }

    #[test]
    fn a_comparison_reads_and_prints() {
        for text in [">= 40", "> 1", "<= 2", "< 3.5", "== 4", "!= 0", "1..3"] {
            assert_eq!(text.parse::<Comparison>().unwrap().to_string(), text);
        }
        assert_eq!("40".parse(), Ok(Comparison::Exactly(40.0)));
        for bad in ["", "=> 4", "3..1", "x", ">= nan"] {
            assert!(bad.parse::<Comparison>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_leads_through_mappings_and_lists() {
        let data = json!({"a": {"b": [1, {"c": 2}]}});
        assert_eq!(look_up(&data, "a.b.1.c"), Some(&json!(2)));
        assert_eq!(look_up(&data, "a.x"), None);
    }
}
