//! Any bytes as one message; the torture messages make a good second corpus: `cargo fuzz run message corpus/message ../crates/sip/tests/data/rfc4475`.
#![no_main]

#[allow(dead_code, reason = "each target runs one of the functions that the ordinary tests run")]
#[path = "../../crates/sip/tests/it/exercise.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    exercise::message(bytes);
});
