//! The embedded lab PBX.
