//! Why a header value cannot be used.

use super::HeaderName;
use crate::message::uri::UriError;

/// Says which header cannot be used and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {cause}")]
pub struct HeaderError {
    /// The header that was asked for.
    pub header: HeaderName,
    /// What is wrong with it.
    pub cause: HeaderFault,
}

impl HeaderError {
    pub(crate) fn new(header: HeaderName, cause: HeaderFault) -> Self {
        Self { header, cause }
    }
}

/// What can be wrong with a header value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderFault {
    /// The message has no such header.
    #[error("missing")]
    Missing,
    /// The header is there but holds nothing.
    #[error("empty value")]
    Empty,
    /// The value does not follow the grammar of this header.
    #[error("malformed value")]
    Syntax,
    /// A number was expected.
    #[error("not a number")]
    Number,
    /// The number is larger than the header allows.
    #[error("number out of range")]
    Range,
    /// A quoted string or an angle bracket is not closed.
    #[error("unbalanced quote or angle bracket")]
    Unbalanced,
    /// A parameter is empty, has no valid name or no valid value.
    #[error("malformed parameter")]
    Parameter,
    /// The URI inside cannot be read.
    #[error("uri: {0}")]
    Uri(UriError),
    /// The host or the port cannot be read.
    #[error("bad host or port")]
    HostPort,
    /// `*` stands among other contacts (RFC 3261 §10.2.2).
    #[error("star beside other contacts")]
    Star,
    /// A display name needs quotes, or its quotes are wrong.
    #[error("display name needs quotes")]
    Display,
    /// A URI with `?` or `,` needs angle brackets (RFC 3261 §20).
    #[error("uri needs angle brackets")]
    Brackets,
    /// White space stands inside the angle brackets.
    #[error("white space inside angle brackets")]
    Space,
    /// The date is not in the one allowed form (RFC 3261 §20.17).
    #[error("malformed date")]
    Date,
}
