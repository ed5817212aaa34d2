//! Forms on their way in: each arrives in time and within its size, and a copy is kept, so that nobody has to
//! type again what could not be saved.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;
use url::form_urlencoded;

use super::error::WebError;
use crate::web::paths;

/// The largest form: more than any honest one, with every field at its limit and all of it escaped.
pub(crate) const MAX_FORM_BYTES: usize = 64 * 1024;

/// How long a form may take to arrive; 64 KiB need no more on the slowest phone.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(20);

/// What is too large to be saved is still shown, up to here.
const MAX_KEPT_BYTES: usize = 8 * MAX_FORM_BYTES;

/// What somebody typed, and where it was to go.
#[derive(Debug, Clone)]
pub(crate) struct KeptForm {
    pub(crate) path: String,
    pub(crate) fields: Arc<[(String, String)]>,
}

impl KeptForm {
    /// Reads a form that was kept inside another one. Only an address of this site is taken.
    pub(crate) fn read(path: &str, encoded: &str) -> Option<Self> {
        paths::is_local(path).then(|| Self::new(path, encoded.as_bytes()))
    }

    fn new(path: &str, encoded: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            fields: form_urlencoded::parse(encoded).into_owned().collect(),
        }
    }

    /// The fields as one text, to be kept inside another form.
    pub(crate) fn encoded(&self) -> String {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(self.fields.iter());
        encoded.finish()
    }
}

/// Receives a form as a whole. If it meets an error, a copy of it is left with the answer.
pub(crate) async fn receive(request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !is_form(request.headers()) {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    let bytes = match timeout(TIME_TO_ARRIVE, to_bytes(body, MAX_KEPT_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return WebError::TooLarge.into_response(),
        Err(_) => return WebError::TooSlow.into_response(),
    };
    let mut response = if bytes.len() > MAX_FORM_BYTES {
        WebError::TooLarge.into_response()
    } else {
        let request = Request::from_parts(parts, Body::from(bytes.clone()));
        next.run(request).await
    };
    let failed = response.extensions().get::<WebError>();
    if failed.is_some_and(WebError::keeps_the_form)
        && let Some(kept) = keep(&path, &bytes)
    {
        response.extensions_mut().insert(kept);
    }
    response
}

/// A form with a password in it is never shown again.
fn keep(path: &str, bytes: &Bytes) -> Option<KeptForm> {
    let kept = KeptForm::new(path, bytes);
    let has_secret = kept
        .fields
        .iter()
        .any(|(name, _)| name.contains("password"));
    (!has_secret).then_some(kept)
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default();
        kind.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}
