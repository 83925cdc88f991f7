//! Files that runs and calls leave behind: naming and places.
//!
//! Recordings lie as `<root>/<phone>/call_<id>_<date>_<time>_<microseconds>.wav`, each with a sidecar of the same
//! stem. The recorder writes; this module only says where, and reads back what is there.

mod listing;
mod recordings;
mod sidecar;

pub use listing::RecordedFile;
pub use recordings::{OutsideError, RecordingName, Recordings};
pub use sidecar::{Sidecar, sidecar_of};

#[cfg(test)]
mod tests;
