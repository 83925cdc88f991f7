//! The valid name that somebody who mistyped one probably meant.

use strsim::osa_distance;

/// Returns the candidate nearest to `given` if it is near enough to be a typing mistake, otherwise
/// the first candidate that contains it as a word.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = given.to_lowercase();
    let length = given.chars().count();
    let allowed = if length < 3 { 0 } else { (length / 3).clamp(1, 4) };
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let slip = candidates
        .iter()
        .map(|candidate| (osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate);
    let has_word =
        |candidate: &&&str| length >= 3 && candidate.split(['_', '-', '.']).any(|word| word == lower);
    slip.or_else(|| candidates.iter().find(has_word)).map(|candidate| (*candidate).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_nonsense_is_not() {
        for (given, expected) in [
            ("make_cal", Some("make_call")),
            ("mkae_call", Some("make_call")),
            ("hangpu", Some("hangup")),
            ("elephant", None),
            ("call", Some("make_call")),
            ("all", None),
        ] {
            assert_eq!(nearest(given, ["make_call", "hangup", "hold"]).as_deref(), expected, "{given}");
        }
    }
}
