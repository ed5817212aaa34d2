//! Changing prices and alert lines of several beans: the form, the page that shows before and after, and the page
//! of what was changed, from which it is taken back.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::bean_search::BeanSearch;
use super::bulk_form::{BulkForm, MOST, Row};
use crate::catalogue::{self, CatalogueError, TermsChange};
use crate::db;
use crate::db::beans::Bean;
use crate::db::bulk_edits::{BulkEdit, BulkEditLine};
use crate::domain::{Action, BeanId, BeanTerms};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;
use crate::web::ui::wording;

/// A bean with what is typed for it.
struct RowFields {
    bean: Bean,
    price: TextField,
    line: TextField,
    seen: String,
}

#[derive(Template)]
#[template(path = "staff/beans/several.html")]
struct SeveralPage {
    layout: Layout,
    form_key: String,
    percent: TextField,
    line: TextField,
    rows: Vec<RowFields>,
    /// How many beans the list has beyond those.
    left_out: i64,
    mistakes: Mistakes,
}

impl SeveralPage {
    fn new(
        layout: Layout,
        form: BulkForm,
        mut beans: HashMap<BeanId, Bean>,
        left_out: i64,
        mistakes: Mistakes,
    ) -> Self {
        let short = |name: String, label, value: &str, inputmode| TextField {
            inputmode,
            width: "short",
            ..TextField::new(name, label, value, &mistakes)
        };
        let fields = |row: Row| {
            let bean = beans.remove(&row.bean)?;
            Some(RowFields {
                price: short(
                    format!("price-{}", row.bean),
                    "Price per bag",
                    &row.price,
                    "decimal",
                ),
                line: short(
                    format!("line-{}", row.bean),
                    "Alert at",
                    &row.line,
                    "numeric",
                ),
                seen: row.seen,
                bean,
            })
        };
        Self {
            percent: TextField {
                hint: "A minus lowers them.",
                ..short(
                    "percent".to_owned(),
                    "Raise all prices by per cent",
                    &form.percent,
                    "",
                )
            },
            line: TextField {
                hint: "A bean is low at this many bags or fewer.",
                ..short(
                    "line".to_owned(),
                    "Alert line for all",
                    &form.line,
                    "numeric",
                )
            },
            rows: form.rows.into_iter().filter_map(fields).collect(),
            form_key: form.form_key,
            layout,
            left_out,
            mistakes,
        }
    }
}

/// What one bean would be changed to.
struct Change {
    bean: Bean,
    wanted: BeanTerms,
    row: Row,
}

#[derive(Template)]
#[template(path = "staff/beans/several_check.html")]
struct CheckPage {
    layout: Layout,
    form_key: String,
    changes: Vec<Change>,
}

#[derive(Template)]
#[template(path = "staff/beans/bulk_edit.html")]
pub(super) struct BulkEditPage {
    layout: Layout,
    edit: BulkEdit,
    lines: Vec<BulkEditLine>,
}

/// Shows the form for the beans that the address looks for.
pub(super) async fn edit_several(
    State(state): State<AppState>,
    layout: Layout,
    Query(search): Query<BeanSearch>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let (filter, order) = (search.filter(), search.order());
    let beans = db::bean_lists::list_filtered_beans(&mut conn, &filter, order, most, 0).await?;
    let count = db::bean_lists::count_filtered_beans(&mut conn, &filter).await?;
    let form = BulkForm::of(&beans);
    let beans = beans.into_iter().map(|bean| (bean.id, bean)).collect();
    let left_out = (count.number - most).max(0);
    let page = SeveralPage::new(layout, form, beans, left_out, Mistakes::default());
    Ok(Page::ok(page).into_response())
}

/// Takes the form, and does with it what was wished.
pub(super) async fn take_several(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    mut form: BulkForm,
) -> Result<Response, WebError> {
    if form.form_key.is_empty() {
        return Err(WebError::BadForm);
    }
    let beans = find_beans(&state, &form).await?;
    let again = |form, mistakes: Mistakes, status| {
        let page = SeveralPage::new(layout.clone(), form, beans.clone(), 0, mistakes);
        Ok(Page(status, page).into_response())
    };
    match form.wish.as_str() {
        "fill" => {
            return match form.fill_in() {
                Ok(()) => again(form, Mistakes::default(), StatusCode::OK),
                Err(mistakes) => again(form, mistakes, StatusCode::UNPROCESSABLE_ENTITY),
            };
        }
        "edit" => return again(form, Mistakes::default(), StatusCode::OK),
        "check" | "save" => {}
        _ => return Err(WebError::BadForm),
    }
    let is_sure = form.wish == "save";
    let submission = form.submission();
    let done = |edit: i64| {
        let page = Notice::BeansChanged.on(&paths::bulk_edit(edit));
        Ok(Redirect::to(&page).into_response())
    };
    if is_sure
        && let Some(edit) = submission
            .find_earlier(&mut *state.connection().await?)
            .await?
    {
        return done(edit);
    }
    let changes = match form.parse(&beans) {
        Ok(changes) => changes,
        Err(mistakes) => return again(form, mistakes, StatusCode::UNPROCESSABLE_ENTITY),
    };
    if !is_sure {
        return Ok(Page::ok(check_page(layout, form, beans, &changes)).into_response());
    }
    let details = format!("{} beans", changes.len());
    let (pool, clock, by) = (&state.pool, &*state.clock, acting.account);
    let activity = acting.did(Action::ChangedBeans, &details);
    match catalogue::change_terms(pool, clock, &changes, by, &submission, &activity).await {
        Ok(edit) => done(edit),
        Err(CatalogueError::ChangedMeanwhile | CatalogueError::NotFound) => {
            let beans = find_beans(&state, &form).await?;
            let mistakes = form.parse(&beans).err().unwrap_or_default();
            let page = SeveralPage::new(layout, form, beans, 0, mistakes);
            Ok(Page(StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(WebError::refused(error, Missing::Bean)),
    }
}

fn check_page(
    layout: Layout,
    form: BulkForm,
    mut beans: HashMap<BeanId, Bean>,
    changes: &[TermsChange],
) -> CheckPage {
    let change = |row: Row| {
        let change = changes.iter().find(|change| change.bean == row.bean)?;
        Some(Change {
            bean: beans.remove(&row.bean)?,
            wanted: change.wanted,
            row,
        })
    };
    CheckPage {
        layout,
        form_key: form.form_key,
        changes: form.rows.into_iter().filter_map(change).collect(),
    }
}

async fn find_beans(state: &AppState, form: &BulkForm) -> Result<HashMap<BeanId, Bean>, WebError> {
    let mut conn = state.connection().await?;
    let ids: Vec<BeanId> = form.rows.iter().map(|row| row.bean).collect();
    let beans = db::bean_lists::list_beans_by_id(&mut conn, &ids).await?;
    Ok(beans.into_iter().map(|bean| (bean.id, bean)).collect())
}

/// Shows what was changed of several beans.
pub(super) async fn show_edit(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<i64>,
) -> Result<Page<BulkEditPage>, WebError> {
    let mut conn = state.connection().await?;
    let mut conn = db::snapshot(&mut conn).await?;
    let edit = db::bulk_edits::find_edit(&mut conn, id).await?;
    let edit = edit.ok_or(WebError::NotFound(Missing::BulkEdit))?;
    let lines = db::bulk_edits::list_lines(&mut conn, id).await?;
    Ok(Page::ok(BulkEditPage {
        layout,
        edit,
        lines,
    }))
}

/// Takes it back, all but what was changed again since.
pub(super) async fn undo_edit(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<i64>,
) -> Result<Redirect, WebError> {
    let details = format!("change {id}");
    let (pool, clock, by) = (&state.pool, &*state.clock, acting.account);
    let activity = acting.did(Action::ChangedBeansBack, &details);
    let notice = match catalogue::undo_terms(pool, clock, id, by, &activity).await {
        Ok(()) => Notice::BeansChangedBack,
        Err(CatalogueError::NotFound) => Notice::NothingToUndo,
        Err(error) => return Err(WebError::refused(error, Missing::BulkEdit)),
    };
    Ok(Redirect::to(&notice.on(&paths::bulk_edit(id))))
}

impl BulkEditPage {
    /// Whether nobody has changed it since.
    fn is_as_left(&self, line: &BulkEditLine) -> bool {
        let left = if self.edit.undone_at.is_some() {
            line.before
        } else {
            line.after
        };
        line.now == Some(left)
    }
}
