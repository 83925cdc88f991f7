//! Any bytes as a scenario file.
#![no_main]

#[allow(dead_code, reason = "the target ignores whether the bytes could be run")]
#[path = "../../tests/it/scenario_exercise.rs"]
mod scenario_exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    scenario_exercise::scenario(bytes);
});
