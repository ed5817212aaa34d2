//! The list of beans.

use askama::Template;
use axum::extract::State;

use super::bean_search::{BeanSearch, ORDERS, OrderChoice, STANDINGS, StandingChoice};
use crate::db;
use crate::db::Connection;
use crate::db::beans::Bean;
use crate::db::suppliers::Supplier;
use crate::domain::BeanId;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::lasting::{Lasting, Lastings};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::Pager;
use crate::web::ui::query::Query;
use crate::web::ui::spark::{self, Spark};

/// As many as one page can show without becoming slow to read.
const PER_PAGE: i64 = 60;

/// A bean, how its stock went and compares with the others', and how long it will last.
#[derive(Debug, Clone)]
pub(super) struct BeanRow {
    pub(super) bean: Bean,
    /// Its stock in thousandths of the largest.
    share: i64,
    spark: Spark,
    pub(super) lasting: Lasting,
}

#[derive(Template)]
#[template(path = "staff/beans/list.html")]
pub(super) struct BeansPage {
    layout: Layout,
    search: BeanSearch,
    words: TextField,
    suppliers: Vec<Supplier>,
    rows: Vec<BeanRow>,
    pager: Pager,
}

impl BeansPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn standings(&self) -> &'static [StandingChoice] {
        &STANDINGS
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn orders(&self) -> &'static [OrderChoice] {
        &ORDERS
    }

    fn has_supplier(&self, supplier: &Supplier) -> bool {
        self.search.supplier == supplier.id.to_string()
    }

    /// Whether only some of the beans are looked for.
    fn is_narrowed(&self) -> bool {
        self.search.searches() || !self.search.show.is_empty()
    }
}

/// Lists the beans that the address looks for.
pub(super) async fn list_beans(
    State(state): State<AppState>,
    layout: Layout,
    Query(search): Query<BeanSearch>,
) -> Result<Page<BeansPage>, WebError> {
    let mut conn = state.connection().await?;
    let count = db::bean_lists::count_filtered_beans(&mut conn, &search.filter()).await?;
    let pager = Pager::new(
        search.at(paths::BEANS),
        &search.page,
        PER_PAGE,
        count.number,
    );
    let place = (pager.limit(), pager.offset());
    let none = Mistakes::default();
    Ok(Page::ok(BeansPage {
        rows: list_rows(&mut conn, &search, &layout, place).await?,
        suppliers: db::suppliers::list_suppliers(&mut conn).await?,
        words: TextField {
            kind: "search",
            width: "medium",
            ..TextField::new("q", "Name, type or supplier", &search.q, &none)
        },
        layout,
        search,
        pager,
    }))
}

/// Reads the rows of a list, from an offset on.
pub(super) async fn list_rows(
    conn: &mut Connection,
    search: &BeanSearch,
    layout: &Layout,
    (limit, offset): (i64, i64),
) -> Result<Vec<BeanRow>, WebError> {
    let (filter, order) = (search.filter(), search.order());
    let beans = db::bean_lists::list_filtered_beans(conn, &filter, order, limit, offset).await?;
    let ids: Vec<BeanId> = beans.iter().map(|bean| bean.id).collect();
    let lastings = Lastings::read(conn, &ids, layout).await?;
    let since = layout.now - spark::SHOWN;
    let changes = db::bean_lists::list_changes_by_span(conn, &ids, since, spark::SPAN).await?;
    let most = beans.iter().map(|bean| bean.quantity).max().unwrap_or(0);
    let row = |bean: Bean| BeanRow {
        share: bean.quantity * 1_000 / most.max(1),
        spark: Spark::new(
            bean.quantity,
            changes.get(&bean.id).map_or(&[], Vec::as_slice),
        ),
        lasting: lastings.of(bean.id, bean.quantity),
        bean,
    };
    Ok(beans.into_iter().map(row).collect())
}

/// Finds a bean on the list.
pub(super) async fn find_bean(state: &AppState, id: BeanId) -> Result<Bean, WebError> {
    let mut conn = state.connection().await?;
    let bean = db::beans::find_bean(&mut conn, id).await?;
    bean.ok_or(WebError::NotFound(Missing::Bean))
}
