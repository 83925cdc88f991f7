//! Files that runs and calls leave behind: names and places.
//!
//! A recording is `<root>/<phone>/call_<id>_<date>_<time>_<microseconds>.wav`, with a sidecar of
//! the same stem. The recorder writes it; this module only decides where, and reads back what is
//! there.

mod listing;
mod recordings;
mod sidecar;

pub use listing::RecordedFile;
pub use recordings::{OutsideError, RecordingName, Recordings};
pub use sidecar::{Sidecar, sidecar_of};

#[cfg(test)]
mod tests;
