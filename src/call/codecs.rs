//! Codec lists as users give them: names of which we have some, all or none.
//!
//! A list may name codecs that are not built, because phones files are shared with other programs; those are reported
//! and left out. A list without any that is built would offer nothing, so it is refused.

use offhook_media::codec::Codec;

use crate::command::{Code, Rejection};

/// Returns the names in a list that are not available.
///
/// # Errors
/// The list has names, and none of them is available.
pub(crate) fn unavailable_codecs(names: &[String]) -> Result<Vec<String>, Rejection> {
    let unknown: Vec<String> = names.iter().filter(|name| !is_available(name)).cloned().collect();
    if names.is_empty() || unknown.len() < names.len() {
        return Ok(unknown);
    }
    let list: Vec<String> = unknown.iter().map(|name| format!("'{name}'")).collect();
    let have: Vec<&str> = Codec::ALL.iter().map(|codec| codec.name).collect();
    Err(Rejection::new(
        Code::InvalidArgument,
        format!("no codec of {} is available: use {}", list.join(", "), have.join(" or ")),
    ))
}

/// Says whether we have a codec of this name.
pub(super) fn is_available(name: &str) -> bool {
    Codec::from_name(name).is_some()
}
