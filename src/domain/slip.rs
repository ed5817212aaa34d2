//! Slips: what somebody sends at once, under one number.

use std::fmt;

/// Digits and capital letters that are hard to confuse: neither 0 nor O, neither 1 nor I, and no U beside
/// the V. 31 are left, and 31 is a prime: so the check character finds every wrong character and every two
/// that changed places.
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKLMNPQRSTVWXYZ";

/// As many characters say which slip it is; one more checks them.
const DATA: usize = 8;

/// The number of a slip, like `BR-7K2M-4QXH-Z`: short enough to be read out, written on a delivery note and
/// typed in. There are 31⁸ (8.5 × 10¹¹); it is a name, not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlipNumber([u8; DATA + 1]);

impl SlipNumber {
    /// Draws a number. Two slips may draw the same one, which the database refuses.
    pub fn generate() -> Self {
        let mut number = [0; DATA + 1];
        for character in &mut number[..DATA] {
            *character = ALPHABET[fastrand::usize(..ALPHABET.len())];
        }
        number[DATA] = check(&number[..DATA]);
        Self(number)
    }

    /// Reads a number as people write it: with or without `BR`, hyphens and spaces, in any case. `None` if
    /// it is none, or if its check character shows a mistake.
    pub fn parse(typed: &str) -> Option<Self> {
        let typed = typed.to_ascii_uppercase();
        let typed = typed.trim();
        let characters: Vec<u8> = typed.bytes().filter(|byte| !b"- ".contains(byte)).collect();
        // A number may begin with BR itself.
        let number = match characters.strip_prefix(b"BR") {
            Some(rest) if rest.len() == DATA + 1 => rest,
            _ => &characters,
        };
        Self::stored(number)
    }

    /// Takes a number that is stored: its characters alone.
    pub fn stored(characters: &[u8]) -> Option<Self> {
        let number: [u8; DATA + 1] = characters.try_into().ok()?;
        let known = number.iter().all(|byte| ALPHABET.contains(byte));
        (known && check(&number[..DATA]) == number[DATA]).then_some(Self(number))
    }

    /// Its characters alone.
    pub fn characters(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Weighs each place differently, so that two characters that changed places are found as well.
fn check(data: &[u8]) -> u8 {
    let value = |byte: &u8| ALPHABET.iter().position(|known| known == byte).unwrap_or(0);
    let sum: usize = data
        .iter()
        .enumerate()
        .map(|(place, byte)| (place + 2) * value(byte))
        .sum();
    ALPHABET[sum % ALPHABET.len()]
}

impl fmt::Display for SlipNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (data, check) = self.characters().split_at(DATA);
        let (first, second) = data.split_at(DATA / 2);
        write!(f, "BR-{first}-{second}-{check}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_begins_with_br_itself_is_read_too() {
        let mut number = *b"BR7K2M4Q?";
        number[DATA] = check(&number[..DATA]);
        let known = SlipNumber::stored(&number).unwrap();

        assert_eq!(SlipNumber::parse(known.characters()), Some(known));
        assert_eq!(SlipNumber::parse(&known.to_string()), Some(known));
    }

    #[test]
    fn a_number_is_read_however_it_is_written() {
        let number = SlipNumber::generate();

        let written = number.to_string();
        assert_eq!(written.len(), "BR-7K2M-4QXH-C".len());
        for typed in [
            written.clone(),
            written.to_lowercase(),
            written.replace('-', " "),
            format!("  {} ", number.characters()),
        ] {
            assert_eq!(SlipNumber::parse(&typed), Some(number), "{typed}");
        }
    }

    #[test]
    fn every_wrong_character_and_every_two_in_the_wrong_order_are_found() {
        let number = SlipNumber::generate();
        let characters = number.characters().as_bytes();

        for place in 0..characters.len() {
            for other in ALPHABET.iter().filter(|byte| **byte != characters[place]) {
                let mut wrong = characters.to_vec();
                wrong[place] = *other;
                assert_eq!(SlipNumber::stored(&wrong), None);
            }
            for other in 0..place {
                let mut wrong = characters.to_vec();
                wrong.swap(place, other);
                let differs = wrong != characters;
                assert_eq!(SlipNumber::stored(&wrong).is_none(), differs);
            }
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for typed in [
            "",
            "BR",
            "BR-7K2M-4QXH",
            "BR-7K2M-4QXH-OO",
            "BR-0000-0000-0",
            "é".repeat(9).as_str(),
        ] {
            assert_eq!(SlipNumber::parse(typed), None, "{typed}");
        }
    }
}
