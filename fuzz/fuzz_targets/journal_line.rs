//! Any bytes as a line of a journal.
#![no_main]

#[allow(dead_code, reason = "the target ignores whether the bytes were an event")]
#[path = "../../tests/it/journal_exercise.rs"]
mod journal_exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    journal_exercise::journal_line(bytes);
});
