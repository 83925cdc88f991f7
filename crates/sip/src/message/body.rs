//! Bodies made of parts.
//!
//! RFC 3261 §7.4, RFC 5621; RFC 2046 §5.1 for the boundary syntax, RFC 2387 for related parts. Part
//! bodies are byte-exact.

use super::header::{ContentDisposition, HeaderName, MediaType};
use super::scan;
use super::wire::Message;

/// Nesting depth beyond which parts are not searched.
const MAX_DEPTH: usize = 4;

/// Says why a body has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// Content-Type is missing or malformed.
    #[error("no usable content type")]
    ContentType,
    /// Content-Type is not multipart.
    #[error("content type is not multipart")]
    NotMultipart,
    /// The boundary parameter is missing.
    #[error("no boundary parameter")]
    NoBoundary,
    /// The body does not contain its boundary.
    #[error("boundary does not occur in the body")]
    BoundaryNotFound,
    /// The part that the others belong to is not there.
    #[error("no part is the root")]
    NoRoot,
}

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its headers in order, values on one line.
    pub headers: Vec<(HeaderName, String)>,
    /// Its bytes.
    pub body: &'a [u8],
}

impl Part<'_> {
    /// Returns the first header with this name.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns its media type if it has a readable one; the default is `text/plain`.
    #[must_use]
    pub fn content_type(&self) -> Option<MediaType> {
        self.header(&HeaderName::ContentType).unwrap_or("text/plain").parse().ok()
    }
}

impl Message {
    /// Takes a multipart body apart.
    ///
    /// # Errors
    /// If the body is not multipart or its boundary is missing. A missing end boundary is tolerated.
    pub fn parts(&self) -> Result<Vec<Part<'_>>, PartsError> {
        let kind = self.content_type().ok().flatten().ok_or(PartsError::ContentType)?;
        split_parts(&kind, self.body())
    }

    /// Finds the session description: the body itself or the first such part in it, if it is
    /// neither encoded nor meant for another purpose.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        find_sdp(&self.entity(), 0)
    }

    /// Returns the body with what its headers say about it.
    pub(crate) fn entity(&self) -> Entity<'_> {
        Entity {
            kind: self.content_type().ok().flatten(),
            encoded: self.values(HeaderName::ContentEncoding).iter().any(|coding| is_coding(coding)),
            disposition: self.header(HeaderName::ContentDisposition).map(|text| text.parse().ok()),
            body: self.body(),
        }
    }
}

fn find_sdp<'a>(entity: &Entity<'a>, depth: usize) -> Option<&'a [u8]> {
    if entity.is("application/sdp", "session") {
        return (!entity.encoded && !entity.body.is_empty()).then_some(entity.body);
    }
    if depth == MAX_DEPTH {
        return None;
    }
    entity.parts().ok()?.iter().find_map(|part| find_sdp(part, depth + 1))
}

/// Tells whether a content coding changes anything.
fn is_coding(coding: &str) -> bool {
    !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")
}

/// A body, or a part of one, and what its headers say about it.
#[derive(Clone, Debug)]
pub(crate) struct Entity<'a> {
    /// Its media type, where that can be read.
    pub(crate) kind: Option<MediaType>,
    /// It is compressed or otherwise encoded (RFC 3261 §20.12).
    pub(crate) encoded: bool,
    /// Its disposition, if it has one; the inner `None` means that it cannot be read.
    disposition: Option<Option<ContentDisposition>>,
    /// Its bytes.
    pub(crate) body: &'a [u8],
}

impl<'a> Entity<'a> {
    /// Tells whether this is of a media type, with `*/*` for any, and meant for a purpose. Without
    /// a disposition, it is meant for whatever bodies of its kind usually are (RFC 3261 §20.11).
    pub(crate) fn is(&self, media: &str, purpose: &str) -> bool {
        let meant = match &self.disposition {
            None => true,
            Some(Some(disposition)) => disposition.kind.eq_ignore_ascii_case(purpose),
            Some(None) => false,
        };
        let Some(kind) = &self.kind else { return false };
        let named = media.split_once('/').is_some_and(|(major, minor)| kind.is(major, minor));
        named && meant || media == "*/*"
    }

    /// Tells whether a receiver that does not understand it may ignore it.
    pub(crate) fn is_optional(&self) -> bool {
        self.disposition
            .as_ref()
            .is_some_and(|read| read.as_ref().is_some_and(ContentDisposition::is_optional))
    }

    /// Takes a multipart body apart into the parts that mean something by themselves. Related parts
    /// mean what their root makes of them (RFC 2387 §2), so only the root is returned.
    pub(crate) fn parts(&self) -> Result<Vec<Self>, PartsError> {
        let kind = self.kind.as_ref().ok_or(PartsError::ContentType)?;
        let parts = split_parts(kind, self.body)?;
        if kind.is("multipart", "related") {
            return root_of(kind, &parts).map(|root| vec![root.entity()]).ok_or(PartsError::NoRoot);
        }
        Ok(parts.into_iter().map(|part| part.entity()).collect())
    }
}

/// Returns the part that `start` names, or else the first (RFC 2387 §3.2).
fn root_of<'p, 'a>(kind: &MediaType, parts: &'p [Part<'a>]) -> Option<&'p Part<'a>> {
    let Some(start) = kind.params.unquoted("start") else { return parts.first() };
    let name = HeaderName::from_text("Content-ID");
    parts.iter().find(|part| part.header(&name).is_some_and(|id| bare_id(id) == bare_id(&start)))
}

/// Returns the id between the angle brackets, which some senders leave out.
fn bare_id(id: &str) -> &str {
    let id = scan::trim(id);
    id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id)
}

impl<'a> Part<'a> {
    fn entity(&self) -> Entity<'a> {
        Entity {
            kind: self.content_type(),
            encoded: self.header(&HeaderName::ContentEncoding).is_some_and(is_coding),
            disposition: self.header(&HeaderName::ContentDisposition).map(|text| text.parse().ok()),
            body: self.body,
        }
    }
}

fn split_parts<'a>(kind: &MediaType, body: &'a [u8]) -> Result<Vec<Part<'a>>, PartsError> {
    if !kind.is_multipart() {
        return Err(PartsError::NotMultipart);
    }
    let boundary = kind.params.unquoted("boundary").filter(|text| !text.is_empty());
    let boundary = boundary.ok_or(PartsError::NoBoundary)?;
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut parts = Vec::new();
    let mut delimiters = Delimiters { body, delimiter: &delimiter, at: 0 };
    let mut open = delimiters.next().ok_or(PartsError::BoundaryNotFound)?;
    while !open.last {
        let next = delimiters.next();
        let end = next.map_or(body.len(), |found| found.before);
        parts.push(read_part(body.get(open.after..end).unwrap_or(&[])));
        match next {
            Some(found) => open = found,
            None => break,
        }
    }
    Ok(parts)
}

/// A line that consists of the delimiter.
#[derive(Clone, Copy)]
struct Delimiter {
    /// Where the text before it ends; the line break belongs to the delimiter.
    before: usize,
    after: usize,
    last: bool,
}

struct Delimiters<'a> {
    body: &'a [u8],
    delimiter: &'a [u8],
    at: usize,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        while self.at < self.body.len() {
            let start = self.at;
            let rest = self.body.get(start..)?;
            let line_len = scan::find_byte(rest, b'\n').map_or(rest.len(), |feed| feed + 1);
            self.at = start + line_len;
            let Some(tail) = rest.get(..line_len)?.strip_prefix(self.delimiter) else { continue };
            let (last, tail) = match tail.strip_prefix(b"--") {
                Some(tail) => (true, tail),
                None => (false, tail),
            };
            if !scan::trim_bytes(tail).is_empty() {
                continue;
            }
            let head = self.body.get(..start)?;
            let head = head.strip_suffix(b"\n").unwrap_or(head);
            let before = head.strip_suffix(b"\r").unwrap_or(head).len();
            return Some(Delimiter { before, after: self.at, last });
        }
        None
    }
}

fn read_part(bytes: &[u8]) -> Part<'_> {
    let mut headers: Vec<(HeaderName, String)> = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let line_len = scan::find_byte(rest, b'\n').map_or(rest.len(), |feed| feed + 1);
        let line = rest.get(..line_len).unwrap_or(rest);
        at += line_len;
        let text = String::from_utf8_lossy(line);
        let content = scan::trim(&text);
        if content.is_empty() {
            break;
        }
        match (text.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(content);
            }
            (_, _) => {
                let (name, value) = content.split_once(':').unwrap_or((content, ""));
                headers.push((HeaderName::from_text(scan::trim(name)), scan::trim(value).to_owned()));
            }
        }
    }
    Part { headers, body: bytes.get(at..).unwrap_or(&[]) }
}
