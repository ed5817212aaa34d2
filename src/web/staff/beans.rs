//! The list of beans.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use crate::db;
use crate::db::beans::Bean;
use crate::domain::BeanId;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths;
use crate::web::state::{AppState, READ_WITHIN, in_turn};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};

/// A bean, and how its stock compares with the others'.
#[derive(Debug, Clone)]
pub(crate) struct BeanRow {
    pub(crate) bean: Arc<Bean>,
    /// Its stock in thousandths of the largest.
    pub(crate) share: i64,
}

impl BeanRow {
    /// Compares beans with each other.
    pub(crate) fn list(beans: Vec<Bean>) -> Vec<Self> {
        let most = beans
            .iter()
            .map(|bean| bean.quantity)
            .max()
            .unwrap_or(0)
            .max(1);
        let row = |bean: Bean| Self {
            share: bean.quantity * 1_000 / most,
            bean: Arc::new(bean),
        };
        beans.into_iter().map(row).collect()
    }
}

#[derive(Template)]
#[template(path = "staff/beans/list.html")]
pub(super) struct BeansPage {
    layout: Layout,
    rows: Vec<BeanRow>,
}

/// Lists the beans, which are read once for all who ask for them at the same time.
pub(super) async fn list_beans(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<BeansPage>, WebError> {
    let read = async || in_turn(READ_WITHIN, read_beans(&state)).await;
    let beans = state.shared.beans.get(read).await?;
    let rows = BeanRow::list(beans.to_vec());
    Ok(Page::ok(BeansPage { layout, rows }))
}

async fn read_beans(state: &AppState) -> Result<Arc<[Bean]>, WebError> {
    let mut conn = state.connection().await?;
    Ok(db::beans::list_beans(&mut conn).await?.into())
}

/// Finds a bean on the list.
pub(super) async fn find_bean(state: &AppState, id: BeanId) -> Result<Bean, WebError> {
    let mut conn = state.connection().await?;
    let bean = db::beans::find_bean(&mut conn, id).await?;
    bean.ok_or(WebError::NotFound(Missing::Bean))
}
