//! Ordered `;name=value` parameters.
//!
//! RFC 3261 §25.1 (generic-param, uri-parameter). Names are case-insensitive, values keep their
//! quotes. The parameters are kept as one text and searched in place: most are written once and
//! looked up once or never.

use std::borrow::Cow;
use std::fmt;

use super::scan;

/// The parameters of a header value or of a URI, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(
    /// `;a=1;b`: no white space around names and values, no empty member.
    String,
);

/// Splits a member at its `=`.
fn split(member: &str) -> (&str, Option<&str>) {
    match scan::find_outside(member, false, b'=') {
        Some(at) => {
            let (name, value) = scan::split_at_byte(member, at);
            (name, Some(value))
        }
        None => (member, None),
    }
}

/// Tells whether text is already in the form in which it is kept.
fn is_plain(text: &str) -> bool {
    let mut before = 0;
    let mut odd = false;
    for byte in text.bytes() {
        odd |= scan::is_never_in_uri(byte) || byte == b';' && before == b';';
        before = byte;
    }
    text.starts_with(';') && before != b';' && !odd
}

impl Params {
    /// Returns no parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `;a=1;b` with or without the leading semicolon; empty members are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() || is_plain(text) {
            return Self(text.to_owned());
        }
        let mut params = Self(String::with_capacity(text.len() + 1));
        for member in scan::semicolons(text).filter(|member| !member.is_empty()) {
            let (name, value) = split(member);
            params.push(scan::trim(name), value.map(scan::trim));
        }
        params
    }

    fn push(&mut self, name: &str, value: Option<&str>) {
        self.0.push(';');
        self.0.push_str(name);
        if let Some(value) = value {
            self.0.push('=');
            self.0.push_str(scan::trim(value));
        }
    }

    /// Returns the members with the places where they start.
    fn members(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut at = 0;
        let members = scan::semicolons(self.0.get(1..).unwrap_or("")).filter(|_| !self.0.is_empty());
        members.map(move |member| {
            let start = at;
            at += member.len() + 1;
            (start, member)
        })
    }

    /// Returns where a parameter stands, its semicolon included.
    fn place(&self, name: &str) -> Option<std::ops::Range<usize>> {
        let mut members = self.members();
        let (start, member) = members.find(|(_, member)| split(member).0.eq_ignore_ascii_case(name))?;
        Some(start..start + member.len() + 1)
    }

    /// Returns the value of `name` as written, quotes included; a name without value gives `""`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or(""))
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
        let Some(place) = self.place(name) else { return self.push(name, value) };
        let known = self.0.get(place.clone()).and_then(|member| member.get(1..)).map_or("", |m| split(m).0);
        let mut member = Self::new();
        member.push(known, value);
        self.0.replace_range(place, &member.0);
    }

    /// Removes `name` and returns whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        while let Some(place) = self.place(name) {
            self.0.replace_range(place, "");
        }
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
        self.members().map(|(_, member)| split(member))
    }

    /// Returns how many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members().count()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
