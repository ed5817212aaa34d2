//! Texts, which the lab's app stored HTML-escaped and ours stores as typed.

use super::Cleaned;
use crate::db::schema::lab::NO_TEXT;
use crate::domain::{BeanType, quote};

/// What validator.js's `escape` writes, which the lab's app applies before it stores a text.
const ESCAPES: [(&str, char); 8] = [
    ("&amp;", '&'),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&quot;", '"'),
    ("&#x27;", '\''),
    ("&#x2F;", '/'),
    ("&#x5C;", '\\'),
    ("&#96;", '`'),
];

/// The longest code there is: `&#x10FFFF;`.
const LONGEST_CODE: usize = 10;

/// Reads a code, like `&lt;` or `&#39;`: those of [`ESCAPES`], and what other programs write for the
/// same and for other characters, by number or as `&apos;`.
fn meaning(code: &str) -> Option<char> {
    if let Some((_, meant)) = ESCAPES.iter().find(|(known, _)| *known == code) {
        return Some(*meant);
    }
    if code == "&apos;" {
        return Some('\'');
    }
    let number = code.strip_prefix("&#")?.strip_suffix(';')?;
    let read = match number.strip_prefix(['x', 'X']) {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16)
        }
        None if number.starts_with(|c: char| c.is_ascii_digit()) => number.parse(),
        _ => return None,
    };
    let meant = read.ok().and_then(char::from_u32);
    meant.filter(|meant| !meant.is_control())
}

/// Undoes every escaping, and tells how many there were: an edit in the lab's app escapes again
/// what was escaped already.
///
/// One pass is enough, also for a text that is nothing but escapes of escapes: what is decoded stands
/// at the end of what is done, and only the next `;` can complete a code there. No code has a `&`
/// but its first character, so the depth of the last `&` is all there is to remember.
pub(super) fn decode(text: &str) -> (String, usize) {
    let mut decoded = String::with_capacity(text.len());
    let (mut depth, mut deepest) = (0, 0);
    for character in text.chars() {
        decoded.push(character);
        match character {
            '&' => depth = 0,
            ';' => {
                if let Some((start, meant)) = code_at_end(&decoded) {
                    decoded.truncate(start);
                    decoded.push(meant);
                    depth += 1;
                    deepest = deepest.max(depth);
                }
            }
            _ => {}
        }
    }
    (decoded, deepest)
}

/// Finds the code that a text ends with: where it starts, and what it means.
fn code_at_end(text: &str) -> Option<(usize, char)> {
    let last = text.char_indices().rev().take(LONGEST_CODE);
    let (start, _) = { last }.find(|(_, character)| *character == '&')?;
    Some((start, meaning(&text[start..])?))
}

/// Whether the lab's app escaped this text before it stored it.
pub(in crate::adopt) fn is_escaped(raw: &str) -> bool {
    decode(raw).1 > 0
}

/// Whether this text came into the lab's table without being escaped, although it needed to be.
pub(in crate::adopt) fn lacks_escapes(raw: &str) -> bool {
    let mut rest = raw.to_owned();
    for (code, _) in ESCAPES {
        rest = rest.replace(code, "");
    }
    ESCAPES
        .iter()
        .any(|(_, character)| rest.contains(*character))
}

/// Reads a text for a column of `max` characters.
pub(in crate::adopt) fn text(what: &str, raw: Option<&str>, max: usize) -> Cleaned<String> {
    let Some(raw) = raw else {
        return Cleaned::noted(String::new(), format!("{what} is NULL, so it is empty"));
    };
    let mut cleaned = line(what, raw);
    cut(what, &mut cleaned, max);
    cleaned
}

/// Reads a text of any length.
fn line(what: &str, raw: &str) -> Cleaned<String> {
    let (decoded, times) = decode(raw);
    let mut cleaned = Cleaned::as_it_is(one_line(&decoded));
    if times > 1 {
        let as_typed = quote(&cleaned.value);
        cleaned.notes.push(format!(
            "{what} was HTML-escaped {times} times; as typed it is {as_typed}"
        ));
    }
    if decoded.contains(NO_TEXT) {
        cleaned.notes.push(format!(
            "{what} has bytes that are no text in UTF-8, for which it has {NO_TEXT} now"
        ));
    }
    if cleaned.value != decoded {
        cleaned.notes.push(format!(
            "{what} has line breaks or other control characters, which become spaces"
        ));
    }
    cleaned
}

fn cut(what: &str, cleaned: &mut Cleaned<String>, max: usize) {
    if let Some((end, _)) = cleaned.value.char_indices().nth(max) {
        let length = cleaned.value.chars().count();
        cleaned.value.truncate(end);
        cleaned.notes.push(format!(
            "{what} has {length} characters, of which the first {max} are taken"
        ));
    }
}

/// Puts one space in the place of every run of control characters.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut in_run = false;
    for character in text.chars() {
        let control = character.is_control();
        if !control {
            line.push(character);
        } else if !in_run {
            line.push(' ');
        }
        in_run = control;
    }
    line
}

/// Reads a supplier's name, which must not be empty.
pub(in crate::adopt) fn name(raw: Option<&str>, id: i64) -> Cleaned<String> {
    let cleaned = text("name", raw, 255);
    if cleaned.value.trim().is_empty() {
        let name = format!("Supplier {id}");
        let note = format!("has no name, so it is called {}", quote(&name));
        return Cleaned::noted(name, note);
    }
    cleaned
}

/// Reads a bean's type, which must not be empty.
pub(in crate::adopt) fn bean_type(raw: Option<&str>) -> Cleaned<BeanType> {
    let mut cleaned = line("type", raw.unwrap_or_default());
    let trimmed = cleaned.value.trim().to_owned();
    if trimmed.is_empty() {
        let note = format!("has no type, so it becomes {}", quote(UNNAMED));
        return Cleaned::noted(valid_type(UNNAMED), note);
    }
    if trimmed != cleaned.value {
        let note = "type loses the white space around it";
        cleaned.notes.push(note.to_owned());
        cleaned.value = trimmed;
    }
    cut("type", &mut cleaned, BeanType::MAX_CHARS);
    Cleaned {
        value: valid_type(&cleaned.value),
        notes: cleaned.notes,
    }
}

/// The type of a bean that has none.
const UNNAMED: &str = "Unnamed";

/// A type that tells a bean from others of its supplier that are called the same.
pub(in crate::adopt) fn numbered_type(bean_type: &BeanType, number: usize) -> BeanType {
    let suffix = format!(" ({number})");
    let room = BeanType::MAX_CHARS - suffix.len();
    let base: String = bean_type.as_str().chars().take(room).collect();
    valid_type(&format!("{}{suffix}", base.trim_end()))
}

/// What two types share when the same number could make them the same: all that the longest number
/// leaves of them.
pub(in crate::adopt) fn numbered_stem(bean_type: &BeanType) -> String {
    const NUMBER_CHARS: usize = 10;
    let kept = bean_type.as_str().chars();
    let stem: String = kept.take(BeanType::MAX_CHARS - NUMBER_CHARS).collect();
    stem.to_lowercase()
}

fn valid_type(text: &str) -> BeanType {
    BeanType::parse(text).expect("a short line that is not empty is a type")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    /// Undoes one escaping, as the lab's app would have done each.
    fn decode_once(text: &str) -> String {
        let mut decoded = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let code = rest.find(';').map_or("", |end| &rest[..=end]);
            let (length, character) = match meaning(code) {
                Some(meant) => (code.len(), meant),
                None => (next.len_utf8(), next),
            };
            decoded.push(character);
            rest = &rest[length..];
        }
        decoded
    }

    fn decode_layer_by_layer(text: &str) -> (String, usize) {
        let (mut text, mut times) = (text.to_owned(), 0);
        loop {
            let decoded = decode_once(&text);
            if decoded == text {
                return (text, times);
            }
            (text, times) = (decoded, times + 1);
        }
    }

    proptest! {
        #[test]
        fn all_layers_at_once_are_each_layer_after_the_other(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "&", "amp;", "amp", ";", "lt;", "&lt;", "&amp;", "#x27;", "#x2F;", "#96;",
                    "quot;", "&#x5C;", "#", "x", "é", "&#", "39;", "&#39;", "&#X2f;", "&#38;", "&apos;",
                ]),
                0..24,
            )
        ) {
            let text = parts.concat();

            prop_assert_eq!(decode(&text), decode_layer_by_layer(&text));
        }
    }

    #[test]
    fn a_text_of_nothing_but_escapes_takes_no_longer_than_another() {
        let text = format!("&{}lt;", "amp;".repeat(250_000));
        let start = Instant::now();

        assert_eq!(decode(&text), ("<".to_owned(), 250_001));
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn texts_become_what_was_typed() {
        for (raw, typed) in [
            ("O&#x27;Malley &amp; Sons", "O'Malley & Sons"),
            (
                "&lt;b&gt;&quot;a&#x2F;b&#x5C;c&#96;&lt;&#x2F;b&gt;",
                "<b>\"a/b\\c`</b>",
            ),
            ("plain ☕ & raw", "plain ☕ & raw"),
            ("&nbsp;&amp", "&nbsp;&amp"),
            ("&#39;&#X27;&#x2f;&apos;&#60;&#9749;", "''/'<☕"),
            (
                "&#;&#x;&#xZ;&#+39;&#10;&#1114112;&#99999999999;",
                "&#;&#x;&#xZ;&#+39;&#10;&#1114112;&#99999999999;",
            ),
            ("", ""),
        ] {
            assert_eq!(
                text("name", Some(raw), 99),
                Cleaned::as_it_is(typed.to_owned())
            );
        }
    }

    #[test]
    fn texts_that_change_say_why() {
        for (raw, typed, note) in [
            (None, "", "name is NULL, so it is empty"),
            (
                Some("O&amp;amp;#x27;Malley"),
                "O'Malley",
                "name was HTML-escaped 3 times; as typed it is “O'Malley”",
            ),
            (
                Some("Caf\u{fffd}"),
                "Caf\u{fffd}",
                "name has bytes that are no text in UTF-8, for which it has \u{fffd} now",
            ),
            (
                Some("a\r\nb"),
                "a b",
                "name has line breaks or other control characters, which become spaces",
            ),
            (
                Some("☕☕☕☕☕☕☕☕☕☕"),
                "☕☕☕☕☕☕☕☕☕",
                "name has 10 characters, of which the first 9 are taken",
            ),
        ] {
            let expected = Cleaned::noted(typed.to_owned(), note.to_owned());
            assert_eq!(text("name", raw, 9), expected, "{raw:?}");
        }
    }

    #[test]
    fn texts_that_were_stored_in_another_way_are_told_apart() {
        for (raw, escaped, lacking) in [
            ("plain", false, false),
            ("a &amp; b", true, false),
            ("a & b", false, true),
            ("a &amp; 'b'", true, true),
            ("a&#39;s", true, true),
        ] {
            assert_eq!((is_escaped(raw), lacks_escapes(raw)), (escaped, lacking));
        }
    }

    #[test]
    fn what_must_not_be_empty_gets_a_name() {
        assert_eq!(name(Some(" "), 7).value, "Supplier 7");
        assert_eq!(name(None, 7).notes.len(), 1);
        assert_eq!(name(Some(" Ada "), 7).value, " Ada ");
        for raw in [None, Some(""), Some(" \t")] {
            let cleaned = bean_type(raw);
            assert_eq!(cleaned.value.as_str(), "Unnamed");
            assert_eq!(cleaned.notes, ["has no type, so it becomes “Unnamed”"]);
        }
    }

    #[test]
    fn types_are_trimmed_and_cut() {
        let long = bean_type(Some(&"é".repeat(101)));

        assert_eq!(bean_type(Some(" Arabica")).value.as_str(), "Arabica");
        assert_eq!(long.value.as_str(), "é".repeat(100));
        assert_eq!(numbered_type(&long.value, 12).as_str().chars().count(), 100);
        assert!(numbered_type(&long.value, 12).as_str().ends_with("é (12)"));
    }
}
