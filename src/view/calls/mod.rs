//! Calls, running and over, and finding them.

mod index;
mod snapshot;

pub use index::Calls;
pub use snapshot::{CallEnd, CallView, Conference, Playing, Recording, Transfer};
