//! The static files, built into the program.
//!
//! Links carry a hash of the content, so browsers may keep what they got for ever.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::query::Query;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths;
use crate::web::state::AppState;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::FAVICON, get(show_favicon))
        .route(paths::STATIC, get(show_asset))
}

/// Which version of a file a link asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    v: String,
}

/// A file under `/static/`.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    version: String,
}

/// One year, the longest time browsers honour.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For an address without the current version: keep it, but ask every time.
const ASK_AGAIN: &str = "no-cache";

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "beanstock.css",
        "text/css; charset=utf-8",
        include_bytes!("../../../static/beanstock.css"),
    )
});

static FAVICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "favicon.svg",
        "image/svg+xml",
        include_bytes!("../../../static/favicon.svg"),
    )
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "live.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../../static/live.js"),
    )
});

/// The address of the script that keeps pages up to date.
pub(crate) static SCRIPT_URL: LazyLock<String> = LazyLock::new(|| SCRIPT.url());

/// The address of the style sheet.
pub(crate) static STYLESHEET_URL: LazyLock<String> = LazyLock::new(|| STYLESHEET.url());

/// The address of the icon.
pub(crate) static FAVICON_URL: LazyLock<String> = LazyLock::new(|| FAVICON.url());

impl Asset {
    fn new(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        let digest = Sha256::digest(content);
        Self {
            name,
            content_type,
            content,
            version: format!(
                "{:02x}{:02x}{:02x}{:02x}",
                digest[0], digest[1], digest[2], digest[3]
            ),
        }
    }

    fn url(&self) -> String {
        format!("/static/{}?v={}", self.name, self.version)
    }

    fn respond(&self, uri: &Uri, headers: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", self.version);
        let Asked { v } = Query::of(uri);
        let caching = if v == self.version {
            FOR_EVER
        } else {
            ASK_AGAIN
        };
        let about = [(CACHE_CONTROL, caching.to_owned()), (ETAG, etag.clone())];
        let known = headers
            .get(IF_NONE_MATCH)
            .is_some_and(|tag| tag == etag.as_str());
        if known {
            return (StatusCode::NOT_MODIFIED, about).into_response();
        }
        (about, [(CONTENT_TYPE, self.content_type)], self.content).into_response()
    }
}

/// The file name of an address under `/static/`.
pub(crate) struct FileName(String);

impl<S: Send + Sync> FromRequestParts<S> for FileName {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let missing = WebError::NotFound(Missing::Page);
        match RawPathParams::from_request_parts(parts, state).await {
            Ok(params) => params
                .iter()
                .next()
                .map(|(_, name)| Self(name.to_owned()))
                .ok_or(missing),
            Err(_) => Err(missing),
        }
    }
}

/// Sends a static file.
async fn show_asset(
    FileName(name): FileName,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    [&STYLESHEET, &FAVICON, &SCRIPT]
        .into_iter()
        .find(|asset| asset.name == name)
        .map(|asset| asset.respond(&uri, &headers))
        .ok_or(WebError::NotFound(Missing::Page))
}

/// Sends the icon to browsers that look for it where it always used to be.
async fn show_favicon(uri: Uri, headers: HeaderMap) -> Response {
    FAVICON.respond(&uri, &headers)
}
