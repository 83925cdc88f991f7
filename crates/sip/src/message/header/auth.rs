//! Challenges and credentials: `Digest realm="…", nonce="…"`.
//!
//! RFC 3261 §20.7, §20.27, §20.28, §20.44; RFC 7616 §3.3. One header may hold several challenges
//! (RFC 9110 §11.6.1), told apart by a token followed by white space and another token.

use std::borrow::Cow;
use std::fmt;

use super::HeaderFault;
use crate::message::scan;

/// A scheme and its parameters, unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthParams {
    /// The scheme as written, such as `Digest`.
    pub scheme: String,
    /// Names as written and values without quotes and escapes, in order.
    pub params: Vec<(String, String)>,
}

impl AuthParams {
    /// Returns a scheme without parameters.
    #[must_use]
    pub fn new(scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), params: Vec::new() }
    }

    /// Returns the value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns whether the scheme is Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("digest")
    }

    /// Appends a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.push((name.to_owned(), value.to_string()));
        self
    }

    /// Reads every challenge in one header value.
    ///
    /// # Errors
    /// If there is no scheme or a parameter has no value.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, HeaderFault> {
        let mut all: Vec<Self> = Vec::new();
        if !scan::is_balanced(text) {
            return Err(HeaderFault::Unbalanced);
        }
        for member in scan::commas(text).filter(|member| !member.is_empty()) {
            let equals = scan::find_outside(member, false, b'=');
            let space = scan::find_outside_by(member, false, |byte| matches!(byte, b' ' | b'\t'));
            let param = match (space, equals) {
                // `name = value`: the white space belongs to the parameter.
                (Some(at), Some(equals)) if at < equals => {
                    let (scheme, rest) = scan::split_at_byte(member, at);
                    let rest = scan::trim(rest);
                    if rest.starts_with('=') {
                        member
                    } else {
                        all.push(Self::new(scheme));
                        rest
                    }
                }
                (Some(at), None) => {
                    let (scheme, rest) = scan::split_at_byte(member, at);
                    all.push(Self::new(scheme));
                    scan::trim(rest)
                }
                (_, Some(_)) => member,
                (None, None) => {
                    all.push(Self::new(member));
                    continue;
                }
            };
            let current = all.last_mut().ok_or(HeaderFault::Syntax)?;
            current.params.push(parse_param(param));
        }
        if all.is_empty() { Err(HeaderFault::Empty) } else { Ok(all) }
    }

    /// Reads the parameters of Authentication-Info, which has no scheme (RFC 7616 §3.5).
    #[must_use]
    pub fn parse_info(text: &str) -> Self {
        let members = scan::commas(text).filter(|member| !member.is_empty());
        Self { scheme: String::new(), params: members.map(parse_param).collect() }
    }
}

/// Splits `name=value`; what has no `=` (the token68 of other schemes) gets an empty name.
fn parse_param(text: &str) -> (String, String) {
    match scan::find_outside(text, false, b'=') {
        Some(at) => {
            let (name, value) = scan::split_at_byte(text, at);
            (scan::trim(name).to_owned(), scan::unquote(scan::trim(value)).into_owned())
        }
        None => (String::new(), text.to_owned()),
    }
}

/// Parameters that the grammar wants as bare tokens (RFC 7616 §3.3, §3.4).
fn is_bare(name: &str, challenge: bool) -> bool {
    let always = ["algorithm", "stale", "nc", "userhash"];
    always.iter().any(|bare| bare.eq_ignore_ascii_case(name))
        // A challenge lists qop values in quotes, credentials name the chosen one bare.
        || (!challenge && name.eq_ignore_ascii_case("qop"))
}

impl fmt::Display for AuthParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        let challenge = self.get("response").is_none();
        for (nth, (name, value)) in self.params.iter().enumerate() {
            let separator = match (nth, self.scheme.is_empty()) {
                (0, true) => "",
                (0, false) => " ",
                (_, _) => ", ",
            };
            let value = if name.is_empty() || (is_bare(name, challenge) && scan::is_token(value)) {
                Cow::Borrowed(value.as_str())
            } else {
                Cow::Owned(scan::quote(value))
            };
            let equals = if name.is_empty() { "" } else { "=" };
            write!(f, "{separator}{name}{equals}{value}")?;
        }
        Ok(())
    }
}
