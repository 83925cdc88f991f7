//! Ordered `;name=value` parameters.
//!
//! RFC 3261 §25.1 (generic-param, uri-parameter). Names are case-insensitive, values keep their quotes.

use std::borrow::Cow;
use std::fmt;

use super::scan;

/// The parameters of a header value or of a URI, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Returns no parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `;a=1;b` with or without the leading semicolon; empty members are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut params = Vec::new();
        for member in scan::semicolons(text).filter(|member| !member.is_empty()) {
            let equals = scan::find_outside(member, false, |byte| byte == b'=');
            params.push(match equals {
                Some(at) => {
                    let (name, value) = scan::split_at_byte(member, at);
                    (scan::trim(name).to_owned(), Some(scan::trim(value).to_owned()))
                }
                None => (member.to_owned(), None),
            });
        }
        Self(params)
    }

    /// Returns the value of `name` as written, quotes included; a name without value gives `""`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value.as_deref().unwrap_or(""))
    }

    /// Returns the value of `name` without quotes and escapes.
    #[must_use]
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(scan::unquote)
    }

    /// Returns whether `name` is there, with or without a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets `name` to `value`, in its place if it is already there, else at the end.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes `name` and returns whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.0.len() != before
    }

    /// Returns a copy with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.set(name, value);
        self
    }

    /// Returns the parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Returns how many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
