//! Files that runs and calls leave behind: names and places.
//!
//! A recording is `<root>/<phone>/call_<id>_<date>_<time>_<microseconds>.wav`, with a sidecar of
//! the same stem, a capture the same in its own folder with `.pcap`. Others write them; this module
//! only decides where, and reads back what is there.

mod folder;
mod listing;
mod sidecar;

pub use folder::{ArtifactFolder, ArtifactKind, ArtifactName, OutsideError};
pub use listing::ArtifactFile;
pub use sidecar::{Sidecar, sidecar_of};

#[cfg(test)]
mod tests;
