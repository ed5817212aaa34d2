//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::place::{known_browser, place};
use crate::accounts::{self, Attempt, Opened, SignInError};
use crate::db;
use crate::db::accounts::Account;
use crate::domain::AccountId;
use crate::web::access::{Viewer, find_viewer};
use crate::web::http::cookies;
use crate::web::http::error::{Missing, WebError};
use crate::web::http::ingress::Client;
use crate::web::http::kept_form::KeptForm;
use crate::web::http::layers::Failure;
use crate::web::paths::{self, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::Page;
use crate::web::ui::query::Query;

#[derive(Template)]
#[template(path = "account/sign_in.html")]
pub(super) struct SignInPage {
    layout: Layout,
    fields: [TextField; 2],
    mistakes: Mistakes,
    /// Where to go afterwards.
    next: String,
    /// What was typed before the session ended, as one text.
    kept: String,
    /// Whether there is no manager yet.
    is_new: bool,
    /// Accounts that let everybody in, on a machine of one's own.
    demonstration: Vec<Account>,
}

/// What the sign-in form carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInForm {
    email: String,
    password: String,
    next: String,
    kept: String,
}

impl SignInForm {
    /// Where to go afterwards: an address of this site, or the first page.
    fn next(&self) -> &str {
        if paths::is_local(&self.next) {
            &self.next
        } else {
            paths::HOME
        }
    }
}

impl SignInPage {
    fn new(layout: Layout, form: &SignInForm, mistakes: Mistakes) -> Self {
        let email = TextField {
            kind: "email",
            autocomplete: "username",
            width: "medium",
            ..TextField::new("email", "Email address", &form.email, &mistakes)
        };
        let password = TextField::password("password", "Password", "current-password", &mistakes);
        Self {
            layout,
            fields: [email, password],
            mistakes,
            next: form.next().to_owned(),
            kept: form.kept.clone(),
            is_new: false,
            demonstration: Vec::new(),
        }
    }

    /// Looks up who could sign in at all. Without the database the page is shown as it is.
    async fn looked_up(mut self, state: &AppState) -> Self {
        let Ok(mut conn) = state.connection().await else {
            return self;
        };
        if state.rules.demonstration {
            let accounts = db::accounts::list_demonstration(&mut conn).await;
            self.demonstration = accounts.unwrap_or_default();
        } else {
            let has_manager = db::accounts::has_manager(&mut conn).await;
            self.is_new = !has_manager.unwrap_or(true);
        }
        self
    }
}

/// Sends whoever has to sign in there, and keeps what they had typed.
pub(crate) fn ask_to_sign_in(failure: Failure<'_>) -> Response {
    let Failure { state, uri, .. } = failure;
    if failure.method != Method::POST {
        let asked = uri
            .path_and_query()
            .map_or(paths::HOME, |path| path.as_str());
        return Redirect::to(&paths::sign_in_for(asked)).into_response();
    }
    let mut form = SignInForm::default();
    let sentence = match failure.kept {
        Some(kept) => {
            form.kept = kept.encoded();
            form.next = kept.path;
            "You are not signed in any more. What you typed is kept: sign in, and go on from there"
        }
        None => "You are not signed in any more. Nothing was saved",
    };
    let layout = Layout::at(uri, state.clock.now(), None, &state.rules);
    let page = SignInPage::new(layout, &form, Mistakes::one("email", sentence));
    Page(StatusCode::UNAUTHORIZED, page).into_response()
}

/// Where somebody was on the way to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Destination {
    next: String,
}

pub(super) async fn show_sign_in(
    State(state): State<AppState>,
    headers: HeaderMap,
    layout: Layout,
    Query(Destination { next }): Query<Destination>,
) -> Response {
    let form = SignInForm {
        next,
        ..SignInForm::default()
    };
    if let Ok(Some(_)) = find_viewer(&state, &headers).await {
        return Redirect::to(form.next()).into_response();
    }
    let page = SignInPage::new(layout, &form, Mistakes::default());
    Page::ok(page.looked_up(&state).await).into_response()
}

pub(super) async fn sign_in(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    layout: Layout,
    Form(form): Form<SignInForm>,
) -> Result<Response, WebError> {
    let known = known_browser(&state, &headers);
    let attempt = Attempt {
        email: &form.email,
        password: &form.password,
        place: place(&client, &headers, known.as_ref()),
    };
    let limits = state.rules.sessions;
    match accounts::sign_in(&state.pool, &state.passwords, attempt, limits).await {
        Ok(opened) => Ok(signed_in(&state, layout, &opened, &form)),
        Err(error) => refuse(&state, layout, &form, error).await,
    }
}

/// The same words for an account that does not exist, one that is disabled and a wrong password.
async fn refuse(
    state: &AppState,
    layout: Layout,
    form: &SignInForm,
    error: SignInError,
) -> Result<Response, WebError> {
    let (status, wait, sentence) = match error {
        SignInError::Wrong => (
            StatusCode::UNPROCESSABLE_ENTITY,
            None,
            "The email address or the password is wrong. Check both and try again",
        ),
        SignInError::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            Some("900"),
            "Too many attempts have failed. Try again in 15 minutes, or ask a manager for a link to \
             choose a new password",
        ),
        SignInError::Busy(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Some("5"),
            "Too many people are signing in at the same time. Try again in a moment",
        ),
        SignInError::Db(error) => return Err(error.into()),
    };
    let page = SignInPage::new(layout, form, Mistakes::one("email", sentence));
    let mut response = Page(status, page.looked_up(state).await).into_response();
    if let Some(wait) = wait {
        let wait = HeaderValue::from_static(wait);
        response.headers_mut().insert(RETRY_AFTER, wait);
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "account/resume.html")]
struct ResumePage {
    layout: Layout,
    kept: KeptForm,
}

/// Leads on, with the cookies of the session; what was typed before is sent when somebody says so.
fn signed_in(state: &AppState, layout: Layout, opened: &Opened, form: &SignInForm) -> Response {
    let jar = cookies::opened(opened, &state.ingress, state.rules.sessions);
    let kept = (!form.kept.is_empty())
        .then(|| KeptForm::read(&form.next, &form.kept))
        .flatten();
    match kept {
        Some(kept) => (jar, Page::ok(ResumePage { layout, kept })).into_response(),
        None => (jar, Redirect::to(form.next())).into_response(),
    }
}

/// The number of one of the demonstration accounts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    account: String,
    next: String,
    kept: String,
}

/// Lets somebody in as one of the demonstration accounts, where that is allowed.
pub(super) async fn sign_in_as_demonstration(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    layout: Layout,
    Form(chosen): Form<Chosen>,
) -> Result<Response, WebError> {
    const NOT_FOUND: WebError = WebError::NotFound(Missing::Page);
    if !state.rules.demonstration {
        return Err(NOT_FOUND);
    }
    let id = AccountId::from_segment(&chosen.account).ok_or(NOT_FOUND)?;
    let known = known_browser(&state, &headers);
    let place = place(&client, &headers, known.as_ref());
    let limits = state.rules.sessions;
    let opened = accounts::demo::sign_in(&state.pool, id, place, limits).await?;
    let opened = opened.ok_or(NOT_FOUND)?;
    let form = SignInForm {
        next: chosen.next,
        kept: chosen.kept,
        ..SignInForm::default()
    };
    Ok(signed_in(&state, layout, &opened, &form))
}

/// Has the browser forget what it has kept of the pages.
const CLEAR: (HeaderName, HeaderValue) = (
    HeaderName::from_static("clear-site-data"),
    HeaderValue::from_static("\"cache\", \"storage\""),
);

pub(super) async fn sign_out(
    State(state): State<AppState>,
    client: Client,
    viewer: Viewer,
) -> Result<Response, WebError> {
    accounts::sign_out(&state.pool, &viewer.0, &client.origin()).await?;
    let jar = cookies::closed(&state.ingress);
    let to = Redirect::to(&Notice::SignedOut.on(paths::SIGN_IN));
    Ok((jar, [CLEAR], to).into_response())
}
