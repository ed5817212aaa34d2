//! The pages on which updates are typed, looked at once more and sent.

use std::borrow::Cow;

use askama::Template;

use super::desk::Desk;
use super::effect::Effect;
use super::slip_form::{Line, MAX_LINES, SlipForm};
use crate::db::beans::OfferedBean;
use crate::db::suppliers::Supplier;
use crate::db::update_lists::UpdateLine;
use crate::domain::{SlipNumber, UpdateKind};
use crate::web::paths;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::wording;

/// A choice of what is happening.
pub(super) struct KindChoice {
    code: &'static str,
    label: &'static str,
}

/// What may be chosen, in the words of a supplier or of the café.
pub(super) fn kinds(is_cafe: bool) -> [KindChoice; 3] {
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
pub(super) struct LineFields {
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
pub(super) struct FormPage {
    layout: Layout,
    desk: Desk,
    form: SlipForm,
    kinds: [KindChoice; 3],
    lines: Vec<LineFields>,
    about: [TextField; 3],
    mistakes: Mistakes,
    /// Why the update that is fixed could not be applied.
    pub(super) problem: Option<String>,
}

impl FormPage {
    pub(super) fn new(layout: Layout, desk: Desk, form: SlipForm, mistakes: Mistakes) -> Self {
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
            problem: None,
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
pub(super) struct CheckPage {
    pub(super) layout: Layout,
    pub(super) supplier_name: String,
    pub(super) is_cafe: bool,
    pub(super) form: SlipForm,
    pub(super) effects: Vec<Effect>,
}

impl CheckPage {
    /// The moment that was typed, as people write it.
    fn moment(&self) -> String {
        self.form.occurred_at.replace('T', " ")
    }
}

#[derive(Template)]
#[template(path = "updates/choose_supplier.html")]
pub(super) struct ChoicePage {
    pub(super) layout: Layout,
    pub(super) suppliers: Vec<Supplier>,
}

#[derive(Template)]
#[template(path = "updates/used_form.html")]
pub(super) struct UsedFormPage {
    pub(super) layout: Layout,
    pub(super) number: SlipNumber,
    pub(super) sent: Vec<UpdateLine>,
    pub(super) form: SlipForm,
    pub(super) effects: Vec<Effect>,
}

/// What each line would do, to be shown beside it.
#[derive(Template)]
#[template(path = "updates/effects.html")]
pub(super) struct EffectsPart {
    pub(super) effects: Vec<Effect>,
    /// How many lines the form has.
    pub(super) lines: usize,
}

impl EffectsPart {
    /// Each line's number with what it would do, if that can be told.
    fn by_line(&self) -> impl Iterator<Item = (usize, Option<&Effect>)> {
        let effect = |number| self.effects.iter().find(|effect| effect.number == number);
        (1..=self.lines).map(move |number| (number, effect(number)))
    }
}
