//! What is done with many dead letters at once: how far it is, how it ended, and stopping it.

use askama::Template;
use axum::extract::State;
use axum::response::Redirect;

use super::choice::Choice;
use crate::db;
use crate::db::bulk_actions::{BulkAction, Progress};
use crate::dead_letters::{self, BulkError};
use crate::domain::{Action, BulkKind};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;
use crate::web::ui::wording::Tag;

/// As many are listed.
const LISTED: i64 = 20;

#[derive(Template)]
#[template(path = "staff/dead_letters/actions.html")]
pub(super) struct ActionsPage {
    layout: Layout,
    actions: Vec<(BulkAction, Progress)>,
}

impl ActionsPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn state(&self, action: &BulkAction, progress: &Progress) -> Tag {
        state_of(action, progress)
    }
}

#[derive(Template)]
#[template(path = "staff/dead_letters/action.html")]
pub(super) struct ActionPage {
    layout: Layout,
    action: BulkAction,
    progress: Progress,
    /// Letters of the same choice that have arrived since.
    newer: i64,
}

impl ActionPage {
    fn is_going(&self) -> bool {
        self.action.finished_at.is_none()
    }

    fn is_discarding(&self) -> bool {
        self.action.kind == BulkKind::Discard
    }

    fn state(&self) -> Tag {
        state_of(&self.action, &self.progress)
    }

    /// What became of the letters, as it is drawn; only what there is.
    fn shares(&self) -> Vec<Share> {
        let all = self.progress.total().max(1);
        let mut before = 0;
        let mut share = |class, word, number: i64| {
            let from = before * 1_000 / all;
            before += number;
            Share {
                class,
                word,
                number,
                from,
                length: before * 1_000 / all - from,
            }
        };
        let closed = if self.is_discarding() {
            "Discarded"
        } else {
            "Closed by somebody"
        };
        let shares = [
            share("good", "Applied", self.progress.applied),
            share("closed", closed, self.progress.closed),
            share("alarm", "Failed again", self.progress.failed),
            share("waiting", "On their way", self.progress.under_way),
            share("closed", "Skipped", self.progress.skipped),
            share("closed", "Not sent", self.progress.stopped),
            share("rail", "Waiting", self.progress.waiting),
        ];
        shares
            .into_iter()
            .filter(|share| share.number > 0)
            .collect()
    }
}

/// A part of the letters, as it is drawn.
struct Share {
    class: &'static str,
    word: &'static str,
    number: i64,
    /// Where it begins and how long it is, in thousandths.
    from: i64,
    length: i64,
}

fn state_of(action: &BulkAction, progress: &Progress) -> Tag {
    let (class, word) = match (&action.finished_at, &action.stopped_by) {
        (None, _) => ("waiting", "Under way"),
        (Some(_), Some(_)) => ("closed", "Stopped"),
        (Some(_), None) if progress.failed > 0 => ("alarm", "Done, some failed"),
        (Some(_), None) => ("good", "Done"),
    };
    Tag { class, word }
}

/// Lists what was done with many letters at once, the latest first.
pub(super) async fn list_actions(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<ActionsPage>, WebError> {
    let mut conn = state.connection().await?;
    let mut actions = Vec::new();
    for action in db::bulk_actions::list_actions(&mut conn, LISTED).await? {
        let progress = db::bulk_actions::count_progress(&mut conn, action.id).await?;
        actions.push((action, progress));
    }
    Ok(Page::ok(ActionsPage { layout, actions }))
}

/// Shows how far one is, or how it ended.
pub(super) async fn show_action(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<i64>,
) -> Result<Page<ActionPage>, WebError> {
    let mut conn = state.connection().await?;
    let action = db::bulk_actions::find_action(&mut conn, id).await?;
    let action = action.ok_or(WebError::NotFound(Missing::BulkAction))?;
    let progress = db::bulk_actions::count_progress(&mut conn, id).await?;
    // Words would have to be looked for in all that is new.
    let choice = choice_of(&action);
    let filter = choice.filter().filter(|_| !choice.is_any());
    let newer = match filter.filter(|filter| !filter.looks_inside()) {
        Some(filter) => db::letter_lists::count_newer(&mut conn, &filter, action.newest).await?,
        None => 0,
    };
    Ok(Page::ok(ActionPage {
        layout,
        action,
        progress,
        newer,
    }))
}

/// What was chosen, as its address says.
fn choice_of(action: &BulkAction) -> Choice {
    let address = action.address.parse();
    address.map_or_else(|_not_ours| Choice::default(), |uri| Query::of(&uri))
}

/// Stops one: the letters that it has not come to are left alone.
pub(super) async fn stop(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<i64>,
) -> Result<Redirect, WebError> {
    let (by, now) = (acting.account, state.clock.now());
    let details = format!("bulk action {id}");
    let activity = acting.did(Action::StoppedBulkAction, &details);
    let notice = match dead_letters::stop(&state.pool, id, by, &activity, now).await {
        Ok(()) => Notice::BulkActionStopped,
        Err(BulkError::Over | BulkError::Differs) => Notice::BulkActionOver,
        Err(BulkError::Db(error)) => return Err(error.into()),
    };
    Ok(Redirect::to(&notice.on(&paths::bulk_action(id))))
}
