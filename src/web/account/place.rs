//! Where somebody signs in, as far as a request tells.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

use crate::accounts::{Place, Token};
use crate::web::http::cookies;
use crate::web::http::ingress::Client;
use crate::web::state::AppState;

/// What an earlier sign-in left in the browser that asks.
pub(super) fn known_browser(state: &AppState, headers: &HeaderMap) -> Option<Token> {
    cookies::browser(headers, &state.ingress)
}

/// Where somebody signs in.
pub(super) fn place<'a>(
    client: &Client,
    headers: &'a HeaderMap,
    known: Option<&'a Token>,
) -> Place<'a> {
    let browser = headers.get(USER_AGENT).and_then(|name| name.to_str().ok());
    Place {
        address: client.address,
        browser: browser.unwrap_or_default(),
        known,
    }
}
