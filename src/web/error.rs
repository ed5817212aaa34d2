//! What can go wrong from a visitor's point of view, and the page that says so.
//!
//! Handlers return a [`WebError`]; the middleware [`finish`] logs it once and renders its page.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::front::{Front, Visitor};
use super::page::HTML;
use super::{headers, legacy_json, paths};
use crate::catalogue::CatalogueError;
use crate::db::{DbError, Trouble};
use crate::telemetry::chain;

/// A thing that an address may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No page at all.
    Page,
    /// A bean.
    Bean,
    /// A supplier.
    Supplier,
    /// An inventory update.
    Update,
    /// A dead letter.
    Letter,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Page => "page",
            Self::Bean => "bean",
            Self::Supplier => "supplier",
            Self::Update => "update",
            Self::Letter => "dead letter",
        })
    }
}

type Source = Arc<dyn Error + Send + Sync>;

/// An outcome that the visitor has to be told about.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WebError {
    /// There is nothing at this address.
    #[error("no such {0}")]
    NotFound(Missing),
    /// The address does not take this method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The form could not be taken apart.
    #[error("the form could not be read")]
    BadForm,
    /// The form is larger than any honest one.
    #[error("the form is too large")]
    TooLarge,
    /// The form did not arrive in time.
    #[error("the form did not arrive in time")]
    TooSlow,
    /// One visitor asks for too much at once.
    #[error("too many requests at once")]
    TooMany,
    /// Another site sent the form.
    #[error("the form was sent by another site")]
    CrossSite,
    /// The site was asked for under a name that is not its own.
    #[error("the site does not answer to this host")]
    UnknownHost,
    /// The database is away.
    #[error("the database does not answer")]
    Unavailable(#[source] Source),
    /// The database went away while something was being saved; its answer may have been lost.
    #[error("the database does not say whether it was saved")]
    Unsure(#[source] Source),
    /// A mistake of ours.
    #[error("the request could not be handled")]
    Internal(#[source] Source),
}

impl WebError {
    /// The error for a failure nobody expected.
    pub(super) fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(source))
    }

    /// The error for a change that was refused in a way its form cannot show.
    pub(super) fn refused(error: CatalogueError, missing: Missing) -> Self {
        match error {
            CatalogueError::NotFound => Self::NotFound(missing),
            CatalogueError::Db(error) => error.into(),
            error => Self::internal(error),
        }
    }

    /// The same error for a request that was to change something.
    fn when_saving(self) -> Self {
        match self {
            Self::Unavailable(source) => Self::Unsure(source),
            other => other,
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Self::Unavailable(_) | Self::Unsure(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table of sentences")]
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound(Missing::Page) => (
                "That page isn’t on our shelves",
                "Check the address for a slip of the finger, or start from one of these.",
            ),
            Self::NotFound(Missing::Bean) => (
                "That bean isn’t on the list",
                "It was taken off the list, or it never was on it.",
            ),
            Self::NotFound(Missing::Supplier) => (
                "That supplier isn’t on the list",
                "It was taken off the list, or it never was on it.",
            ),
            Self::NotFound(Missing::Letter) => (
                "There is no such message",
                "Check the last characters of the address; one may have been lost in copying.",
            ),
            Self::NotFound(Missing::Update) => (
                "There is no such update",
                "Check the last characters of the address; one may have been lost in copying.",
            ),
            Self::MethodNotAllowed => (
                "That doesn’t work at this address",
                "The page exists, but not for what was asked of it.",
            ),
            Self::BadForm => (
                "We couldn’t read that form",
                "Nothing was saved. Go back, reload the page and send it again.",
            ),
            Self::TooLarge => (
                "That is too much to take in",
                "Nothing was saved. A form can carry 64 KiB; go back and shorten what you typed.",
            ),
            Self::TooSlow => (
                "That form took too long to arrive",
                "Nothing was saved. Go back and send it again, on a better connection if you can.",
            ),
            Self::TooMany => (
                "That was a lot at once",
                "Your address has more requests open than we answer at a time. Try again in a moment.",
            ),
            Self::CrossSite => (
                "That form came from another site",
                "Nothing was saved. Open the page here and fill in the form again.",
            ),
            Self::UnknownHost => (
                "We don’t go by that name",
                "The address in your browser is not one this site knows. Whoever runs it can make it \
                 known with PUBLIC_URL; nothing was saved.",
            ),
            Self::Unavailable(_) => (
                "The stock room is locked for a moment",
                "The database does not answer. Try again in a minute.",
            ),
            Self::Unsure(_) => (
                "The stock room is locked for a moment",
                "The database does not answer. We cannot tell whether it was saved; check the \
                 list before you send it again. Going back shows the form as you filled it in.",
            ),
            Self::Internal(_) => (
                "Something went wrong on our side",
                "It is not your doing, and it was written down for us to look at.",
            ),
        }
    }
}

impl From<DbError> for WebError {
    fn from(error: DbError) -> Self {
        let trouble = error.trouble();
        match (&error, trouble) {
            (
                DbError::Query(_) | DbError::Exhausted { .. },
                Trouble::Unavailable | Trouble::Conflict,
            ) => Self::Unavailable(Arc::new(error)),
            _ => Self::internal(error),
        }
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    heading: &'a str,
    text: &'a str,
    request_id: Option<&'a str>,
}

/// Gives every response its id and headers; turns an error into a line in the log and a page.
pub(super) async fn finish(State(front): State<Front>, request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<Visitor>();
    let visitor = visitor.cloned().expect("everybody was met at the door");
    let request_id = &visitor.request_id;
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(mut error) = response.extensions_mut().remove::<WebError>() {
        if method == Method::POST {
            error = error.when_saving();
        }
        log(&error, &visitor, &method, path.as_ref());
        let for_programs = path.is_some_and(|path| path.as_str() == paths::BEANS_JSON);
        response = show(&error, request_id, for_programs, response);
    }
    headers::complete(response.headers_mut(), request_id, front.is_https());
    response
}

fn show(error: &WebError, request_id: &str, for_programs: bool, response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    let is_passing = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if is_passing.contains(&error.status()) {
        parts
            .headers
            .insert(RETRY_AFTER, HeaderValue::from_static("10"));
    }
    let body = if for_programs {
        for (name, value) in legacy_json::HEADERS {
            parts.headers.insert(name, value);
        }
        legacy_json::encode_error(error)
    } else {
        parts.headers.insert(CONTENT_TYPE, HTML);
        page(error, request_id)
    };
    Response::from_parts(parts, Body::from(body))
}

fn page(error: &WebError, request_id: &str) -> String {
    let (heading, text) = error.words();
    let page = ErrorPage {
        heading,
        text,
        request_id: error.status().is_server_error().then_some(request_id),
    };
    page.render().unwrap_or_else(|_| heading.to_owned())
}

fn log(error: &WebError, visitor: &Visitor, method: &Method, path: Option<&MatchedPath>) {
    let status = error.status().as_u16();
    let path = path.map_or("(none)", MatchedPath::as_str);
    let chain = chain(error);
    let Visitor {
        address,
        request_id,
        ..
    } = visitor;
    let address = address.map(tracing::field::display);
    if error.status().is_server_error() {
        tracing::error!(request.id = request_id, client.address = address, %method, path, status, error = chain, "request failed");
    } else {
        tracing::debug!(request.id = request_id, client.address = address, %method, path, status, error = chain, "request refused");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = WebError::internal(DbError::Corrupt {
            table: "beans",
            column: "price",
        });

        assert_eq!(
            chain(&error),
            "the request could not be handled: unexpected value in beans.price"
        );
    }

    #[test]
    fn an_absent_database_is_no_mistake_of_ours() {
        let away = WebError::from(DbError::Query(sqlx::Error::PoolTimedOut));
        let corrupt = WebError::from(DbError::Corrupt {
            table: "beans",
            column: "price",
        });

        assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(corrupt.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
