//! How a page becomes a response, and how values look on it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::fmt::Write as _;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::web::http::error::WebError;

/// The content type of every page.
pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A template to be rendered as a response.
pub(crate) struct Page<T>(pub(crate) StatusCode, pub(crate) T);

impl<T: Template> Page<T> {
    /// A page that is what was asked for.
    pub(crate) fn ok(template: T) -> Self {
        Self(StatusCode::OK, template)
    }
}

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.1.render() {
            Ok(html) => (self.0, [(CONTENT_TYPE, HTML)], html).into_response(),
            Err(error) => WebError::internal(error).into_response(),
        }
    }
}

/// Writes a number with thousands separators.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let sign = if number < 0 { "−" } else { "" };
    let mut text = String::with_capacity(digits.len() * 4 / 3 + sign.len());
    text.push_str(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As many are counted; more are “10,000+”.
pub(crate) const COUNTED: i64 = 10_000;

/// Writes a number that was counted up to one more than [`COUNTED`].
fn counted(number: i64) -> String {
    if number > COUNTED {
        format!("{}+", grouped(COUNTED))
    } else {
        grouped(number)
    }
}

/// Makes a link of an email address; what could end the address and add a header is encoded.
fn mailto(address: &str) -> String {
    let mut link = "mailto:".to_owned();
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte) {
            link.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ok = write!(link, "%{byte:02X}");
        }
    }
    link
}

/// A moment as people read it, where the zone is named elsewhere.
pub(crate) fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .format("%-d %b %Y, %H:%M:%S")
        .to_string()
}

/// The filters of our templates.
#[expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "what the macro makes of these functions"
)]
pub(crate) mod filters {
    use std::borrow::Borrow;

    use askama::Values;
    use chrono::{DateTime, SecondsFormat, Utc};
    use chrono_tz::Tz;

    /// `8450` → `8,450`.
    #[askama::filter_fn]
    pub(crate) fn grouped(number: impl Borrow<i64>, _: &dyn Values) -> askama::Result<String> {
        Ok(super::grouped(*number.borrow()))
    }

    /// `8450` → `8,450`, `10001` → `10,000+`.
    #[askama::filter_fn]
    pub(crate) fn counted(number: impl Borrow<i64>, _: &dyn Values) -> askama::Result<String> {
        Ok(super::counted(*number.borrow()))
    }

    /// `9` → `+9`, `-4` → `−4`.
    #[askama::filter_fn]
    pub(crate) fn signed(number: impl Borrow<i64>, _: &dyn Values) -> askama::Result<String> {
        let number = *number.borrow();
        let plus = if number > 0 { "+" } else { "" };
        Ok(format!("{plus}{}", super::grouped(number)))
    }

    /// `info@example.com` → `mailto:info@example.com`.
    #[askama::filter_fn]
    pub(crate) fn mailto(address: &str, _: &dyn Values) -> askama::Result<String> {
        Ok(super::mailto(address))
    }

    /// The moment as people read it, to the second, with the name of the zone.
    #[askama::filter_fn]
    pub(crate) fn readable(
        at: &DateTime<Utc>,
        _: &dyn Values,
        zone: &Tz,
    ) -> askama::Result<String> {
        let at = at.with_timezone(zone);
        Ok(at.format("%-d %b %Y, %H:%M:%S %Z").to_string())
    }

    /// The moment in a column that names the zone.
    #[askama::filter_fn]
    pub(crate) fn moment(at: &DateTime<Utc>, _: &dyn Values, zone: &Tz) -> askama::Result<String> {
        Ok(super::moment(*at, *zone))
    }

    /// The moment to the minute, for tiles.
    #[askama::filter_fn]
    pub(crate) fn short(at: &DateTime<Utc>, _: &dyn Values, zone: &Tz) -> askama::Result<String> {
        let at = at.with_timezone(zone);
        Ok(at.format("%-d %b, %H:%M").to_string())
    }

    /// The time of day, for pages that are looked at again and again.
    #[askama::filter_fn]
    pub(crate) fn clock(at: &DateTime<Utc>, _: &dyn Values, zone: &Tz) -> askama::Result<String> {
        let at = at.with_timezone(zone);
        Ok(at.format("%H:%M:%S %Z").to_string())
    }

    /// The moment as machines read it.
    #[askama::filter_fn]
    pub(crate) fn iso(at: &DateTime<Utc>, _: &dyn Values) -> askama::Result<String> {
        Ok(at.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-12_345, "−12,345"),
            (1_000_000_000, "1,000,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_moment_is_shown_for_people_and_for_machines() {
        #[derive(Template)]
        #[template(
            source = "{{ at|iso }} {{ at|readable(zone) }}; {{ at|moment(zone) }}; {{ at|clock(zone) }}; \
                      {{ more|signed }}",
            ext = "txt"
        )]
        struct Sample {
            at: DateTime<chrono::Utc>,
            zone: chrono_tz::Tz,
            more: i64,
        }
        let at = DateTime::from_timestamp(1_795_344_127, 0).unwrap();

        let zone = chrono_tz::Europe::Berlin;
        let more = 1_009;
        let text = Sample { at, zone, more }.render().unwrap();

        assert_eq!(
            text,
            "2026-11-22T10:42:07.000000Z 22 Nov 2026, 11:42:07 CET; 22 Nov 2026, 11:42:07; \
             11:42:07 CET; +1,009"
        );
    }

    #[test]
    fn an_email_link_cannot_carry_more_than_its_address() {
        assert_eq!(mailto("a.b+c@d.com"), "mailto:a.b+c@d.com");
        assert_eq!(mailto("a?bcc=é@d"), "mailto:a%3Fbcc%3D%C3%A9@d");
    }
}
