//! An in-memory network, seeded, in virtual time.
//!
//! It implements the same [`net::Network`](crate::net::Network) trait as the machine's network, so
//! the program above cannot tell the difference. It works under tokio's paused clock, where a real
//! socket would not. Streams never lose data; datagrams do if told to.

mod datagram;
mod link;
mod names;
mod network;
mod stream;

#[cfg(test)]
mod tests;

pub use link::{Crossing, Datagram, Fate, Link, Recording};
pub use network::{Host, Network};
