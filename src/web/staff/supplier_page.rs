//! One supplier: how to reach it, what it offers, how reliable its updates are, who signs in for it.

use askama::Template;
use axum::extract::State;
use axum::response::Redirect;
use chrono::TimeDelta;
use serde::Deserialize;

use super::suppliers::{find, refused};
use crate::catalogue;
use crate::db;
use crate::db::accounts::Account;
use crate::db::bean_aliases::Alias;
use crate::db::bean_days::{UnusualMovement, Whose};
use crate::db::bean_lists::{BeanFilter, Order};
use crate::db::beans::Bean;
use crate::db::suppliers::{Reliability, Supplier};
use crate::db::update_lists::Filter;
use crate::domain::{BeanId, Role, SupplierId};
use crate::web::access::Viewer;
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::Form;
use crate::web::ui::lasting::Lastings;
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::time_span::Time;
use crate::web::ui::updates::UpdateRow;
use crate::web::ui::wording;

/// As many of its beans are listed; the rest are on the list of beans.
const BEANS: i64 = 60;

/// As many of its newest updates.
const UPDATES: i64 = 10;

/// As many unusual movements of its beans.
const UNUSUAL: i64 = 5;

/// What counts for its reliability.
const WATCHED: TimeDelta = TimeDelta::days(30);

#[derive(Template)]
#[template(path = "staff/suppliers/page.html")]
pub(super) struct SupplierPage {
    layout: Layout,
    supplier: Supplier,
    beans: Vec<Bean>,
    lastings: Lastings,
    unusual: Vec<UnusualMovement>,
    aliases: Vec<Alias>,
    reliability: Reliability,
    updates: Vec<UpdateRow>,
    /// For managers only.
    accounts: Vec<Account>,
}

impl SupplierPage {
    /// How many of a hundred updates that came to an end were applied.
    fn percent(&self) -> Option<i64> {
        let ended = self.reliability.applied + self.reliability.failed;
        (self.reliability.applied * 100).checked_div(ended)
    }

    /// For how long a bean lasts, in words.
    fn lasts(&self, bean: &Bean) -> String {
        self.lastings.of(bean.id, bean.quantity).words
    }

    fn median(&self) -> Option<Time> {
        self.reliability.median.map(Time)
    }

    /// The telephone number as a link says it (RFC 3966).
    fn dialled(&self) -> String {
        let digits = |c: &char| c.is_ascii_digit() || *c == '+';
        self.supplier.phone.chars().filter(digits).collect()
    }
}

pub(super) async fn show_supplier(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Id(id): Id<SupplierId>,
) -> Result<Page<SupplierPage>, WebError> {
    let supplier = find(&state, id).await?;
    let mut conn = state.connection().await?;
    let of_supplier = BeanFilter {
        supplier: Some(id),
        ..BeanFilter::default()
    };
    let updates_of = Filter {
        supplier: Some(id),
        ..Filter::default()
    };
    let updates = db::update_lists::list_filtered(&mut conn, &updates_of, None, UPDATES).await?;
    let mut accounts = Vec::new();
    if viewer.role() == Role::Manager {
        accounts = db::accounts::list_accounts(&mut conn).await?;
        accounts.retain(|account| account.role.supplier() == Some(id));
    }
    let beans =
        db::bean_lists::list_filtered_beans(&mut conn, &of_supplier, Order::Name, BEANS, 0).await?;
    let ids: Vec<BeanId> = beans.iter().map(|bean| bean.id).collect();
    let whose = Whose {
        supplier: Some(id),
        ..Whose::default()
    };
    let since = layout.now - WATCHED;
    Ok(Page::ok(SupplierPage {
        lastings: Lastings::read(&mut conn, &ids, &layout).await?,
        unusual: db::bean_days::list_unusual(&mut conn, whose, since, UNUSUAL).await?,
        beans,
        aliases: db::bean_aliases::list_aliases(&mut conn, id).await?,
        reliability: db::suppliers::find_reliability(&mut conn, id, layout.now - WATCHED).await?,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
        layout,
        supplier,
        accounts,
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SwitchForm {
    /// `on` or `off`.
    to: String,
}

/// Switches a supplier on or off. What it sends while it is off is refused, and nothing else about it changes.
pub(super) async fn switch(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<SupplierId>,
    Form(form): Form<SwitchForm>,
) -> Result<Redirect, WebError> {
    let active = match form.to.as_str() {
        "on" => true,
        "off" => false,
        _ => return Err(WebError::BadForm),
    };
    let notice = if active {
        Notice::SupplierOn
    } else {
        Notice::SupplierOff
    };
    catalogue::switch_supplier(&state.pool, &*state.clock, id, active, acting.actor())
        .await
        .map_err(refused)?;
    Ok(Redirect::to(&notice.on(&paths::supplier(id))))
}
