//! Any bytes as a capture, read and analyzed.
#![no_main]

#[path = "../../crates/capture/tests/it/fuzz_checks.rs"]
mod fuzz_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz_checks::capture(bytes);
});
