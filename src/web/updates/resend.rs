//! Sending the message of a dead-lettered update again, unchanged.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::show;
use crate::db;
use crate::db::update_lists::UpdateLine;
use crate::domain::{Action, UpdateId, UpdateState};
use crate::inventory::{Prospect, Rehearsal, ResendError, resend_update};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::wording;

#[derive(Template)]
#[template(path = "updates/resend.html")]
struct ResendPage {
    layout: Layout,
    line: UpdateLine,
    prospect: Prospect,
}

impl ResendPage {
    fn what(&self) -> String {
        wording::what(self.line.kind, self.line.quantity)
    }
}

/// Tells what would come of sending it again.
pub(super) async fn confirm(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<UpdateId>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let line = show::find(&mut conn, id, None).await?;
    let letter = db::dead_letters::find_open_of(&mut conn, line.id).await?;
    let letters = match letter.filter(|_| line.state == UpdateState::DeadLettered) {
        Some(letter) => db::dead_letters::list_open_letters(&mut conn, &[letter]).await?,
        None => Vec::new(),
    };
    let mut rehearsal = Rehearsal::new(state.clock.now());
    let Some(prospect) = rehearsal.play(&mut conn, &letters).await?.pop() else {
        let page = Notice::UpdateHasEnded.on(&paths::update(line.id));
        return Ok(Redirect::to(&page).into_response());
    };
    let page = ResendPage {
        layout,
        line,
        prospect,
    };
    Ok(Page::ok(page).into_response())
}

/// Sends it again, unless somebody has dealt with it meanwhile.
pub(super) async fn resend(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<UpdateId>,
) -> Result<Redirect, WebError> {
    let line = show::find(&mut *state.connection().await?, id, None).await?;
    let details = line.id.to_string();
    let activity = acting.did(Action::ResentUpdate, &details);
    let notice = match resend_update(&state.pool, &*state.clock, line.id, &activity).await {
        Ok(()) => Notice::UpdateResent,
        Err(ResendError::OnItsWay) => Notice::UpdateOnItsWay,
        Err(ResendError::MovedOn(_)) => Notice::UpdateMovedOn,
        Err(ResendError::Hopeless(_)) => Notice::WouldOnlyComeBack,
        Err(ResendError::Unknown) => return Err(WebError::NotFound(Missing::Letter)),
        Err(ResendError::Db(error)) => return Err(error.into()),
    };
    Ok(Redirect::to(&notice.on(&paths::update(line.id))))
}
