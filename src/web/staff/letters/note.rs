//! Notes on groups of dead letters.

use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;

use super::choice::Choice;
use crate::db;
use crate::domain::{Action, ShortText};
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::state::AppState;
use crate::web::ui::form::Form;
use crate::web::ui::notice::Notice;
use crate::web::ui::query::Query;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NoteForm {
    note: String,
}

/// Notes something on the group that the address chooses; an empty note is taken away.
pub(super) async fn set(
    State(state): State<AppState>,
    acting: Acting,
    Query(choice): Query<Choice>,
    Form(form): Form<NoteForm>,
) -> Result<Redirect, WebError> {
    let scope = choice.scope().ok_or(WebError::BadForm)?;
    let page = choice.address();
    let note = if form.note.trim().is_empty() {
        None
    } else {
        let Ok(note) = ShortText::<500>::parse(&form.note) else {
            return Ok(Redirect::to(&Notice::NoteTooLong.on_query(&page)));
        };
        Some(note)
    };
    let typed = note.as_ref().map_or("", ShortText::as_str);
    let (by, now) = (acting.account, state.clock.now());
    let details = format!("{scope}: {typed}");
    let activity = acting.did(Action::NotedOnLetters, &details);
    db::in_transaction(&state.pool, async |tx| {
        match &note {
            Some(note) => db::letter_notes::set_note(tx, &scope, note.as_str(), by, now).await?,
            None => db::letter_notes::delete_note(tx, &scope).await?,
        }
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(Redirect::to(&Notice::NoteSaved.on_query(&page)))
}
