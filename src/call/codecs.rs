//! Codec lists as users give them; we may have all of the codecs named, some or none.
//!
//! A list may name codecs that are not implemented, because phones files are shared with other
//! programs; those are reported and left out. A list with none that we have would offer nothing, so
//! it is refused.

use offhook_media::codec::Codec;

use crate::command::{Refused, Rejection};

/// Total bytes of a list's names, each with its separator: a multiple of what every codec there is
/// takes. The list is kept with its phone and repeated in facts.
const MOST: usize = 1_000;

/// Returns the names in a list that are not available.
///
/// # Errors
/// The list is too long, or it is not empty and none of its names is available.
pub(crate) fn unavailable_codecs(names: &[String]) -> Result<Vec<String>, Rejection> {
    bounded(names)?;
    let unknown: Vec<String> = names.iter().filter(|name| !is_available(name)).cloned().collect();
    if names.is_empty() || unknown.len() < names.len() {
        return Ok(unknown);
    }
    Err(Refused::NoCodec { given: unknown, known: known() }.into())
}

/// Refuses a list that names a codec we do not have.
///
/// # Errors
/// The list is too long; or names the first such codec.
pub(super) fn all_available(names: &[String]) -> Result<(), Rejection> {
    bounded(names)?;
    match names.iter().find(|name| !is_available(name)) {
        Some(name) => Err(Refused::UnknownCodec { name: name.clone(), known: known() }.into()),
        None => Ok(()),
    }
}

fn bounded(names: &[String]) -> Result<(), Rejection> {
    let size: usize = names.iter().map(|name| name.len().saturating_add(1)).sum();
    if size > MOST { Err(Refused::TooLong { what: "codecs", size, most: MOST }.into()) } else { Ok(()) }
}

fn known() -> Vec<&'static str> {
    Codec::ALL.iter().map(|codec| codec.name).collect()
}

/// Returns whether we have a codec of this name.
fn is_available(name: &str) -> bool {
    Codec::from_name(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_bound_in_names_and_in_bytes() {
        let refused = |names: &[String]| {
            let refused = |outcome: Result<(), Rejection>| outcome.unwrap_err().what.to_string();
            [unavailable_codecs(names).map(drop), all_available(names)].map(refused)
        };
        let told = |size: usize| format!("codecs: {size} bytes, and there is room for 1000");
        assert_eq!(refused(&vec!["PCMU".to_owned(); 201]), [told(1005), told(1005)]);
        assert_eq!(refused(&["PCMU".to_owned(), "x".repeat(2_000)]), [told(2_006), told(2_006)]);
        assert_eq!(refused(&vec![String::new(); 1_001]), [told(1_001), told(1_001)]);
        let full = vec!["PCMU".to_owned(); 200];
        assert_eq!((unavailable_codecs(&full), all_available(&full)), (Ok(Vec::new()), Ok(())));
    }
}
