//! Cancelling an update that has had no effect yet.

use axum::extract::State;
use axum::response::Redirect;

use super::show;
use crate::domain::{Action, UpdateId};
use crate::inventory::{EndError, cancel_update};
use crate::web::access::Viewer;
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::notice::Notice;

/// Cancels an update, unless that comes too late, and leads to where it shows.
pub(super) async fn cancel(
    State(state): State<AppState>,
    viewer: Viewer,
    acting: Acting,
    Id(id): Id<UpdateId>,
) -> Result<Redirect, WebError> {
    let mut conn = state.connection().await?;
    let line = show::find(&mut conn, id, viewer.bound_to()).await?;
    drop(conn);
    let update = line.id.to_string();
    let activity = acting.did(Action::CancelledUpdate, &update);
    let notice = match cancel_update(&state.pool, &*state.clock, line.id, &activity).await {
        Ok(()) => Notice::UpdateCancelled,
        Err(EndError::MovedOn(_)) => Notice::UpdateHasEnded,
        Err(EndError::Unknown) => return Err(WebError::NotFound(Missing::Update)),
        Err(EndError::Db(error)) => return Err(error.into()),
    };
    let page = line
        .slip
        .map_or_else(|| paths::update(line.id), paths::slip);
    Ok(Redirect::to(&notice.on(&page)))
}
