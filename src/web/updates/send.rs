//! Sending updates: the form, the page that shows what it would do, and taking it in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::desk::Desk;
use super::effect::{Effect, foresee};
use super::send_pages::{CheckPage, ChoicePage, EffectsPart, FormPage, UsedFormPage};
use super::show;
use super::slip_form::{Line, SlipForm, Wish};
use crate::db;
use crate::db::Connection;
use crate::db::beans::OfferedBean;
use crate::db::update_lists::UpdateLine;
use crate::domain::{
    BeanType, InventoryUpdate, SlipNumber, SupplierId, UpdateId, UpdateKind, UpdateState,
    did_you_mean,
};
use crate::inventory::{Following, SentForm, Slip, SlipError, accept_slip};
use crate::web::access::Viewer;
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::form::{Mistakes, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::Page;
use crate::web::ui::query::Query;
use crate::web::ui::updates::as_seen;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Start {
    supplier: String,
}

pub(super) async fn new_slip(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Query(start): Query<Start>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let desk = Desk::find(&state, &mut conn, &viewer, &start.supplier).await?;
    let Some(desk) = desk else {
        let suppliers = db::suppliers::list_suppliers(&mut conn).await?;
        return Ok(Page::ok(ChoicePage { layout, suppliers }).into_response());
    };
    let form = SlipForm {
        supplier: start.supplier,
        ..SlipForm::empty()
    };
    Ok(Page::ok(FormPage::new(layout, desk, form, Mistakes::default())).into_response())
}

/// Shows the form filled in with what an update says that could not be applied.
pub(super) async fn fix(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Id(id): Id<UpdateId>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let line = show::find(&mut conn, id, viewer.bound_to()).await?;
    if line.state != UpdateState::DeadLettered || line.is_correction() {
        return Ok(Redirect::to(&paths::update(line.id)).into_response());
    }
    let supplier = match viewer.bound_to() {
        Some(_) => String::new(),
        None => line.supplier.map(|id| id.to_string()).unwrap_or_default(),
    };
    let desk = Desk::find(&state, &mut conn, &viewer, &supplier).await?;
    let desk = desk.ok_or(WebError::NotFound(Missing::Supplier))?;
    let form = SlipForm {
        supplier,
        fixes: line.id.to_string(),
        lines: vec![filled_in(&line, &desk.beans)],
        reference: line.reference.clone().unwrap_or_default(),
        note: line.note.clone().unwrap_or_default(),
        occurred_at: line.occurred_at.map_or_else(String::new, |at| {
            let local = at.with_timezone(&layout.zone);
            local.format("%Y-%m-%dT%H:%M").to_string()
        }),
        ..SlipForm::empty()
    };
    let problem = as_seen(line, desk.sees_levels).explanation;
    let mut page = FormPage::new(layout, desk, form, Mistakes::default());
    page.problem = problem;
    Ok(Page::ok(page).into_response())
}

/// A line that says what an update says, with the bean that it probably means.
fn filled_in(line: &UpdateLine, beans: &[OfferedBean]) -> Line {
    let typed = line.bean_type.as_deref().unwrap_or_default();
    let key = BeanType::stored(typed.to_owned()).key();
    let same = |bean: &&OfferedBean| BeanType::stored(bean.bean_type.clone()).key() == key;
    let meant = did_you_mean(typed, beans.iter().map(|bean| bean.bean_type.as_str()));
    let bean = beans.iter().find(same).or_else(|| {
        beans
            .iter()
            .find(|bean| Some(bean.bean_type.as_str()) == meant)
    });
    Line {
        bean: bean.map(|bean| bean.id.to_string()).unwrap_or_default(),
        kind: line.kind.map_or("", UpdateKind::code).to_owned(),
        bags: match line.quantity {
            Some(bags) if line.kind != Some(UpdateKind::OutOfStock) => bags.to_string(),
            _ => String::new(),
        },
    }
}

/// Takes the form, and does with it what was wished.
pub(super) async fn take_form(
    State(state): State<AppState>,
    viewer: Viewer,
    acting: Acting,
    layout: Layout,
    mut form: SlipForm,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let desk = Desk::find(&state, &mut conn, &viewer, &form.supplier).await?;
    let desk = desk.ok_or(WebError::NotFound(Missing::Supplier))?;
    if form.wish == Wish::Send
        && let Some(slip) = find_same(&mut conn, form.sent_by(viewer.0.account)).await?
    {
        return Ok(Redirect::to(&paths::slip(slip)).into_response());
    }
    if matches!(form.wish, Wish::Add | Wish::Remove(_) | Wish::Edit) {
        form.rearrange();
        return Ok(
            Page::ok(FormPage::new(layout, desk, form, Mistakes::default())).into_response(),
        );
    }
    let (updates, effects) = match check(&form, &desk, &layout) {
        Ok(checked) => checked,
        Err(mistakes) => return Ok(refuse(layout, desk, form, mistakes)),
    };
    if form.wish != Wish::Send {
        return Ok(Page::ok(CheckPage {
            layout,
            supplier_name: desk.supplier.name,
            is_cafe: desk.is_cafe,
            form,
            effects,
        })
        .into_response());
    }
    drop(conn);
    let checked = Checked {
        form,
        updates,
        effects,
    };
    send(&state, acting, layout, desk, checked).await
}

/// Finds what this very form has become. One that says something else by now is looked at first.
pub(super) async fn find_same(
    conn: &mut Connection,
    form: Option<SentForm>,
) -> Result<Option<SlipNumber>, WebError> {
    let form = form.ok_or(WebError::BadForm)?;
    match form.find_sent(conn).await {
        Ok(sent) => Ok(sent),
        Err(SlipError::Db(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// A form without mistakes, as updates and in words.
struct Checked {
    form: SlipForm,
    updates: Vec<InventoryUpdate>,
    effects: Vec<Effect>,
}

/// Sends a form, and leads to the page of what it has become.
async fn send(
    state: &AppState,
    acting: Acting,
    layout: Layout,
    desk: Desk,
    checked: Checked,
) -> Result<Response, WebError> {
    let Checked {
        form,
        updates,
        effects,
    } = checked;
    let sender = acting.account;
    let slip = Slip {
        supplier: desk.supplier.id,
        sender,
        address: acting.address,
        form: form.sent_by(sender).ok_or(WebError::BadForm)?,
        updates,
        follows: find_fixed(state, &form, desk.supplier.id).await?,
    };
    match accept_slip(&state.pool, &*state.clock, &slip).await {
        Ok(number) => Ok(Redirect::to(&paths::slip(number)).into_response()),
        Err(SlipError::UsedForAnother(number)) => {
            show_both(state, layout, number, form, effects).await
        }
        Err(SlipError::MovedOn) => {
            let fixed = UpdateId::from_segment(&form.fixes);
            let fixed = fixed.ok_or(WebError::NotFound(Missing::Update))?;
            let page = Notice::NothingToFix.on(&paths::update(fixed));
            Ok(Redirect::to(&page).into_response())
        }
        Err(SlipError::Unreadable(refusal)) => {
            let mistakes = Mistakes::one("bean-1", refusal.explanation);
            Ok(refuse(layout, desk, form, mistakes))
        }
        Err(SlipError::Db(error)) => Err(error.into()),
    }
}

/// Finds the update that a form fixes, among those of the supplier.
async fn find_fixed(
    state: &AppState,
    form: &SlipForm,
    supplier: SupplierId,
) -> Result<Option<Following>, WebError> {
    if form.fixes.is_empty() {
        return Ok(None);
    }
    let missing = WebError::NotFound(Missing::Update);
    let id = UpdateId::from_segment(&form.fixes).ok_or(missing)?;
    let mut conn = state.connection().await?;
    let line = show::find(&mut conn, id, Some(supplier)).await?;
    Ok(Some(Following::Fix(line.id)))
}

/// Tells what a form would do, for the script that shows it while somebody types. Says nothing of mistakes:
/// whoever is typing has not finished.
pub(super) async fn show_effect(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    form: SlipForm,
) -> Result<Page<EffectsPart>, WebError> {
    let mut conn = state.connection().await?;
    let desk = Desk::find(&state, &mut conn, &viewer, &form.supplier).await?;
    let desk = desk.ok_or(WebError::NotFound(Missing::Supplier))?;
    let lines = form.lines.len();
    let effects = match read(&form.finished(&desk.beans), &desk, &layout) {
        Ok(read) => read.effects,
        Err(_) => Vec::new(),
    };
    Ok(Page::ok(EffectsPart { effects, lines }))
}

/// What a form says, and what the stock rule says to that.
struct Reading {
    updates: Vec<InventoryUpdate>,
    effects: Vec<Effect>,
    refusals: Mistakes,
}

/// Reads the form and tells what it would do, if it may be sent.
fn check(
    form: &SlipForm,
    desk: &Desk,
    layout: &Layout,
) -> Result<(Vec<InventoryUpdate>, Vec<Effect>), Mistakes> {
    let read = read(form, desk, layout)?;
    if read.refusals.is_empty() {
        Ok((read.updates, read.effects))
    } else {
        Err(read.refusals)
    }
}

fn read(form: &SlipForm, desk: &Desk, layout: &Layout) -> Result<Reading, Mistakes> {
    if let Some(why) = desk.closed_because() {
        return Err(Mistakes::one("bean-1", why));
    }
    if !form.fixes.is_empty() && form.lines.len() > 1 {
        let why = "An update is fixed by one bean. Send the others as updates of their own";
        return Err(Mistakes::one("bean-2", why));
    }
    let typed = form.parse(&desk.beans, layout.now, layout.zone)?;
    let updates = typed.updates(desk.supplier.id);
    let numbers: Vec<usize> = typed.lines.iter().map(|line| line.number).collect();
    let twins = desk.refuse_twins(&updates, &numbers);
    if !twins.is_empty() {
        return Err(twins);
    }
    let (effects, refusals) = foresee(&typed.lines, &updates, desk.sees_levels, layout.now);
    Ok(Reading {
        updates,
        effects,
        refusals,
    })
}

fn refuse(layout: Layout, desk: Desk, form: SlipForm, mistakes: Mistakes) -> Response {
    let page = FormPage::new(layout, desk, form, mistakes);
    Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// Shows what was sent with a form, and what it says now.
async fn show_both(
    state: &AppState,
    layout: Layout,
    number: SlipNumber,
    mut form: SlipForm,
    effects: Vec<Effect>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let sent = match db::slips::find_slip(&mut conn, number).await? {
        Some(slip) => db::update_lists::list_updates_of_slip(&mut conn, slip.id).await?,
        None => Vec::new(),
    };
    // What is sent as well is an update of its own.
    form.fixes.clear();
    form.form_key = new_key();
    let page = UsedFormPage {
        layout,
        number,
        sent,
        form,
        effects,
    };
    Ok(Page(StatusCode::CONFLICT, page).into_response())
}
