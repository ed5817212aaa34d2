//! "Did you mean …?" for bean types.

use super::text::matching_key;

/// Finds the candidate that was most likely meant, if one is close enough to be worth asking.
///
/// Close enough is an edit distance of at most a third of the typed length (and at least one), so
/// that `Excelza` finds `Excelsa` and `Unprocessable` finds nothing.
pub fn did_you_mean<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let keyed = candidates
        .into_iter()
        .map(|candidate| (matching_key(candidate), candidate));
    nearest(typed, keyed)
}

/// The same among candidates whose matching keys are known.
pub(crate) fn nearest<'a, K: AsRef<str>>(
    typed: &str,
    candidates: impl IntoIterator<Item = (K, &'a str)>,
) -> Option<&'a str> {
    // Comparing takes length × length steps; nobody misspells a bean by this much.
    if typed.chars().count() > 100 {
        return None;
    }
    let typed = matching_key(typed);
    let length = typed.chars().count();
    let limit = (length / 3).max(1);
    candidates
        .into_iter()
        // Each character more or less is a step.
        .filter(|(key, _)| key.as_ref().chars().count().abs_diff(length) <= limit)
        .map(|(key, candidate)| (strsim::osa_distance(&typed, key.as_ref()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: [&str; 4] = ["Arabica", "Robusta", "Liberica", "Excelsa"];

    #[test]
    fn a_misspelt_type_finds_the_one_meant() {
        for (typed, meant) in [
            ("Excelza", Some("Excelsa")),
            ("arabcia", Some("Arabica")),
            ("Robust", Some("Robusta")),
            ("LIBERIKA", Some("Liberica")),
            ("Unprocessable", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(typed, TYPES), meant, "{typed}");
        }
    }
}
