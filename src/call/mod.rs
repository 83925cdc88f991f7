//! One call: its rules, its actor, its media and its recording.
//!
//! A call sends SIP only through [`ToPhone`], so it cannot reach anything else in the phone.

mod actor;
mod codecs;
mod conference;
mod farewell;
mod info;
mod media;
mod message;
mod names;
mod patience;
mod recording;
mod request;
mod signaling;
mod sound;
mod sounding;
mod state;
mod told;
mod transfer;

#[cfg(test)]
mod tests;

pub(crate) use actor::{Beginning, CallActor, CallArguments, CallSettings};
pub(crate) use codecs::unavailable_codecs;
pub(crate) use conference::Conferences;
pub(crate) use media::CallMedia;
pub(crate) use message::CallMessage;
pub(crate) use recording::RecordingPlace;
pub(crate) use request::{Request, ToPhone};
pub(crate) use told::{Reply, Told};
