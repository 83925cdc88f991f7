//! The scenario document, its checker and its pure runner.
