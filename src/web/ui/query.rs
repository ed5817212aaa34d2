//! What the query string of an address chooses.

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::web::http::error::WebError;

/// The address of a page with these choices; those that are empty are left out.
pub(crate) fn address(page: &str, choices: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let chosen = choices.iter().filter(|(_, value)| !value.is_empty());
    query.extend_pairs(chosen);
    let query = query.finish();
    let sign = if query.is_empty() { "" } else { "?" };
    format!("{page}{sign}{query}")
}

/// The choices in an address's query. What cannot be read counts as not chosen.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> Query<T> {
    pub(crate) fn of(uri: &Uri) -> T {
        let query = axum::extract::Query::try_from_uri(uri);
        query.map(|query| query.0).unwrap_or_default()
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequestParts<S> for Query<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        Ok(Self(Self::of(&parts.uri)))
    }
}
