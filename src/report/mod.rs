//! Reports of runs for people and CI.
