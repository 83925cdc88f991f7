//! Any bytes as an RTP packet.
#![no_main]

#[allow(dead_code, reason = "each target runs one of the functions that the ordinary tests run")]
#[path = "../../crates/media/tests/it/fuzz_checks.rs"]
mod fuzz_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz_checks::rtp(bytes);
});
