//! What we were told: the updates, newest first, and those among them that somebody looks for.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, Utc};

use super::card::sees_levels;
use super::history::History;
use crate::db;
use crate::db::suppliers::Supplier;
use crate::db::update_counts::StateCount;
use crate::db::update_lists::{Filter, Place};
use crate::domain::{UpdateId, UpdateState};
use crate::web::access::Viewer;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{COUNTED, Page, filters};
use crate::web::ui::query::Query;
use crate::web::ui::updates::{UpdateRow, as_seen};

/// As many as one page can show without becoming slow to read.
const PER_PAGE: usize = 100;

/// So many updates are looked through for words at a time, newest first: an index cannot tell which contain
/// them. The page says how far back that was and offers to look further.
const LOOKED_THROUGH: i64 = 15_000;

/// Fewer of those of one supplier or in one state, which lie far apart on disk.
const LOOKED_THROUGH_OF_SOME: i64 = 2_000;

/// A link that leaves only the updates of one state.
struct StateFilter {
    state: UpdateState,
    /// None if that would take looking through too many.
    number: Option<i64>,
    chosen: bool,
}

impl StateFilter {
    /// One for every state where updates stand, and for the chosen one even if it is empty.
    fn list(counts: &[StateCount], chosen: Option<UpdateState>) -> Vec<Self> {
        let number = |state| {
            let count = counts.iter().find(|count| count.state == state);
            count.map_or(0, |count| count.number)
        };
        UpdateState::ALL
            .into_iter()
            .map(|state| Self {
                state,
                number: Some(number(state)),
                chosen: chosen == Some(state),
            })
            .filter(|filter| filter.number > Some(0) || filter.chosen)
            .collect()
    }

    /// One for every state, whatever stands there.
    fn list_uncounted(chosen: Option<UpdateState>) -> Vec<Self> {
        UpdateState::ALL
            .into_iter()
            .map(|state| Self {
                state,
                number: None,
                chosen: chosen == Some(state),
            })
            .collect()
    }
}

#[derive(Template)]
#[template(path = "updates/list.html")]
pub(crate) struct UpdatesPage {
    layout: Layout,
    history: History,
    /// To choose among; nobody but the café does.
    suppliers: Vec<Supplier>,
    search: [TextField; 3],
    filters: Vec<StateFilter>,
    updates: Vec<UpdateRow>,
    /// Whether older ones follow.
    goes_on: bool,
    /// How far back the words were looked for, if there is more to look through.
    reach: Option<DateTime<Utc>>,
}

impl UpdatesPage {
    /// What keeps it up to date; only the first page of all updates tells of new ones.
    fn live(&self) -> String {
        let ids: Vec<UpdateId> = self.updates.iter().map(|update| update.line.id).collect();
        let is_all = self.history.state().is_none() && !self.history.searches() && self.is_first();
        paths::live_rows(&ids, is_all.then_some(self.layout.now))
    }

    fn is_first(&self) -> bool {
        self.history.place().is_none()
    }

    /// None if they were not counted.
    fn all(&self) -> Option<i64> {
        self.filters.iter().map(|filter| filter.number).sum()
    }

    /// The address of the older updates.
    fn older(&self) -> Option<String> {
        let last = self.updates.last().filter(|_| self.goes_on)?;
        Some(self.history.behind(last.line.place()))
    }

    /// From when on nothing was looked through yet, and the address that does.
    fn further(&self) -> Option<(DateTime<Utc>, String)> {
        let reach = self.reach.filter(|_| !self.goes_on)?;
        Some((reach, self.history.behind(Place::before(reach))))
    }

    fn has_supplier(&self, supplier: &Supplier) -> bool {
        self.history.supplier == supplier.id.to_string()
    }
}

/// Lists the updates that the address looks for, newest first. A supplier's own.
pub(crate) async fn list_updates(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Query(history): Query<History>,
) -> Result<Page<UpdatesPage>, WebError> {
    let mut conn = state.connection().await?;
    let mut filter = history.filter(viewer.bound_to(), layout.zone);
    let reach = find_reach(&mut conn, &filter, &history).await?;
    filter.from = reach.or(filter.from);
    let is_quick = filter.words.is_empty() || (reach.is_none() && history.place().is_none());
    let filters = if is_quick {
        let counts = db::update_counts::count_by_state(&mut conn, &filter, COUNTED + 1).await?;
        StateFilter::list(&counts, history.state())
    } else {
        StateFilter::list_uncounted(history.state())
    };
    let mut updates = list_page(&mut conn, &filter, &history).await?;
    let goes_on = updates.len() > PER_PAGE;
    updates.truncate(PER_PAGE);
    let suppliers = match viewer.bound_to() {
        Some(_) => Vec::new(),
        None => db::suppliers::list_suppliers(&mut conn).await?,
    };
    let sees_levels = sees_levels(&state, &viewer);
    let updates = updates.into_iter().map(|line| as_seen(line, sees_levels));
    Ok(Page::ok(UpdatesPage {
        layout,
        search: search_fields(&history),
        filters,
        history,
        suppliers,
        updates: updates.map(UpdateRow::from).collect(),
        goes_on,
        reach,
    }))
}

/// How far back a page looks for words; none if to the end.
async fn find_reach(
    conn: &mut db::Connection,
    filter: &Filter,
    history: &History,
) -> Result<Option<DateTime<Utc>>, WebError> {
    if filter.words.is_empty() {
        return Ok(None);
    }
    let most = if filter.supplier.is_none() && filter.state.is_none() {
        LOOKED_THROUGH
    } else {
        LOOKED_THROUGH_OF_SOME
    };
    Ok(db::update_lists::find_reach(conn, filter, history.place(), most).await?)
}

/// Reads one more than a page shows, to know whether there are older ones.
async fn list_page(
    conn: &mut db::Connection,
    filter: &Filter,
    history: &History,
) -> Result<Vec<db::update_lists::UpdateLine>, WebError> {
    let limit = i64::try_from(PER_PAGE + 1).unwrap_or(i64::MAX);
    let listed = db::update_lists::list_filtered(conn, filter, history.place(), limit);
    Ok(listed.await?)
}

fn search_fields(history: &History) -> [TextField; 3] {
    let none = Mistakes::default();
    let day = |name: &'static str, label, value| TextField {
        kind: "date",
        width: "short",
        ..TextField::new(name, label, value, &none)
    };
    [
        TextField {
            kind: "search",
            width: "medium",
            ..TextField::new("q", "Reference, note or bean", &history.q, &none)
        },
        day("from", "From", &history.from),
        day("to", "To", &history.to),
    ]
}
