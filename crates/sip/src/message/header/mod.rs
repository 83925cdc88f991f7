//! Typed headers, one file per header or per shared syntax.
//!
//! Every type reads one value with `FromStr` and, where the project writes it, prints it with `Display`.

use std::str::FromStr;

use super::params::Params;
use super::scan;

mod auth;
mod contact;
mod cseq;
mod disposition;
mod event;
mod fault;
pub(crate) mod grammar;
mod media_type;
mod name;
mod name_addr;
mod rack;
mod reason;
mod replaces;
mod session_expires;
mod timestamp;
mod via;

pub use auth::AuthParams;
pub use contact::Contacts;
pub use cseq::CSeq;
pub use disposition::ContentDisposition;
pub use event::{Event, SubscriptionState, SubscriptionStatus};
pub use fault::{HeaderError, HeaderFault};
pub use media_type::MediaType;
pub use name::HeaderName;
pub(crate) use name::NameId;
pub use name_addr::NameAddr;
pub use rack::RAck;
pub use reason::Reason;
pub use replaces::Replaces;
pub use session_expires::{MinSe, Refresher, RetryAfter, SessionExpires};
pub use timestamp::Timestamp;
pub use via::{BRANCH_COOKIE, TransportName, Via};

/// Reads a number and tells "not a number" from "too large".
pub(crate) fn bounded_number<T: FromStr>(text: &str) -> Result<T, HeaderFault> {
    let text = scan::trim(text);
    if text.is_empty() {
        return Err(HeaderFault::Empty);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HeaderFault::Number);
    }
    text.parse().map_err(|_| HeaderFault::Range)
}

/// Reads `number *(;param)`.
fn number_and_params(text: &str) -> Result<(u32, Params), HeaderFault> {
    let end = text.find(';').unwrap_or(text.len());
    let number = bounded_number(text.get(..end).unwrap_or(""))?;
    Ok((number, Params::parse(text.get(end..).unwrap_or(""))))
}

/// Reads `token *(;param)`.
fn token_and_params(text: &str) -> Result<(String, Params), HeaderFault> {
    let end = text.find(';').unwrap_or(text.len());
    let word = scan::trim(text.get(..end).unwrap_or(""));
    if !scan::is_token(word) {
        return Err(HeaderFault::Syntax);
    }
    Ok((word.to_owned(), Params::parse(text.get(end..).unwrap_or(""))))
}
