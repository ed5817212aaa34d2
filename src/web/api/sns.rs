//! What SNS delivers to us over HTTPS.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::sns_endpoint::{DeliveryError, Request};
use crate::telemetry::chain;
use crate::web::http::error::{Missing, WebError};
use crate::web::state::AppState;

/// Takes a delivery. SNS tries again after 5xx only, and keeps what is refused in the subscription's dead-letter queue.
pub(super) async fn take_delivery(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, WebError> {
    let endpoint = state.sns_endpoint.as_ref();
    let endpoint = endpoint.ok_or(WebError::NotFound(Missing::Page))?;
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    };
    let request = Request {
        message_type: header("x-amz-sns-message-type"),
        is_raw: header("x-amz-sns-rawdelivery") == "true",
        body: &body,
    };
    let error = match endpoint.take(request).await {
        Ok(()) => return Ok(StatusCode::OK.into_response()),
        Err(error) => error,
    };
    let status = match &error {
        error if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
        DeliveryError::Malformed(_) | DeliveryError::Missing(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::FORBIDDEN,
    };
    tracing::warn!(
        topic = header("x-amz-sns-topic-arn"),
        message = header("x-amz-sns-message-id"),
        error = chain(&error),
        "a delivery of SNS is not taken"
    );
    Ok((status, format!("{error}\n")).into_response())
}
