//! The one door for commands and reads.
//!
//! Every surface and every run sends its commands here; reads go to the views and never to an
//! actor. The switchboard owns the tree of actors: phones, which supervise their calls, links to
//! phone systems, and runs, each kind under a supervisor of its own.

mod call_actor;
mod connectors;
mod directory;
mod execute;
mod options;
mod passwords;
mod phones;
mod places;
mod restart;
mod runs;
mod sidecars;
mod supervisor;
#[cfg(test)]
mod tests;
mod tree;
mod turns;

pub use options::{Options, StartError};
pub use tree::{ShutdownError, Switchboard};
