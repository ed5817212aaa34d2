//! Texts that people type: what may stand in them, and when two of them mean the same.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{BidiClass, DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Why a text was refused. The sentences are shown to people as they are, after the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing but white space and invisible characters.
    #[error("is empty")]
    Empty,
    /// More characters than the limit given.
    #[error("must be {0} characters or fewer")]
    TooLong(usize),
    /// A character that cannot be shown, or that changes how the text around it is shown.
    #[error("contains {0}, which cannot be shown")]
    Forbidden(NamedCharacter),
    /// Not the shape of an e-mail address.
    #[error("must be an email address like name@example.com")]
    NotAnEmailAddress,
    /// Not the shape of a phone number.
    #[error("must be a phone number like 555-555-0100")]
    NotAPhoneNumber,
}

/// A character told by its number and, where it has one that people know, its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedCharacter(pub char);

impl fmt::Display for NamedCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => "a line break",
            '\t' => "a tab",
            '\u{202a}' => "left-to-right embedding",
            '\u{202b}' => "right-to-left embedding",
            '\u{202c}' => "pop directional formatting",
            '\u{202d}' => "left-to-right override",
            '\u{202e}' => "right-to-left override",
            '\u{2066}' => "left-to-right isolate",
            '\u{2067}' => "right-to-left isolate",
            '\u{2068}' => "first strong isolate",
            '\u{2069}' => "pop directional isolate",
            '\u{fffd}' => "what is left of text in another encoding",
            '\u{2800}' => "a blank of Braille",
            '\u{fff9}'..='\u{fffc}' => "a mark of an annotation",
            c if is_private(c) => "a private-use character",
            c if category(c) == GeneralCategory::Unassigned => "no character of Unicode",
            _ => "a control character",
        };
        write!(f, "U+{:04X} ({name})", u32::from(self.0))
    }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_private(c: char) -> bool {
    category(c) == GeneralCategory::PrivateUse
}

/// Embeddings, overrides and isolates reorder what stands after them (UAX #9).
fn is_bidi_formatting(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_right_to_left(c: char) -> bool {
    let class = CodePointMapData::<BidiClass>::new().get(c);
    matches!(
        class,
        BidiClass::RightToLeft | BidiClass::ArabicLetter | BidiClass::ArabicNumber
    )
}

/// Whether a character takes no room and says nothing, like a zero-width space (UAX #44).
fn is_invisible(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether a character must not stand in a text of ours.
fn is_forbidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let is_noncharacter = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    let unprintable = matches!(
        category(c),
        GeneralCategory::Control
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    unprintable || is_bidi_formatting(c) || is_noncharacter || looks_like_nothing(c)
}

/// The blank of Braille, the marks of annotations, and what stands for what is not there: no font
/// draws them, and Unicode does not list them as invisible.
fn looks_like_nothing(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffd}')
}

/// Finds the first character that must not stand in a text of several lines.
pub(crate) fn find_forbidden_in_lines(text: &str) -> Option<NamedCharacter> {
    let line_break = |c: char| matches!(c, '\n' | '\r' | '\t');
    let mut characters = text.chars();
    characters
        .find(|c| is_forbidden(*c) && !line_break(*c))
        .map(NamedCharacter)
}

/// A trimmed, non-empty, single-line text of at most `MAX` characters, kept as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortText<const MAX: usize>(String);

impl<const MAX: usize> From<ShortText<MAX>> for String {
    fn from(text: ShortText<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> ShortText<MAX> {
    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidText> {
        let text = typed.trim();
        if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
            return Err(InvalidText::Empty);
        }
        if text.chars().count() > MAX {
            return Err(InvalidText::TooLong(MAX));
        }
        match text.chars().find(|c| is_forbidden(*c)) {
            Some(c) => Err(InvalidText::Forbidden(NamedCharacter(c))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Takes a text that is stored already, whatever rules it would break today.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form that two names share when they mean the same: compatibility-normalised and case-folded
/// (NFKC and case folding, UAX #15 and #44), without invisible characters, with single spaces.
pub(crate) fn matching_key(text: &str) -> String {
    let folded = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        // Folding can make something that normalises further, and the other way round.
        fold(&fold(text))
    };
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fold(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let normal = nfkc.normalize(text);
    let visible: String = normal.chars().filter(|c| !is_invisible(*c)).collect();
    let folded = CaseMapper::new().fold_string(&visible).into_owned();
    nfkc.normalize(&folded).into_owned()
}

/// The text as every keyboard would send it: one character and the same in two are written alike (NFC,
/// UAX #15).
pub(crate) fn normalized(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Quotes a hostile text for a sentence: short, on one line, what cannot be seen shown by number.
pub(crate) fn quote(text: &str) -> String {
    const MAX: usize = 60;
    let mut quoted = String::new();
    for c in text.chars().take(MAX) {
        if c == '\u{fffd}' || (!is_forbidden(c) && !is_invisible(c)) {
            quoted.push(c);
        } else if c.is_control() {
            quoted.push('\u{fffd}');
        } else {
            // Writing to a string cannot fail.
            let _ok = write!(quoted, "[U+{:04X}]", u32::from(c));
        }
    }
    if text.chars().nth(MAX).is_some() {
        quoted.push('…');
    }
    format!("“{}”", isolate(&quoted))
}

/// Keeps a text that is written from right to left from reordering the sentence around it (UAX #9).
/// Other texts need nothing.
pub(crate) fn isolate(text: &str) -> Cow<'_, str> {
    if text.is_ascii()
        || !text
            .chars()
            .any(|c| is_right_to_left(c) || is_bidi_formatting(c))
    {
        return Cow::Borrowed(text);
    }
    let inner: String = text.chars().filter(|c| !is_bidi_formatting(*c)).collect();
    Cow::Owned(format!("\u{2068}{inner}\u{2069}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_as_typed_but_trimmed() {
        let name = ShortText::<20>::parse("  O'Malley & Sons ").unwrap();

        assert_eq!(name.as_str(), "O'Malley & Sons");
    }

    #[test]
    fn a_text_is_refused_when_empty_long_or_unprintable() {
        for empty in [" \t", "\u{200b}", "\u{feff} \u{2060}"] {
            assert_eq!(ShortText::<3>::parse(empty), Err(InvalidText::Empty));
        }
        assert_eq!(
            ShortText::<3>::parse("☕☕☕☕"),
            Err(InvalidText::TooLong(3))
        );
        for (text, sentence) in [
            ("a\u{0}b", "contains U+0000 (a control character)"),
            ("a\u{202e}b", "contains U+202E (right-to-left override)"),
            ("a\u{2067}b", "contains U+2067 (right-to-left isolate)"),
            ("a\u{e000}b", "contains U+E000 (a private-use character)"),
            ("a\u{2028}b", "contains U+2028 (a line break)"),
            ("a\u{fffd}b", "contains U+FFFD (what is left of text"),
            (
                "a\u{10ffff}b",
                "contains U+10FFFF (no character of Unicode)",
            ),
            ("a\u{378}b", "contains U+0378 (no character of Unicode)"),
            ("a\u{2800}b", "contains U+2800 (a blank of Braille)"),
            ("a\u{fff9}b", "contains U+FFF9 (a mark of an annotation)"),
        ] {
            let error = ShortText::<9>::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(sentence), "{error}");
        }
    }

    #[test]
    fn names_that_look_the_same_mean_the_same() {
        for (one, other) in [
            ("Excelsa", "EXCELSA"),
            ("Excelsa", "Excelsa\u{200b}"),
            ("Excelsa", "\u{feff}Ex\u{ad}celsa"),
            ("Café", "Cafe\u{301}"),
            ("House Blend", "House\u{a0}Blend"),
            ("House Blend", "House  \u{2003}Blend"),
            ("Weiß", "WEISS"),
            ("Excelsa", "Ｅｘｃｅｌｓａ"),
            ("ﬁne", "Fine"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ] {
            assert_eq!(matching_key(one), matching_key(other), "{one} {other}");
        }
        assert_ne!(matching_key("Cafe"), matching_key("Café"));
        assert_ne!(matching_key("HouseBlend"), matching_key("House Blend"));
    }

    #[test]
    fn a_key_is_the_key_of_itself() {
        for text in ["ǅ Ω ﷺ", "İstanbul", "ͅα\u{345}", "Ⅷ²"] {
            let key = matching_key(text);
            assert_eq!(matching_key(&key), key, "{text}");
        }
    }

    #[test]
    fn a_quoted_text_is_short_and_printable() {
        assert_eq!(quote("a\nb\u{1b}[31m"), "“a\u{fffd}b\u{fffd}[31m”");
        assert_eq!(quote("Excelsa\u{200b}"), "“Excelsa[U+200B]”");
        assert_eq!(quote("\u{202e}abc"), "“[U+202E]abc”");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 63);
    }

    #[test]
    fn a_text_from_right_to_left_stays_in_its_place() {
        assert_eq!(quote("قهوة"), "“\u{2068}قهوة\u{2069}”");
        assert_eq!(isolate("Lake & Lantern"), "Lake & Lantern");
        assert_eq!(isolate("a\u{202e}é"), "\u{2068}aé\u{2069}");
    }
}
