//! A value that must not be shown: prints as `***` and refuses to be serialized.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer};

/// Wraps a password or token so that no log line, journal line or tool result can contain it by
/// accident.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value; the caller is responsible for where it goes.
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
        // The type's own error may quote the value.
        let unfit = |_| serde::de::Error::custom("not of the type of a secret, whose value is not shown");
        T::deserialize(from).map(Self).map_err(unfit)
    }
}

/// Replaces the password in a text given as a URI (RFC 3261 §19.1.1) with stars, whether or not it
/// is a valid one.
///
/// Anything between the first `:` (not counting the scheme's) and the last `@` may be a password.
#[must_use]
pub fn without_password(text: &str) -> Cow<'_, str> {
    let starred = || {
        let scheme = ["sip:", "sips:"]
            .into_iter()
            .find(|scheme| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)));
        let (scheme, rest) = text.split_at_checked(scheme.map_or(0, str::len))?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}{name}:***@{host}"))
    };
    starred().map_or(Cow::Borrowed(text), Cow::Owned)
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
    fn the_password_of_a_uri_is_not_shown_however_it_is_mistyped() {
        for (given, shown) in [
            ("sips:user:pw@host", "sips:user:***@host"),
            ("SIP:user:p@w:x@host:5060;x=y", "SIP:user:***@host:5060;x=y"),
            ("user:pw@host", "user:***@host"),
            ("sip:user:@host", "sip:user:***@host"),
            ("sp:user:pw@host", "sp:***@host"),
            ("sip:user@host:5060", "sip:user@host:5060"),
            ("sip:host:5060", "sip:host:5060"),
            ("sip:", "sip:"),
            ("tel:+49", "tel:+49"),
            ("a/b.yaml", "a/b.yaml"),
            ("", ""),
        ] {
            assert_eq!(without_password(given), shown);
        }
    }

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::new("open sesame");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(*secret.reveal(), "open sesame");
    }
}
