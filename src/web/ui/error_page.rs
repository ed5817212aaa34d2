//! The page that tells a visitor what went wrong.

use askama::Template;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::layout::Layout;
use super::page::HTML;
use crate::web::http::error::WebError;
use crate::web::paths;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    layout: Layout,
    heading: &'a str,
    text: &'a str,
    request_id: Option<&'a str>,
}

/// Renders an error as a page in the normal layout. Errors of ours show the id to mention.
pub(crate) fn render(error: &WebError, request_id: &str) -> Response {
    let (heading, text) = error.words();
    let page = ErrorPage {
        layout: Layout::nowhere(),
        heading,
        text,
        request_id: error.status().is_server_error().then_some(request_id),
    };
    let html = page.render().unwrap_or_else(|_| heading.to_owned());
    ([(CONTENT_TYPE, HTML)], html).into_response()
}
