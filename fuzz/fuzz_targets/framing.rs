//! Any bytes as a stream, whole and in pieces.
#![no_main]

#[allow(dead_code, reason = "each target runs one of the functions that the ordinary tests run")]
#[path = "../../crates/sip/tests/it/exercise.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    exercise::framing(bytes);
});
