//! Calls, running and over, and how to find them.

mod index;
mod snapshot;

pub use index::Calls;
pub use snapshot::{CallEnd, CallView, Playing, Recording, Transfer};
