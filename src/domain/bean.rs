//! What is kept in stock: beans, bags and prices.

use std::fmt;

use rust_decimal::Decimal;

use super::supplier::SupplierId;
use super::text::{InvalidText, ShortText, matching_key};
use super::update_id::UpdateId;

/// More bags than any café can hold; keeps every sum far inside 64 bits.
pub const MAX_STOCK: i64 = 1_000_000_000;

/// Names one bean of one supplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BeanId(pub i64);

impl fmt::Display for BeanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sort of bean as somebody typed it, like `Excelsa`; at most 100 characters.
///
/// Compare types by [`BeanType::key`], not by their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeanType(ShortText<{ Self::MAX_CHARS }>);

/// Why a bean type was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bean type {0}")]
pub struct InvalidBeanType(#[from] pub InvalidText);

impl BeanType {
    /// The most characters of a type.
    pub const MAX_CHARS: usize = 100;

    /// Trims and checks what was typed.
    pub fn parse(typed: &str) -> Result<Self, InvalidBeanType> {
        Ok(Self(ShortText::parse(typed)?))
    }

    /// The type as typed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Takes a type that is stored already, whatever rules it would break today.
    pub fn stored(text: String) -> Self {
        Self(ShortText::stored(text))
    }

    /// The form two types share when they mean the same bean; at most 255 characters.
    pub fn key(&self) -> String {
        const COLUMN: usize = 255;
        let key = matching_key(self.as_str());
        // Some single characters stand for whole phrases.
        if key.chars().count() > COLUMN {
            return UpdateId::derive("type", &key).to_string();
        }
        key
    }

    /// The form by which version 0.1 compared types. Fingerprints are made of it, so that a message
    /// that was seen before an upgrade is still the same afterwards.
    pub(super) fn key_of_fingerprints(&self) -> String {
        self.as_str().to_lowercase()
    }

    /// Whether the lab's line can name it: there the colon separates.
    pub fn fits_a_line(&self) -> bool {
        !self.as_str().contains(':')
    }
}

/// A number of bags that moves: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bags(i64);

/// Why a number of bags was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBags {
    /// Not digits at all.
    #[error("is not a whole number of bags")]
    NotAWholeNumber,
    /// Outside the limits given.
    #[error("must be between {min} and 1,000,000 bags")]
    OutOfRange {
        /// The smallest number allowed here.
        min: i64,
    },
}

impl Bags {
    /// The most bags one update may carry; more is a typing mistake.
    pub const MAX: i64 = 1_000_000;

    /// Takes a number of bags that move.
    pub fn new(bags: i64) -> Result<Self, InvalidBags> {
        Self::within(bags, 1)
    }

    /// Takes a number of bags that were counted, where none is an honest answer.
    pub fn counted(bags: i64) -> Result<Self, InvalidBags> {
        Self::within(bags, 0)
    }

    fn within(bags: i64, min: i64) -> Result<Self, InvalidBags> {
        if (min..=Self::MAX).contains(&bags) {
            Ok(Self(bags))
        } else {
            Err(InvalidBags::OutOfRange { min })
        }
    }

    /// Reads what was typed in a form, where `1,000` and `1 000` mean a thousand.
    pub fn parse_typed(typed: &str, min: i64) -> Result<Self, InvalidBags> {
        let bags = parse_typed_integer(typed).ok_or(InvalidBags::NotAWholeNumber)?;
        Self::within(bags, min)
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Bags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of bags on the shelf: 0 to [`MAX_STOCK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BagsInStock(i64);

/// Why a number of bags on the shelf was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBagsInStock {
    #[error("is empty")]
    Empty,
    /// Not digits at all.
    #[error("must be a whole number, like 12")]
    NotAWholeNumber,
    #[error("must be between 0 and 1,000,000,000")]
    OutOfRange,
}

impl BagsInStock {
    /// Reads what was typed in a form, where `1,000` and `1 000` mean a thousand.
    pub fn parse_typed(typed: &str) -> Result<Self, InvalidBagsInStock> {
        if typed.trim().is_empty() {
            return Err(InvalidBagsInStock::Empty);
        }
        let bags = parse_typed_integer(typed).ok_or(InvalidBagsInStock::NotAWholeNumber)?;
        if (0..=MAX_STOCK).contains(&bags) {
            Ok(Self(bags))
        } else {
            Err(InvalidBagsInStock::OutOfRange)
        }
    }

    /// Takes a number that is stored already.
    pub fn stored(bags: i64) -> Self {
        Self(bags)
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

/// What people put between thousands: a comma, or a space of any width.
const SEPARATORS: [char; 4] = [',', ' ', '\u{a0}', '\u{202f}'];

/// Reads a whole number as typed in a form.
fn parse_typed_integer(typed: &str) -> Option<i64> {
    parse_integer(&without_separators(typed.trim())?)
}

/// Takes the thousands separators out of a whole number. In `1,5` there is none: it may mean one
/// and a half, and must not become fifteen.
fn without_separators(number: &str) -> Option<String> {
    let (first, rest) = number.split_once(SEPARATORS).unwrap_or((number, ""));
    if first.len() == number.len() {
        return Some(number.to_owned());
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = first.trim_start_matches(['-', '+']);
    let placed = (1..=3).contains(&leading.len())
        && digits(leading)
        && rest
            .split(SEPARATORS)
            .all(|group| group.len() == 3 && digits(group));
    placed.then(|| number.replace(SEPARATORS, ""))
}

/// Reads an optional sign and digits; numbers beyond 64 bits become the nearest limit, so that
/// they are refused for their size rather than for their look.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

/// What several beans are often changed in at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeanTerms {
    pub price: Price,
    /// At how many bags it counts as low, if it does before it is out.
    pub alert_at: Option<i64>,
}

/// A price in US dollars a bag: 0 to 99,999.99 with at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price(Decimal);

/// Why a price was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrice {
    /// Not an amount of money.
    #[error("must be an amount like 18 or 18.00")]
    NotAnAmount,
    #[error("must be between 0 and 99,999.99")]
    OutOfRange,
}

impl Price {
    /// Reads what was typed; a leading `$` and thousands separators are allowed.
    pub fn parse(typed: &str) -> Result<Self, InvalidPrice> {
        let typed = typed.trim().trim_start_matches('$');
        let (dollars, cents) = typed.split_at(typed.find('.').unwrap_or(typed.len()));
        let dollars = without_separators(dollars.trim()).ok_or(InvalidPrice::NotAnAmount)?;
        let plain = dollars + cents;
        let digits_only = plain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let mut amount = match plain.parse::<Decimal>() {
            Ok(amount) if digits_only => amount,
            _ => return Err(InvalidPrice::NotAnAmount),
        };
        // As typed: a number with very many decimals is rounded when it is read.
        if cents.trim_end_matches('0').len() > ".99".len() {
            return Err(InvalidPrice::NotAnAmount);
        }
        if amount > Decimal::new(9_999_999, 2) {
            return Err(InvalidPrice::OutOfRange);
        }
        amount.rescale(2);
        Ok(Self(amount))
    }

    /// Takes a price that is stored already.
    pub fn stored(amount: Decimal) -> Self {
        Self(amount)
    }

    /// The amount, with two decimals.
    pub fn amount(self) -> Decimal {
        self.0
    }
}

/// What the café knows about a bean beside its stock, as staff enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeanDetails {
    pub supplier: SupplierId,
    /// The supplier's word for it, by which updates name it.
    pub bean_type: BeanType,
    /// What the café calls it.
    pub product_name: ShortText<255>,
    /// US dollars a bag.
    pub price: Price,
    /// A sentence or two.
    pub description: ShortText<1000>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bean_types_match_without_regard_to_case() {
        let typed = BeanType::parse(" liberica ").unwrap();

        assert_eq!(typed.key(), BeanType::parse("LIBERICA").unwrap().key());
    }

    #[test]
    fn bags_are_whole_and_within_limits() {
        assert_eq!(Bags::parse_typed("1,000", 1).unwrap().get(), 1_000);
        assert_eq!(Bags::parse_typed(" 12 ", 1).unwrap().get(), 12);
        assert_eq!(Bags::parse_typed("0", 0).unwrap().get(), 0);
        for (typed, min, error) in [
            ("twelve", 1, InvalidBags::NotAWholeNumber),
            ("1.5", 1, InvalidBags::NotAWholeNumber),
            ("", 1, InvalidBags::NotAWholeNumber),
            ("0", 1, InvalidBags::OutOfRange { min: 1 }),
            ("-3", 0, InvalidBags::OutOfRange { min: 0 }),
            ("1000001", 1, InvalidBags::OutOfRange { min: 1 }),
            ("1,5", 1, InvalidBags::NotAWholeNumber),
            (
                "99999999999999999999999",
                1,
                InvalidBags::OutOfRange { min: 1 },
            ),
        ] {
            assert_eq!(Bags::parse_typed(typed, min), Err(error), "{typed}");
        }
    }

    #[test]
    fn stock_is_whole_bags_within_what_a_cafe_can_hold() {
        for (typed, bags) in [
            ("0", 0),
            (" 12 ", 12),
            ("1,000", 1_000),
            ("1 000 000 000", MAX_STOCK),
        ] {
            assert_eq!(BagsInStock::parse_typed(typed).unwrap().get(), bags);
        }
        for (typed, error) in [
            (" ", InvalidBagsInStock::Empty),
            ("1.5", InvalidBagsInStock::NotAWholeNumber),
            ("1,5", InvalidBagsInStock::NotAWholeNumber),
            ("1,0000", InvalidBagsInStock::NotAWholeNumber),
            (",000", InvalidBagsInStock::NotAWholeNumber),
            ("1,", InvalidBagsInStock::NotAWholeNumber),
            ("-1", InvalidBagsInStock::OutOfRange),
            ("1000000001", InvalidBagsInStock::OutOfRange),
            ("99999999999999999999", InvalidBagsInStock::OutOfRange),
        ] {
            assert_eq!(BagsInStock::parse_typed(typed), Err(error), "{typed}");
        }
    }

    #[test]
    fn a_price_is_money_with_two_decimals() {
        for (typed, shown) in [
            ("18", "18.00"),
            ("$18.5", "18.50"),
            ("1,200.10", "1200.10"),
            ("12,000", "12000.00"),
            ("18.000", "18.00"),
            ("0", "0.00"),
        ] {
            assert_eq!(Price::parse(typed).unwrap().amount().to_string(), shown);
        }
        for bad in [
            "17.99999999999999999999999999999999",
            "0.000000000000000000000000000000000001",
            "",
            "abc",
            "1e5",
            "-1",
            "18.005",
            "1.2.3",
            "+5",
            "1,2.3",
            "1,50",
            "1,0000",
            ",5",
            "1.000,50",
            "1.5,000",
            "$",
            ".",
        ] {
            assert_eq!(Price::parse(bad), Err(InvalidPrice::NotAnAmount), "{bad}");
        }
        assert_eq!(Price::parse("100000"), Err(InvalidPrice::OutOfRange));
    }
}
