//! What can go wrong from a visitor's point of view.
//!
//! Handlers return a [`WebError`]; the layer `finish` logs it once and has it rendered for the audience
//! of its route.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::accounts::AccountError;
use crate::catalogue::CatalogueError;
use crate::db::{DbError, Trouble};

/// A thing that an address may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No page at all.
    Page,
    Bean,
    Supplier,
    Update,
    Letter,
    Movement,
    Stocktake,
    BulkEdit,
    BulkAction,
    Mail,
    Feed,
    Account,
    /// A link to choose a password.
    Link,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Page => "page",
            Self::Bean => "bean",
            Self::Supplier => "supplier",
            Self::Update => "update",
            Self::Movement => "movement",
            Self::Stocktake => "stocktake",
            Self::BulkEdit => "change of several beans",
            Self::BulkAction => "bulk action",
            Self::Mail => "mail",
            Self::Feed => "feed",
            Self::Letter => "dead letter",
            Self::Account => "account",
            Self::Link => "link",
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
    /// Nobody is signed in, or not any more.
    #[error("nobody is signed in")]
    SignInRequired,
    /// Somebody is signed in whose role does not include this.
    #[error("the role does not include this")]
    Forbidden,
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
    /// As many pages are kept up to date as this process can.
    #[error("too many pages are watched")]
    Crowded,
    /// Another site sent the form.
    #[error("the form was sent by another site")]
    CrossSite,
    /// The site was asked for under a name that is not its own.
    #[error("the site does not answer to this host")]
    UnknownHost,
    /// The database is away.
    #[error("the database does not answer")]
    Unavailable(#[source] Source),
    /// The database is away, and what was to be saved was not.
    #[error("the database could not save it")]
    NotSaved(#[source] Source),
    /// The database did not answer in time.
    #[error("the database did not answer in time")]
    NoAnswer(#[source] Source),
    /// The database did not answer in time, and something was being saved.
    #[error("the change could not be confirmed; it may have been saved")]
    Unsure(#[source] Source),
    /// A mistake of ours.
    #[error("the request could not be handled")]
    Internal(#[source] Source),
}

impl WebError {
    /// The error for a failure nobody expected.
    pub(crate) fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(source))
    }

    /// The error for a change that was refused in a way its form cannot show.
    pub(crate) fn refused(error: CatalogueError, missing: Missing) -> Self {
        match error {
            CatalogueError::NotFound => Self::NotFound(missing),
            CatalogueError::Db(error) => error.into(),
            error => Self::internal(error),
        }
    }

    /// The same error for a request that was to change something.
    pub(crate) fn when_saving(self) -> Self {
        match self {
            Self::Unavailable(source) => Self::NotSaved(source),
            Self::NoAnswer(source) => Self::Unsure(source),
            other => other,
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::SignInRequired => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Self::Crowded
            | Self::Unavailable(_)
            | Self::NotSaved(_)
            | Self::NoAnswer(_)
            | Self::Unsure(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether what was typed is shown again, to be sent once more. Not if another site may have typed it.
    pub(crate) fn keeps_the_form(&self) -> bool {
        matches!(self, Self::SignInRequired | Self::TooLarge) || self.is_passing()
    }

    /// Whether trying again soon may help.
    pub(crate) fn is_passing(&self) -> bool {
        let status = self.status();
        status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS
    }

    /// A heading, and what it means for the visitor.
    #[expect(clippy::too_many_lines, reason = "a table of sentences")]
    pub(crate) fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound(Missing::Page) => (
                "Page not found",
                "Check the address for a typing mistake, or start from one of these pages.",
            ),
            Self::NotFound(Missing::Bean) => (
                "Bean not found",
                "It was removed from the list, or the address has a typing mistake.",
            ),
            Self::NotFound(Missing::Supplier) => (
                "Supplier not found",
                "It was removed from the list, or the address has a typing mistake.",
            ),
            Self::NotFound(Missing::Stocktake) => (
                "Stocktake not found",
                "There is no stocktake with this number.",
            ),
            Self::NotFound(Missing::BulkEdit) => (
                "Change not found",
                "Nobody has changed several beans under this number.",
            ),
            Self::NotFound(Missing::Mail) => (
                "Mail not found",
                "Mail is shown only where it is not sent, and for 30 days.",
            ),
            Self::NotFound(Missing::Feed) => (
                "Feed not found",
                "Its address was replaced by another, or the feed was closed.",
            ),
            Self::NotFound(Missing::BulkAction) => (
                "Bulk action not found",
                "There is no bulk action with this number.",
            ),
            Self::NotFound(Missing::Movement) => (
                "Movement not found",
                "This bean has no such movement. Check the end of the address.",
            ),
            Self::NotFound(Missing::Letter) => (
                "Message not found",
                "Check the end of the address; a character may have been lost in copying.",
            ),
            Self::NotFound(Missing::Update) => (
                "Update not found",
                "Check the end of the address; a character may have been lost in copying.",
            ),
            Self::NotFound(Missing::Account) => (
                "Account not found",
                "Check the end of the address; a character may have been lost in copying.",
            ),
            Self::NotFound(Missing::Link) => (
                "This link does not work any more",
                "It has been used, it has expired, or a newer one has replaced it. Ask a manager of the \
                 café for a new one.",
            ),
            Self::SignInRequired => ("Sign in", "You are not signed in, or not any more."),
            Self::Forbidden => (
                "Your account cannot do this",
                "Nothing was changed. A manager of the café can do it, or give you another role.",
            ),
            Self::MethodNotAllowed => (
                "This address does not support that action",
                "Nothing was saved. Go back and use the buttons on the page.",
            ),
            Self::BadForm => (
                "The form could not be read",
                "Nothing was saved. Go back, reload the page and send it again.",
            ),
            Self::TooLarge => (
                "The form is too large",
                "Nothing was saved. A form can carry 64 KiB, about 60,000 letters; shorten what you typed.",
            ),
            Self::TooSlow => (
                "The form took too long to arrive",
                "Nothing was saved. Go back and send it again, on a better connection if you can.",
            ),
            Self::Crowded => (
                "Not live just now",
                "Too many pages are kept up to date at once. This page still works; refresh it to see what is new.",
            ),
            Self::TooMany => (
                "Too many requests at once",
                "Your address has more requests open than we answer at a time. Try again in a moment.",
            ),
            Self::CrossSite => (
                "The form came from another site",
                "Nothing was saved. Open the page here and fill in the form again.",
            ),
            Self::UnknownHost => (
                "Unknown host name",
                "This site does not answer to the host name in your browser’s address, so nothing was \
                 saved. Whoever runs the site can allow the name with PUBLIC_URL.",
            ),
            Self::Unavailable(_) | Self::NoAnswer(_) => (
                "The database is not available",
                "Stock cannot be shown right now. Try again in a minute.",
            ),
            Self::NotSaved(_) => (
                "The database is not available",
                "It does not answer, so nothing was saved. Send it again in a minute.",
            ),
            Self::Unsure(_) => (
                "The database did not confirm the change",
                "We cannot tell whether it was saved; check the list before you send it again.",
            ),
            Self::Internal(_) => (
                "Something went wrong on our side",
                "The page could not be made, or the change not be saved. Try again; if it happens again, \
                 tell whoever runs Beanstock the id below.",
            ),
        }
    }
}

impl From<DbError> for WebError {
    fn from(error: DbError) -> Self {
        match error.trouble() {
            _ if error.is_unsure() => Self::NoAnswer(Arc::new(error)),
            _ if error.is_corrupt() => Self::internal(error),
            Trouble::Unavailable | Trouble::Conflict => Self::Unavailable(Arc::new(error)),
            Trouble::Duplicate | Trouble::BadData => Self::internal(error),
        }
    }
}

impl From<AccountError> for WebError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NotFound => Self::NotFound(Missing::Account),
            AccountError::LinkGone => Self::NotFound(Missing::Link),
            AccountError::Busy(_) => Self::TooMany,
            AccountError::Db(error) => error.into(),
            error => Self::internal(error),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::chain;

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
        let limit = Duration::from_mins(1);
        let away = WebError::from(DbError::TimedOut { limit });
        let corrupt = WebError::from(DbError::Corrupt {
            table: "beans",
            column: "price",
        });

        assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(corrupt.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
