//! Correcting the number of bags of an update that was applied.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::card::sees_levels;
use super::desk::{TWINS, has_twin};
use super::effect;
use super::send::find_same;
use super::show;
use crate::db;
use crate::db::beans::OfferedBean;
use crate::db::update_lists::UpdateLine;
use crate::domain::{
    AccountId, Bags, BeanType, Decision, InventoryUpdate, Reason, StockChange, SupplierId,
    UpdateId, UpdateKind, decide,
};
use crate::inventory::{
    Following, SentForm, Slip, SlipError, accept_slip, bags_so_far, difference, moved_at,
};
use crate::web::access::Viewer;
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, grouped};
use crate::web::ui::typed::bags_sentence;
use crate::web::ui::wording;

/// An applied update, and what it stands for now.
struct Corrected {
    line: UpdateLine,
    bean: OfferedBean,
    supplier: SupplierId,
    supplier_is_active: bool,
    /// Whether a message could mean another bean as well.
    has_twin: bool,
    kind: UpdateKind,
    bags: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CorrectionForm {
    #[serde(rename = "do")]
    wish: String,
    form_key: String,
    /// What the update stood for when the form was shown.
    was: String,
    bags: String,
}

impl CorrectionForm {
    fn sent_by(&self, sender: AccountId, update: UpdateId) -> Option<SentForm> {
        let content = [&*update.to_string(), &self.was, &self.bags];
        SentForm::new(sender, &self.form_key, &content)
    }
}

#[derive(Template)]
#[template(path = "updates/correct.html")]
struct CorrectionPage {
    layout: Layout,
    corrected: Corrected,
    form: CorrectionForm,
    bags: TextField,
    /// What would be booked, once the number was read.
    effect: Option<Effect>,
    mistakes: Mistakes,
}

/// What a correction would do.
struct Effect {
    sentence: String,
    level: Option<String>,
}

impl CorrectionPage {
    fn what(&self) -> String {
        wording::what(Some(self.corrected.kind), Some(self.corrected.bags))
    }
}

impl Corrected {
    /// Finds what is to be corrected, or the page that says why it cannot be.
    async fn find(
        state: &AppState,
        viewer: &Viewer,
        id: UpdateId,
    ) -> Result<Result<Self, Redirect>, WebError> {
        let mut conn = state.connection().await?;
        let line = show::find(&mut conn, id, viewer.bound_to()).await?;
        let followers = db::update_lists::list_followers(&mut conn, &[line.id]).await?;
        let elsewhere = Redirect::to(&Notice::CannotBeCorrected.on(&paths::update(line.id)));
        let (Some(bags), Some(kind)) = (bags_so_far(&line, &followers), line.kind) else {
            return Ok(Err(elsewhere));
        };
        let Some(supplier) = line.supplier.map(SupplierId) else {
            return Ok(Err(elsewhere));
        };
        let beans = db::beans::list_offered_beans(&mut conn, supplier).await?;
        let bean = beans
            .iter()
            .find(|bean| Some(bean.id) == line.bean)
            .cloned();
        let found = db::suppliers::find_supplier(&mut conn, supplier).await?;
        let supplier_is_active = found.is_some_and(|supplier| supplier.active);
        Ok(bean.map_or(Err(elsewhere), |bean| {
            let bean_type = BeanType::stored(bean.bean_type.clone());
            Ok(Self {
                has_twin: has_twin(&beans, &bean_type),
                line,
                bean,
                supplier,
                supplier_is_active,
                kind,
                bags,
            })
        }))
    }

    /// The update that carries the difference to so many bags.
    fn update(&self, change: StockChange) -> InventoryUpdate {
        InventoryUpdate {
            id: UpdateId::generate(),
            supplier: self.supplier,
            bean_type: BeanType::stored(self.bean.bean_type.clone()),
            change,
            occurred_at: Some(moved_at(&self.line)),
            sent_at: None,
            reference: self.line.reference.clone(),
            note: None,
        }
    }
}

pub(super) async fn ask(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Id(id): Id<UpdateId>,
) -> Result<Response, WebError> {
    let corrected = match Corrected::find(&state, &viewer, id).await? {
        Ok(corrected) => corrected,
        Err(elsewhere) => return Ok(elsewhere.into_response()),
    };
    let form = CorrectionForm {
        form_key: new_key(),
        was: corrected.bags.to_string(),
        ..CorrectionForm::default()
    };
    Ok(show_form(
        StatusCode::OK,
        layout,
        corrected,
        form,
        None,
        Mistakes::default(),
    ))
}

/// Shows what a correction would do and, on the next click, sends it.
pub(super) async fn take_form(
    State(state): State<AppState>,
    viewer: Viewer,
    acting: Acting,
    layout: Layout,
    Id(id): Id<UpdateId>,
    Form(mut form): Form<CorrectionForm>,
) -> Result<Response, WebError> {
    let found = Corrected::find(&state, &viewer, id).await?;
    let sent_form = form.sent_by(acting.account, id).ok_or(WebError::BadForm)?;
    if form.wish == "send"
        && let Some(slip) = find_same(&mut *state.connection().await?, Some(sent_form)).await?
    {
        return Ok(Redirect::to(&paths::slip(slip)).into_response());
    }
    let corrected = match found {
        Ok(corrected) => corrected,
        Err(elsewhere) => return Ok(elsewhere.into_response()),
    };
    if form.was != corrected.bags.to_string() {
        let mistakes = Mistakes::one(
            "bags",
            "Someone else has corrected this number in the meantime. Check it and try again",
        );
        form.was = corrected.bags.to_string();
        form.form_key = new_key();
        return Ok(show_form(
            StatusCode::CONFLICT,
            layout,
            corrected,
            form,
            None,
            mistakes,
        ));
    }
    let (update, effect) = match check(&state, &viewer, &layout, &corrected, &form.bags) {
        Ok(checked) => checked,
        Err(sentence) => {
            return Ok(refuse(layout, corrected, form, sentence));
        }
    };
    if form.wish != "send" {
        let effect = Some(effect);
        return Ok(show_form(
            StatusCode::OK,
            layout,
            corrected,
            form,
            effect,
            Mistakes::default(),
        ));
    }
    send(
        &state,
        layout,
        corrected,
        form,
        Correction {
            acting,
            sent_form,
            update,
        },
    )
    .await
}

/// What is sent when somebody has seen what it does.
struct Correction {
    acting: Acting,
    sent_form: SentForm,
    update: InventoryUpdate,
}

async fn send(
    state: &AppState,
    layout: Layout,
    corrected: Corrected,
    form: CorrectionForm,
    correction: Correction,
) -> Result<Response, WebError> {
    let slip = Slip {
        supplier: corrected.supplier,
        sender: correction.acting.account,
        address: correction.acting.address,
        form: correction.sent_form,
        updates: vec![correction.update],
        follows: Some(Following::Correction {
            update: corrected.line.id,
            stood_for: corrected.bags,
        }),
    };
    match accept_slip(&state.pool, &*state.clock, &slip).await {
        Ok(number) => Ok(Redirect::to(&paths::slip(number)).into_response()),
        Err(SlipError::UsedForAnother(_) | SlipError::MovedOn) => {
            let page = Notice::CannotBeCorrected.on(&paths::update(corrected.line.id));
            Ok(Redirect::to(&page).into_response())
        }
        Err(SlipError::Unreadable(refusal)) => {
            Ok(refuse(layout, corrected, form, refusal.explanation))
        }
        Err(SlipError::Db(error)) => Err(error.into()),
    }
}

/// Reads the number, and tells what the difference would do.
fn check(
    state: &AppState,
    viewer: &Viewer,
    layout: &Layout,
    corrected: &Corrected,
    typed: &str,
) -> Result<(InventoryUpdate, Effect), String> {
    let to = parse_bags(typed)?;
    if !corrected.supplier_is_active {
        return Err("This supplier is switched off, so its updates are not taken".to_owned());
    }
    if corrected.has_twin {
        return Err(TWINS.to_owned());
    }
    let change = difference(corrected.kind, corrected.bags, to)
        .ok_or("That is the number it has already. Enter how many there really were")?
        .map_err(|error| bags_sentence(typed, error))?;
    let update = corrected.update(change);
    let sees_levels = sees_levels(state, viewer);
    let before = corrected.bean.stock.quantity;
    let mut effect = Effect {
        sentence: effect::change(&change),
        level: None,
    };
    match decide(&corrected.bean.stock, &update, layout.now) {
        Ok(Decision::Move { after, .. }) if sees_levels => {
            let after = wording::bags(after.quantity);
            effect.level = Some(format!("{} → {after}", grouped(before)));
        }
        Ok(Decision::Superseded(refusal)) => effect.sentence = refusal.explanation,
        Err(refusal) if sees_levels || refusal.reason != Reason::BelowZero => {
            return Err(refusal.explanation);
        }
        Ok(_) | Err(_) => {}
    }
    Ok((update, effect))
}

/// Reads how many bags there really were; none is an answer.
fn parse_bags(typed: &str) -> Result<i64, String> {
    if typed.trim().is_empty() {
        return Err("Enter how many bags there really were".to_owned());
    }
    let bags = Bags::parse_typed(typed, 0).map_err(|error| bags_sentence(typed, error))?;
    Ok(bags.get())
}

fn refuse(
    layout: Layout,
    corrected: Corrected,
    form: CorrectionForm,
    sentence: String,
) -> Response {
    let mistakes = Mistakes::one("bags", sentence);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    show_form(status, layout, corrected, form, None, mistakes)
}

fn show_form(
    status: StatusCode,
    layout: Layout,
    corrected: Corrected,
    form: CorrectionForm,
    effect: Option<Effect>,
    mistakes: Mistakes,
) -> Response {
    let page = CorrectionPage {
        bags: TextField {
            inputmode: "numeric",
            width: "short",
            hint: "0 if there were none at all.",
            ..TextField::new(
                "bags",
                "How many bags were there really?",
                &form.bags,
                &mistakes,
            )
        },
        layout,
        corrected,
        form,
        effect,
        mistakes,
    };
    Page(status, page).into_response()
}
