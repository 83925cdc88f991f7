//! Builder: writes the bytes of a new message or of an edited copy.
//!
//! RFC 3261 §7, §8.2.6 (responses). Content-Length is always written. A line break inside a value that the
//! caller gives cannot start a new header: it becomes a space, and the message carries a defect for it.

use std::fmt::{self, Write as _};

use super::defect::{Defect, Fault};
use super::header::{HeaderName, NameAddr, NameId};
use super::method::Method;
use super::scan;
use super::status::StatusCode;
use super::uri::Uri;
use super::wire::{Field, Message, Span};

/// One header line as it will be written: where its parts stand in the builder's text.
#[derive(Clone, Debug)]
struct Written {
    name: HeaderName,
    id: NameId,
    /// Where the name starts.
    start: usize,
    /// Where the value starts, after a colon and a space.
    value: usize,
    /// Where the value ends; a line break follows.
    end: usize,
}

/// Enough for most messages, so that the text grows at most once.
const USUAL_HEADERS: usize = 16;
const USUAL_TEXT: usize = 640;

/// Collects start line, headers and body of a message.
#[derive(Clone, Debug)]
pub struct Builder {
    start: Vec<u8>,
    headers: Vec<Written>,
    /// The lines of all headers in the order in which they were written; replaced ones stay as
    /// waste.
    text: Vec<u8>,
    body: Vec<u8>,
    /// Where headers are copied from by [`Builder::copy`].
    source: Option<Message>,
    line_break_removed: bool,
    /// A byte outside printable ASCII was written, so the finished message is parsed again for
    /// defects.
    odd_byte: bool,
}

/// Appends text to bytes.
struct Sink<'a>(&'a mut Vec<u8>);

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Appends `value` as it displays. Only its own `Display` can fail, and then what it wrote so far
/// stays.
fn append(bytes: &mut Vec<u8>, value: impl fmt::Display) {
    write!(Sink(bytes), "{value}").unwrap_or_default();
}

const fn breaks_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

impl Builder {
    fn with_start(start: impl fmt::Display, source: Option<Message>) -> Self {
        let mut builder = Self::empty(source);
        builder.set_start(start);
        builder
    }

    fn empty(source: Option<Message>) -> Self {
        Self {
            start: Vec::with_capacity(64),
            headers: Vec::with_capacity(USUAL_HEADERS),
            text: Vec::with_capacity(USUAL_TEXT),
            body: Vec::new(),
            source,
            line_break_removed: false,
            odd_byte: false,
        }
    }

    fn set_start(&mut self, start: impl fmt::Display) {
        let mut line = std::mem::take(&mut self.start);
        line.clear();
        append(&mut line, start);
        self.clean(&mut line, 0);
        self.start = line;
    }

    /// Starts a request.
    #[must_use]
    pub fn request(method: Method, uri: &Uri) -> Self {
        Self::with_start(format_args!("{method} {uri} SIP/2.0"), None)
    }

    /// Starts a response; without `reason` the usual phrase is written.
    #[must_use]
    pub fn response(status: StatusCode, reason: Option<&str>) -> Self {
        Self::respond(status, reason, None)
    }

    fn respond(status: StatusCode, reason: Option<&str>, source: Option<Message>) -> Self {
        let reason = reason.unwrap_or_else(|| status.default_reason());
        Self::with_start(format_args!("SIP/2.0 {status} {reason}"), source)
    }

    /// Starts from a copy: start line, all headers as written, body. Content-Length is computed again.
    #[must_use]
    pub fn from_message(message: &Message) -> Self {
        let mut builder = Self::empty(Some(message.clone()));
        // A trailing space belongs to the line: it stands for an empty reason phrase.
        let line = message.start_line();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        builder.start.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        builder.odd_byte |= scan::has_odd_byte(&builder.start);
        for field in message.headers().filter(|field| field.name != HeaderName::ContentLength) {
            let written = if field.folded {
                builder.verbatim(field.name, field.raw_name, &scan::unfold(field.raw_value))
            } else {
                builder.verbatim(field.name, field.raw_name, field.raw_value)
            };
            builder.headers.push(written);
        }
        builder.body.extend_from_slice(message.body());
        builder
    }

    /// Replaces every run of line breaks after `from` with a space.
    fn clean(&mut self, bytes: &mut Vec<u8>, from: usize) {
        let fresh = bytes.get(from..).unwrap_or(&[]);
        if !scan::has_odd_byte(fresh) {
            return;
        }
        self.odd_byte = true;
        if !fresh.iter().copied().any(breaks_line) {
            return;
        }
        self.line_break_removed = true;
        let dirty = bytes.split_off(from);
        for byte in dirty {
            if !breaks_line(byte) {
                bytes.push(byte);
            } else if bytes.len() == from || bytes.last() != Some(&b' ') {
                bytes.push(b' ');
            }
        }
    }

    fn written(&mut self, name: HeaderName, value: &impl fmt::Display) -> Written {
        let mut text = std::mem::take(&mut self.text);
        let (start, id) = (text.len(), name.id());
        text.extend_from_slice(name.as_str().as_bytes());
        if !id.is_known() {
            self.clean(&mut text, start);
        }
        text.extend_from_slice(b": ");
        let at = text.len();
        append(&mut text, value);
        self.clean(&mut text, at);
        let end = text.len();
        text.extend_from_slice(b"\r\n");
        self.text = text;
        Written { name, id, start, value: at, end }
    }

    /// Writes a line unchanged.
    fn verbatim(&mut self, name: HeaderName, label: &[u8], value: &[u8]) -> Written {
        self.odd_byte |= scan::has_odd_byte(label) || scan::has_odd_byte(value);
        let start = self.text.len();
        self.text.extend_from_slice(label);
        self.text.extend_from_slice(b": ");
        let at = self.text.len();
        self.text.extend_from_slice(value);
        let end = self.text.len();
        self.text.extend_from_slice(b"\r\n");
        Written { id: name.id(), name, start, value: at, end }
    }

    fn value_of(&self, header: &Written) -> &[u8] {
        self.text.get(header.value..header.end).unwrap_or(&[])
    }

    fn label_of(&self, header: &Written) -> &[u8] {
        self.text.get(header.start..header.value.saturating_sub(2)).unwrap_or(&[])
    }

    /// Writes a header again with another value, under the name as it stands.
    fn rewrite(&mut self, at: usize, value: &[u8]) {
        let Some(header) = self.headers.get(at).cloned() else { return };
        let label = self.label_of(&header).to_vec();
        let written = self.verbatim(header.name, &label, value);
        if let Some(header) = self.headers.get_mut(at) {
            *header = written;
        }
    }

    fn position(&self, name: &HeaderName) -> Option<usize> {
        let id = name.id();
        self.headers.iter().position(|header| name.names(id, header.id, self.label_of(header)))
    }

    /// Replaces method and Request-URI.
    #[must_use]
    pub fn request_line(mut self, method: &Method, uri: &Uri) -> Self {
        self.set_start(format_args!("{method} {uri} SIP/2.0"));
        self
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        let written = self.written(name, &value);
        self.headers.push(written);
        self
    }

    /// Appends a header if there is a value.
    #[must_use]
    pub fn header_opt(self, name: HeaderName, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Puts a header before all others.
    #[must_use]
    pub fn header_top(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        let written = self.written(name, &value);
        self.headers.insert(0, written);
        self
    }

    /// Replaces the first header with this name where it stands and removes the others, or appends it.
    #[must_use]
    pub fn set(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        let written = self.written(name, &value);
        let Some(at) = self.position(&written.name) else {
            self.headers.push(written);
            return self;
        };
        let mut nth = 0;
        self.headers.retain(|header| {
            nth += 1;
            nth - 1 <= at || header.name != written.name
        });
        if let Some(header) = self.headers.get_mut(at) {
            *header = written;
        }
        self
    }

    /// Replaces only the first value of a header, keeping the rest of its line and the other lines.
    #[must_use]
    pub fn set_top(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        let Some(at) = self.position(&name) else { return self.header_top(name, value) };
        let old = self.headers.get(at).map(|header| self.value_of(header)).unwrap_or_default();
        let old = String::from_utf8_lossy(old);
        let comma = name.is_list().then(|| scan::find_outside(&old, true, b',')).flatten();
        let rest = comma.and_then(|at| old.get(at..)).map(str::to_owned);
        let written = match rest {
            Some(rest) => self.written(name, &format_args!("{value}{rest}")),
            None => self.written(name, &value),
        };
        if let Some(header) = self.headers.get_mut(at) {
            *header = written;
        }
        self
    }

    /// Removes every header with this name.
    #[must_use]
    pub fn remove(mut self, name: &HeaderName) -> Self {
        self.headers.retain(|header| header.name != *name);
        self
    }

    /// Removes the first value of a header, and its line if it held no other.
    #[must_use]
    pub fn remove_top(mut self, name: &HeaderName) -> Self {
        let Some(at) = self.position(name) else { return self };
        let old = self.headers.get(at).map(|header| self.value_of(header)).unwrap_or_default();
        let old = String::from_utf8_lossy(old);
        let comma = scan::find_outside(&old, true, b',').filter(|_| name.is_list());
        match comma.and_then(|comma| old.get(comma + 1..)).map(|rest| scan::trim(rest).to_owned()) {
            Some(rest) => self.rewrite(at, rest.as_bytes()),
            None => drop(self.headers.remove(at)),
        }
        self
    }

    /// Copies every header with this name, verbatim, from the message this builder was made from.
    #[must_use]
    pub fn copy(mut self, name: HeaderName) -> Self {
        let Some(source) = self.source.clone() else { return self };
        for field in source.fields_named(&name) {
            let raw = source.slice(field.value);
            let label = name.as_str().as_bytes();
            let written = if field.folded {
                self.verbatim(name.clone(), label, &scan::unfold(raw))
            } else {
                self.verbatim(name.clone(), label, raw)
            };
            self.headers.push(written);
        }
        self
    }

    /// Adds a tag to To unless it already has one.
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        let Some(at) = self.position(&HeaderName::To) else { return self };
        let old = self.headers.get(at).map(|header| self.value_of(header)).unwrap_or_default().to_vec();
        let parsed: Option<NameAddr> = String::from_utf8_lossy(&old).parse().ok();
        if parsed.is_none_or(|address| address.tag().is_none()) {
            let mut value = old;
            value.extend_from_slice(b";tag=");
            let from = value.len();
            value.extend_from_slice(tag.as_bytes());
            self.clean(&mut value, from);
            self.rewrite(at, &value);
        }
        self
    }

    /// Sets the body and its Content-Type.
    #[must_use]
    pub fn body(self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut builder = self.set(HeaderName::ContentType, content_type);
        builder.body = bytes.into();
        builder
    }

    /// Removes the body and its Content-Type.
    #[must_use]
    pub fn without_body(self) -> Self {
        let mut builder = self.remove(&HeaderName::ContentType);
        builder.body.clear();
        builder
    }

    /// Writes the message.
    ///
    /// Content-Length comes last; one given with [`Builder::header`] is written as given instead, so that
    /// a test can lie about it.
    #[must_use]
    pub fn build(self) -> Message {
        let has_length = self.headers.iter().any(|header| header.id == NameId::CONTENT_LENGTH);
        let lines: usize = self.headers.iter().map(|header| header.end + 2 - header.start).sum();
        let length = if has_length { 0 } else { LENGTH.len() + digits(self.body.len()) + 2 };
        let mut bytes = Vec::with_capacity(self.start.len() + 2 + lines + length + 2 + self.body.len());
        bytes.extend_from_slice(&self.start);
        bytes.extend_from_slice(b"\r\n");
        let mut fields = Vec::with_capacity(self.headers.len() + 1);
        let mut plain = !self.odd_byte && !has_length;
        for header in &self.headers {
            let at = bytes.len();
            bytes.extend_from_slice(self.text.get(header.start..header.end + 2).unwrap_or(&[]));
            let value = at + header.value - header.start;
            let field = field(header.id, at, value, &bytes);
            plain &= field.id.is_known() || self.has_plain_label(header);
            fields.push(field);
        }
        if !has_length {
            let at = bytes.len();
            bytes.extend_from_slice(LENGTH);
            let value = bytes.len();
            push_number(&mut bytes, self.body.len());
            bytes.extend_from_slice(b"\r\n");
            fields.push(field(NameId::CONTENT_LENGTH, at, value, &bytes));
        }
        bytes.extend_from_slice(b"\r\n");
        let head_end = bytes.len();
        bytes.extend_from_slice(&self.body);
        let extra = self.line_break_removed.then_some(Defect { at: 0, what: Fault::LineBreakRemoved });
        // A plain message has the fields just written; any other is parsed as a receiver would.
        if plain {
            Message::from_fields(bytes, self.start.len(), fields, head_end, extra)
        } else {
            Message::from_builder(bytes, extra)
        }
    }

    fn has_plain_label(&self, header: &Written) -> bool {
        let label = self.label_of(header);
        !label.is_empty() && scan::all_token(label)
    }
}

const LENGTH: &[u8] = b"Content-Length: ";

/// Returns how many digits a number has.
const fn digits(number: usize) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Appends a number; most are small, and formatting costs several times as much.
fn push_number(bytes: &mut Vec<u8>, number: usize) {
    let (more, last) = (number / 10, number % 10);
    if more > 0 {
        push_number(bytes, more);
    }
    bytes.push(b'0' + last as u8);
}

/// Locates a header line that has just been written at the end of `bytes`.
fn field(id: NameId, start: usize, value: usize, bytes: &[u8]) -> Field {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let end = bytes.len() - 2;
    let raw = bytes.get(value..end).unwrap_or(&[]);
    let leading = raw.iter().take_while(|byte| scan::is_space(**byte)).count();
    let trailing = raw.iter().rev().take_while(|byte| scan::is_space(**byte)).count();
    let from = value + leading;
    Field {
        id,
        folded: false,
        name: Span { start: offset(start), end: offset(value - 2) },
        value: Span { start: offset(from), end: offset(end.saturating_sub(trailing).max(from)) },
        line_end: offset(bytes.len()),
    }
}

impl Message {
    /// Starts a response to this request (RFC 3261 §8.2.6).
    ///
    /// Via, From, To, Call-ID, CSeq and Timestamp are copied verbatim. The tag of To is added with
    /// [`Builder::to_tag`], Record-Route with [`Builder::copy`].
    #[must_use]
    pub fn response_to(&self, status: StatusCode, reason: Option<&str>) -> Builder {
        let copied = [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
            HeaderName::Timestamp,
        ];
        let start = Builder::respond(status, reason, Some(self.clone()));
        copied.into_iter().fold(start, Builder::copy)
    }
}
