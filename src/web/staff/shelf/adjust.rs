//! Adjusting the number of bags by a difference, with a reason.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::taking::{Answer, Typed, submission, take};
use crate::db::beans::Bean;
use crate::domain::{Adjustment, BeanId};
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
use crate::web::ui::typed::{parse_bags, parse_optional};
use crate::web::ui::wording;

/// A reason to choose, and in which direction it changes the number.
struct Choice {
    value: &'static str,
    label: &'static str,
    meaning: &'static str,
    adjustment: Adjustment,
    sign: i64,
}

const CHOICES: [Choice; 7] = [
    Choice {
        value: "received",
        label: "Received",
        meaning: "Bags came in that no update told of. Adds them.",
        adjustment: Adjustment::Received,
        sign: 1,
    },
    Choice {
        value: "damaged",
        label: "Damaged",
        meaning: "Bags nobody can use any more. Takes them away.",
        adjustment: Adjustment::Damaged,
        sign: -1,
    },
    Choice {
        value: "sent-back",
        label: "Returned",
        meaning: "Bags went back to the supplier, and no update told of it. Takes them away.",
        adjustment: Adjustment::SentBack,
        sign: -1,
    },
    Choice {
        value: "found",
        label: "Correction: too few in the books",
        meaning: "You found bags that were never booked. Adds them.",
        adjustment: Adjustment::Correction,
        sign: 1,
    },
    Choice {
        value: "missing",
        label: "Correction: too many in the books",
        meaning: "Bags are missing, or were booked twice. Takes them away.",
        adjustment: Adjustment::Correction,
        sign: -1,
    },
    Choice {
        value: "other-in",
        label: "Something else, adds bags",
        meaning: "Say what below.",
        adjustment: Adjustment::Other,
        sign: 1,
    },
    Choice {
        value: "other-out",
        label: "Something else, takes bags away",
        meaning: "Say what below.",
        adjustment: Adjustment::Other,
        sign: -1,
    },
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AdjustForm {
    #[serde(rename = "do")]
    wish: String,
    form_key: String,
    reason: String,
    bags: String,
    why: String,
}

impl AdjustForm {
    fn read(&self) -> Result<Deed, Mistakes> {
        let mut mistakes = Mistakes::default();
        let choice = CHOICES.iter().find(|choice| choice.value == self.reason);
        let choice = choice.ok_or_else(|| "Choose what happened".to_owned());
        let choice = mistakes.check("reason", choice);
        let bags = mistakes.check("bags", parse_bags(&self.bags));
        let why = parse_optional("More about it", &self.why);
        let why = why.and_then(|why| match (why, choice) {
            (None, Some(choice)) if choice.adjustment == Adjustment::Other => {
                Err("Enter what happened".to_owned())
            }
            (why, _) => Ok(why),
        });
        let why = mistakes.check("why", why);
        match (choice, bags, why) {
            (Some(choice), Some(bags), Some(why)) => Ok(Deed::Adjust {
                adjustment: choice.adjustment,
                change_by: choice.sign * bags.get(),
                why,
            }),
            _ => Err(mistakes),
        }
    }
}

#[derive(Template)]
#[template(path = "staff/shelf/adjust.html")]
struct AdjustPage {
    layout: Layout,
    bean: Bean,
    form: AdjustForm,
    bags: TextField,
    why: TextField,
    effect: Option<Effect>,
    mistakes: Mistakes,
}

impl AdjustPage {
    fn chosen(&self) -> &'static str {
        let choice = CHOICES
            .iter()
            .find(|choice| choice.value == self.form.reason);
        choice.map_or("", |choice| choice.label)
    }
}

pub(super) async fn show_form(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let form = AdjustForm {
        form_key: new_key(),
        ..AdjustForm::default()
    };
    Ok(show(
        StatusCode::OK,
        layout,
        bean,
        form,
        None,
        Mistakes::default(),
    ))
}

pub(super) async fn take_form(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<BeanId>,
    Form(form): Form<AdjustForm>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let content = [&*form.reason, &form.bags, &form.why];
    let typed = Typed {
        bean: id,
        deed: form.read(),
        by: acting.actor(),
        form: submission(&form.form_key, "adjust", id, acting.account, &content)?,
        is_confirmed: form.wish == "send",
        field: "bags",
        zone: layout.zone,
    };
    Ok(match take(&state, typed, Notice::StockAdjusted).await? {
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
    form: AdjustForm,
    effect: Option<Effect>,
    mistakes: Mistakes,
) -> Response {
    let page = AdjustPage {
        bags: TextField {
            inputmode: "numeric",
            width: "short",
            ..TextField::new("bags", "How many bags", &form.bags, &mistakes)
        },
        why: TextField {
            hint: "Shown beside the movement, for whoever wonders later.",
            ..TextField::new("why", "More about it (optional)", &form.why, &mistakes)
        },
        layout,
        bean,
        form,
        effect,
        mistakes,
    };
    Page(status, page).into_response()
}
