//! The list of beans as files: exactly what is filtered, for spreadsheets and for programs.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::bean_search::BeanSearch;
use super::beans::{BeanRow, list_rows};
use crate::web::http::error::WebError;
use crate::web::state::AppState;
use crate::web::ui::csv::{Csv, inert};
use crate::web::ui::layout::Layout;
use crate::web::ui::query::Query;

/// More beans than any café has; each is about 300 bytes.
const MOST: i64 = 100_000;

/// A bean in a file.
#[derive(Serialize)]
struct StockLine {
    bean_id: i64,
    supplier_id: i64,
    supplier: String,
    bean_type: String,
    product_name: String,
    /// US dollars a bag.
    price: String,
    bags: i64,
    /// Low at so many bags or fewer.
    alert_at: Option<i64>,
    standing: &'static str,
    out_at_supplier_since: Option<String>,
    days_left: Option<i64>,
    days_left_basis: String,
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl From<BeanRow> for StockLine {
    fn from(row: BeanRow) -> Self {
        let bean = row.bean;
        let standing = match bean.quantity {
            0 => "out",
            _ if bean.is_low() => "low",
            _ => "in stock",
        };
        Self {
            bean_id: bean.id.0,
            supplier_id: bean.supplier.0,
            supplier: bean.supplier_name.clone(),
            bean_type: bean.bean_type.clone(),
            product_name: bean.product_name.clone(),
            price: format!("{:.2}", bean.price),
            bags: bean.quantity,
            alert_at: bean.alert_at,
            standing,
            out_at_supplier_since: bean.out_of_stock_since.map(iso),
            days_left: row.lasting.days,
            days_left_basis: row.lasting.basis,
        }
    }
}

const COLUMNS: [&str; 12] = [
    "bean_id",
    "supplier_id",
    "supplier",
    "bean_type",
    "product_name",
    "price",
    "bags",
    "alert_at",
    "standing",
    "out_at_supplier_since",
    "days_left",
    "days_left_basis",
];

impl StockLine {
    fn cells(&self) -> [String; 12] {
        let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
        [
            self.bean_id.to_string(),
            self.supplier_id.to_string(),
            inert(&self.supplier),
            inert(&self.bean_type),
            inert(&self.product_name),
            self.price.clone(),
            self.bags.to_string(),
            number(self.alert_at),
            self.standing.to_owned(),
            self.out_at_supplier_since.clone().unwrap_or_default(),
            number(self.days_left),
            self.days_left_basis.clone(),
        ]
    }
}

async fn read(
    state: &AppState,
    layout: &Layout,
    search: &BeanSearch,
) -> Result<Vec<StockLine>, WebError> {
    let mut conn = state.connection().await?;
    let rows = list_rows(&mut conn, search, layout, (MOST, 0)).await?;
    Ok(rows.into_iter().map(StockLine::from).collect())
}

pub(super) async fn export_csv(
    State(state): State<AppState>,
    layout: Layout,
    Query(search): Query<BeanSearch>,
) -> Result<Response, WebError> {
    let mut file = Csv::new(COLUMNS)?;
    for line in read(&state, &layout, &search).await? {
        file.write(line.cells())?;
    }
    file.into_download("stock.csv")
}

pub(super) async fn export_json(
    State(state): State<AppState>,
    layout: Layout,
    Query(search): Query<BeanSearch>,
) -> Result<Response, WebError> {
    let lines = read(&state, &layout, &search).await?;
    let name = [(CONTENT_DISPOSITION, "attachment; filename=\"stock.json\"")];
    Ok((name, Json(lines)).into_response())
}
