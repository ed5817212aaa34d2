//! Sending updates: the form, the page that shows what it would do, and taking it in.

use std::borrow::Cow;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::card::sees_levels;
use super::effect::{Effect, foresee};
use super::show;
use super::slip_form::{Line, MAX_LINES, SlipForm, Wish};
use crate::db;
use crate::db::Connection;
use crate::db::beans::OfferedBean;
use crate::db::suppliers::Supplier;
use crate::db::update_lists::UpdateLine;
use crate::domain::{
    BeanType, InventoryUpdate, SlipNumber, SupplierId, UpdateId, UpdateKind, UpdateState,
    did_you_mean,
};
use crate::inventory::{Following, SentForm, Slip, SlipError, accept_slip};
use crate::web::access::Viewer;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::form::{Mistakes, TextField, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::Page;
use crate::web::ui::query::Query;
use crate::web::ui::wording;

/// For whom updates are sent, and about which beans.
struct Desk {
    supplier: Supplier,
    beans: Vec<OfferedBean>,
    sees_levels: bool,
    /// Whether the café sends for the supplier.
    is_cafe: bool,
}

impl Desk {
    /// Finds the desk of whoever asks: a supplier's own, or the one that the café has chosen. `None` if the café
    /// has yet to choose.
    async fn find(
        state: &AppState,
        conn: &mut Connection,
        viewer: &Viewer,
        chosen: &str,
    ) -> Result<Option<Self>, WebError> {
        let supplier = match viewer.bound_to() {
            Some(own) => own,
            None if chosen.is_empty() => return Ok(None),
            None => {
                SupplierId::from_segment(chosen).ok_or(WebError::NotFound(Missing::Supplier))?
            }
        };
        let supplier = db::suppliers::find_supplier(conn, supplier).await?;
        let supplier = supplier.ok_or(WebError::NotFound(Missing::Supplier))?;
        Ok(Some(Self {
            beans: db::beans::list_offered_beans(conn, supplier.id).await?,
            supplier,
            sees_levels: sees_levels(state, viewer),
            is_cafe: viewer.bound_to().is_none(),
        }))
    }

    /// Whether nothing can be sent from here, and why.
    fn closed_because(&self) -> Option<&'static str> {
        if !self.supplier.active {
            Some("This supplier is switched off, so its updates are not taken.")
        } else if self.beans.is_empty() {
            Some(
                "The café has none of this supplier’s beans on its list yet, so there is nothing to send updates about.",
            )
        } else {
            None
        }
    }

    /// Beans whose types look alike cannot be told apart in a message.
    fn refuse_twins(&self, updates: &[InventoryUpdate], numbers: &[usize]) -> Mistakes {
        let mut mistakes = Mistakes::default();
        let key = |bean: &OfferedBean| BeanType::stored(bean.bean_type.clone()).key();
        for (update, number) in updates.iter().zip(numbers) {
            let wanted = update.bean_type.key();
            if self.beans.iter().filter(|bean| key(bean) == wanted).count() > 1 {
                mistakes.add(
                    format!("bean-{number}"),
                    "The café has two of these beans under the same name, so nobody could tell which one is meant. Ask the café to rename one",
                );
            }
        }
        mistakes
    }
}

/// A choice of what is happening.
struct KindChoice {
    code: &'static str,
    label: &'static str,
}

/// What may be chosen, in the words of a supplier or of the café.
fn kinds(is_cafe: bool) -> [KindChoice; 3] {
    let choice = |kind: UpdateKind, label| KindChoice {
        code: kind.code(),
        label,
    };
    let out = if is_cafe {
        "They are out of stock"
    } else {
        "We are out of stock"
    };
    [
        choice(UpdateKind::Delivery, "Delivering"),
        choice(UpdateKind::Return, "Taking back"),
        choice(UpdateKind::OutOfStock, out),
    ]
}

/// A line as the form shows it.
struct LineFields {
    number: usize,
    line: Line,
    bean_error: Option<String>,
    kind_error: Option<String>,
    bags: TextField,
}

impl LineFields {
    fn new(number: usize, line: &Line, mistakes: &Mistakes) -> Self {
        let error = |field: &str| mistakes.of(&format!("{field}-{number}")).map(str::to_owned);
        Self {
            number,
            line: line.clone(),
            bean_error: error("bean"),
            kind_error: error("kind"),
            bags: TextField {
                inputmode: "numeric",
                width: "short",
                ..TextField::new(
                    Cow::from(format!("bags-{number}")),
                    "How many bags",
                    &line.bags,
                    mistakes,
                )
            },
        }
    }

    fn has_bean(&self, bean: &OfferedBean) -> bool {
        self.line.bean.trim() == bean.id.to_string()
    }

    fn has_kind(&self, kind: &KindChoice) -> bool {
        self.line.kind == kind.code
    }
}

#[derive(Template)]
#[template(path = "updates/new.html")]
struct FormPage {
    layout: Layout,
    desk: Desk,
    form: SlipForm,
    kinds: [KindChoice; 3],
    lines: Vec<LineFields>,
    about: [TextField; 3],
    mistakes: Mistakes,
}

impl FormPage {
    fn new(layout: Layout, desk: Desk, form: SlipForm, mistakes: Mistakes) -> Self {
        let lines = form.lines.iter().enumerate();
        let about = [
            TextField {
                kind: "datetime-local",
                width: "medium",
                hint: "Leave it empty if it is happening now.",
                ..TextField::new("occurred_at", "When", &form.occurred_at, &mistakes)
            },
            TextField {
                width: "medium",
                hint: "The number on your delivery note, for example.",
                ..TextField::new("reference", "Your reference", &form.reference, &mistakes)
            },
            TextField {
                kind: "",
                width: "wide",
                ..TextField::new("note", "Note for the café", &form.note, &mistakes)
            },
        ];
        Self {
            kinds: kinds(desk.is_cafe),
            lines: lines
                .map(|(place, line)| LineFields::new(place + 1, line, &mistakes))
                .collect(),
            about,
            layout,
            desk,
            form,
            mistakes,
        }
    }

    fn is_fix(&self) -> bool {
        !self.form.fixes.is_empty()
    }

    fn heading(&self) -> &'static str {
        if self.is_fix() {
            "Fix and resend"
        } else {
            "Send an update"
        }
    }

    fn has_room(&self) -> bool {
        !self.is_fix() && self.lines.len() < MAX_LINES
    }

    /// Whether what few need is shown at once.
    fn shows_details(&self) -> bool {
        self.about
            .iter()
            .any(|field| !field.value.is_empty() || field.error.is_some())
    }
}

#[derive(Template)]
#[template(path = "updates/check.html")]
struct CheckPage {
    layout: Layout,
    supplier_name: String,
    is_cafe: bool,
    form: SlipForm,
    effects: Vec<Effect>,
}

impl CheckPage {
    /// The moment that was typed, as people write it.
    fn moment(&self) -> String {
        self.form.occurred_at.replace('T', " ")
    }
}

#[derive(Template)]
#[template(path = "updates/choose_supplier.html")]
struct ChoicePage {
    layout: Layout,
    suppliers: Vec<Supplier>,
}

#[derive(Template)]
#[template(path = "updates/used_form.html")]
struct UsedFormPage {
    layout: Layout,
    number: SlipNumber,
    sent: Vec<UpdateLine>,
    form: SlipForm,
    effects: Vec<Effect>,
}

/// What each line would do, to be shown beside it.
#[derive(Template)]
#[template(path = "updates/effects.html")]
pub(super) struct EffectsPart {
    effects: Vec<Effect>,
    /// How many lines the form has.
    lines: usize,
}

impl EffectsPart {
    /// Each line's number with what it would do, if that can be told.
    fn by_line(&self) -> impl Iterator<Item = (usize, Option<&Effect>)> {
        let effect = |number| self.effects.iter().find(|effect| effect.number == number);
        (1..=self.lines).map(move |number| (number, effect(number)))
    }
}

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
    Ok(Page::ok(FormPage::new(layout, desk, form, Mistakes::default())).into_response())
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
    send(&state, &viewer, layout, desk, checked).await
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
    viewer: &Viewer,
    layout: Layout,
    desk: Desk,
    checked: Checked,
) -> Result<Response, WebError> {
    let Checked {
        form,
        updates,
        effects,
    } = checked;
    let sender = viewer.0.account;
    let slip = Slip {
        supplier: desk.supplier.id,
        sender,
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
    let mut effects = Vec::new();
    for (place, line) in form.lines.iter().enumerate() {
        let alone = SlipForm {
            lines: vec![line.clone()],
            ..form.clone()
        };
        if let Ok((_, mut told)) = check(&alone, &desk, &layout)
            && let Some(mut effect) = told.pop()
        {
            effect.number = place + 1;
            effects.push(effect);
        }
    }
    Ok(Page::ok(EffectsPart {
        effects,
        lines: form.lines.len(),
    }))
}

/// Reads the form and tells what it would do.
fn check(
    form: &SlipForm,
    desk: &Desk,
    layout: &Layout,
) -> Result<(Vec<InventoryUpdate>, Vec<Effect>), Mistakes> {
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
    let effects = foresee(&typed.lines, &updates, desk.sees_levels, layout.now)?;
    Ok((updates, effects))
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
