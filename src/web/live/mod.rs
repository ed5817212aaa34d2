//! Pages that stay up to date while somebody looks at them: state, not events.
//!
//! While anybody watches, the process looks at the database once a second, with one set of queries however many
//! pages are open, and at once when it has committed something itself. What differs from what a page shows is
//! sent to it as ready HTML. A page that connects again gets the state as it is now, so nothing can be missed,
//! and any number of instances works.

mod boards;
mod events;
mod hub;
mod look;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

pub(crate) use self::hub::Live;
use self::hub::{News, Page, Watcher};
use super::access::Viewer;
use super::http::error::{Missing, WebError};
use super::http::streaming;
use super::paths;
use super::state::AppState;
use super::ui::layout::Layout;
use super::ui::query::Query;
use super::updates::Eyes;
use crate::db;
use crate::domain::{SlipNumber, UpdateId};
use crate::web::paths::InPath as _;

pub(crate) fn router() -> Router<AppState> {
    Router::new().route(paths::LIVE, get(watch))
}

/// The most updates that one page watches.
const MAX_WATCHED: usize = 250;

/// A page that is older than this is told of what came within this time.
const NEWS_OF: TimeDelta = TimeDelta::hours(1);

/// What a page shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    /// The number of the slip whose page it is.
    slip: String,
    /// The id of the update whose page it is.
    update: String,
    /// The ids of the updates it lists, with commas between them.
    rows: String,
    /// When the page was made, if it wants to know of updates that came later.
    since: String,
    /// Not empty if it is a dashboard.
    board: String,
}

/// Keeps a page up to date for as long as it stays connected and its owner signed in.
async fn watch(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Query(shown): Query<Shown>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let supplier = viewer.bound_to();
    let (page, updates) = if let Some(number) = SlipNumber::parse(&shown.slip) {
        let slip = db::slips::find_slip(&mut conn, number).await?;
        let slip = slip.filter(|slip| supplier.is_none_or(|supplier| slip.supplier == supplier));
        let slip = slip.ok_or(WebError::NotFound(Missing::Update))?;
        let lines = db::update_lists::list_updates_of_slip(&mut conn, slip.id).await?;
        (Page::Slip, lines)
    } else {
        let page = if shown.update.is_empty() {
            Page::List
        } else {
            Page::Update
        };
        let ids = shown.rows.split(',').chain([shown.update.as_str()]);
        let ids: Vec<UpdateId> = ids
            .filter_map(UpdateId::from_segment)
            .take(MAX_WATCHED)
            .collect();
        let lines = db::update_lists::list_updates_by_id(&mut conn, &ids, supplier).await?;
        (page, lines)
    };
    drop(conn);
    let since = parse_since(&shown.since, layout.now);
    let mut ids: Vec<UpdateId> = updates.iter().map(|line| line.id).collect();
    ids.sort_unstable();
    let watcher = Watcher {
        session: viewer.0.session,
        role: viewer.role(),
        page,
        eyes: Eyes::of(&state, &viewer, &layout),
        updates: ids,
        news: since.map(|since| News { supplier, since }),
        // A supplier has none.
        has_board: !shown.board.is_empty() && supplier.is_none(),
    };
    let seat = state.live.admit(watcher)?;
    look::keep_looking(&state);
    Ok(streaming::stream(seat))
}

/// Reads when a page was made. Moments that cannot be are brought to the nearest one that can.
fn parse_since(typed: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let since: DateTime<Utc> = typed.parse().ok()?;
    Some(since.clamp(now - NEWS_OF, now))
}
