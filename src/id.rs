//! Identities: the ids that events, commands and surfaces use for phones, calls and runs.

use std::{fmt, str::FromStr, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Position of an event in the journal; the first event is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Name of a phone: 1 to 32 lower-case ASCII letters, digits or underscores; of a phone that a run made, the run and
/// that name, `run-7/a`.
///
/// The rule is the one users of per-phone tools know, because the name becomes a prefix of tool names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct PhoneId(Arc<str>);

/// The text is not a phone name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is no name of a phone — must match ^[a-z0-9_]{{1,32}}$")]
pub struct InvalidPhoneId {
    /// What was given, for the message to quote.
    pub given: String,
}

impl PhoneId {
    /// Parses the name of a phone that belongs to no run: what users may call a new phone.
    ///
    /// # Errors
    /// [`InvalidPhoneId`] for every other text, including `run-7/a`.
    pub fn plain(text: &str) -> Result<Self, InvalidPhoneId> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if (1..=32).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPhoneId { given: text.to_owned() })
        }
    }

    /// Returns the whole name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the run that created the phone.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        self.0.split_once('/').and_then(|(run, _)| run.parse().ok())
    }

    /// Returns the name without its run: how the run's own documents and reports call the phone.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Returns the id of the phone that a run creates under this name.
    #[must_use]
    pub fn in_run(&self, run: RunId) -> Self {
        Self(format!("{run}/{}", self.name()).into())
    }

    /// Returns the phone's name as seen by one run: its own phones without the run's prefix, all
    /// others unchanged.
    #[must_use]
    pub fn seen_by(&self, run: RunId) -> Self {
        if self.run() == Some(run) { Self(self.name().into()) } else { self.clone() }
    }
}

impl FromStr for PhoneId {
    type Err = InvalidPhoneId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((run, name)) = text.split_once('/') else { return Self::plain(text) };
        let phone = run.parse().ok().zip(Self::plain(name).ok()).map(|(run, name)| name.in_run(run));
        // Each id has only one spelling.
        phone.filter(|phone| phone.as_str() == text).ok_or_else(|| InvalidPhoneId { given: text.to_owned() })
    }
}

impl fmt::Display for PhoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for PhoneId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Defines a counted id that prints and serializes as `prefix-N`.
macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.strip_prefix(concat!($prefix, "-")).unwrap_or(text);
                digits.parse().map(Self).map_err(|_| InvalidId { given: text.to_owned(), expected: concat!($prefix, "-N") })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": concat!("^", $prefix, "-[0-9]+$") })
            }
        }
    };
}

/// The text is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not of the form {expected}")]
pub struct InvalidId {
    /// What was given.
    pub given: String,
    /// The expected form.
    pub expected: &'static str,
}

counted_id! {
    /// Our handle of one INVITE session on one phone, `call-7`.
    ///
    /// Counted from 0 in a new journal and never used again. The header is always `sip_call_id`.
    CallId, "call"
}

counted_id! {
    /// One execution of a scenario, `run-3`.
    RunId, "run"
}

counted_id! {
    /// One client of a surface that several may use at once, `client-2`.
    ///
    /// Counted from 1 in each process.
    ClientId, "client"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_name_follows_the_published_rule() {
        for good in ["a", "alice_2", "0", &"x".repeat(32)] {
            assert_eq!(good.parse::<PhoneId>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a-b", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<PhoneId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_phone_of_a_run_bears_the_run_before_its_name() {
        let phone: PhoneId = "run-7/a".parse().unwrap();
        assert_eq!((phone.run(), phone.name()), (Some(RunId(7)), "a"));
        assert_eq!(PhoneId::plain("a").unwrap().in_run(RunId(7)), phone);
        assert_eq!((phone.seen_by(RunId(7)).as_str(), phone.seen_by(RunId(8)).as_str()), ("a", "run-7/a"));
        assert!(PhoneId::plain("run-7/a").is_err());
        for bad in ["7/a", "run-07/a", "run-7/", "run-7/a/b", "call-7/a", "/a"] {
            assert!(bad.parse::<PhoneId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn counted_handles_read_with_and_without_prefix() {
        assert_eq!("call-7".parse::<CallId>().unwrap(), CallId(7));
        assert_eq!("7".parse::<CallId>().unwrap(), CallId(7));
        assert!("run-7".parse::<CallId>().is_err());
        assert_eq!(serde_json::to_string(&RunId(3)).unwrap(), "\"run-3\"");
    }
}
