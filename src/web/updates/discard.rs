//! Closing an update that could not be applied for good, and taking that back.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::show;
use crate::db::update_lists::UpdateLine;
use crate::domain::{Action, ShortText, UpdateId, UpdateState};
use crate::inventory::{EndError, RESTORABLE_FOR, discard_update, restore_update};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, text_sentence};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::Page;
use crate::web::ui::wording;

#[derive(Template)]
#[template(path = "updates/discard.html")]
struct DiscardPage {
    layout: Layout,
    line: UpdateLine,
    why: TextField,
    mistakes: Mistakes,
}

impl DiscardPage {
    fn new(layout: Layout, line: UpdateLine, why: &str, mistakes: Mistakes) -> Self {
        Self {
            why: TextField {
                kind: "",
                width: "wide",
                hint: "Its supplier reads this too.",
                ..TextField::new("why", "Why?", why, &mistakes)
            },
            layout,
            line,
            mistakes,
        }
    }

    /// For so many days it can be restored.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn days(&self) -> i64 {
        RESTORABLE_FOR.num_days()
    }

    fn what(&self) -> String {
        wording::what(self.line.kind, self.line.quantity)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DiscardForm {
    why: String,
}

/// Asks why an update is to be discarded.
pub(super) async fn confirm(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<UpdateId>,
) -> Result<Response, WebError> {
    let line = show::find(&mut *state.connection().await?, id, None).await?;
    if line.state != UpdateState::DeadLettered {
        return Ok(
            Redirect::to(&Notice::UpdateHasEnded.on(&paths::update(line.id))).into_response(),
        );
    }
    let page = DiscardPage::new(layout, line, "", Mistakes::default());
    Ok(Page::ok(page).into_response())
}

/// Discards an update, unless somebody has dealt with it meanwhile.
pub(super) async fn discard(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<UpdateId>,
    Form(form): Form<DiscardForm>,
) -> Result<Response, WebError> {
    let line = show::find(&mut *state.connection().await?, id, None).await?;
    let why: ShortText<500> = match ShortText::parse(&form.why) {
        Ok(why) => why,
        Err(error) => {
            let sentence = text_sentence("The reason", "Say why it is discarded", error);
            let mistakes = Mistakes::one("why", sentence);
            let page = DiscardPage::new(layout, line, &form.why, mistakes);
            return Ok(Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let details = format!("{}: {}", line.id, why.as_str());
    let activity = acting.did(Action::DiscardedUpdate, &details);
    let discarded = discard_update(&state.pool, &*state.clock, line.id, &why, &activity).await;
    Ok(lead(discarded, Notice::UpdateDiscarded, line.id)?.into_response())
}

/// Makes a discarded update a dead letter again.
pub(super) async fn restore(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<UpdateId>,
) -> Result<Redirect, WebError> {
    let line = show::find(&mut *state.connection().await?, id, None).await?;
    let details = line.id.to_string();
    let activity = acting.did(Action::RestoredUpdate, &details);
    let restored = restore_update(&state.pool, &*state.clock, line.id, &activity).await;
    lead(restored, Notice::UpdateRestored, line.id)
}

/// Leads to the update, and says what was done or that it came too late.
fn lead(
    done: Result<(), EndError>,
    notice: Notice,
    update: UpdateId,
) -> Result<Redirect, WebError> {
    let notice = match done {
        Ok(()) => notice,
        Err(EndError::MovedOn(UpdateState::Discarded)) => Notice::TooLateToRestore,
        Err(EndError::MovedOn(_)) => Notice::UpdateMovedOn,
        Err(EndError::Unknown) => return Err(WebError::NotFound(Missing::Update)),
        Err(EndError::Db(error)) => return Err(error.into()),
    };
    Ok(Redirect::to(&notice.on(&paths::update(update))))
}
