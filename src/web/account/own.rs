//! Somebody's own account: the password, how pages look, and where they are signed in.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::Deserialize;

use crate::accounts::{self, SignInError};
use crate::db;
use crate::db::accounts::Preferences;
use crate::db::sessions::SessionLine;
use crate::domain::{Action, NewPassword};
use crate::web::access::Viewer;
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::http::ingress::Client;
use crate::web::paths::{self, Id};
use crate::web::state::{AppState, MailDelivery};
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::wording::{self, NEW_PASSWORD_HINT};

#[derive(Template)]
#[template(path = "account/own.html")]
pub(super) struct OwnPage {
    layout: Layout,
    viewer: Viewer,
    sessions: Vec<SessionLine>,
    /// The café's zone.
    cafes_zone: Tz,
    passwords: [TextField; 2],
    /// Whether a supplier is mailed about updates that need attention; `None` for others, and where there is no mail.
    wants_needs: Option<bool>,
    mistakes: Mistakes,
}

impl OwnPage {
    async fn new(
        state: &AppState,
        layout: Layout,
        viewer: Viewer,
        mistakes: Mistakes,
    ) -> Result<Self, WebError> {
        let mut conn = state.connection().await?;
        let (account, limits) = (viewer.0.account, state.rules.sessions);
        let current = TextField::password(
            "current_password",
            "Current password",
            "current-password",
            &mistakes,
        );
        let new = TextField::password("new_password", "New password", "new-password", &mistakes);
        let is_asked = viewer.bound_to().is_some() && state.rules.mail != MailDelivery::None;
        let wants_needs = if is_asked {
            Some(db::supplier_mails::wants_mail(&mut conn, account).await?)
        } else {
            None
        };
        Ok(Self {
            wants_needs,
            sessions: db::sessions::list_sessions(&mut conn, account, limits).await?,
            layout,
            viewer,
            cafes_zone: state.rules.time_zone,
            passwords: [
                current,
                TextField {
                    hint: NEW_PASSWORD_HINT,
                    ..new
                },
            ],
            mistakes,
        })
    }

    fn zones() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    fn has_chosen_zone(&self, zone: &str) -> bool {
        self.viewer.0.preferences.time_zone.as_deref() == Some(zone)
    }
}

pub(super) async fn show_own(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
) -> Result<Page<OwnPage>, WebError> {
    let page = OwnPage::new(&state, layout, viewer, Mistakes::default());
    Ok(Page::ok(page.await?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PasswordForm {
    current_password: String,
    new_password: String,
}

pub(super) async fn change_password(
    State(state): State<AppState>,
    client: Client,
    viewer: Viewer,
    layout: Layout,
    Form(form): Form<PasswordForm>,
) -> Result<Response, WebError> {
    let personal = [viewer.0.email.as_str(), viewer.0.name.as_str()];
    let (status, mistakes) = match NewPassword::parse(&form.new_password, &personal) {
        Err(error) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Mistakes::one("new_password", format!("Password {error}")),
        ),
        Ok(new) => {
            let (pool, passwords) = (&state.pool, &state.passwords);
            let (who, current) = (&viewer.0, &form.current_password);
            let from = client.address;
            match accounts::change_password(pool, passwords, who, current, &new, from).await {
                Ok(()) => return Ok(back(Notice::PasswordChanged)),
                Err(error) => refusal(error)?,
            }
        }
    };
    let page = OwnPage::new(&state, layout, viewer, mistakes).await?;
    Ok(Page(status, page).into_response())
}

fn refusal(error: SignInError) -> Result<(StatusCode, Mistakes), WebError> {
    let mistake = |sentence| Mistakes::one("current_password", sentence);
    Ok(match error {
        SignInError::Wrong => (
            StatusCode::UNPROCESSABLE_ENTITY,
            mistake("The current password is wrong"),
        ),
        SignInError::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            mistake("Too many attempts have failed. Try again in 15 minutes"),
        ),
        SignInError::Busy(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            mistake("Too many people are signing in at the same time. Try again in a moment"),
        ),
        SignInError::Db(error) => return Err(error.into()),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DisplayForm {
    time_zone: String,
    color_scheme: String,
}

pub(super) async fn change_display(
    State(state): State<AppState>,
    viewer: Viewer,
    Form(form): Form<DisplayForm>,
) -> Result<Response, WebError> {
    // Nobody types these, so what is none of the choices counts as none.
    let zone: Option<Tz> = form.time_zone.parse().ok();
    let scheme = ["light", "dark"].contains(&form.color_scheme.as_str());
    let preferences = Preferences {
        time_zone: zone.map(|zone| zone.name().to_owned()),
        color_scheme: scheme.then_some(form.color_scheme),
    };
    let mut conn = state.connection().await?;
    db::accounts::set_preferences(&mut conn, viewer.0.account, &preferences).await?;
    Ok(back(Notice::DisplayChanged))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NeedsForm {
    by_mail: Option<String>,
}

/// Writes down whether a supplier is mailed about updates that need attention, from now on.
pub(super) async fn change_needs(
    State(state): State<AppState>,
    acting: Acting,
    Form(form): Form<NeedsForm>,
) -> Result<Response, WebError> {
    let until = form.by_mail.map(|_| state.clock.now());
    db::in_transaction(&state.pool, async |tx| {
        db::supplier_mails::set_mailed_until(tx, acting.account, until).await?;
        let activity = acting.did(Action::ChoseAlerts, "");
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(back(Notice::DisplayChanged))
}

pub(super) async fn end_session(
    State(state): State<AppState>,
    client: Client,
    viewer: Viewer,
    Id(session): Id<i64>,
) -> Result<Response, WebError> {
    let origin = client.origin();
    if accounts::end_session(&state.pool, &viewer.0, session, &origin).await? {
        Ok(back(Notice::SessionEnded))
    } else {
        Err(WebError::NotFound(Missing::Page))
    }
}

fn back(notice: Notice) -> Response {
    Redirect::to(&notice.on(paths::OWN)).into_response()
}
