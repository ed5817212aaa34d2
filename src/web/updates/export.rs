//! A list of updates as a file for spreadsheets.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::card::sees_levels;
use super::history::History;
use crate::db;
use crate::db::update_lists::UpdateLine;
use crate::domain::{Reason, UpdateKind};
use crate::web::access::Viewer;
use crate::web::http::error::WebError;
use crate::web::state::AppState;
use crate::web::ui::csv::{Csv, inert};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::query::Query;
use crate::web::ui::updates::as_seen;

/// As many are read at a time.
const CHUNK: i64 = 2_000;

/// More than a supplier sends in years, and some 30 MB, all of it in memory; whoever wants more is asked to narrow
/// it down.
const MOST: i64 = 200_000;

const COLUMNS: [&str; 15] = [
    "slip",
    "update_id",
    "supplier_id",
    "supplier",
    "bean_type",
    "kind",
    "bags",
    "status",
    "reason",
    "explanation",
    "reference",
    "note",
    "happened_at",
    "received_at",
    "finished_at",
];

/// Sends what the list at the same address shows, all pages of it; nothing if that is too much for one file.
pub(super) async fn export_updates(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Query(history): Query<History>,
) -> Result<Response, WebError> {
    let filter = history.filter(viewer.bound_to(), layout.zone);
    let sees_levels = sees_levels(&state, &viewer);
    let mut conn = state.connection().await?;
    let counts = db::update_counts::count_by_state(&mut conn, &filter, MOST + 1).await?;
    let wanted = counts
        .iter()
        .filter(|count| filter.state.is_none_or(|state| state == count.state));
    if wanted.map(|count| count.number).sum::<i64>() > MOST {
        let page = Notice::TooManyForAFile.on_query(&history.in_state(filter.state));
        return Ok(Redirect::to(&page).into_response());
    }
    let mut file = Csv::new(COLUMNS)?;
    let mut behind = None;
    loop {
        let lines = db::update_lists::list_filtered(&mut conn, &filter, behind, CHUNK).await?;
        let Some(last) = lines.last() else { break };
        behind = Some(last.place());
        for line in lines {
            file.write(record(&as_seen(line, sees_levels), layout.zone))?;
        }
    }
    file.into_download("updates.csv")
}

fn record(line: &UpdateLine, zone: Tz) -> [String; 15] {
    let text = |text: &Option<String>| inert(text.as_deref().unwrap_or_default());
    let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
    let moment = |at: Option<DateTime<Utc>>| {
        let at = at.map(|at| at.with_timezone(&zone));
        at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, false))
            .unwrap_or_default()
    };
    [
        line.slip.map(|slip| slip.to_string()).unwrap_or_default(),
        line.id.to_string(),
        number(line.supplier),
        text(&line.supplier_name),
        text(&line.bean_type),
        line.kind.map_or("", UpdateKind::code).to_owned(),
        number(line.quantity),
        line.state.label().to_owned(),
        line.reason.map_or("", Reason::code).to_owned(),
        text(&line.explanation),
        text(&line.reference),
        text(&line.note),
        moment(line.occurred_at),
        moment(Some(line.accepted_at)),
        moment(line.finished_at),
    ]
}
