//! Byte stream to messages, for TCP, TLS and the like.
//!
//! RFC 3261 §18.3 (Content-Length is mandatory on a stream), §7.5 (line breaks between messages);
//! RFC 5626 §3.5.1 (keep-alives). A stream that cannot be cut into messages any more is an error that says
//! to close the connection: there is no way to find the next message.

use crate::message::{HeaderName, Message, ParseError};

/// The largest message that is taken from a stream unless said otherwise, in bytes.
pub const DEFAULT_LIMIT: usize = 256 * 1024;

/// What came out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A complete message.
    Message(Message),
    /// A double line break: the peer asks for a pong (one line break).
    Ping,
    /// A single line break: the answer to our ping.
    Pong,
}

/// Why a stream cannot be read further; the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of the stream")]
pub struct FramingError {
    /// Offset since the stream was opened.
    pub at: u64,
    /// What is wrong there.
    pub what: FramingFault,
}

/// What makes a stream unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingFault {
    /// The header section or the whole message is larger than the limit.
    #[error("message larger than the limit")]
    TooLarge,
    /// A message without Content-Length, so that its end is unknown.
    #[error("message without content length")]
    NoContentLength,
    /// A Content-Length that is not a number, or several that differ.
    #[error("unusable content length")]
    ContentLength,
    /// The bytes are not a message.
    #[error("{0}")]
    Parse(ParseError),
}

/// Cuts a byte stream into messages and keep-alives.
///
/// Feed bytes with [`StreamFramer::push`], then drain [`StreamFramer::poll_frame`] until it gives `None`.
#[derive(Debug)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// Where the unread part of the buffer starts.
    start: usize,
    /// How far the unread part has been searched for the end of the header section.
    searched: usize,
    /// Length of the message in front, once known.
    total: Option<usize>,
    /// Offset in the stream of the first byte of the buffer.
    origin: u64,
    limit: usize,
    expects_pong: bool,
    broken: Option<FramingError>,
}

impl StreamFramer {
    /// Returns a framer for a connection that the peer opened: it pings, we answer.
    #[must_use]
    pub fn accepted(limit: usize) -> Self {
        Self::with_role(limit, false)
    }

    /// Returns a framer for a connection that we opened: a lone line break is the answer to our ping.
    #[must_use]
    pub fn opened(limit: usize) -> Self {
        Self::with_role(limit, true)
    }

    fn with_role(limit: usize, expects_pong: bool) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            total: None,
            origin: 0,
            limit,
            expects_pong,
            broken: None,
        }
    }

    /// Takes bytes from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.origin += self.start as u64;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns how many bytes wait for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Tells whether a message has begun and waits for its rest; leading line breaks are not part
    /// of it (RFC 3261 §7.5).
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.rest().iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Returns the next message or keep-alive; `None` until more bytes come.
    ///
    /// # Errors
    /// If the stream cannot be cut any more; every later call gives the same error.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let frame = match self.keep_alive() {
            Some(frame) => Ok(Some(frame)),
            None => self.message(),
        };
        if let Err(error) = frame {
            self.broken = Some(error);
            self.buffer = Vec::new();
            self.start = 0;
        }
        frame
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or(&[])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.searched = 0;
        self.total = None;
    }

    fn keep_alive(&mut self) -> Option<Frame> {
        let rest = self.rest();
        if rest.starts_with(b"\r\n\r\n") {
            self.consume(4);
            return Some(Frame::Ping);
        }
        if rest.starts_with(b"\r\n") {
            // On an accepted connection this may be the first half of a ping; a line break before a message
            // is skipped by the parser (RFC 3261 §7.5).
            if self.expects_pong && (rest.len() == 2 || rest.get(2) != Some(&b'\r')) {
                self.consume(2);
                return Some(Frame::Pong);
            }
        }
        None
    }

    fn fault(&self, what: FramingFault) -> FramingError {
        FramingError { at: self.origin + self.start as u64, what }
    }

    fn message(&mut self) -> Result<Option<Frame>, FramingError> {
        if self.total.is_none() {
            self.total = self.measure()?;
        }
        let Some(total) = self.total else { return Ok(None) };
        let Some(bytes) = self.rest().get(..total) else { return Ok(None) };
        let message = Message::parse(bytes).map_err(|error| self.fault(FramingFault::Parse(error)))?;
        self.consume(total);
        Ok(Some(Frame::Message(message)))
    }

    /// Returns the length of the message in front once its header section is complete.
    fn measure(&mut self) -> Result<Option<usize>, FramingError> {
        let rest = self.rest();
        let leading = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let Some(head) = head_end(rest, self.searched.max(leading)) else {
            let len = rest.len();
            if len > self.limit {
                return Err(self.fault(FramingFault::TooLarge));
            }
            // The end mark is at most four bytes long and may be cut anywhere.
            self.searched = len.saturating_sub(3);
            return Ok(None);
        };
        let section = rest.get(..head).unwrap_or(rest);
        let section = Message::parse(section).map_err(|error| self.fault(FramingFault::Parse(error)))?;
        let body = body_length(&section).map_err(|what| self.fault(what))?;
        let total = head.saturating_add(body);
        if total > self.limit { Err(self.fault(FramingFault::TooLarge)) } else { Ok(Some(total)) }
    }
}

/// Finds the end of the header section: the byte after the empty line.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let feed = at + rest.iter().position(|byte| *byte == b'\n')?;
        match bytes.get(feed + 1..) {
            Some([b'\n', ..]) => return Some(feed + 2),
            Some([b'\r', b'\n', ..]) => return Some(feed + 3),
            Some(_) | None => at = feed + 1,
        }
    }
    None
}

fn body_length(section: &Message) -> Result<usize, FramingFault> {
    let values = section.values(HeaderName::ContentLength);
    let (first, others) = values.split_first().ok_or(FramingFault::NoContentLength)?;
    let number = |text: &str| -> Option<usize> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok())?
    };
    let length = number(first).ok_or(FramingFault::ContentLength)?;
    let same = others.iter().all(|other| number(other) == Some(length));
    if same { Ok(length) } else { Err(FramingFault::ContentLength) }
}
