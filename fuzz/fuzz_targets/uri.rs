//! Any bytes as a URI.
#![no_main]

#[allow(dead_code, reason = "each target runs one of the functions that the ordinary tests run")]
#[path = "../../crates/sip/tests/it/exercise.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    exercise::uri(bytes);
});
