//! One call's media: packets and ticks in; packets, frames and facts out.
//!
//! [`MediaSession`] is the one door. It owns no socket and no clock: give it what arrives and the time,
//! call [`MediaSession::handle_tick`] when [`MediaSession::next_deadline`] has come, and after every
//! input take [`MediaSession::poll_output`] until it is empty. A late tick makes up for what it missed.
//!
//! A tick has two halves, [`MediaSession::hear`] and [`MediaSession::say`]: sessions of a conference all hear, a mixer
//! decides, then all say.

mod config;
mod control;
mod limits;
mod listen;
mod media_session;
mod output;
mod packetizer;
mod peer;
mod protect;
mod receive;
mod report;
mod send;
mod source;
mod statistics;
#[cfg(test)]
mod tests;

pub use config::{Detectors, SessionConfig};
pub use control::SendDigitsError;
pub use media_session::MediaSession;
pub use output::{Fact, Output, RecordFrame};
pub use source::Source;
pub use statistics::{RemoteReport, StreamStats};
