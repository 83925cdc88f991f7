//! The message itself: the bytes as they came or were built, and where their parts are.
//!
//! RFC 3261 §7. Nothing is copied or normalized here; typed access is in `access`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::defect::Defect;
use super::header::{HeaderName, NameId};
use super::method::Method;
use super::scan;
use super::status::StatusCode;
use super::uri::Uri;

/// A range of the message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// One header field as the parser found it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) id: NameId,
    /// Whether the value continues on further lines.
    pub(crate) folded: bool,
    pub(crate) name: Span,
    pub(crate) value: Span,
    /// End of the last line, line break included; the first line starts with the name.
    pub(crate) line_end: u32,
}

/// What the start line says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StartLine {
    Request { method: Span, uri: Span, version: Span },
    Status { version: Span, status: Option<StatusCode>, reason: Span },
}

#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) start: StartLine,
    /// The start line with its line break.
    pub(crate) start_line: Span,
    pub(crate) fields: Vec<Field>,
    pub(crate) head_end: u32,
    pub(crate) body_end: u32,
    pub(crate) defects: Vec<Defect>,
}

/// A SIP message: the bytes exactly as received or built, with their parts located.
///
/// Cloning is cheap. Two messages are equal if their bytes are.
///
/// ```
/// use offhook_sip::message::{Message, StatusCode, validate};
///
/// let request = Message::parse(
///     b"OPTIONS sip:bob@example.com SIP/2.0\r\n\
///       v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
///       f: \"Alice\" <sip:alice@example.com>;tag=1\r\nt: <sip:bob@example.com>\r\n\
///       i: one@192.0.2.1\r\nCSeq: 7 OPTIONS\r\n\r\n",
/// )?;
/// assert_eq!(request.from()?.display.as_deref(), Some("Alice"));
/// assert!(validate(&request).is_ok());
///
/// let response = request.response_to(StatusCode::OK, None).to_tag("2").build();
/// assert!(response.bytes().starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"));
/// assert_eq!(response.to()?.tag(), Some("2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Message(pub(crate) Arc<Parsed>);

/// One header field of a message.
#[derive(Clone, Debug)]
pub struct HeaderField<'a> {
    /// Which header it is.
    pub name: HeaderName,
    /// The name as written.
    pub raw_name: &'a [u8],
    /// The value as written, without white space at its ends; line folds are still in it.
    pub raw_value: &'a [u8],
    /// Whether the value continues on further lines.
    pub folded: bool,
    /// All its lines, line breaks included.
    pub line: &'a [u8],
    /// The value on one line; bytes outside UTF-8 are U+FFFD here.
    pub value: Cow<'a, str>,
}

/// Makes text of bytes, joining folded lines.
fn text(bytes: &[u8], folded: bool) -> Cow<'_, str> {
    if folded {
        return Cow::Owned(String::from_utf8_lossy(&scan::unfold(bytes)).into_owned());
    }
    // Nearly all text is valid UTF-8, and that is checked faster than invalid bytes are located.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

impl Message {
    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        self.0.bytes.get(span.start as usize..span.end as usize).unwrap_or(&[])
    }

    /// Returns the bytes of this message exactly as received or built.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Returns roughly how many bytes of memory the message takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Parsed>() + self.0.bytes.len() + self.0.fields.len() * size_of::<Field>()
    }

    /// Returns the lexical defects found while parsing; [`Message::examine`] looks further.
    #[must_use]
    pub fn defects(&self) -> &[Defect] {
        &self.0.defects
    }

    /// Returns whether this is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.0.start, StartLine::Request { .. })
    }

    /// Returns whether this is a response.
    #[must_use]
    pub fn is_response(&self) -> bool {
        !self.is_request()
    }

    /// Returns the method of the request line, or that of CSeq for a response.
    ///
    /// A response without a usable CSeq gives an extension method with empty name.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.0.start {
            StartLine::Request { method, .. } => {
                Method::from_text(&String::from_utf8_lossy(self.slice(method)))
            }
            StartLine::Status { .. } => {
                self.cseq().map_or_else(|_| Method::from_text(""), |cseq| cseq.method)
            }
        }
    }

    pub(crate) fn request_uri_bytes(&self) -> &[u8] {
        match self.0.start {
            StartLine::Request { uri, .. } => self.slice(uri),
            StartLine::Status { .. } => &[],
        }
    }

    /// Returns the Request-URI as written; `None` for a response or bytes outside UTF-8.
    #[must_use]
    pub fn request_uri_text(&self) -> Option<&str> {
        match self.0.start {
            StartLine::Request { uri, .. } => str::from_utf8(self.slice(uri)).ok(),
            StartLine::Status { .. } => None,
        }
    }

    /// Returns the Request-URI; `None` for a response or if it cannot be read.
    #[must_use]
    pub fn request_uri(&self) -> Option<Uri> {
        Uri::parse(self.request_uri_text()?).ok()
    }

    /// Returns the version as written, such as `SIP/2.0`.
    #[must_use]
    pub fn version(&self) -> Cow<'_, str> {
        match self.0.start {
            StartLine::Request { version, .. } | StartLine::Status { version, .. } => {
                String::from_utf8_lossy(self.slice(version))
            }
        }
    }

    /// Returns the status; `None` for a request or if it is not a number from 100 to 699.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.0.start {
            StartLine::Request { .. } => None,
            StartLine::Status { status, .. } => status,
        }
    }

    /// Returns the reason phrase of a response; it may be empty.
    #[must_use]
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        match self.0.start {
            StartLine::Request { .. } => None,
            StartLine::Status { reason, .. } => Some(String::from_utf8_lossy(self.slice(reason))),
        }
    }

    /// Returns the start line with its line break.
    #[must_use]
    pub fn start_line(&self) -> &[u8] {
        self.slice(self.0.start_line)
    }

    pub(crate) fn field_text(&self, field: &Field) -> Cow<'_, str> {
        text(self.slice(field.value), field.folded)
    }

    pub(crate) fn fields_named(&self, name: &HeaderName) -> impl Iterator<Item = &Field> {
        let id = name.id();
        self.0.fields.iter().filter(move |field| name.names(id, field.id, self.slice(field.name)))
    }

    /// Returns every header field in order.
    pub fn headers(&self) -> impl Iterator<Item = HeaderField<'_>> {
        self.0.fields.iter().map(|field| {
            let raw_name = self.slice(field.name);
            HeaderField {
                name: field.id.name(raw_name),
                raw_name,
                raw_value: self.slice(field.value),
                folded: field.folded,
                line: self.slice(Span { start: field.name.start, end: field.line_end }),
                value: self.field_text(field),
            }
        })
    }

    /// Returns the value of the first header with this name.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        self.first(&name)
    }

    pub(crate) fn first(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.fields_named(name).next().map(|field| self.field_text(field))
    }

    /// Returns whether there is a header with this name.
    #[must_use]
    pub fn has(&self, name: HeaderName) -> bool {
        self.fields_named(&name).next().is_some()
    }

    /// Returns every value of a header; comma lists are split where its grammar is a list (RFC 3261 §7.3.1).
    ///
    /// Empty members of a list are left out.
    #[must_use]
    pub fn values(&self, name: HeaderName) -> Vec<Cow<'_, str>> {
        let list = name.is_list();
        let mut values = Vec::new();
        for field in self.fields_named(&name) {
            match self.field_text(field) {
                value if !list => values.push(value),
                Cow::Borrowed(value) => {
                    values.extend(scan::commas(value).filter(|part| !part.is_empty()).map(Cow::Borrowed));
                }
                Cow::Owned(value) => {
                    let parts = scan::commas(&value).filter(|part| !part.is_empty());
                    values.extend(parts.map(|part| Cow::Owned(part.to_owned())));
                }
            }
        }
        values
    }

    /// Returns the body: as long as Content-Length says if that is sane, else everything after the
    /// headers.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.slice(Span { start: self.0.head_end, end: self.0.body_end })
    }

    /// Returns what follows the body; a datagram may carry such bytes, and they are ignored (RFC 3261 §18.3).
    #[must_use]
    pub fn trailing(&self) -> &[u8] {
        self.0.bytes.get(self.0.body_end as usize..).unwrap_or(&[])
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&String::from_utf8_lossy(self.bytes())).finish()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes()))
    }
}
