//! The two cookies of the site: who is signed in, and which browser this is. Neither can be read by scripts,
//! and other sites do not send them with forms (`SameSite=Lax`).

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use time::Duration;

use super::ingress::Ingress;
use crate::accounts::{Opened, Token};
use crate::db::sessions::SessionLimits;

const SESSION: &str = "beanstock-session";
const BROWSER: &str = "beanstock-browser";

/// Browsers take a cookie of this name only over https, for this host alone and for all of it (RFC 6265bis,
/// 4.1.3.2), so that nobody beside us can plant one.
const HOST_PREFIX: &str = "__Host-";

/// As long as an earlier sign-in is remembered.
const ONE_YEAR: i64 = 365;

/// The session's token that a browser brings.
pub(crate) fn session(headers: &HeaderMap, ingress: &Ingress) -> Option<Token> {
    read(headers, ingress, SESSION)
}

/// What an earlier sign-in left in a browser.
pub(crate) fn browser(headers: &HeaderMap, ingress: &Ingress) -> Option<Token> {
    read(headers, ingress, BROWSER)
}

fn read(headers: &HeaderMap, ingress: &Ingress, name: &str) -> Option<Token> {
    let jar = CookieJar::from_headers(headers);
    Token::parse(jar.get(&full_name(ingress, name))?.value())
}

/// What a browser keeps of a session that has begun.
pub(crate) fn opened(opened: &Opened, ingress: &Ingress, limits: SessionLimits) -> CookieJar {
    let lasts = Duration::try_from(limits.absolute);
    let lasts = lasts.unwrap_or(Duration::MAX);
    CookieJar::new()
        .add(kept(ingress, SESSION, &opened.session, lasts))
        .add(kept(
            ingress,
            BROWSER,
            &opened.browser,
            Duration::days(ONE_YEAR),
        ))
}

/// Has a browser forget its session.
pub(crate) fn closed(ingress: &Ingress) -> CookieJar {
    let name = full_name(ingress, SESSION);
    let mut cookie = bare(ingress, name, String::new());
    cookie.set_max_age(Duration::ZERO);
    CookieJar::new().add(cookie)
}

fn kept(ingress: &Ingress, name: &str, token: &Token, lasts: Duration) -> Cookie<'static> {
    let name = full_name(ingress, name);
    let mut cookie = bare(ingress, name, token.expose().to_owned());
    cookie.set_max_age(lasts);
    cookie
}

fn bare(ingress: &Ingress, name: String, value: String) -> Cookie<'static> {
    Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(ingress.is_https())
        .build()
}

fn full_name(ingress: &Ingress, name: &str) -> String {
    let prefix = if ingress.is_https() { HOST_PREFIX } else { "" };
    format!("{prefix}{name}")
}
