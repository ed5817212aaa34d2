//! Prices, bags and ids, which may have come as any text.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Cleaned, decode};
use crate::domain::{
    BagsInStock, InvalidBagsInStock, InvalidPrice, MAX_STOCK, Price, parse_integer, quote,
};

/// Reads a price. What is none becomes 0.00, which somebody can see and correct.
pub(in crate::adopt) fn price(raw: Option<&str>, is_text: bool) -> Cleaned<Decimal> {
    let mut price = read_price(raw);
    let (decoded, _) = decode(raw.unwrap_or_default());
    if let Some((one, other)) = two_meanings(without_dollars(&decoded)).filter(|_| is_text) {
        price.notes = vec![format!(
            "price {} could mean {one} or {other}; it is {} until somebody corrects it",
            quote(&decoded),
            price.value
        )];
    }
    price
}

/// What a text could mean in which a point may stand before decimals or between thousands: both.
fn two_meanings(text: &str) -> Option<(Decimal, String)> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let may_be_thousands = (1..=3).contains(&whole.len())
        && digits(whole)
        && !whole.starts_with('0')
        && fraction.len() == 3
        && digits(fraction);
    let exact: Decimal = text.parse().ok().filter(|_| may_be_thousands)?;
    Some((exact.normalize(), format!("{whole},{fraction}")))
}

fn read_price(raw: Option<&str>) -> Cleaned<Decimal> {
    let zero = |why: &str| {
        let note = format!("{why}, so it is 0.00 until somebody corrects it");
        Cleaned::noted(Decimal::new(0, 2), note)
    };
    let (decoded, _) = decode(raw.unwrap_or_default());
    let amount = without_dollars(&decoded);
    if amount.is_empty() {
        return zero("has no price");
    }
    let amount = &without_separators(amount);
    if amount.contains(',') {
        return zero(&format!("price {} cannot be read", quote(&decoded)));
    }
    match Price::parse(amount) {
        Ok(price) => return Cleaned::as_it_is(price.amount()),
        Err(InvalidPrice::OutOfRange) => {
            return zero(&format!("price {} is above 99,999.99", quote(&decoded)));
        }
        Err(InvalidPrice::NotAnAmount) => {}
    }
    let Some(exact) = number(amount) else {
        return zero(&format!("price {} cannot be read", quote(&decoded)));
    };
    if exact < Decimal::ZERO {
        return zero(&format!("price {} is negative", quote(&decoded)));
    }
    let mut rounded = exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(2);
    match Price::parse(&rounded.to_string()) {
        Ok(price) if price.amount() == exact => Cleaned::as_it_is(price.amount()),
        Ok(price) => {
            let price = price.amount();
            let note = format!("price {} is rounded to {price}", quote(&decoded));
            Cleaned::noted(price, note)
        }
        Err(_) => zero(&format!("price {} is above 99,999.99", quote(&decoded))),
    }
}

/// Takes off the ways to write US dollars.
fn without_dollars(text: &str) -> &str {
    const DOLLARS: [&str; 6] = ["US$", "us$", "USD", "usd", "Usd", "$"];
    let mut amount = text.trim();
    for sign in DOLLARS {
        amount = amount.strip_prefix(sign).unwrap_or(amount).trim();
        amount = amount.strip_suffix(sign).unwrap_or(amount).trim();
    }
    amount
}

/// Takes the commas out that stand between thousands, if all of them do.
fn without_separators(amount: &str) -> String {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let mut groups = whole.trim_start_matches(['+', '-']).split(',');
    // `0,500` is a half, where commas are decimal points.
    let starts = |first: &str| (1..=3).contains(&first.len()) && !first.starts_with('0');
    if groups.next().is_some_and(starts)
        && groups.all(|three| three.len() == 3)
        && !fraction.contains(',')
    {
        return amount.replace(',', "");
    }
    amount.to_owned()
}

/// Reads a number as programs write it, like `-1.5` or `1e3`.
fn number(text: &str) -> Option<Decimal> {
    let exponent = || Decimal::from_scientific(text).ok();
    text.parse().ok().or_else(exponent)
}

/// Reads a number of bags. What is none becomes 0, which somebody can see and correct.
pub(in crate::adopt) fn quantity(raw: Option<&str>, is_text: bool) -> Cleaned<i64> {
    let mut bags = read_quantity(raw);
    let (decoded, _) = decode(raw.unwrap_or_default());
    if let Some((one, other)) = two_meanings(decoded.trim()).filter(|_| is_text) {
        bags.notes = vec![format!(
            "quantity {} could mean {one} or {other}; it is {} until somebody counts the bags",
            quote(&decoded),
            bags.value
        )];
    }
    bags
}

fn read_quantity(raw: Option<&str>) -> Cleaned<i64> {
    let zero = |why: &str| {
        let note = format!("{why}, so it is 0 until somebody counts the bags");
        Cleaned::noted(0, note)
    };
    let (decoded, _) = decode(raw.unwrap_or_default());
    let quoted = quote(&decoded);
    let typed = decoded.trim();
    if typed.starts_with('-') && number(typed).is_some_and(|bags| bags < Decimal::ZERO) {
        return zero(&format!("quantity {quoted} is negative"));
    }
    if typed.starts_with("0,") {
        return zero(&format!("quantity {quoted} cannot be read"));
    }
    match whole_bags(typed) {
        Ok((bags, true)) => Cleaned::as_it_is(bags),
        Ok((bags, false)) => {
            let note = format!("quantity {quoted} is rounded down to {bags}");
            Cleaned::noted(bags, note)
        }
        Err(InvalidBagsInStock::Empty) => zero("has no quantity"),
        Err(InvalidBagsInStock::NotAWholeNumber) => {
            zero(&format!("quantity {quoted} cannot be read"))
        }
        Err(InvalidBagsInStock::OutOfRange) if typed.starts_with('-') => {
            zero(&format!("quantity {quoted} is negative"))
        }
        Err(InvalidBagsInStock::OutOfRange) => {
            let note = format!(
                "quantity {quoted} is more than any café can hold, so it is {MAX_STOCK} until \
                 somebody counts the bags"
            );
            Cleaned::noted(MAX_STOCK, note)
        }
    }
}

/// Reads a number of bags, and tells whether it was whole.
fn whole_bags(typed: &str) -> Result<(i64, bool), InvalidBagsInStock> {
    let plain = BagsInStock::parse_typed(typed);
    if plain != Err(InvalidBagsInStock::NotAWholeNumber) {
        return plain.map(|bags| (bags.get(), true));
    }
    if let Some((whole, fraction)) = typed.split_once('.') {
        let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let bags = BagsInStock::parse_typed(if whole.is_empty() { "0" } else { whole });
        if digits && bags != Err(InvalidBagsInStock::NotAWholeNumber) {
            let is_whole = fraction.bytes().all(|byte| byte == b'0');
            return bags.map(|bags| (bags.get(), is_whole));
        }
    }
    let number = number(typed).ok_or(InvalidBagsInStock::NotAWholeNumber)?;
    let floor = BagsInStock::parse_typed(&number.floor().normalize().to_string());
    floor.map(|bags| (bags.get(), number.fract().is_zero()))
}

/// JavaScript, in which the café's public site is written, reads ids up to 9,007,199,254,740,991
/// exactly; the rows that come after the largest one need some too.
pub(in crate::adopt) const MAX_ID: i64 = 9_000_000_000_000_000;

/// Reads an id that can be kept.
pub(in crate::adopt) fn usable_id(raw: Option<&str>) -> Option<i64> {
    let id = integer(raw?)?;
    (1..=MAX_ID).contains(&id).then_some(id)
}

/// What two ids share when they mean the same row, also if the id cannot be kept.
pub(in crate::adopt) fn id_key(raw: Option<&str>) -> Option<String> {
    let raw = raw?.trim();
    let key = integer(raw).map_or_else(|| raw.to_owned(), |id| id.to_string());
    (!key.is_empty()).then_some(key)
}

/// Reads a whole number, which a column of another type may show with decimals.
fn integer(raw: &str) -> Option<i64> {
    let raw = raw.trim();
    let (whole, fraction) = raw.split_once('.').unwrap_or((raw, ""));
    let is_whole = fraction.bytes().all(|byte| byte == b'0');
    is_whole.then(|| parse_integer(whole))?
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn prices_that_can_be_read_are_taken_as_they_are() {
        for (raw, expected) in [
            ("18", "18.00"),
            ("18.0", "18.00"),
            (" $18 ", "18.00"),
            ("&#36;18", "18.00"),
            ("USD 1,200.5", "1200.50"),
            ("18 $", "18.00"),
            ("18.", "18.00"),
            (".5", "0.50"),
            ("+5", "5.00"),
            ("1.8e1", "18.00"),
            ("-0", "0.00"),
        ] {
            let cleaned = price(Some(raw), false);
            assert_eq!(cleaned.value.to_string(), expected, "{raw}");
            assert!(cleaned.notes.is_empty(), "{raw}");
        }
    }

    #[test]
    fn prices_that_change_say_why() {
        let corrected = "so it is 0.00 until somebody corrects it";
        for (raw, expected, why) in [
            (
                Some("18.005"),
                "18.01",
                "price “18.005” is rounded to 18.01".to_owned(),
            ),
            (
                Some("1,800.505"),
                "1800.51",
                "price “1,800.505” is rounded to 1800.51".to_owned(),
            ),
            (
                Some("3.3000000000000003"),
                "3.30",
                "price “3.3000000000000003” is rounded to 3.30".to_owned(),
            ),
            (None, "0.00", format!("has no price, {corrected}")),
            (Some("$"), "0.00", format!("has no price, {corrected}")),
            (
                Some("twelve"),
                "0.00",
                format!("price “twelve” cannot be read, {corrected}"),
            ),
            (
                Some("18,50"),
                "0.00",
                format!("price “18,50” cannot be read, {corrected}"),
            ),
            (
                Some("-3"),
                "0.00",
                format!("price “-3” is negative, {corrected}"),
            ),
            (
                Some("-0.001"),
                "0.00",
                format!("price “-0.001” is negative, {corrected}"),
            ),
            (
                Some("1e20"),
                "0.00",
                format!("price “1e20” is above 99,999.99, {corrected}"),
            ),
            (
                Some("99999.995"),
                "0.00",
                format!("price “99999.995” is above 99,999.99, {corrected}"),
            ),
        ] {
            let cleaned = price(raw, false);
            assert_eq!(cleaned.value.to_string(), expected, "{raw:?}");
            assert_eq!(cleaned.notes, [why], "{raw:?}");
        }
    }

    #[test]
    fn a_text_that_can_be_read_in_two_ways_is_told() {
        let bags = quantity(Some("1.000"), true);
        assert_eq!(bags.value, 1);
        assert_eq!(
            bags.notes,
            ["quantity “1.000” could mean 1 or 1,000; it is 1 until somebody counts the bags"]
        );
        let money = price(Some("$1.250"), true);
        assert_eq!(money.value.to_string(), "1.25");
        assert!(money.notes[0].contains("could mean 1.25 or 1,250"));
        for plain in ["1.00", "1000", "0.500", "1,000", "1.0000"] {
            assert!(
                quantity(Some(plain), true)
                    .notes
                    .iter()
                    .all(|n| !n.contains("could"))
            );
        }
        assert!(quantity(Some("1.000"), false).notes.is_empty(), "a number");
    }

    /// Where commas may be decimal points, nothing is guessed.
    #[test]
    fn commas_that_do_not_stand_between_thousands_are_not_read() {
        for raw in ["0,500", ",100", "1800,505", "18,5", "1,80,000"] {
            let cleaned = price(Some(raw), false);
            assert_eq!(cleaned.value, Decimal::ZERO, "{raw}");
            assert!(cleaned.notes.concat().contains("cannot be read"), "{raw}");
        }
    }

    #[test]
    fn quantities_become_whole_bags() {
        for (raw, bags, note) in [
            (Some("12"), 12, ""),
            (Some("1,000"), 1_000, ""),
            (Some("12.0"), 12, ""),
            (Some("1e3"), 1_000, ""),
            (Some("-0"), 0, ""),
            (Some("12.5"), 12, "quantity “12.5” is rounded down to 12"),
            (
                Some("1,000.9"),
                1_000,
                "quantity “1,000.9” is rounded down to 1000",
            ),
            (Some(".5"), 0, "quantity “.5” is rounded down to 0"),
            (None, 0, "has no quantity"),
            (Some(" "), 0, "has no quantity"),
            (Some("many"), 0, "quantity “many” cannot be read"),
            (Some("1,5"), 0, "quantity “1,5” cannot be read"),
            (Some("0,500"), 0, "quantity “0,500” cannot be read"),
            (Some("-4"), 0, "quantity “-4” is negative"),
            (Some("-1,000"), 0, "quantity “-1,000” is negative"),
            (Some("-0.5"), 0, "quantity “-0.5” is negative"),
            (
                Some("1000000001"),
                MAX_STOCK,
                "quantity “1000000001” is more than",
            ),
            (Some("1e20"), MAX_STOCK, "quantity “1e20” is more than"),
        ] {
            let cleaned = quantity(raw, false);
            assert_eq!(cleaned.value, bags, "{raw:?}");
            assert!(cleaned.notes.concat().starts_with(note), "{cleaned:?}");
            assert_eq!(cleaned.notes.is_empty(), note.is_empty(), "{raw:?}");
        }
    }

    #[test]
    fn ids_are_kept_if_they_can_be() {
        for (raw, id, key) in [
            (Some("7"), Some(7), Some("7")),
            (Some(" 007.00 "), Some(7), Some("7")),
            (Some("0"), None, Some("0")),
            (Some("-1"), None, Some("-1")),
            (Some("7.5"), None, Some("7.5")),
            (Some("abc"), None, Some("abc")),
            (Some("9000000000000001"), None, Some("9000000000000001")),
            (Some(" "), None, None),
            (None, None, None),
        ] {
            assert_eq!(
                (usable_id(raw), id_key(raw).as_deref()),
                (id, key),
                "{raw:?}"
            );
        }
    }
}
