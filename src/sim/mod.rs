//! An in-memory network, seeded, in virtual time.
