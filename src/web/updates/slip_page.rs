//! The page of what was sent at once: its number, and each line with its own state.

use askama::Template;

use super::card::Card;
use super::eyes::Eyes;
use super::told::Told;
use crate::db::slips::SlipLine;
use crate::db::update_lists::UpdateLine;
use crate::db::{self, Connection, DbResult};
use crate::domain::{SlipNumber, SupplierId};
use crate::web::access::Viewer;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};

#[derive(Template)]
#[template(path = "updates/slip.html")]
pub(super) struct SlipPage {
    layout: Layout,
    slip: SlipLine,
    may_send: bool,
    cards: Vec<Card>,
}

impl SlipPage {
    fn supplier(&self) -> String {
        let name = self.slip.supplier_name.clone();
        name.unwrap_or_else(|| format!("Supplier {} (removed)", self.slip.supplier))
    }

    /// What all lines share.
    fn common(&self) -> Option<&UpdateLine> {
        self.cards.first().map(|card| &card.update.line)
    }
}

pub(super) async fn show(
    state: &AppState,
    viewer: &Viewer,
    layout: Layout,
    number: SlipNumber,
) -> Result<Page<SlipPage>, WebError> {
    let eyes = Eyes::of(state, viewer, &layout);
    let mut conn = state.connection().await?;
    let mut conn = db::snapshot(&mut conn).await?;
    let slip = find(&mut conn, number, viewer.bound_to()).await?;
    let cards = read_cards(&mut conn, slip.id, eyes).await?;
    Ok(Page::ok(SlipPage {
        layout,
        slip,
        may_send: eyes.may_act,
        cards,
    }))
}

/// Finds a slip for somebody who sees all, or those of one supplier.
pub(super) async fn find(
    conn: &mut Connection,
    number: SlipNumber,
    supplier: Option<SupplierId>,
) -> Result<SlipLine, WebError> {
    let slip = db::slips::find_slip(conn, number).await?;
    let slip = slip.filter(|slip| supplier.is_none_or(|supplier| slip.supplier == supplier));
    slip.ok_or(WebError::NotFound(Missing::Update))
}

async fn read_cards(conn: &mut Connection, slip: i64, eyes: Eyes) -> DbResult<Vec<Card>> {
    let lines = db::update_lists::list_updates_of_slip(conn, slip).await?;
    let told = Told::read(conn, lines).await?;
    Ok(told.cards(eyes))
}
