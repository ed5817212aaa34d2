//! What else a supplier calls a bean: settling it, which fixes all letters that wait with that name, and taking it
//! back.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::suppliers::find;
use crate::db;
use crate::db::beans::OfferedBean;
use crate::db::letter_lists::{LetterFilter, LettersOf};
use crate::db::suppliers::Supplier;
use crate::dead_letters;
use crate::domain::{Action, BeanType, Reason, SupplierId, did_you_mean};
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths::{self, Id};
use crate::web::staff::letters::letters_with;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;

#[derive(Template)]
#[template(path = "staff/suppliers/alias.html")]
struct AliasPage {
    layout: Layout,
    supplier: Supplier,
    name: TextField,
    beans: Vec<OfferedBean>,
    /// The bean that is chosen, by number; empty for none.
    chosen: String,
    /// How many messages wait with this name.
    waiting: i64,
    mistakes: Mistakes,
}

impl AliasPage {
    fn is_chosen(&self, bean: &OfferedBean) -> bool {
        self.chosen == bean.id.to_string()
    }

    fn bean_error(&self) -> Option<&str> {
        self.mistakes.of("bean")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AliasForm {
    name: String,
    bean: String,
}

/// Asks which bean a name means.
pub(super) async fn ask(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<SupplierId>,
    Query(form): Query<AliasForm>,
) -> Result<Response, WebError> {
    let supplier = find(&state, id).await?;
    show(&state, layout, supplier, form, Mistakes::default()).await
}

async fn show(
    state: &AppState,
    layout: Layout,
    supplier: Supplier,
    form: AliasForm,
    mistakes: Mistakes,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let beans = db::beans::list_offered_beans(&mut conn, supplier.id).await?;
    let types = beans.iter().map(|bean| bean.bean_type.as_str());
    let meant = did_you_mean(&form.name, types);
    let meant = beans.iter().find(|bean| meant == Some(&bean.bean_type));
    let suggested = || meant.map_or_else(String::new, |bean| bean.id.to_string());
    let chosen = if form.bean.is_empty() {
        suggested()
    } else {
        form.bean
    };
    let waiting = LetterFilter {
        reason: Some(Reason::UnknownBean),
        of: LettersOf::Supplier(supplier.id.0),
        bean: form.name.clone(),
        ..LetterFilter::default()
    };
    let waiting = if form.name.is_empty() {
        0
    } else {
        let chosen = dead_letters::choose(&mut conn, &waiting, uuid::Uuid::max()).await?;
        chosen.letters.len().try_into().unwrap_or(i64::MAX)
    };
    let status = if mistakes.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = AliasPage {
        name: TextField {
            width: "medium",
            hint: "As its messages write it.",
            ..TextField::new("name", "What it is called", &form.name, &mistakes)
        },
        layout,
        supplier,
        beans,
        chosen,
        waiting,
        mistakes,
    };
    Ok(Page(status, page).into_response())
}

/// Settles it, and leads to the messages that wait with that name.
pub(super) async fn settle(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<SupplierId>,
    Form(form): Form<AliasForm>,
) -> Result<Response, WebError> {
    let supplier = find(&state, id).await?;
    let mut conn = state.connection().await?;
    let beans = db::beans::list_offered_beans(&mut conn, id).await?;
    drop(conn);
    let mut mistakes = Mistakes::default();
    let name = BeanType::parse(&form.name).map_err(|error| format!("What it is called: {error}"));
    let name = mistakes.check("name", name);
    let bean = beans.iter().find(|bean| bean.id.to_string() == form.bean);
    if bean.is_none() {
        mistakes.add("bean", "Choose the bean that is meant");
    }
    let has_name = |name: &BeanType| {
        let own = |bean: &OfferedBean| BeanType::stored(bean.bean_type.clone()).key();
        beans.iter().any(|bean| own(bean) == name.key())
    };
    if name.as_ref().is_some_and(has_name) {
        mistakes.add("name", "A bean of this supplier has this very name");
    }
    let (Some(name), Some(bean), true) = (name, bean, mistakes.is_empty()) else {
        return show(&state, layout, supplier, form, mistakes).await;
    };
    let (by, now) = (acting.account, state.clock.now());
    let details = format!(
        "{} of {} means {}",
        name.as_str(),
        supplier.name,
        bean.bean_type
    );
    let activity = acting.did(Action::SettledName, &details);
    db::in_transaction(&state.pool, async |tx| {
        db::bean_aliases::set_alias(tx, id, &name, bean.id, by, now).await?;
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    let waiting = letters_with(id, name.as_str());
    Ok(Redirect::to(&Notice::NameSettled.on_query(&waiting)).into_response())
}

/// Takes it back.
pub(super) async fn remove(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<SupplierId>,
    Form(form): Form<AliasForm>,
) -> Result<Redirect, WebError> {
    let supplier = find(&state, id).await?;
    let details = format!("{} of {}", form.name, supplier.name);
    let activity = acting.did(Action::UnsettledName, &details);
    let name = (id, BeanType::stored(form.name).key());
    let mut conn = state.connection().await?;
    let found = db::bean_aliases::find_aliases(&mut conn, std::slice::from_ref(&name)).await?;
    drop(conn);
    let page = Notice::NameUnsettled.on(&paths::supplier(id));
    if !found.contains_key(&name) {
        return Ok(Redirect::to(&page));
    }
    db::in_transaction(&state.pool, async |tx| {
        db::bean_aliases::delete_alias(tx, id, &name.1).await?;
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(Redirect::to(&page))
}
