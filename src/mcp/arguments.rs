//! Typed tool arguments: one definition gives the Rust struct, the JSON schema and the coercion.
//!
//! Coercion is as lenient as clients of the compatible surface expect: unknown arguments are
//! reported back (`unknown_arguments`), a string given to a non-string parameter is first read as
//! JSON, and `null` means "not given" where a default exists.

use std::{collections::BTreeMap, fmt};

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use super::{compat::words, runs::Document};
use crate::{
    id::{CallId, PhoneId, RunId},
    secret::Secret,
};

/// How optional parameters are written in a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As in the compatible surface: `anyOf [T, null]` with `default: null`.
    Compat,
    /// Plain types, absent from `required`; unions of types confuse several clients.
    Native,
}

/// The specification of one argument.
pub(super) struct Parameter {
    /// Name as given by the caller.
    pub(super) name: &'static str,
    /// One line for the caller.
    pub(super) about: &'static str,
    /// Type part of the schema.
    pub(super) schema: Value,
    /// Whether `null` and absence both mean "not given".
    pub(super) nullable: bool,
    /// Value used when absent; `None` for required and nullable parameters.
    pub(super) default: Option<Value>,
}

impl Parameter {
    /// Returns whether the caller must provide it.
    pub(super) const fn is_required(&self) -> bool {
        !self.nullable && self.default.is_none()
    }

    fn property(&self, style: Style) -> Value {
        let mut property = Map::new();
        if self.nullable && style == Style::Compat {
            property.insert("anyOf".into(), json!([self.schema, { "type": "null" }]));
            property.insert("default".into(), Value::Null);
        } else if let Value::Object(schema) = &self.schema {
            property.extend(schema.clone());
        }
        if let Some(default) = &self.default {
            property.insert("default".into(), default.clone());
        }
        if !self.about.is_empty() {
            property.insert("description".into(), self.about.into());
        }
        Value::Object(property)
    }
}

/// A set of named, typed arguments; implemented by [`arguments!`].
pub(super) trait Arguments: Sized + Send + 'static {
    /// Returns the parameters in the order of the schema.
    fn parameters() -> Vec<Parameter>;

    /// Reads the arguments of a call.
    ///
    /// # Errors
    /// Every parameter that is missing or does not fit, all at once.
    fn read(given: JsonObject) -> Result<Self, Problems>;
}

/// Builds the `inputSchema` of a tool.
pub(super) fn schema(title: &str, parameters: &[Parameter], style: Style) -> JsonObject {
    let properties: Map<String, Value> =
        parameters.iter().map(|each| (each.name.to_owned(), each.property(style))).collect();
    let required: Vec<&str> =
        parameters.iter().filter(|each| each.is_required()).map(|each| each.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    if style == Style::Compat {
        schema.insert("title".into(), format!("{title}Arguments").into());
    }
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema
}

/// What is wrong with the arguments of a call: one line per parameter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Problems(Vec<(&'static str, String)>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} validation error{}", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|(name, problem)| write!(f, "\n{name}\n  {problem}"))
    }
}

/// Takes the arguments of a call one by one and collects those that do not fit.
pub(super) struct Reader {
    given: JsonObject,
    problems: Problems,
}

impl Reader {
    pub(super) fn new(given: JsonObject) -> Self {
        Self { given, problems: Problems::default() }
    }

    /// Takes one argument; `None` if it does not fit, which is then recorded.
    pub(super) fn take<T: Argument>(&mut self, name: &'static str, default: Option<T>) -> Option<T> {
        let taken = match (self.given.remove(name), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => T::absent().ok_or_else(|| "Field required".to_owned()),
            (Some(value), _) => T::coerce(value),
        };
        taken.map_err(|problem| self.problems.0.push((name, problem))).ok()
    }

    /// Returns the problems found, if any.
    pub(super) fn finish(self) -> Result<(), Problems> {
        if self.problems.0.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

/// A type that an argument can have.
pub(super) trait Argument: Sized {
    /// Whether `null` and absence mean "not given".
    const NULLABLE: bool = false;

    /// Returns the type part of the schema.
    fn schema() -> Value;

    /// Reads a given value.
    ///
    /// # Errors
    /// What was expected, in words.
    fn coerce(value: Value) -> Result<Self, String>;

    /// Returns the value of an absent argument, if there is one.
    fn absent() -> Option<Self> {
        None
    }
}

/// Parses a string given to a non-string parameter as JSON, if it is JSON.
fn unquote(value: Value) -> Value {
    if let Value::String(text) = value {
        serde_json::from_str(text.trim()).unwrap_or(Value::String(text))
    } else {
        value
    }
}

fn mismatch(expected: &str, value: &Value) -> String {
    let mut shown = value.to_string();
    if shown.chars().count() > 60 {
        shown = shown.chars().take(57).chain("...".chars()).collect();
    }
    format!("Input should be {expected}, got {shown}")
}

impl Argument for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        if let Value::String(text) = value { Ok(text) } else { Err(mismatch("a valid string", &value)) }
    }
}

impl Argument for Secret<String> {
    fn schema() -> Value {
        String::schema()
    }

    fn coerce(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self::new(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err("Input should be a valid string; what was given is not shown".to_owned())
            }
        }
    }
}

impl Argument for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        let value = unquote(value);
        match (value.as_bool(), value.as_u64()) {
            (Some(flag), _) => Ok(flag),
            (None, Some(0)) => Ok(false),
            (None, Some(1)) => Ok(true),
            (None, _) => Err(mismatch("a valid boolean", &value)),
        }
    }
}

impl Argument for i64 {
    fn schema() -> Value {
        json!({ "type": "integer" })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        let value = unquote(value);
        let whole = value.as_i64().or_else(|| {
            // 200.0 is a whole number too; JSON does not distinguish the two.
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            format!("{number:.0}").parse().ok()
        });
        whole.ok_or_else(|| mismatch("a valid integer", &value))
    }
}

impl Argument for f64 {
    fn schema() -> Value {
        json!({ "type": "number" })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        let value = unquote(value);
        value.as_f64().ok_or_else(|| mismatch("a valid number", &value))
    }
}

macro_rules! narrow_integer {
    ($($type:ty),*) => {$(
        impl Argument for $type {
            fn schema() -> Value {
                json!({ "type": "integer" })
            }

            fn coerce(value: Value) -> Result<Self, String> {
                let wide = i64::coerce(value)?;
                Self::try_from(wide).map_err(|_| {
                    mismatch(&format!("an integer from {} to {}", Self::MIN, Self::MAX), &wide.into())
                })
            }
        }
    )*};
}
narrow_integer!(u16, u32, u64);

impl Argument for CallId {
    fn schema() -> Value {
        json!({ "type": "integer" })
    }

    /// Accepts the number, or the id as text, `call-7`.
    fn coerce(value: Value) -> Result<Self, String> {
        if let Some(call) = value.as_str().and_then(|text| text.trim().parse().ok()) {
            return Ok(call);
        }
        u64::coerce(value).map(CallId)
    }
}

impl Argument for RunId {
    fn schema() -> Value {
        json!({ "type": "integer" })
    }

    /// Accepts the number, or the id as text, `run-3`.
    fn coerce(value: Value) -> Result<Self, String> {
        if let Some(run) = value.as_str().and_then(|text| text.trim().parse().ok()) {
            return Ok(run);
        }
        u64::coerce(value).map(RunId)
    }
}

impl Argument for PhoneId {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        String::coerce(value)?.parse().map_err(|error| words::invalid_phone(&error))
    }
}

impl<T: Argument> Argument for Option<T> {
    const NULLABLE: bool = true;

    fn schema() -> Value {
        T::schema()
    }

    fn coerce(value: Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::coerce(value).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Argument> Argument for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        let value = unquote(value);
        if let Value::Array(items) = value {
            items.into_iter().map(T::coerce).collect()
        } else {
            Err(mismatch("a valid list", &value))
        }
    }
}

impl Argument for BTreeMap<String, String> {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": { "type": "string" } })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        JsonObject::coerce(value)?
            .into_iter()
            .map(|(name, value)| String::coerce(value).map(|value| (name, value)))
            .collect()
    }
}

impl Argument for Document {
    /// Only the type: unions of types confuse several clients, and a text is accepted anyway.
    fn schema() -> Value {
        JsonObject::schema()
    }

    fn coerce(value: Value) -> Result<Self, String> {
        match unquote(value) {
            Value::Object(object) => Ok(Self::Object(object)),
            // One line is not a document: it is a value in the wrong place.
            Value::String(text) if text.contains('\n') => Ok(Self::Text(text)),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(mismatch("a valid dictionary, or its YAML text", &other))
            }
        }
    }
}

impl Argument for JsonObject {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": true })
    }

    fn coerce(value: Value) -> Result<Self, String> {
        let value = unquote(value);
        if let Value::Object(object) = value {
            Ok(object)
        } else {
            Err(mismatch("a valid dictionary", &value))
        }
    }
}

/// Defines a struct of arguments with its schema and its reader.
///
/// The doc line of a field is its description for the caller; `= value` is its default.
macro_rules! arguments {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $( $(#[doc = $about:literal])? $field:ident : $type:ty $(= $default:expr)? ),* $(,)? }
    ) => {
        $(#[doc = $doc])*
        pub(in $crate::mcp) struct $name { $( $(#[doc = $about])? pub(in $crate::mcp) $field: $type ),* }

        impl $crate::mcp::arguments::Arguments for $name {
            fn parameters() -> Vec<$crate::mcp::arguments::Parameter> {
                vec![$( $crate::mcp::arguments::Parameter {
                    name: stringify!($field).trim_start_matches("r#"),
                    about: concat!("" $(, $about)?).trim_ascii(),
                    schema: <$type as $crate::mcp::arguments::Argument>::schema(),
                    nullable: <$type as $crate::mcp::arguments::Argument>::NULLABLE,
                    default: $crate::mcp::arguments::arguments!(@json $($default)?),
                } ),*]
            }

            #[allow(unused_mut, unused_variables, reason = "a tool may have no argument")]
            fn read(given: rmcp::model::JsonObject) -> Result<Self, $crate::mcp::arguments::Problems> {
                let mut reader = $crate::mcp::arguments::Reader::new(given);
                $( let $field = reader.take::<$type>(
                    stringify!($field).trim_start_matches("r#"),
                    $crate::mcp::arguments::arguments!(@value $($default)?),
                ); )*
                reader.finish()?;
                Ok(Self { $( $field: $field.ok_or_else($crate::mcp::arguments::Problems::default)? ),* })
            }
        }
    };
    (@json) => { None };
    (@json $default:expr) => { Some(serde_json::json!($default)) };
    (@value) => { None };
    (@value $default:expr) => { Some($default.into()) };
}
pub(super) use arguments;

#[cfg(test)]
mod tests {
    use super::*;

    arguments! {
        /// Every type that a parameter can have.
        Sample {
            /// Whom to call.
            target: String,
            /// Which status.
            status: u16 = 200u16,
            call_id: Option<CallId>,
            codecs: Option<Vec<String>>,
            r#loop: bool = false,
        }
    }

    fn read(given: Value) -> Result<Sample, Problems> {
        Sample::read(given.as_object().unwrap().clone())
    }

    #[test]
    fn strings_are_read_as_json_where_no_string_is_expected() {
        let sample = read(json!({
            "target": "7", "status": "180", "call_id": "0", "codecs": "[\"PCMA\"]", "loop": "true", "extra": 1
        }))
        .unwrap();
        assert_eq!(sample.target, "7");
        assert_eq!((sample.status, sample.call_id, sample.r#loop), (180, Some(CallId(0)), true));
        assert_eq!(sample.codecs, Some(vec!["PCMA".to_owned()]));
    }

    #[test]
    fn absent_and_null_take_the_default() {
        let sample = read(json!({ "target": "x", "codecs": null })).unwrap();
        assert_eq!((sample.status, sample.call_id, sample.codecs, sample.r#loop), (200, None, None, false));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = read(json!({ "status": 70000, "loop": "perhaps" })).err().unwrap().to_string();
        assert_eq!(
            problems,
            "3 validation errors\ntarget\n  Field required\nstatus\n  Input should be an integer from 0 to 65535, \
             got 70000\nloop\n  Input should be a valid boolean, got \"perhaps\""
        );
        assert!(read(json!({ "target": 12 })).err().unwrap().to_string().contains("a valid string"));
    }

    #[test]
    fn a_schema_writes_optional_parameters_as_its_surface_does() {
        let compat = Value::Object(schema("sample", &Sample::parameters(), Style::Compat));
        assert_eq!(compat["required"], json!(["target"]));
        assert_eq!(compat["title"], "sampleArguments");
        assert_eq!(
            compat["properties"]["call_id"],
            json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }], "default": null })
        );
        assert_eq!(
            compat["properties"]["status"],
            json!({ "type": "integer", "default": 200, "description": "Which status." })
        );
        let native = Value::Object(schema("sample", &Sample::parameters(), Style::Native));
        assert_eq!(native["properties"]["call_id"], json!({ "type": "integer" }));
        assert!(native["properties"]["loop"].is_object());
    }
}
