//! Checking a document before anything is dialed: reading it, then looking at what it says as a whole.
pub fn check_yaml(text: &str, source: Option<&str>, known: &super::Known) -> super::Reading { super::dialect::read_yaml(text, source, known) }
pub fn check_json(value: &serde_json::Value, known: &super::Known) -> super::Reading { super::dialect::read_json(value, known) }
