//! An in-memory network, seeded, in virtual time.
//!
//! The same [`net::Network`](crate::net::Network) trait as the machine's, so that the program above cannot tell. Works
//! under tokio's paused clock, where a real socket would not. Streams never lose data; datagrams do as told.

mod datagram;
mod link;
mod names;
mod network;
mod stream;

#[cfg(test)]
mod tests;

pub use link::{Crossing, Datagram, Fate, Link, Recording};
pub use network::{Host, Network};
