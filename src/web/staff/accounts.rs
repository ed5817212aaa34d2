//! Accounts as managers see and change them.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::role_choice::RoleChoice;
use crate::accounts::{self, AccountError, Person, Token};
use crate::db;
use crate::db::accounts::Account;
use crate::db::suppliers::Supplier;
use crate::domain::{AccountId, EmailAddress, ShortText};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, text_sentence};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;
use crate::web::ui::wording;

#[derive(Template)]
#[template(path = "staff/accounts/list.html")]
pub(super) struct AccountsPage {
    layout: Layout,
    accounts: Vec<Account>,
}

pub(super) async fn list_accounts(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<AccountsPage>, WebError> {
    let mut conn = state.connection().await?;
    let accounts = db::accounts::list_accounts(&mut conn).await?;
    Ok(Page::ok(AccountsPage { layout, accounts }))
}

#[derive(Template)]
#[template(path = "staff/accounts/invite.html")]
pub(super) struct InvitePage {
    layout: Layout,
    fields: [TextField; 2],
    role: RoleChoice,
    mistakes: Mistakes,
}

/// Who is to be invited, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InviteForm {
    name: String,
    email: String,
    role: String,
}

impl InviteForm {
    fn parse(&self, suppliers: &[Supplier]) -> Result<Person, Mistakes> {
        let mut mistakes = Mistakes::default();
        let name = ShortText::parse(&self.name)
            .map_err(|error| text_sentence("Name", "Enter a name", error));
        let name = mistakes.check("name", name);
        let email = EmailAddress::parse(&self.email)
            .map_err(|error| text_sentence("Email address", "Enter an email address", error));
        let email = mistakes.check("email", email);
        let role = mistakes.check("role", RoleChoice::parse(&self.role, suppliers));
        match (name, email, role) {
            (Some(name), Some(email), Some(role)) => Ok(Person { email, name, role }),
            _ => Err(mistakes),
        }
    }
}

impl InvitePage {
    fn new(layout: Layout, form: &InviteForm, suppliers: &[Supplier], mistakes: Mistakes) -> Self {
        let name = TextField {
            width: "medium",
            ..TextField::new("name", "Name", &form.name, &mistakes)
        };
        let email = TextField {
            kind: "email",
            width: "medium",
            hint: "They sign in with it.",
            ..TextField::new("email", "Email address", &form.email, &mistakes)
        };
        Self {
            layout,
            fields: [name, email],
            role: RoleChoice::new(&form.role, suppliers, &mistakes),
            mistakes,
        }
    }
}

pub(super) async fn new_invitation(
    State(state): State<AppState>,
    layout: Layout,
    // A supplier's page leads here with its role chosen.
    Query(form): Query<InviteForm>,
) -> Result<Page<InvitePage>, WebError> {
    let suppliers = list_suppliers(&state).await?;
    let mistakes = Mistakes::default();
    Ok(Page::ok(InvitePage::new(
        layout, &form, &suppliers, mistakes,
    )))
}

pub(super) async fn invite(
    State(state): State<AppState>,
    acting: Acting,
    headers: HeaderMap,
    layout: Layout,
    Form(form): Form<InviteForm>,
) -> Result<Response, WebError> {
    let suppliers = list_suppliers(&state).await?;
    let refuse = |layout, mistakes| {
        let page = InvitePage::new(layout, &form, &suppliers, mistakes);
        Ok(Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let person = match form.parse(&suppliers) {
        Ok(person) => person,
        Err(mistakes) => return refuse(layout, mistakes),
    };
    let invited = accounts::invite(&state.pool, &*state.clock, acting.actor(), &person);
    match invited.await {
        Ok((id, link)) => show_link(&state, &headers, layout, id, &link).await,
        Err(error) if error.is_duplicate() => {
            let sentence = "Somebody has an account with this email address already";
            refuse(layout, Mistakes::one("email", sentence))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "staff/accounts/link.html")]
struct LinkPage {
    layout: Layout,
    account: Account,
    link: String,
}

/// Shows a link, this once: the database has its hash only.
async fn show_link(
    state: &AppState,
    headers: &HeaderMap,
    layout: Layout,
    id: AccountId,
    link: &Token,
) -> Result<Response, WebError> {
    let account = find(state, id).await?;
    let origin = state.ingress.origin_for(headers);
    let link = format!("{origin}{}", paths::welcome(link));
    let page = LinkPage {
        layout,
        account,
        link,
    };
    Ok(Page::ok(page).into_response())
}

#[derive(Template)]
#[template(path = "staff/accounts/page.html")]
pub(super) struct AccountPage {
    layout: Layout,
    account: Account,
    role: RoleChoice,
    mistakes: Mistakes,
}

pub(super) async fn show_account(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<AccountId>,
) -> Result<Response, WebError> {
    let account = find(&state, id).await?;
    let chosen = RoleChoice::value(account.role);
    let none = Mistakes::default();
    show_page(&state, layout, account, &chosen, none, StatusCode::OK).await
}

async fn show_page(
    state: &AppState,
    layout: Layout,
    account: Account,
    chosen: &str,
    mistakes: Mistakes,
    status: StatusCode,
) -> Result<Response, WebError> {
    let suppliers = list_suppliers(state).await?;
    let page = AccountPage {
        layout,
        account,
        role: RoleChoice::new(chosen, &suppliers, &mistakes),
        mistakes,
    };
    Ok(Page(status, page).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RoleForm {
    role: String,
}

pub(super) async fn change_role(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<AccountId>,
    Form(form): Form<RoleForm>,
) -> Result<Response, WebError> {
    let suppliers = list_suppliers(&state).await?;
    let sentence = match RoleChoice::parse(&form.role, &suppliers) {
        Err(sentence) => sentence,
        Ok(role) => match accounts::change_role(&state.pool, acting.actor(), id, role).await {
            Ok(()) => return Ok(back(id, Notice::RoleChanged)),
            Err(AccountError::LastManager) => LAST_MANAGER.to_owned(),
            Err(error) => return Err(error.into()),
        },
    };
    let account = find(&state, id).await?;
    let (mistakes, status) = (
        Mistakes::one("role", sentence),
        StatusCode::UNPROCESSABLE_ENTITY,
    );
    show_page(&state, layout, account, &form.role, mistakes, status).await
}

const LAST_MANAGER: &str =
    "This is the last manager who can sign in. Make somebody else a manager first";

pub(super) async fn make_link(
    State(state): State<AppState>,
    acting: Acting,
    headers: HeaderMap,
    layout: Layout,
    Id(id): Id<AccountId>,
) -> Result<Response, WebError> {
    let link = accounts::make_reset_link(&state.pool, acting.actor(), id).await?;
    show_link(&state, &headers, layout, id, &link).await
}

pub(super) async fn end_sessions(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<AccountId>,
) -> Result<Response, WebError> {
    accounts::end_sessions(&state.pool, acting.actor(), id).await?;
    Ok(back(id, Notice::SessionsEnded))
}

pub(super) async fn disable(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<AccountId>,
) -> Result<Response, WebError> {
    let actor = acting.actor();
    match accounts::disable(&state.pool, &*state.clock, actor, id).await {
        Ok(()) => Ok(back(id, Notice::AccountDisabled)),
        Err(AccountError::LastManager) => {
            let account = find(&state, id).await?;
            let chosen = RoleChoice::value(account.role);
            let mistakes = Mistakes::one("role", LAST_MANAGER);
            show_page(
                &state,
                layout,
                account,
                &chosen,
                mistakes,
                StatusCode::CONFLICT,
            )
            .await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn enable(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<AccountId>,
) -> Result<Response, WebError> {
    accounts::enable(&state.pool, acting.actor(), id).await?;
    Ok(back(id, Notice::AccountEnabled))
}

fn back(id: AccountId, notice: Notice) -> Response {
    Redirect::to(&notice.on(&paths::account(id))).into_response()
}

async fn find(state: &AppState, id: AccountId) -> Result<Account, WebError> {
    let mut conn = state.connection().await?;
    let account = db::accounts::find_account(&mut conn, id).await?;
    account.ok_or(WebError::NotFound(Missing::Account))
}

async fn list_suppliers(state: &AppState) -> Result<Vec<Supplier>, WebError> {
    let mut conn = state.connection().await?;
    Ok(db::suppliers::list_suppliers(&mut conn).await?)
}
