//! Addresses: From, To, Route, Record-Route, Refer-To and every other header that holds `"name" <uri>;params`.
//!
//! RFC 3261 §20 (name-addr, addr-spec), §20.20, §20.39; without angle brackets what follows `;` belongs
//! to the header, not to the URI.

use std::fmt;
use std::str::FromStr;

use super::HeaderFault;
use crate::message::params::Params;
use crate::message::scan;
use crate::message::uri::Uri;

/// An address with its optional display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// The display name without quotes and escapes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// The parameters after it.
    pub params: Params,
}

impl NameAddr {
    /// Returns an address without display name and parameters.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// Returns a copy with a display name.
    #[must_use]
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = Some(display.to_owned());
        self
    }

    /// Returns a copy with parameter `name` set.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.set(name, value);
        self
    }

    /// Returns a copy with the tag set.
    #[must_use]
    pub fn with_tag(self, tag: &str) -> Self {
        self.with_param("tag", Some(tag))
    }

    /// Returns the tag, if it has a value.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// Returns the `q` of a contact in thousandths (RFC 3261 §20.10).
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        let text = self.params.get("q")?;
        let (whole, fraction) = scan::split_once(text, b'.').unwrap_or((text, ""));
        let whole: u16 = scan::number(whole)?;
        if fraction.len() > 3 || whole > 1 {
            return None;
        }
        let thousandths: u16 =
            if fraction.is_empty() { 0 } else { scan::number(&format!("{fraction:0<3}"))? };
        Some(whole * 1000 + thousandths).filter(|q| *q <= 1000)
    }

    /// Returns the `expires` of a contact in seconds.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").and_then(scan::number)
    }
}

impl FromStr for NameAddr {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let text = scan::trim(text);
        if text.is_empty() {
            return Err(HeaderFault::Empty);
        }
        let Some(open) = scan::find_outside(text, false, b'<') else {
            if !scan::is_balanced(text) {
                return Err(HeaderFault::Unbalanced);
            }
            let end = scan::find(text, b';').unwrap_or(text.len());
            let uri = Uri::parse(scan::trim(text.get(..end).unwrap_or(""))).map_err(HeaderFault::Uri)?;
            return Ok(Self { display: None, uri, params: Params::parse(text.get(end..).unwrap_or("")) });
        };
        let (display, rest) = scan::split_at_byte(text, open);
        let close = scan::find(rest, b'>').ok_or(HeaderFault::Unbalanced)?;
        let (uri, params) = scan::split_at_byte(rest, close);
        // White space inside the brackets is wrong but harmless (RFC 4475 §3.1.2.14); `examine` reports it.
        let uri = Uri::parse(scan::trim(uri)).map_err(HeaderFault::Uri)?;
        if !scan::is_balanced(params) {
            return Err(HeaderFault::Unbalanced);
        }
        let params = scan::trim(params);
        if !params.is_empty() && !params.starts_with(';') {
            return Err(HeaderFault::Syntax);
        }
        let display = scan::trim(display);
        let display = (!display.is_empty()).then(|| scan::unquote(display).into_owned());
        Ok(Self { display, uri, params: Params::parse(params) })
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_str(&scan::quote(display))?;
            f.write_str(" ")?;
        }
        f.write_str("<")?;
        f.write_str(self.uri.as_str())?;
        f.write_str(">")?;
        self.params.fmt(f)
    }
}
