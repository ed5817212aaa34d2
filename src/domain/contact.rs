//! How people are reached: e-mail addresses and phone numbers.

use super::text::{InvalidText, ShortText};

/// An address that has one `@` with something on both sides and no white space.
///
/// Whether mail arrives only sending can tell, so nothing stricter is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidText> {
        let text = ShortText::<255>::parse(typed)?.as_str().to_owned();
        let shaped = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@')
        });
        if !shaped || text.contains(char::is_whitespace) {
            return Err(InvalidText::NotAnEmailAddress);
        }
        Ok(Self(text))
    }

    /// Takes an address that is stored already.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A phone number with 7 to 15 digits (15 is the limit of ITU-T E.164) and perhaps an extension.
///
/// Kept as typed, but for the invisible characters that contact lists put around a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

/// What people put between an extension and the number before it.
/// (`;ext=` is RFC 3966's).
const EXTENSION_MARKS: [&str; 6] = [";ext=", "extension", "ext", "x", "#", ";"];

impl PhoneNumber {
    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidText> {
        let visible: String = typed.chars().filter(|c| !is_wrapping(*c)).collect();
        let text = ShortText::<100>::parse(&visible)?.as_str().to_owned();
        let lower = text.to_lowercase();
        let mark = EXTENSION_MARKS
            .iter()
            .find_map(|mark| lower.split_once(mark));
        let (number, extension) = mark.unwrap_or((&lower, "0"));
        let digits = number.chars().filter(char::is_ascii_digit).count();
        let allowed = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-().,/‐‑–".contains(c);
        let is_extension = extension.chars().any(|c| c.is_ascii_digit())
            && extension.chars().filter(char::is_ascii_digit).count() <= 8;
        let is_number = (7..=15).contains(&digits) && number.chars().all(allowed);
        if !is_number || !is_extension || !extension.chars().all(allowed) {
            return Err(InvalidText::NotAPhoneNumber);
        }
        Ok(Self(text))
    }

    /// Takes a number that is stored already.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Marks of direction and other invisible characters.
fn is_wrapping(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for good in [
            "555-555-0100",
            "+44 20 7946 0000",
            "(555) 555.0100",
            "+44 (0)20 7946 0000",
            "555 555 0100 x12",
            "555-555-0100;ext=12",
            "555-555-0100 ext. 12",
            "+1\u{a0}555\u{2011}555\u{2011}0100",
        ] {
            assert_eq!(PhoneNumber::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "12345",
            "1234567890123456",
            "call me 5555555",
            "555-555-0100 x",
            "x555-555-0100",
        ] {
            assert_eq!(
                PhoneNumber::parse(bad),
                Err(InvalidText::NotAPhoneNumber),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_number_pasted_from_a_contact_is_taken() {
        let pasted = PhoneNumber::parse("\u{202d}+1 555-555-0100\u{202c}").unwrap();

        assert_eq!(pasted.as_str(), "+1 555-555-0100");
    }
}
