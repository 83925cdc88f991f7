//! The embedded lab PBX, on the simulated network in paused time; phones are bare SIP engines.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test picks the events that it is about")]

mod calls;
mod faults;
mod numbers;
mod phone;
mod process;
mod registrar;
mod sockets;
mod told;
mod transfers;
mod world;
