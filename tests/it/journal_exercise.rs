//! What must hold for any bytes as a line of a journal; shared by the mutation test and the fuzz
//! target.

use offhook::{journal::parse_line, view::describe};

/// Reads `bytes` as a line and, if it is one, writes and describes it. Returns whether it was one.
pub(crate) fn journal_line(bytes: &[u8]) -> bool {
    let Ok(envelope) = parse_line(bytes) else { return false };
    let written = serde_json::to_vec(&envelope).expect("what was read can be written");
    let again = parse_line(&written).expect("what was written can be read");
    assert_eq!(again, envelope, "writing loses nothing");
    assert!(!describe(&envelope.event).contains(char::is_control), "a description stays on its line");
    true
}
