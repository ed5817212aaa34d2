//! Notes on groups of dead letters.

use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;

use super::choice::Choice;
use crate::db;
use crate::db::activity::Activity;
use crate::domain::{Action, ShortText};
use crate::web::access::Viewer;
use crate::web::http::error::WebError;
use crate::web::http::ingress::Client;
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
    viewer: Viewer,
    client: Client,
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
    let (by, now) = (viewer.0.account, state.clock.now());
    let (details, address) = (format!("{scope}: {typed}"), client.origin());
    let activity = Activity {
        actor: Some(by),
        action: Action::NotedOnLetters,
        account: None,
        details: &details,
        address: &address,
    };
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
