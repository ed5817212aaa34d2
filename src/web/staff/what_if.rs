//! What would happen to a message: for whoever writes a script, or wonders why one was refused.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::db;
use crate::db::beans::Bean;
use crate::domain::{Decision, Refusal, Stock};
use crate::inventory::{Foresight, foresee};
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, grouped};
use crate::web::ui::updates::UpdateRow;
use crate::web::ui::wording;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MessageForm {
    message: String,
}

/// A step on the way of a message.
struct Step {
    title: &'static str,
    /// `done`, `alarm` or `retrying`.
    class: &'static str,
    word: &'static str,
    sentence: String,
}

#[derive(Template)]
#[template(path = "staff/what_if.html")]
pub(super) struct WhatIfPage {
    layout: Layout,
    message: TextField,
    steps: Vec<Step>,
    /// An update that has come with this message's id.
    known: Option<UpdateRow>,
    bean: Option<Bean>,
}

impl WhatIfPage {
    fn new(layout: Layout, typed: &str) -> Self {
        let none = Mistakes::default();
        Self {
            layout,
            message: TextField {
                kind: "",
                width: "wide",
                hint: "As it was published: a line like 3:Excelsa:9, JSON, or the SNS envelope around either.",
                ..TextField::new("message", "Message", typed, &none)
            },
            steps: Vec::new(),
            known: None,
            bean: None,
        }
    }
}

pub(super) async fn show_form(layout: Layout) -> Page<WhatIfPage> {
    Page::ok(WhatIfPage::new(layout, ""))
}

/// Tells what would become of a message. Nothing is written.
pub(super) async fn tell(
    State(state): State<AppState>,
    layout: Layout,
    Form(form): Form<MessageForm>,
) -> Result<Page<WhatIfPage>, WebError> {
    let mut page = WhatIfPage::new(layout, &form.message);
    if form.message.trim().is_empty() {
        page.message.error = Some("Paste a message".to_owned());
        return Ok(Page::ok(page));
    }
    let mut conn = state.connection().await?;
    // Browsers end lines with CR and LF, and the lab's programs publish none.
    let message = form.message.trim_end_matches(['\r', '\n']);
    let foresight = foresee(&mut conn, message, page.layout.now).await?;
    if let Some(Ok(meant)) = &foresight.bean {
        page.bean = db::beans::find_bean(&mut conn, meant.bean).await?;
    }
    page.steps = steps(&foresight, page.bean.as_ref());
    page.known = foresight.known.map(UpdateRow::from);
    Ok(Page::ok(page))
}

fn good(title: &'static str, sentence: String) -> Step {
    Step {
        title,
        class: "done",
        word: "Fine",
        sentence,
    }
}

fn bad(title: &'static str, refusal: &Refusal) -> Step {
    Step {
        title,
        class: "alarm",
        word: refusal.reason.title(),
        sentence: refusal.explanation.clone(),
    }
}

/// The steps up to the one that ends it.
fn steps(foresight: &Foresight, bean: Option<&Bean>) -> Vec<Step> {
    let mut steps = Vec::new();
    if foresight.in_envelope {
        let sentence = "It is in an SNS envelope. Whether it came from one of your topics is checked when it arrives.";
        steps.push(good("Envelope", sentence.to_owned()));
    }
    match &foresight.read {
        Err(refusal) => {
            steps.push(bad("Reading", refusal));
            return steps;
        }
        Ok(update) => {
            let what = wording::what(Some(update.change.kind()), foresight.claim.quantity);
            let supplier = update.supplier;
            let sentence = format!(
                "Supplier {supplier}, {}: {what}.",
                update.bean_type.as_str()
            );
            steps.push(good("Reading", sentence));
        }
    }
    if let Some(known) = &foresight.known {
        let sentence = if known.state.is_final() {
            "An update with this id has come to its end already. If it says the same, this is a copy and changes nothing; if it says something else, it is refused."
        } else {
            "An update with this id is known. If it says the same, it counts once."
        };
        steps.push(Step {
            title: "Seen before",
            class: "retrying",
            word: "Known",
            sentence: sentence.to_owned(),
        });
    }
    match &foresight.bean {
        Some(Err(refusal)) => steps.push(bad("Finding the bean", refusal)),
        Some(Ok(meant)) => {
            let name = bean.map_or("a bean", |bean| bean.product_name.as_str());
            let mut sentence = format!("It is about {name}.");
            if let Some(note) = &meant.note {
                sentence = format!("{sentence} {note}");
            }
            steps.push(good("Finding the bean", sentence));
        }
        None => {}
    }
    if let Some((stock, decided)) = &foresight.decided {
        steps.push(verdict(stock, decided));
    }
    steps
}

/// What the stock rule says.
fn verdict(stock: &Stock, decided: &Result<Decision, Refusal>) -> Step {
    const TITLE: &str = "The stock";
    let before = grouped(stock.quantity);
    match decided {
        Ok(Decision::Move { after, .. }) => {
            let after = wording::bags(after.quantity);
            good(TITLE, format!("It would go from {before} to {after}."))
        }
        Ok(Decision::Flag { .. }) => good(
            TITLE,
            format!(
                "It would stay at {before}; the bean would be marked as out of stock at its supplier."
            ),
        ),
        Ok(Decision::Superseded(refusal)) => Step {
            class: "retrying",
            word: "Nothing to do",
            ..bad(TITLE, refusal)
        },
        Err(refusal) => bad(TITLE, refusal),
    }
}
