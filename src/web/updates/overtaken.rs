//! Deciding about an update that a count has overtaken: the count stands, or it is applied all the same.

use axum::extract::State;
use axum::response::Redirect;

use super::show;
use crate::db;
use crate::db::update_lists::UpdateLine;
use crate::domain::{
    Action, Bags, BeanType, InventoryUpdate, StockChange, SupplierId, UpdateId, UpdateKind,
};
use crate::inventory::{EndError, Following, SentForm, Slip, SlipError, accept_slip, leave_update};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::notice::Notice;

/// Leaves it at the count, and leads to the update.
pub(super) async fn leave(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<UpdateId>,
) -> Result<Redirect, WebError> {
    let line = show::find(&mut *state.connection().await?, id, None).await?;
    let details = line.id.to_string();
    let activity = acting.did(Action::LeftUpdate, &details);
    let notice = match leave_update(&state.pool, &*state.clock, line.id, &activity).await {
        Ok(()) => Notice::UpdateLeft,
        Err(EndError::MovedOn(_)) => Notice::AlreadyDecided,
        Err(EndError::Unknown) => return Err(WebError::NotFound(Missing::Update)),
        Err(EndError::Db(error)) => return Err(error.into()),
    };
    Ok(Redirect::to(&notice.on(&paths::update(line.id))))
}

/// Sends what it says once more, as something that happens now, and leads to what that has become.
pub(super) async fn apply_anyway(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<UpdateId>,
) -> Result<Redirect, WebError> {
    let mut conn = state.connection().await?;
    let line = show::find(&mut conn, id, None).await?;
    let decided = || Redirect::to(&Notice::AlreadyDecided.on(&paths::update(line.id)));
    let bean = match line.bean {
        Some(bean) => db::beans::find_bean(&mut conn, bean).await?,
        None => None,
    };
    drop(conn);
    let (Some(bean), Some(change)) = (bean, change(&line)) else {
        return Ok(decided());
    };
    // There is one such form for each update, whoever sends it.
    let key = format!("anyway {}", line.id);
    let sender = acting.account;
    let form = SentForm::new(sender, &key, &[&key]).ok_or(WebError::BadForm)?;
    let update = InventoryUpdate {
        id: UpdateId::generate(),
        supplier: bean.supplier,
        bean_type: BeanType::stored(bean.bean_type),
        change,
        occurred_at: Some(state.clock.now()),
        sent_at: None,
        reference: line.reference.clone(),
        note: None,
    };
    let slip = Slip {
        supplier: SupplierId(line.supplier.unwrap_or(bean.supplier.0)),
        sender,
        address: acting.address,
        form,
        updates: vec![update],
        follows: Some(Following::Anyway(line.id)),
    };
    match accept_slip(&state.pool, &*state.clock, &slip).await {
        Ok(number) => Ok(Redirect::to(&paths::slip(number))),
        Err(SlipError::Db(error)) => Err(error.into()),
        Err(_) => Ok(decided()),
    }
}

/// What it changes; `None` if it moves no bags.
fn change(line: &UpdateLine) -> Option<StockChange> {
    let bags = Bags::new(line.quantity?).ok()?;
    match line.kind? {
        UpdateKind::Delivery => Some(StockChange::Delivery(bags)),
        UpdateKind::Return => Some(StockChange::Return(bags)),
        UpdateKind::OutOfStock | UpdateKind::Count => None,
    }
}
