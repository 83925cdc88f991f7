//! Phone systems that the program runs or talks to, as its supervisor sees them.

mod connector;

pub use connector::{Connector, Link, StartFailure};
