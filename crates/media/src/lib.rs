//! Sans-IO media engine: SDP and its negotiation, RTP, RTCP, DTMF, codecs, audio, quality.
//!
//! Nothing here waits, opens a socket or a file, reads a clock or asks the system for randomness:
//! time is an `Instant` argument, randomness a seed, a file anything that implements `Read` or `Write`.
//! The drain rule: feed [`session::MediaSession`] one input, then call `poll_output` until it is empty.
//! SRTP, ICE and video are not done here; a secure or unknown stream is refused by the negotiation.
//!
//! The layers, bottom up: [`codec`] and [`audio`] know samples; [`rtp`], [`rtcp`] and [`dtmf`] know
//! packets; [`sdp`] and [`negotiate`] know descriptions; [`quality`] judges; [`session`] joins them.

pub mod audio;
pub mod codec;
pub mod dtmf;
pub mod jitter;
pub mod negotiate;
pub mod quality;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod session;
#[cfg(test)]
mod testkit;
