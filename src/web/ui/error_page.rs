//! The page that tells somebody what went wrong, with what they had typed.

use askama::Template;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::layout::Layout;
use super::page::HTML;
use crate::web::http::error::WebError;
use crate::web::http::kept_form::KeptForm;
use crate::web::http::layers::Failure;
use crate::web::paths;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    layout: Layout,
    heading: &'a str,
    text: &'a str,
    request_id: Option<&'a str>,
    /// What can be sent again as it is.
    again: Option<KeptForm>,
    /// What can only be copied.
    typed: Option<KeptForm>,
}

impl ErrorPage<'_> {
    /// What somebody typed of a form that is too large, without what the form itself put there.
    fn texts(form: &KeptForm) -> Vec<&str> {
        let texts = form.fields.iter().map(|(_, value)| value.as_str());
        texts.filter(|text| text.len() > 64).collect()
    }
}

/// Renders an error as a page in the normal layout. Errors of ours show the id to mention.
pub(crate) fn render(failure: Failure<'_>) -> Response {
    let Failure { error, state, .. } = failure;
    let (heading, text) = error.words();
    let can_be_sent_again = error.is_passing() && *failure.method == Method::POST;
    let (again, typed) = if can_be_sent_again {
        (failure.kept, None)
    } else {
        (None, failure.kept)
    };
    let page = ErrorPage {
        layout: Layout {
            // No entry of the navigation leads to this page.
            path: String::new(),
            ..Layout::at(failure.uri, state.clock.now(), failure.viewer, &state.rules)
        },
        heading,
        text,
        request_id: error
            .status()
            .is_server_error()
            .then_some(failure.request_id),
        again,
        typed: typed.filter(|_| matches!(error, WebError::TooLarge)),
    };
    let html = page.render().unwrap_or_else(|_| heading.to_owned());
    ([(CONTENT_TYPE, HTML)], html).into_response()
}
