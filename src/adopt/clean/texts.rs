//! Texts, which the lab's app stored HTML-escaped and ours stores as typed.

use super::Cleaned;
use crate::domain::{BeanType, quote};

/// What validator.js's `escape` writes, which the lab's app applies before it stores a text, and two
/// that other programs write for the same. `&amp;` comes last, so that each pass undoes one escaping.
const ESCAPES: [(&str, &str); 10] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#x27;", "'"),
    ("&#39;", "'"),
    ("&apos;", "'"),
    ("&#x2F;", "/"),
    ("&#x5C;", "\\"),
    ("&#96;", "`"),
    ("&amp;", "&"),
];

/// Nobody edits a row more often in the lab's app, which escapes again at each edit.
const MAX_ESCAPINGS: usize = 20;

/// Undoes every escaping, and tells how many there were.
pub(super) fn decode(text: &str) -> (String, usize) {
    let mut decoded = text.to_owned();
    for times in 0..MAX_ESCAPINGS {
        let before = decoded.clone();
        for (code, character) in ESCAPES {
            decoded = decoded.replace(code, character);
        }
        if decoded == before {
            return (decoded, times);
        }
    }
    (decoded, MAX_ESCAPINGS)
}

/// Whether the lab's app escaped this text before it stored it.
pub(in crate::adopt) fn is_escaped(raw: &str) -> bool {
    decode(raw).1 > 0
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
    if decoded.contains(char::REPLACEMENT_CHARACTER) {
        cleaned.notes.push(format!(
            "{what} has bytes that are not UTF-8 text, shown as {}",
            char::REPLACEMENT_CHARACTER
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

fn valid_type(text: &str) -> BeanType {
    BeanType::parse(text).expect("a short line that is not empty is a type")
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("&#39;&apos;", "''"),
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
