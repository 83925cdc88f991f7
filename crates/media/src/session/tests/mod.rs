//! Two sessions on a virtual line.

mod facts;
mod line;
mod streams;
