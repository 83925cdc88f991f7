//! The runner by claim: given a scenario and events, these commands and this verdict follow.

mod failures;
mod native;
mod older;
mod world;
