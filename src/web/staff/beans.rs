//! The list of beans, as a page and for the café's public site.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use crate::db;
use crate::db::beans::Bean;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::{AppState, READ_WITHIN, in_turn};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{HTML, Page, filters};

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
struct BeansPage {
    layout: Layout,
    rows: Vec<BeanRow>,
}

/// Lists the beans; the plain page is shared by those who ask for it at the same time.
pub(super) async fn list_beans(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Response, WebError> {
    if layout.notice.is_some() {
        return Ok(Page::ok(read_page(&state, layout).await?).into_response());
    }
    let html = state
        .shared
        .beans
        .get(async || in_turn(READ_WITHIN, render_page(&state)).await)
        .await?;
    Ok(([(CONTENT_TYPE, HTML)], html).into_response())
}

async fn render_page(state: &AppState) -> Result<Bytes, WebError> {
    let layout = Layout::at(&Uri::from_static(paths::BEANS), state.clock.now());
    let page = read_page(state, layout).await?;
    Ok(page.render().map_err(WebError::internal)?.into())
}

async fn read_page(state: &AppState, layout: Layout) -> Result<BeansPage, WebError> {
    let mut conn = state.connection().await?;
    let beans = db::beans::list_beans(&mut conn).await?;
    Ok(BeansPage {
        layout,
        rows: BeanRow::list(beans),
    })
}
