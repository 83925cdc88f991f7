//! Any bytes as telephone events in any order.
#![no_main]

#[allow(dead_code, reason = "each target runs one of the functions that the ordinary tests run")]
#[path = "../../crates/media/tests/it/fuzz_checks.rs"]
mod fuzz_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz_checks::telephone_event(std::time::Instant::now(), bytes);
});
