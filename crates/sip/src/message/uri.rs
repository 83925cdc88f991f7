//! URIs: sip, sips, tel and any other scheme.
//!
//! RFC 3261 §19.1 (syntax, equality), RFC 3966 for tel as opaque text. The text is kept exactly as it
//! came; escapes are undone only where two URIs are compared and in [`Uri::user_decoded`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::host::{Host, split_port};
use super::method::Method;
use super::params::Params;
use super::scan;

/// What kind of URI it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other scheme, in lower case.
    Other(Box<str>),
}

impl Scheme {
    /// Returns the scheme in lower case, without colon.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(name) => name,
        }
    }
}

/// Says why text is not a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UriError {
    /// There is nothing.
    #[error("empty uri")]
    Empty,
    /// There is no valid `scheme:` in front.
    #[error("no valid scheme")]
    Scheme,
    /// White space, a control byte, an angle bracket or a quote stands inside.
    #[error("character that no uri may contain")]
    Character,
    /// The host is missing or malformed.
    #[error("bad host")]
    Host,
    /// The port is not a number up to 65535.
    #[error("bad port")]
    Port,
}

/// A URI, kept as text with its parts located.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    text: Box<str>,
    scheme: Scheme,
    host: Option<Host>,
    port: Option<u16>,
    /// End of userinfo (the `@`), if there is one.
    at: Option<u32>,
    /// Where parameters start (after the host, at the `;` if any).
    params: u32,
    /// Where headers start (at the `?`, or the end).
    headers: u32,
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Uri {
    /// Reads a URI; nothing is trimmed or unescaped.
    ///
    /// # Errors
    /// Says which part cannot be read. Every scheme but sip and sips is taken as opaque.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.is_empty() {
            return Err(UriError::Empty);
        }
        let colon = scan::find(text, b':').ok_or(UriError::Scheme)?;
        let (scheme, rest) = scan::split_at_byte(text, colon);
        let scheme = parse_scheme(scheme)?;
        if text.bytes().any(scan::is_never_in_uri) {
            return Err(UriError::Character);
        }
        let start = colon + 1;
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::parse_sip(text, scheme, start, rest),
            Scheme::Tel | Scheme::Other(_) => {
                let params = scan::find(rest, b';').map_or(text.len(), |at| start + at);
                Ok(Self {
                    text: text.into(),
                    scheme,
                    host: None,
                    port: None,
                    at: None,
                    params: offset(params),
                    headers: offset(text.len()),
                })
            }
        }
    }

    fn parse_sip(text: &str, scheme: Scheme, start: usize, rest: &str) -> Result<Self, UriError> {
        // '@' may stand only after the user part; ';' and '?' may stand in it (RFC 3261 §25.1 user-unreserved).
        let at = scan::find(rest, b'@').map(|at| start + at);
        let host_start = at.map_or(start, |at| at + 1);
        let tail = text.get(host_start..).unwrap_or("");
        let host_len = tail.bytes().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(tail.len());
        let (host, port) = split_port(tail.get(..host_len).unwrap_or(""));
        let host = Host::parse(host).ok_or(UriError::Host)?;
        let port = match port {
            None | Some("") => None,
            Some(digits) => Some(scan::number(digits).ok_or(UriError::Port)?),
        };
        let params = host_start + host_len;
        let headers = text
            .get(params..)
            .and_then(|tail| scan::find(tail, b'?'))
            .map_or(text.len(), |mark| params + mark);
        Ok(Self {
            text: text.into(),
            scheme,
            host: Some(host),
            port,
            at: at.map(offset),
            params: offset(params),
            headers: offset(headers),
        })
    }

    /// Builds `sip:user@host:port`; the user is escaped where needed, an empty one is left out.
    ///
    /// # Errors
    /// If `host` is not a host.
    pub fn sip(user: &str, host: &str, port: Option<u16>) -> Result<Self, UriError> {
        let host = Host::parse(host).ok_or(UriError::Host)?;
        Ok(Self::from_parts(Scheme::Sip, user, host, port))
    }

    /// Builds a sip or sips URI from its parts; the user is escaped where needed, an empty one is left out.
    #[must_use]
    pub fn from_parts(scheme: Scheme, user: &str, host: Host, port: Option<u16>) -> Self {
        let mut text = format!("{}:", scheme.as_str());
        let at = (!user.is_empty()).then(|| {
            text.push_str(&escape_user(user));
            text.push('@');
            offset(text.len() - 1)
        });
        text.push_str(&host.to_string());
        if let Some(port) = port {
            text.push_str(&format!(":{port}"));
        }
        let end = offset(text.len());
        Self { text: text.into(), scheme, host: Some(host), port, at, params: end, headers: end }
    }

    /// Returns the text exactly as it was read or built.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the scheme.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Returns whether this is a sips URI.
    #[must_use]
    pub fn is_sips(&self) -> bool {
        self.scheme == Scheme::Sips
    }

    fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or("")
    }

    fn after_scheme(&self) -> usize {
        scan::find(&self.text, b':').map_or(0, |at| at + 1)
    }

    fn userinfo(&self) -> Option<&str> {
        self.at.map(|at| self.slice(self.after_scheme(), at as usize))
    }

    /// Returns the user as written, escapes kept; for tel and other schemes `None`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        let info = self.userinfo()?;
        Some(scan::split_once(info, b':').map_or(info, |(user, _)| user))
    }

    /// Returns the user with escapes undone; for tel the number.
    #[must_use]
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        match self.scheme {
            Scheme::Tel => Some(unescape(self.opaque())),
            Scheme::Sip | Scheme::Sips | Scheme::Other(_) => self.user().map(unescape),
        }
    }

    /// Returns the password as written, if there is one.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        Some(self.userinfo()?.split_once(':')?.1)
    }

    /// Returns the host; `None` where the scheme has none.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Returns the port if the URI names one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns what stands between the scheme and the parameters.
    #[must_use]
    pub fn opaque(&self) -> &str {
        self.slice(self.after_scheme(), self.params as usize)
    }

    /// Returns the parameters as written, with the leading `;` if there are any.
    #[must_use]
    pub fn params_text(&self) -> &str {
        self.slice(self.params as usize, self.headers as usize)
    }

    /// Returns the parameters.
    #[must_use]
    pub fn params(&self) -> Params {
        Params::parse(self.params_text())
    }

    /// Returns the value of one parameter as written; `""` for a flag.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params_text().split(';').filter(|member| !member.is_empty()).find_map(|member| {
            let (known, value) = scan::split_once(member, b'=').unwrap_or((member, ""));
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Returns the `transport` parameter as written.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.param("transport")
    }

    /// Returns whether this is a loose route (`lr`, RFC 3261 §19.1.1).
    #[must_use]
    pub fn lr(&self) -> bool {
        self.param("lr").is_some()
    }

    /// Returns the `maddr` parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        self.param("maddr").and_then(Host::parse)
    }

    /// Returns the `ttl` parameter.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.param("ttl").and_then(scan::number)
    }

    /// Returns the `method` parameter.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.param("method").map(Method::from_text)
    }

    /// Returns the headers as written, without the `?`.
    #[must_use]
    pub fn headers_text(&self) -> Option<&str> {
        self.text.get(self.headers as usize..)?.strip_prefix('?')
    }

    /// Returns the headers (`?Replaces=…&Reason=…`) with escapes undone.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = self.headers_text().unwrap_or("");
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = scan::split_once(pair, b'=').unwrap_or((pair, ""));
                (unescape(name).into_owned(), unescape(value).into_owned())
            })
            .collect()
    }

    /// Returns the value of one URI header with escapes undone.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers()
            .into_iter()
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Returns a copy in which parameter `name` is `value`, in its old place or at the end.
    #[must_use]
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        self.with_params(&self.params().with(name, value))
    }

    /// Returns a copy without parameter `name`.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        let mut params = self.params();
        if !params.remove(name) {
            return self.clone();
        }
        self.with_params(&params)
    }

    fn with_params(&self, params: &Params) -> Self {
        let mut text = self.slice(0, self.params as usize).to_owned();
        text.push_str(&params.to_string());
        let headers = offset(text.len());
        text.push_str(self.text.get(self.headers as usize..).unwrap_or(""));
        Self { text: text.into(), headers, ..self.clone() }
    }

    /// Returns a copy without headers, as a Request-URI must be (RFC 3261 §19.1.5).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        let text = self.slice(0, self.headers as usize);
        Self { text: text.into(), ..self.clone() }
    }

    /// Returns a copy for From and To: without the port and the parameters that say how to reach it
    /// (RFC 3261 §19.1.1, table 1).
    #[must_use]
    pub fn as_identity(&self) -> Self {
        let plain = self.without_headers();
        let Some(host) = &self.host else { return plain };
        let mut params = self.params();
        for name in ["transport", "maddr", "ttl", "method", "lr"] {
            params.remove(name);
        }
        let info = self.userinfo().map(|info| format!("{info}@")).unwrap_or_default();
        let scheme = self.slice(0, self.after_scheme());
        Self::parse(&format!("{scheme}{info}{host}{params}")).unwrap_or(plain)
    }

    /// Returns a copy with one more header, escaped.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mark = if self.headers_text().is_some() { '&' } else { '?' };
        let text = format!("{}{mark}{}={}", self.text, escape_header(name), escape_header(value));
        Self { text: text.into(), ..self.clone() }
    }

    /// Returns a copy with another user, escaped where needed; for schemes without host the copy is unchanged.
    #[must_use]
    pub fn with_user(&self, user: &str) -> Self {
        let Some(host) = self.host.clone() else { return self.clone() };
        let base = Self::from_parts(self.scheme.clone(), user, host, self.port);
        let text = format!("{}{}", base.text, self.text.get(self.params as usize..).unwrap_or(""));
        let headers = base.params + (self.headers - self.params);
        Self { text: text.into(), headers, ..base }
    }

    /// Returns whether both name the same resource by RFC 3261 §19.1.4; other schemes compare as text.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        let (Some(host), Some(other_host)) = (&self.host, &other.host) else {
            return self.text.eq_ignore_ascii_case(&other.text);
        };
        let decoded = |uri: &Self| uri.userinfo().map(|info| unescape(info).into_owned());
        host.same(other_host)
            && self.port == other.port
            && decoded(self) == decoded(other)
            && params_match(&self.params(), &other.params())
            && same_headers(self.headers(), other.headers())
    }
}

/// Parameters that change where a request goes: present in one URI only, they make a difference.
const DECISIVE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn params_match(left: &Params, right: &Params) -> bool {
    let same = |one: &str, other: &str| unescape(one).eq_ignore_ascii_case(&unescape(other));
    let one_way = |left: &Params, right: &Params| {
        left.iter().all(|(name, value)| {
            let mut namesakes = right.iter().filter(|(other, _)| same(name, other)).peekable();
            if namesakes.peek().is_none() {
                return !DECISIVE.iter().any(|decisive| same(decisive, name));
            }
            namesakes.any(|(_, other)| same(value.unwrap_or(""), other.unwrap_or("")))
        })
    };
    one_way(left, right) && one_way(right, left)
}

fn same_headers(left: Vec<(String, String)>, right: Vec<(String, String)>) -> bool {
    let ordered = |mut headers: Vec<(String, String)>| {
        for (name, _) in &mut headers {
            name.make_ascii_lowercase();
        }
        headers.sort();
        headers
    };
    ordered(left) == ordered(right)
}

fn parse_scheme(text: &str) -> Result<Scheme, UriError> {
    if text.eq_ignore_ascii_case("sip") {
        return Ok(Scheme::Sip);
    }
    if text.eq_ignore_ascii_case("sips") {
        return Ok(Scheme::Sips);
    }
    if text.eq_ignore_ascii_case("tel") {
        return Ok(Scheme::Tel);
    }
    let mut bytes = text.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
        return Ok(Scheme::Other(text.to_ascii_lowercase().into()));
    }
    Err(UriError::Scheme)
}

fn escape(text: &str, plain: impl Fn(u8) -> bool) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    escaped
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

fn escape_user(text: &str) -> String {
    escape(text, |byte| {
        is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
    })
}

fn escape_header(text: &str) -> String {
    escape(text, |byte| is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$'))
}

/// Undoes `%41` escapes; a broken escape stays as it is, bytes that are not UTF-8 become U+FFFD.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (nibble(*high), nibble(*low))
        {
            plain.push(high << 4 | low);
            rest = after;
        } else {
            plain.push(*byte);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({:?})", &*self.text)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}
