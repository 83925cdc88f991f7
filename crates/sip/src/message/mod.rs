//! The wire vocabulary: messages, methods, statuses, URIs, headers.
//!
//! RFC 3261 §7, §19, §20, §25 and the extensions named in each file. A
//! [`Message`](crate::message::Message) keeps the bytes exactly as they came or were built; typed
//! headers are read from them on demand. What arrives is never refused for style: faults are
//! recorded as [`Defect`](crate::message::Defect)s, and [`validate()`](crate::message::validate())
//! says what a server must answer.

mod access;
mod body;
mod build;
mod defect;
mod examine;
mod header;
mod host;
mod method;
mod params;
mod parse;
mod scan;
mod status;
#[cfg(test)]
mod tests;
mod uri;
mod validate;
mod wire;

pub(crate) use body::Entity;
pub use body::{Part, PartsError};
pub use build::Builder;
pub use defect::{Defect, Fault, ParseError, ParseFault};
pub use header::{
    AuthParams, BRANCH_COOKIE, CSeq, Contacts, ContentDisposition, Event, HeaderError, HeaderFault,
    HeaderName, MediaType, MinSe, NameAddr, RAck, Reason, Refresher, Replaces, RetryAfter, SessionExpires,
    SubscriptionState, SubscriptionStatus, Timestamp, TransportName, Via,
};
pub use host::Host;
pub use method::Method;
pub use params::Params;
pub use status::{StatusClass, StatusCode};
pub use uri::{Scheme, Uri, UriError};
pub(crate) use validate::inspect;
pub use validate::{Rejected, validate};
pub use wire::{HeaderField, Message};
