//! Media on the wire: the clock, the legs on it, and what happens to what they receive.
//!
//! Phones and the lab use the same legs. A leg is two sockets and either a voice (`offhook_media`'s session, driven by
//! the clock, alone or with those of its bridge) or a relay (what arrives leaves by another leg at once). Facts leave through
//! a closure; packets never do.

mod bridge;
mod handle;
mod hub;
mod leg;
mod recorder;
mod relay;
mod writers;

pub(crate) use bridge::BridgeHandle;
pub(crate) use handle::LegHandle;
pub use hub::{MediaHub, MediaLoad};
pub(crate) use leg::{Kind, Notice, Noticed};
pub(crate) use recorder::{Recorded, Recorder};
pub(crate) use relay::Target;

#[cfg(test)]
mod tests;
