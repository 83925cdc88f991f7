//! Captures as files of packets: made from what a tap saw, written, read, and told about.
//!
//! Nothing here opens a file or a socket, waits, or reads a clock: files are anything that
//! implements `Read` or `Write`, times come in as durations since the Unix epoch. What is read is
//! hostile: it never panics, and everything kept of it is bounded in number and bytes.

pub mod analyze;
mod dissect;
mod fields;
pub mod frame;
pub mod read;
pub mod write;
