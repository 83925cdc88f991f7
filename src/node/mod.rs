//! The place where the program is put together: what it runs on, how it starts, what asks it to
//! end, and how it ends.
//!
//! A verb of the command line, or a program that embeds this one, describes what it wants in
//! [`NodeOptions`] and gets a [`Node`]. Nothing else opens a data folder, starts a switchboard or
//! listens for signals.

mod options;
mod running;
mod seed;
mod signals;
#[cfg(test)]
mod tests;

pub use options::{Data, NodeOptions};
pub use running::{Node, NodeError, StopError};
pub use seed::{fresh_folder, seed};
pub use signals::asked_to_end;
