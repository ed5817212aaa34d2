//! The page behind a link with which somebody chooses a password.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::place::{known_browser, place};
use crate::accounts::{self, Token};
use crate::db::accounts::Account;
use crate::domain::NewPassword;
use crate::web::http::cookies;
use crate::web::http::error::{Missing, WebError};
use crate::web::http::ingress::Client;
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::Page;
use crate::web::ui::wording::NEW_PASSWORD_HINT;

#[derive(Template)]
#[template(path = "account/welcome.html")]
pub(super) struct WelcomePage {
    layout: Layout,
    account: Account,
    action: String,
    password: TextField,
    mistakes: Mistakes,
}

impl WelcomePage {
    fn new(layout: Layout, account: Account, link: &Token, mistakes: Mistakes) -> Self {
        let password = TextField {
            hint: NEW_PASSWORD_HINT,
            ..TextField::password("password", "New password", "new-password", &mistakes)
        };
        Self {
            layout,
            account,
            action: paths::welcome(link),
            password,
            mistakes,
        }
    }
}

/// The password that somebody chooses.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WelcomeForm {
    password: String,
}

pub(super) async fn show_welcome(
    State(state): State<AppState>,
    layout: Layout,
    Id(link): Id<Token>,
) -> Result<Page<WelcomePage>, WebError> {
    let account = find(&state, &link).await?;
    let mistakes = Mistakes::default();
    Ok(Page::ok(WelcomePage::new(layout, account, &link, mistakes)))
}

pub(super) async fn choose_password(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    layout: Layout,
    Id(link): Id<Token>,
    Form(form): Form<WelcomeForm>,
) -> Result<Response, WebError> {
    let account = find(&state, &link).await?;
    let personal = [account.email.as_str(), account.name.as_str()];
    let password = match NewPassword::parse(&form.password, &personal) {
        Ok(password) => password,
        Err(error) => {
            let mistakes = Mistakes::one("password", format!("Password {error}"));
            let page = WelcomePage::new(layout, account, &link, mistakes);
            return Ok(Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let (pool, passwords) = (&state.pool, &state.passwords);
    let known = known_browser(&state, &headers);
    let place = place(&client, &headers, known.as_ref());
    let limits = state.rules.sessions;
    let opened =
        accounts::choose_password(pool, passwords, &link, &password, place, limits).await?;
    let jar = cookies::opened(&opened, &state.ingress, limits);
    Ok((jar, Redirect::to(paths::HOME)).into_response())
}

async fn find(state: &AppState, link: &Token) -> Result<Account, WebError> {
    let account = accounts::find_invited(&state.pool, link).await?;
    account.ok_or(WebError::NotFound(Missing::Link))
}
