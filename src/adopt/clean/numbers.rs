//! Prices, bags and ids, which may have come as any text.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Cleaned, decode};
use crate::domain::{BagsInStock, Price, parse_integer, quote};

/// Reads a price. What is none becomes 0.00, which somebody can see and correct.
pub(in crate::adopt) fn price(raw: Option<&str>) -> Cleaned<Decimal> {
    let decoded = decode(raw.unwrap_or_default()).0;
    let typed = decoded.trim().trim_start_matches('$');
    if let Ok(price) = Price::parse(typed) {
        return Cleaned::as_it_is(price.amount());
    }
    let rounded = typed.parse::<Decimal>().ok().and_then(|exact| {
        let strategy = RoundingStrategy::MidpointAwayFromZero;
        let rounded = exact.round_dp_with_strategy(2, strategy);
        let price = Price::parse(&rounded.to_string()).ok()?.amount();
        Some((exact, price))
    });
    match rounded {
        Some((exact, price)) if exact == price => Cleaned::as_it_is(price),
        Some((_, price)) => {
            let note = format!("price {} is rounded to {price}", quote(&decoded));
            Cleaned::noted(price, note)
        }
        None => {
            let note = unusable("price", typed, "it is 0.00 until somebody corrects it");
            Cleaned::noted(Decimal::new(0, 2), note)
        }
    }
}

/// Reads a number of bags. What is none becomes 0, which somebody can see and correct.
pub(in crate::adopt) fn quantity(raw: Option<&str>) -> Cleaned<i64> {
    let decoded = decode(raw.unwrap_or_default()).0;
    let typed = decoded.trim();
    let whole = typed.split_once('.').map_or(typed, |(whole, _)| whole);
    let exact = typed.replace(',', "").parse::<Decimal>().ok();
    match (BagsInStock::parse_typed(whole), exact) {
        (Ok(bags), Some(exact)) if !exact.is_sign_negative() => {
            if exact.fract().is_zero() {
                return Cleaned::as_it_is(bags.get());
            }
            let note = format!(
                "quantity {} is rounded down to {}",
                quote(typed),
                bags.get()
            );
            Cleaned::noted(bags.get(), note)
        }
        _ => {
            let note = unusable("quantity", typed, "it is 0 until somebody counts the bags");
            Cleaned::noted(0, note)
        }
    }
}

fn unusable(what: &str, typed: &str, instead: &str) -> String {
    if typed.is_empty() {
        return format!("has no {what}, so {instead}");
    }
    format!("{what} {} cannot be used, so {instead}", quote(typed))
}

/// JavaScript, in which the café's public site is written, reads ids up to 9,007,199,254,740,991
/// exactly; the rows that come after the largest one need some too.
pub(in crate::adopt) const MAX_ID: i64 = 9_000_000_000_000_000;

/// Reads an id that can be kept.
pub(in crate::adopt) fn usable_id(raw: Option<&str>) -> Option<i64> {
    let id = parse_integer(raw?.trim())?;
    (1..=MAX_ID).contains(&id).then_some(id)
}

/// What two ids share when they mean the same row, also if the id cannot be kept.
pub(in crate::adopt) fn id_key(raw: Option<&str>) -> Option<String> {
    let raw = raw?.trim();
    let key = parse_integer(raw).map_or_else(|| raw.to_owned(), |id| id.to_string());
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_that_can_be_read_are_taken_as_they_are() {
        for (raw, expected) in [
            ("18", "18.00"),
            ("18.5", "18.50"),
            (" $18 ", "18.00"),
            ("1,200.50", "1200.50"),
        ] {
            assert_eq!(price(Some(raw)).value.to_string(), expected, "{raw}");
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
                Some("3.3000000000000003"),
                "3.30",
                "price “3.3000000000000003” is rounded to 3.30".to_owned(),
            ),
            (None, "0.00", format!("has no price, {corrected}")),
            (
                Some("twelve"),
                "0.00",
                format!("price “twelve” cannot be used, {corrected}"),
            ),
            (
                Some("18,50"),
                "0.00",
                format!("price “18,50” cannot be used, {corrected}"),
            ),
            (
                Some("-3"),
                "0.00",
                format!("price “-3” cannot be used, {corrected}"),
            ),
            (
                Some("100000"),
                "0.00",
                format!("price “100000” cannot be used, {corrected}"),
            ),
        ] {
            let cleaned = price(raw);
            assert_eq!(cleaned.value.to_string(), expected, "{raw:?}");
            assert_eq!(cleaned.notes, [why], "{raw:?}");
        }
    }

    #[test]
    fn quantities_become_whole_bags() {
        for (raw, bags, note) in [
            (Some("12"), 12, ""),
            (Some("1,000"), 1_000, ""),
            (Some("12.0"), 12, ""),
            (Some("12.5"), 12, "quantity “12.5” is rounded down to 12"),
            (None, 0, "has no quantity"),
            (Some("many"), 0, "quantity “many” cannot be used"),
            (Some("1,5"), 0, "quantity “1,5” cannot be used"),
            (Some("-4"), 0, "quantity “-4” cannot be used"),
            (Some("-0.5"), 0, "quantity “-0.5” cannot be used"),
            (Some("1000000001"), 0, "quantity “1000000001” cannot"),
        ] {
            let cleaned = quantity(raw);
            assert_eq!(cleaned.value, bags, "{raw:?}");
            assert!(cleaned.notes.concat().starts_with(note), "{cleaned:?}");
            assert_eq!(cleaned.notes.is_empty(), note.is_empty(), "{raw:?}");
        }
    }

    #[test]
    fn ids_are_kept_if_they_can_be() {
        for (raw, id, key) in [
            (Some("7"), Some(7), Some("7")),
            (Some(" 007 "), Some(7), Some("7")),
            (Some("0"), None, Some("0")),
            (Some("-1"), None, Some("-1")),
            (Some("7.5"), None, Some("7.5")),
            (Some("abc"), None, Some("abc")),
            (Some("9000000000000001"), None, Some("9000000000000001")),
            (Some(" "), None, None),
            (None, None, None),
        ] {
            let read = (usable_id(raw), id_key(raw));
            assert_eq!((read.0, read.1.as_deref()), (id, key), "{raw:?}");
        }
    }
}
