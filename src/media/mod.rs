//! Media on the wire: the clock, the legs it drives, and what happens to what they receive.
//!
//! Phones and the lab use the same legs. A leg is two sockets and either a voice (a session of
//! `offhook_media`, driven by the clock, alone or in a bridge) or a relay (what arrives is sent on
//! by another leg at once). Facts leave through a closure; packets never do.

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
pub(crate) use writers::{Turn, Writers};

#[cfg(test)]
mod tests;
