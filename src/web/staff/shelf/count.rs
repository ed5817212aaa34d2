//! Counting what is on the shelf.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::SecondsFormat;
use serde::Deserialize;

use super::taking::{Answer, Typed, submission, take};
use crate::db::beans::Bean;
use crate::domain::BeanId;
use crate::shelf::{Deed, Effect};
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths::{self, Id};
use crate::web::staff::beans::find_bean;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::typed::{parse_kept, parse_moment, parse_optional, parse_stock};
use crate::web::ui::wording;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CountForm {
    #[serde(rename = "do")]
    wish: String,
    form_key: String,
    bags: String,
    /// When they were counted, as typed; empty for the moment at which the number was first sent.
    counted: String,
    /// That moment, once it is known.
    at: String,
    why: String,
}

impl CountForm {
    /// Reads it; a count without a time was made `now`, and stays so when it is confirmed.
    fn read(&mut self, layout: &Layout) -> Result<Deed, Mistakes> {
        let mut mistakes = Mistakes::default();
        let bags = mistakes.check("bags", parse_stock(&self.bags));
        let typed = parse_moment(&self.counted, layout.now, layout.zone);
        let typed = mistakes.check("counted", typed);
        let why = mistakes.check("why", parse_optional("Note", &self.why));
        let (Some(bags), Some(typed), Some(why)) = (bags, typed, why) else {
            return Err(mistakes);
        };
        let kept = parse_kept(&self.at, layout.now).filter(|_| self.wish == "send");
        let counted_at = typed.or(kept).unwrap_or(layout.now);
        self.at = counted_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        Ok(Deed::Count {
            bags,
            counted_at,
            why,
        })
    }
}

#[derive(Template)]
#[template(path = "staff/shelf/count.html")]
struct CountPage {
    layout: Layout,
    bean: Bean,
    form: CountForm,
    bags: TextField,
    counted: TextField,
    why: TextField,
    effect: Option<Effect>,
    mistakes: Mistakes,
}

impl CountPage {
    fn difference(&self) -> i64 {
        self.effect
            .map_or(0, |effect| effect.after.quantity - effect.before.quantity)
    }

    /// What moved since the bags were counted, if anything did.
    fn moved_since(&self) -> Option<(i64, i64)> {
        let counted = parse_stock(&self.form.bags).ok()?.get();
        let moved = self.effect?.after.quantity - counted;
        (moved != 0).then_some((counted, moved))
    }
}

pub(super) async fn show_form(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let form = CountForm {
        form_key: new_key(),
        ..CountForm::default()
    };
    let none = Mistakes::default();
    Ok(show(StatusCode::OK, layout, bean, form, None, none))
}

pub(super) async fn take_form(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<BeanId>,
    Form(mut form): Form<CountForm>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let deed = form.read(&layout);
    let content = [&*form.bags, &form.counted, &form.at, &form.why];
    let typed = Typed {
        bean: id,
        deed,
        by: acting.actor(),
        form: submission(&form.form_key, "count", id, acting.account, &content)?,
        is_confirmed: form.wish == "send",
        field: "bags",
        zone: layout.zone,
    };
    Ok(match take(&state, typed, Notice::BagsCounted).await? {
        Answer::Done(page) => page.into_response(),
        Answer::Show(status, Ok(effect)) => {
            let none = Mistakes::default();
            show(status, layout, bean, form, Some(effect), none)
        }
        Answer::Show(status, Err(mistakes)) => show(status, layout, bean, form, None, mistakes),
    })
}

fn show(
    status: StatusCode,
    layout: Layout,
    bean: Bean,
    form: CountForm,
    effect: Option<Effect>,
    mistakes: Mistakes,
) -> Response {
    let page = CountPage {
        bags: TextField {
            inputmode: "numeric",
            width: "short",
            hint: "Everything on the shelf, opened bags not included. 0 if there are none.",
            ..TextField::new("bags", "How many bags are there?", &form.bags, &mistakes)
        },
        counted: TextField {
            kind: "datetime-local",
            width: "medium",
            hint: "Leave this empty if you have just counted. What moved later stays on top of the count.",
            ..TextField::new(
                "counted",
                "When were they counted? (optional)",
                &form.counted,
                &mistakes,
            )
        },
        why: TextField::new("why", "Note (optional)", &form.why, &mistakes),
        layout,
        bean,
        form,
        effect,
        mistakes,
    };
    Page(status, page).into_response()
}
