//! Folds of the journal that answer every read.
