//! What users and programs rely on, as snapshots.

mod events;
mod tools;
