//! A value that must not be seen: prints as `***` and refuses to be serialized.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// Wraps a password or token so that no log, journal line or tool result can hold it by accident.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value; the caller answers for where it goes.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // What the type says against it may quote it.
        let unfit = |_| serde::de::Error::custom("not of the type of a secret, whose value is not shown");
        T::deserialize(from).map(Self).map_err(unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_never_quotes_a_secret() {
        for wrong in ["12345678", "[\"hunter2\"]", "{\"hunter2\": 1}"] {
            let error = serde_json::from_str::<Secret<String>>(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("1234"), "{error}");
        }
        assert_eq!(serde_json::from_str::<Secret<String>>("\"x\"").unwrap(), Secret::new("x".to_owned()));
    }

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::new("open sesame");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(*secret.reveal(), "open sesame");
    }
}
