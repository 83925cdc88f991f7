//! Codec lists as users give them; we may have all of the codecs named, some or none.
//!
//! A list may name codecs that are not implemented, because phones files are shared with other
//! programs; those are reported and left out. A list with none that we have would offer nothing, so
//! it is refused.

use offhook_media::codec::Codec;

use crate::command::{Refused, Rejection};

/// Returns the names in a list that are not available.
///
/// # Errors
/// The list is not empty, and none of its names is available.
pub(crate) fn unavailable_codecs(names: &[String]) -> Result<Vec<String>, Rejection> {
    let unknown: Vec<String> = names.iter().filter(|name| !is_available(name)).cloned().collect();
    if names.is_empty() || unknown.len() < names.len() {
        return Ok(unknown);
    }
    Err(Refused::NoCodec { given: unknown, known: known() }.into())
}

/// Refuses a list that names a codec we do not have.
///
/// # Errors
/// Names the first one.
pub(super) fn all_available(names: &[String]) -> Result<(), Rejection> {
    match names.iter().find(|name| !is_available(name)) {
        Some(name) => Err(Refused::UnknownCodec { name: name.clone(), known: known() }.into()),
        None => Ok(()),
    }
}

fn known() -> Vec<&'static str> {
    Codec::ALL.iter().map(|codec| codec.name).collect()
}

/// Returns whether we have a codec of this name.
fn is_available(name: &str) -> bool {
    Codec::from_name(name).is_some()
}
