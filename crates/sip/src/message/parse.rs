//! Bytes to [`Message`]: one pass over the header section that records spans.
//!
//! RFC 3261 §7, §7.3.1 (folding), §7.5 (line breaks in front), §18.3 (length of the body). Typed headers
//! are not read here.

use std::sync::Arc;

use super::defect::{Defect, Fault, ParseError, ParseFault};
use super::header::NameId;
use super::scan;
use super::status::StatusCode;
use super::wire::{Field, Message, Parsed, Span, StartLine};

/// Enough for most messages, so that the list grows at most once.
const USUAL_FIELDS: usize = 16;

fn offset(at: usize) -> u32 {
    // `parse` refuses anything longer than u32::MAX first.
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn span(start: usize, end: usize) -> Span {
    Span { start: offset(start), end: offset(end) }
}

/// One line: where its content ends and where the next one starts.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    end: usize,
    next: usize,
}

struct Parser<'a> {
    bytes: &'a [u8],
    fields: Vec<Field>,
    defects: Vec<Defect>,
    bare_line_feed: bool,
}

impl Message {
    /// Reads one message, as a datagram or a framed piece of a stream carries it.
    ///
    /// Every byte is kept; what is odd but readable becomes a [`Defect`].
    ///
    /// # Errors
    /// Only if there is no start line.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_boxed(bytes.into())
    }

    pub(crate) fn from_boxed(bytes: Box<[u8]>) -> Result<Self, ParseError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(ParseError { at: bytes.len(), what: ParseFault::TooLong });
        }
        let mut parser = Parser::new(&bytes);
        let first = parser.skip_line_breaks()?;
        let line = parser.line(first);
        let start = parser.start_line(line)?;
        let rest = parser.finish(start, line);
        Ok(Self(Arc::new(Parsed { bytes, ..rest })))
    }

    /// Takes a message from the builder, which knows each part already; only the start line is
    /// read.
    pub(crate) fn from_fields(
        bytes: Vec<u8>,
        start_end: usize,
        fields: Vec<Field>,
        head_end: usize,
        extra: Option<Defect>,
    ) -> Self {
        let bytes: Box<[u8]> = bytes.into();
        let mut parser = Parser { fields, ..Parser::empty(&bytes) };
        parser.defects.extend(extra);
        let line = Line { start: 0, end: start_end, next: start_end + 2 };
        let start = parser.own_start_line(line);
        let rest = Parsed {
            bytes: Box::default(),
            start,
            start_line: span(0, line.next),
            fields: parser.fields,
            head_end: offset(head_end),
            body_end: offset(bytes.len()),
            defects: parser.defects,
        };
        Self(Arc::new(Parsed { bytes, ..rest }))
    }

    /// Parses what the builder wrote; a start line that the caller made unreadable is only a defect
    /// here.
    pub(crate) fn from_builder(bytes: Vec<u8>, extra: Option<Defect>) -> Self {
        let bytes: Box<[u8]> = bytes.into();
        let mut parser = Parser::new(&bytes);
        parser.defects.extend(extra);
        let line = parser.line(0);
        let start = parser.own_start_line(line);
        let rest = parser.finish(start, line);
        Self(Arc::new(Parsed { bytes, ..rest }))
    }
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { fields: Vec::with_capacity(USUAL_FIELDS), ..Self::empty(bytes) }
    }

    const fn empty(bytes: &'a [u8]) -> Self {
        Self { bytes, fields: Vec::new(), defects: Vec::new(), bare_line_feed: false }
    }

    /// Reads what follows the start line; the caller puts the bytes in.
    fn finish(mut self, start: StartLine, line: Line) -> Parsed {
        let head_end = self.header_section(line.next);
        let body_end = self.body_end(head_end);
        if scan::has_odd_byte_but_line_breaks(self.slice(line.start, head_end)) {
            self.text_defects(line.start, head_end);
        }
        Parsed {
            bytes: Box::default(),
            start,
            start_line: span(line.start, line.next),
            fields: self.fields,
            head_end: offset(head_end),
            body_end: offset(body_end),
            defects: self.defects,
        }
    }

    fn defect(&mut self, at: usize, what: Fault) {
        self.defects.push(Defect { at, what });
    }

    fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or(&[])
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn skip_line_breaks(&self) -> Result<usize, ParseError> {
        let first = self.bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
        first.ok_or(ParseError { at: self.bytes.len(), what: ParseFault::Empty })
    }

    fn line(&mut self, start: usize) -> Line {
        let rest = self.slice(start, self.bytes.len());
        let Some(len) = scan::find_byte(rest, b'\n') else {
            let end = self.bytes.len();
            return Line { start, end, next: end };
        };
        let content = rest.get(..len).unwrap_or(rest);
        let content = match content {
            [content @ .., b'\r'] => content,
            content => {
                if !self.bare_line_feed {
                    // Reported once: a stack that does this does it on every line.
                    self.bare_line_feed = true;
                    self.defects.push(Defect { at: start, what: Fault::BareLineFeed });
                }
                content
            }
        };
        Line { start, end: start + content.len(), next: start + len + 1 }
    }

    fn start_line(&mut self, line: Line) -> Result<StartLine, ParseError> {
        let refused = ParseError { at: line.start, what: ParseFault::StartLine };
        let text = self.slice(line.start, line.end);
        let is_status = text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"));
        if is_status { self.status_line(line) } else { self.request_line(line) }.ok_or(refused)
    }

    /// Reads the start line of one of our own messages, which the caller may have made unreadable.
    fn own_start_line(&mut self, line: Line) -> StartLine {
        self.start_line(line).unwrap_or_else(|_| {
            self.defect(0, Fault::Method);
            let nothing = span(line.end, line.end);
            StartLine::Request { method: span(line.start, line.end), uri: nothing, version: nothing }
        })
    }

    /// Moves `at` past spaces.
    fn skip_spaces(&self, mut at: usize, end: usize) -> usize {
        while at < end && self.byte(at).is_some_and(scan::is_space) {
            at += 1;
        }
        at
    }

    fn word_end(&self, mut at: usize, end: usize) -> usize {
        while at < end && !self.byte(at).is_some_and(scan::is_space) {
            at += 1;
        }
        at
    }

    fn status_line(&mut self, line: Line) -> Option<StartLine> {
        let version_end = self.word_end(line.start, line.end);
        let code = self.skip_spaces(version_end, line.end);
        let code_end = self.word_end(code, line.end);
        if code == code_end {
            return None;
        }
        let reason = (code_end + 1).min(line.end);
        let digits = self.slice(code, code_end);
        let number =
            (digits.len() == 3).then(|| str::from_utf8(digits).ok().and_then(scan::number)).flatten();
        let status = number.and_then(StatusCode::new);
        if status.is_none() {
            self.defect(line.start, Fault::Status);
        }
        // The reason phrase may be empty, but the space before it must be there (RFC 4475 §3.1.1.13).
        if code != version_end + 1 || code_end == line.end || self.byte(version_end) != Some(b' ') {
            self.defect(line.start, Fault::StartLineSpacing);
        }
        let version = span(line.start, version_end);
        self.check_version(line.start, version_end);
        Some(StartLine::Status { version, status, reason: span(reason, line.end) })
    }

    fn request_line(&mut self, line: Line) -> Option<StartLine> {
        let method = self.skip_spaces(line.start, line.end);
        let method_end = self.word_end(method, line.end);
        let mut end = line.end;
        while end > method_end && self.byte(end - 1).is_some_and(scan::is_space) {
            end -= 1;
        }
        let mut version = end;
        while version > method_end && !self.byte(version - 1).is_some_and(scan::is_space) {
            version -= 1;
        }
        let uri = self.skip_spaces(method_end, version);
        let mut uri_end = version;
        while uri_end > uri && self.byte(uri_end - 1).is_some_and(scan::is_space) {
            uri_end -= 1;
        }
        let sip = self.slice(version, end).get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"));
        if !sip || uri == uri_end {
            return None;
        }
        let single =
            method == line.start && uri == method_end + 1 && version == uri_end + 1 && end == line.end;
        if !single {
            self.defect(line.start, Fault::StartLineSpacing);
        }
        if !scan::all_token(self.slice(method, method_end)) {
            self.defect(line.start, Fault::Method);
        }
        self.check_version(version, end);
        let spans = (span(method, method_end), span(uri, uri_end), span(version, end));
        Some(StartLine::Request { method: spans.0, uri: spans.1, version: spans.2 })
    }

    fn check_version(&mut self, start: usize, end: usize) {
        if !self.slice(start, end).eq_ignore_ascii_case(b"SIP/2.0") {
            self.defect(start, Fault::Version);
        }
    }

    /// Reads header lines up to the empty one and returns where the body starts.
    fn header_section(&mut self, mut at: usize) -> usize {
        loop {
            if at >= self.bytes.len() {
                self.defect(at, Fault::Unterminated);
                return self.bytes.len();
            }
            let line = self.line(at);
            if line.start == line.end {
                return line.next;
            }
            at = line.next;
            if matches!(self.byte(line.start), Some(b' ' | b'\t')) && self.continue_field(line) {
                continue;
            }
            self.field(line);
        }
    }

    /// Adds a folded line to the field before it.
    fn continue_field(&mut self, line: Line) -> bool {
        let end = self.trimmed_end(line.start, line.end);
        let Some(field) = self.fields.last_mut() else { return false };
        field.line_end = offset(line.next);
        if end > line.start {
            field.folded = true;
            if field.value.start == field.value.end {
                // The value starts on this line.
                let start = self.skip_spaces(line.start, end);
                if let Some(field) = self.fields.last_mut() {
                    field.value = span(start, end);
                    field.folded = false;
                }
            } else {
                field.value.end = offset(end);
            }
        }
        true
    }

    fn trimmed_end(&self, start: usize, mut end: usize) -> usize {
        while end > start && self.byte(end - 1).is_some_and(scan::is_space) {
            end -= 1;
        }
        end
    }

    fn field(&mut self, line: Line) {
        let text = self.slice(line.start, line.end);
        let colon = text.iter().position(|byte| *byte == b':');
        let name = colon.and_then(|colon| text.get(..colon)).unwrap_or_default();
        let id = NameId::of(name);
        if let Some(colon) = colon.filter(|_| id.is_known()) {
            let colon = line.start + colon;
            self.push_field(line, id, colon, colon + 1);
            return;
        }
        let Some(colon) = colon else {
            self.defect(line.start, Fault::NoColon);
            let end = self.trimmed_end(line.start, line.end);
            let id = NameId::of(self.slice(line.start, end));
            self.push_field(line, id, end, line.end);
            return;
        };
        let colon = line.start + colon;
        let name_end = self.trimmed_end(line.start, colon);
        let name = self.slice(line.start, name_end);
        if name.is_empty() || !scan::all_token(name) {
            self.defect(line.start, Fault::HeaderName);
        }
        self.push_field(line, NameId::of(name), name_end, colon + 1);
    }

    /// Records a field whose value starts somewhere after `after_colon`.
    fn push_field(&mut self, line: Line, id: NameId, name_end: usize, after_colon: usize) {
        let value = self.skip_spaces(after_colon, line.end);
        let value_end = self.trimmed_end(value, line.end);
        self.fields.push(Field {
            id,
            folded: false,
            name: span(line.start, name_end),
            value: span(value, value_end),
            line_end: offset(line.next),
        });
    }

    /// Returns where the body ends by the first Content-Length (RFC 3261 §18.3).
    fn body_end(&mut self, head_end: usize) -> usize {
        let all = self.bytes.len();
        let Some(field) = self.fields.iter().find(|field| field.id == NameId::CONTENT_LENGTH) else {
            return all;
        };
        let (at, value) = (field.name.start as usize, field.value);
        let digits = self.slice(value.start as usize, value.end as usize);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            self.defect(at, Fault::ContentLength);
            return all;
        }
        let length: Option<usize> = str::from_utf8(digits).ok().and_then(scan::number);
        match length.and_then(|length| head_end.checked_add(length)).filter(|end| *end <= all) {
            Some(end) => end,
            None => {
                self.defect(at, Fault::BodyTruncated);
                all
            }
        }
    }

    /// Notices bytes that no header may contain.
    fn text_defects(&mut self, start: usize, end: usize) {
        let head = self.slice(start, end);
        let forbidden = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n') || byte == 0x7f;
        // A quoted-pair may hold any ASCII byte but CR and LF (RFC 3261 §25.1).
        let mut before = 0;
        let control = head.iter().position(|byte| {
            let escaped = std::mem::replace(&mut before, *byte) == b'\\';
            !escaped && forbidden(*byte)
        });
        let not_utf8 = str::from_utf8(head).err().map(|error| error.valid_up_to());
        if let Some(at) = control {
            self.defect(start + at, Fault::ControlByte);
        }
        if let Some(at) = not_utf8 {
            self.defect(start + at, Fault::NotUtf8);
        }
    }
}
