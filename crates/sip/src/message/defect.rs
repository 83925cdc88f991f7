//! What can be wrong with a message: faults that make it unreadable, and those that are only recorded.
//!
//! The project tests other people's stacks: refusing odd input would hide the finding, so nearly
//! everything is a [`Defect`].

use super::header::{HeaderFault, HeaderName};
use super::uri::UriError;

/// Says where bytes stop being a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sip message: {what} at byte {at}")]
pub struct ParseError {
    /// Offset of the fault in the bytes that were given.
    pub at: usize,
    /// What the fault is.
    pub what: ParseFault,
}

/// Why bytes are not a SIP message at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParseFault {
    /// Nothing but line breaks.
    #[error("nothing but line breaks")]
    Empty,
    /// The first line is neither a request line nor a status line.
    #[error("neither request line nor status line")]
    StartLine,
    /// More bytes than a message can have here.
    #[error("message too long")]
    TooLong,
}

/// A fault that is tolerated and recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Defect {
    /// Offset of the line in the message.
    pub at: usize,
    /// What is wrong.
    pub what: Fault,
}

/// What is wrong with a message that can still be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// A line ends without CR.
    #[error("bare line feed")]
    BareLineFeed,
    /// The parts of the start line are not separated by exactly one space, or it ends in one.
    #[error("white space in the start line")]
    StartLineSpacing,
    /// The version is not SIP/2.0.
    #[error("version other than SIP/2.0")]
    Version,
    /// The method is not a token.
    #[error("method is not a token")]
    Method,
    /// The status code is not three digits from 100 to 699.
    #[error("status code is not three digits from 100 to 699")]
    Status,
    /// The Request-URI cannot be read.
    #[error("request uri: {0}")]
    RequestUri(UriError),
    /// The Request-URI has headers, which only other URIs may have (RFC 3261 §19.1.1).
    #[error("request uri with headers")]
    RequestUriHeaders,
    /// A header line has no colon.
    #[error("header line without colon")]
    NoColon,
    /// A header name is empty or not a token.
    #[error("header name is not a token")]
    HeaderName,
    /// The header section ends without an empty line.
    #[error("header section is not ended by an empty line")]
    Unterminated,
    /// Bytes outside UTF-8 stand in the header section.
    #[error("header bytes are not utf-8")]
    NotUtf8,
    /// A control byte stands in the header section.
    #[error("control byte in a header")]
    ControlByte,
    /// Content-Length is not a number.
    #[error("content length is not a number")]
    ContentLength,
    /// Content-Length promises more than there is.
    #[error("body is shorter than content length")]
    BodyTruncated,
    /// A header that may stand once stands more often.
    #[error("{0} stands more than once")]
    Repeated(HeaderName),
    /// A header that every message needs is missing.
    #[error("{0} is missing")]
    Missing(HeaderName),
    /// A header value cannot be read or breaks its grammar.
    #[error("{0}: {1}")]
    Header(HeaderName, HeaderFault),
    /// CSeq names another method than the request line.
    #[error("cseq names another method")]
    MethodMismatch,
    /// From has no tag, as before RFC 3261.
    #[error("from without tag")]
    NoFromTag,
    /// The branch consists of the magic cookie alone, which identifies nothing.
    #[error("branch without content")]
    EmptyBranch,
    /// A multipart body cannot be taken apart.
    #[error("multipart body without its boundary")]
    Multipart,
    /// The builder replaced a line break inside a value with a space.
    #[error("line break removed from a header value")]
    LineBreakRemoved,
}
