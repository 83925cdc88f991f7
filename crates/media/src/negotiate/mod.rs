//! Offer and answer: capabilities × remote description → [`MediaPlan`].
//!
//! RFC 3264 with RFC 3605, RFC 4733 section 2.4.1. One audio stream a session; every other stream
//! is refused in place. No SRTP: `RTP/SAVP` is refused. We neither offer nor accept `rtcp-mux`.

mod answer;
mod error;
mod filter;
mod negotiator;
mod offer;
mod plan;
#[cfg(test)]
mod tests;

pub use self::answer::{accept_answer, answer};
pub use self::error::NegotiationError;
pub use self::filter::{CodecFilter, filter_codecs};
pub use self::negotiator::Negotiator;
pub use self::offer::offer;
pub use self::plan::{
    Capabilities, CodecSpec, DEFAULT_TELEPHONE_EVENT, LocalMedia, MediaPlan, Negotiated, Security,
    TelephoneEventPlan,
};
