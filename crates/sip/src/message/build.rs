//! Builder: writes the bytes of a new message or of an edited copy.
//!
//! RFC 3261 §7, §8.2.6 (responses). Content-Length is always written. A line break inside a value that the
//! caller gives cannot start a new header: it becomes a space, and the message carries a defect for it.

use std::fmt;

use super::defect::{Defect, Fault};
use super::header::{HeaderName, NameAddr};
use super::method::Method;
use super::scan;
use super::status::StatusCode;
use super::uri::Uri;
use super::wire::Message;

/// One header as it will be written.
#[derive(Clone, Debug)]
struct Written {
    name: HeaderName,
    /// The name as it is to appear.
    label: Vec<u8>,
    value: Vec<u8>,
}

/// Collects start line, headers and body of a message.
#[derive(Clone, Debug)]
pub struct Builder {
    start: Vec<u8>,
    headers: Vec<Written>,
    body: Vec<u8>,
    /// Where headers are copied from by [`Builder::copy`].
    source: Option<Message>,
    line_break_removed: bool,
}

impl Builder {
    fn with_start(start: String, source: Option<Message>) -> Self {
        let mut builder = Self {
            start: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            source,
            line_break_removed: false,
        };
        builder.start = builder.clean(start.into_bytes());
        builder
    }

    /// Starts a request.
    #[must_use]
    pub fn request(method: Method, uri: &Uri) -> Self {
        Self::with_start(format!("{method} {uri} SIP/2.0"), None)
    }

    /// Starts a response; without `reason` the usual phrase is written.
    #[must_use]
    pub fn response(status: StatusCode, reason: Option<&str>) -> Self {
        Self::with_start(status_line(status, reason), None)
    }

    /// Starts from a copy: start line, all headers as written, body. Content-Length is computed again.
    #[must_use]
    pub fn from_message(message: &Message) -> Self {
        // A trailing space belongs to the line: it stands for an empty reason phrase.
        let line = message.start_line();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let start = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        let mut headers = Vec::new();
        for field in message.headers().filter(|field| field.name != HeaderName::ContentLength) {
            headers.push(Written {
                name: field.name,
                label: field.raw_name.to_vec(),
                value: if field.folded { scan::unfold(field.raw_value) } else { field.raw_value.to_vec() },
            });
        }
        let body = message.body().to_vec();
        Self { start, headers, body, source: Some(message.clone()), line_break_removed: false }
    }

    /// Replaces every run of line breaks by a space.
    fn clean(&mut self, value: Vec<u8>) -> Vec<u8> {
        if !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return value;
        }
        self.line_break_removed = true;
        let mut cleaned = Vec::with_capacity(value.len());
        for byte in value {
            let breaks = matches!(byte, b'\r' | b'\n' | 0);
            if !breaks {
                cleaned.push(byte);
            } else if cleaned.last() != Some(&b' ') {
                cleaned.push(b' ');
            }
        }
        cleaned
    }

    fn written(&mut self, name: HeaderName, value: &impl fmt::Display) -> Written {
        let label = self.clean(name.as_str().as_bytes().to_vec());
        let value = self.clean(value.to_string().into_bytes());
        Written { name, label, value }
    }

    /// Replaces method and Request-URI.
    #[must_use]
    pub fn request_line(mut self, method: &Method, uri: &Uri) -> Self {
        self.start = self.clean(format!("{method} {uri} SIP/2.0").into_bytes());
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
        let Some(at) = self.headers.iter().position(|header| header.name == written.name) else {
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
        let written = self.written(name, &value);
        let Some(header) = self.headers.iter_mut().find(|header| header.name == written.name) else {
            self.headers.insert(0, written);
            return self;
        };
        let old = String::from_utf8_lossy(&header.value).into_owned();
        let separator = |byte| byte == b',';
        let rest = written.name.is_list().then(|| scan::find_outside(&old, true, separator)).flatten();
        header.value = written.value;
        if let Some(rest) = rest.and_then(|at| old.get(at..)) {
            header.value.extend_from_slice(rest.as_bytes());
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
        let Some(at) = self.headers.iter().position(|header| header.name == *name) else { return self };
        if let Some(header) = self.headers.get_mut(at) {
            let old = String::from_utf8_lossy(&header.value).into_owned();
            let comma = scan::find_outside(&old, true, |byte| byte == b',').filter(|_| name.is_list());
            match comma.and_then(|comma| old.get(comma + 1..)) {
                Some(rest) => header.value = scan::trim(rest).as_bytes().to_vec(),
                None => {
                    self.headers.remove(at);
                }
            }
        }
        self
    }

    /// Copies every header with this name, verbatim, from the message this builder was made from.
    #[must_use]
    pub fn copy(mut self, name: HeaderName) -> Self {
        let Some(source) = self.source.clone() else { return self };
        for field in source.headers().filter(|field| field.name == name) {
            self.headers.push(Written {
                label: field.name.as_str().as_bytes().to_vec(),
                name: field.name,
                value: scan::unfold(field.raw_value),
            });
        }
        self
    }

    /// Adds a tag to To unless it already has one.
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        let tag = self.clean(tag.as_bytes().to_vec());
        if let Some(to) = self.headers.iter_mut().find(|header| header.name == HeaderName::To) {
            let parsed: Option<NameAddr> = String::from_utf8_lossy(&to.value).parse().ok();
            if parsed.is_none_or(|address| address.tag().is_none()) {
                to.value.extend_from_slice(b";tag=");
                to.value.extend_from_slice(&tag);
            }
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
        let size =
            self.headers.iter().map(|header| header.label.len() + header.value.len() + 4).sum::<usize>();
        let mut bytes = Vec::with_capacity(self.start.len() + size + self.body.len() + 32);
        bytes.extend_from_slice(&self.start);
        bytes.extend_from_slice(b"\r\n");
        let mut has_length = false;
        for header in &self.headers {
            has_length |= header.name == HeaderName::ContentLength;
            bytes.extend_from_slice(&header.label);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(&header.value);
            bytes.extend_from_slice(b"\r\n");
        }
        if !has_length {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        let extra = self.line_break_removed.then_some(Defect { at: 0, what: Fault::LineBreakRemoved });
        Message::from_builder(bytes, extra)
    }
}

fn status_line(status: StatusCode, reason: Option<&str>) -> String {
    format!("SIP/2.0 {status} {}", reason.unwrap_or_else(|| status.default_reason()))
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
        let start = Builder::with_start(status_line(status, reason), Some(self.clone()));
        copied.into_iter().fold(start, Builder::copy)
    }
}
