//! Sans-IO media engine.
