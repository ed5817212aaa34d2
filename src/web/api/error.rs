//! Errors as JSON.

use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use crate::web::http::layers::Failure;

/// What browsers need to let the café's public site read an answer, be it beans or an error.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    ),
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
];

/// Renders an error as `{"error": "…"}`; the request id is in a header.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is that of all renderers"
)]
pub(crate) fn render(failure: Failure<'_>) -> Response {
    let body = serde_json::json!({ "error": failure.error.to_string() }).to_string();
    (HEADERS, body).into_response()
}
