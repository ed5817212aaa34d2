//! Who acts: suppliers, and the texts that describe them.

use std::fmt;

/// The number suppliers put at the start of the lab's line (`3:Excelsa:9`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SupplierId(pub i64);

impl fmt::Display for SupplierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text was refused. The sentences are shown to people as they are, after the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// More characters than the limit given.
    #[error("must be {0} characters or less")]
    TooLong(usize),
    /// A line break or another control character.
    #[error("contains a character that cannot be shown")]
    ControlCharacter,
    /// Not the shape of an e-mail address.
    #[error("must be an email address like name@example.com")]
    NotAnEmailAddress,
    /// Not the shape of a phone number.
    #[error("must be a phone number like 555-555-0100")]
    NotAPhoneNumber,
}

/// A trimmed, non-empty, single-line text of at most `MAX` characters, kept as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortText<const MAX: usize>(String);

impl<const MAX: usize> ShortText<MAX> {
    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidText> {
        let text = typed.trim();
        if text.is_empty() {
            return Err(InvalidText::Empty);
        }
        if text.chars().count() > MAX {
            return Err(InvalidText::TooLong(MAX));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidText::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address that has one `@` with something on both sides and no white space.
///
/// Whether mail arrives only sending can tell, so nothing stricter is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidText> {
        let text = ShortText::<255>::parse(typed)?.0;
        let shaped = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@')
        });
        if !shaped || text.contains(char::is_whitespace) {
            return Err(InvalidText::NotAnEmailAddress);
        }
        Ok(Self(text))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A phone number with 7 to 15 digits (15 is the limit of ITU-T E.164), kept as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidText> {
        let text = ShortText::<100>::parse(typed)?.0;
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let allowed = |c: char| c.is_ascii_digit() || " +-().x/".contains(c);
        if !(7..=15).contains(&digits) || !text.chars().all(allowed) {
            return Err(InvalidText::NotAPhoneNumber);
        }
        Ok(Self(text))
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
        assert_eq!(ShortText::<3>::parse(" \t"), Err(InvalidText::Empty));
        assert_eq!(
            ShortText::<3>::parse("☕☕☕☕"),
            Err(InvalidText::TooLong(3))
        );
        assert_eq!(
            ShortText::<9>::parse("a\u{0}b"),
            Err(InvalidText::ControlCharacter)
        );
    }

    #[test]
    fn an_email_address_needs_both_sides_of_one_at_sign() {
        for good in ["a@b", "first.last+tag@example.co.uk", "jörg@exämple.de"] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        for bad in ["ab", "@b", "a@", "a@b@c", "a b@c"] {
            assert_eq!(
                EmailAddress::parse(bad),
                Err(InvalidText::NotAnEmailAddress),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_phone_number_needs_seven_to_fifteen_digits() {
        for good in ["555-555-0100", "+44 20 7946 0000", "(555) 555.0100"] {
            assert!(PhoneNumber::parse(good).is_ok(), "{good}");
        }
        for bad in ["12345", "1234567890123456", "call me 5555555"] {
            assert_eq!(
                PhoneNumber::parse(bad),
                Err(InvalidText::NotAPhoneNumber),
                "{bad}"
            );
        }
    }
}
