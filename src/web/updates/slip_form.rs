//! The form with which updates are sent: up to twenty lines, read all at once.

use axum::extract::{FromRequest, Request};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::db::beans::OfferedBean;
use crate::domain::{
    AccountId, Bags, BeanId, BeanType, InventoryUpdate, StockChange, SupplierId, UpdateId,
    UpdateKind,
};
use crate::inventory::SentForm;
use crate::web::http::error::WebError;
use crate::web::ui::form::{Form, Mistakes, new_key};
use crate::web::ui::typed::{parse_bags, parse_moment, parse_optional};

/// As many as fit on a delivery note, and on a phone.
pub(super) const MAX_LINES: usize = 20;

/// What is wanted with the form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// See what it would do.
    #[default]
    Check,
    /// Another line.
    Add,
    /// One line less.
    Remove(usize),
    /// Back to the fields.
    Edit,
    Send,
}

impl Wish {
    fn read(word: &str) -> Self {
        match word {
            "add" => Self::Add,
            "edit" => Self::Edit,
            "send" => Self::Send,
            _ => match word.strip_prefix("remove-").map(str::parse) {
                Some(Ok(number)) => Self::Remove(number),
                _ => Self::Check,
            },
        }
    }
}

/// One line as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The bean's number.
    pub(super) bean: String,
    /// The code of what happens.
    pub(super) kind: String,
    pub(super) bags: String,
}

impl Line {
    fn is_blank(&self) -> bool {
        self.bean.trim().is_empty() && self.bags.trim().is_empty()
    }
}

/// The form as typed.
#[derive(Debug, Clone, Default)]
pub(super) struct SlipForm {
    pub(super) wish: Wish,
    /// For whom it is sent; only staff say so.
    pub(super) supplier: String,
    pub(super) form_key: String,
    /// The id of the update that is fixed; empty if none is.
    pub(super) fixes: String,
    pub(super) lines: Vec<Line>,
    pub(super) occurred_at: String,
    pub(super) reference: String,
    pub(super) note: String,
}

/// A form without mistakes.
#[derive(Debug)]
pub(super) struct TypedSlip<'a> {
    pub(super) lines: Vec<TypedLine<'a>>,
    occurred_at: Option<DateTime<Utc>>,
    reference: Option<String>,
    note: Option<String>,
}

/// A line without mistakes.
#[derive(Debug)]
pub(super) struct TypedLine<'a> {
    /// Its place in the form, counted from one.
    pub(super) number: usize,
    pub(super) bean: &'a OfferedBean,
    pub(super) change: StockChange,
}

impl SlipForm {
    /// An empty form with one line.
    pub(super) fn empty() -> Self {
        Self {
            form_key: new_key(),
            lines: vec![Line::default()],
            ..Self::default()
        }
    }

    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "do" => form.wish = Wish::read(&value),
                "supplier" => form.supplier = value,
                "form_key" => form.form_key = value,
                "fixes" => form.fixes = value,
                "occurred_at" => form.occurred_at = value,
                "reference" => form.reference = value,
                "note" => form.note = value,
                _ => form.read_line_field(&name, value),
            }
        }
        if form.lines.is_empty() {
            form.lines.push(Line::default());
        }
        form
    }

    /// Reads a field like `bags-3`.
    fn read_line_field(&mut self, name: &str, value: String) {
        let Some((field, number)) = name.split_once('-') else {
            return;
        };
        let Some(number) = number.parse().ok().filter(|n| (1..=MAX_LINES).contains(n)) else {
            return;
        };
        if self.lines.len() < number {
            self.lines.resize(number, Line::default());
        }
        let line = &mut self.lines[number - 1];
        match field {
            "bean" => line.bean = value,
            "kind" => line.kind = value,
            "bags" => line.bags = value,
            _ => {}
        }
    }

    /// Adds or removes a line, as wished.
    pub(super) fn rearrange(&mut self) {
        match self.wish {
            Wish::Add if self.lines.len() < MAX_LINES => self.lines.push(Line::default()),
            Wish::Remove(number)
                if self.lines.len() > 1 && (1..=self.lines.len()).contains(&number) =>
            {
                self.lines.remove(number - 1);
            }
            _ => {}
        }
    }

    /// The form as something that is sent once; `None` if it has no key.
    pub(super) fn sent_by(&self, sender: AccountId) -> Option<SentForm> {
        let mut content = vec![
            self.supplier.as_str(),
            &self.fixes,
            &self.occurred_at,
            &self.reference,
            &self.note,
        ];
        for line in &self.lines {
            content.extend([line.bean.as_str(), &line.kind, &line.bags]);
        }
        SentForm::new(sender, &self.form_key, &content)
    }

    /// The form with the lines that can be read already; the others are left blank.
    pub(super) fn finished(&self, beans: &[OfferedBean]) -> Self {
        let can_be_read = |line: &Line| {
            let change = parse_change(line, 1, &mut Mistakes::default());
            change.is_some() && find_bean(beans, &line.bean).is_ok()
        };
        let lines = self.lines.iter().map(|line| {
            let finished = can_be_read(line).then(|| line.clone());
            finished.unwrap_or_default()
        });
        Self {
            lines: lines.collect(),
            ..self.clone()
        }
    }

    /// Reads all fields. Lines that were left blank below a filled one are left out.
    pub(super) fn parse<'a>(
        &self,
        beans: &'a [OfferedBean],
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<TypedSlip<'a>, Mistakes> {
        let mut mistakes = Mistakes::default();
        let all_blank = self.lines.iter().all(Line::is_blank);
        let mut lines = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            let number = place + 1;
            if line.is_blank() && !(all_blank && place == 0) {
                continue;
            }
            let bean = mistakes.check(format!("bean-{number}"), find_bean(beans, &line.bean));
            let change = parse_change(line, number, &mut mistakes);
            if let (Some(bean), Some(change)) = (bean, change) {
                lines.push(TypedLine {
                    number,
                    bean,
                    change,
                });
            }
        }
        let occurred_at = parse_moment(&self.occurred_at, now, zone);
        let occurred_at = mistakes.check("occurred_at", occurred_at).flatten();
        let reference = parse_optional::<64>("Your reference", &self.reference);
        let reference = mistakes
            .check("reference", reference)
            .flatten()
            .map(String::from);
        let note = parse_optional::<500>("Note", &one_line(&self.note));
        let note = mistakes.check("note", note).flatten().map(String::from);
        if mistakes.is_empty() {
            Ok(TypedSlip {
                lines,
                occurred_at,
                reference,
                note,
            })
        } else {
            Err(mistakes)
        }
    }
}

impl TypedSlip<'_> {
    /// The updates that the lines become, each with an id of its own.
    pub(super) fn updates(&self, supplier: SupplierId) -> Vec<InventoryUpdate> {
        let update = |line: &TypedLine<'_>| InventoryUpdate {
            id: UpdateId::generate(),
            supplier,
            bean_type: BeanType::stored(line.bean.bean_type.clone()),
            change: line.change,
            occurred_at: self.occurred_at,
            sent_at: None,
            reference: self.reference.clone(),
            note: self.note.clone(),
        };
        self.lines.iter().map(update).collect()
    }
}

fn find_bean<'a>(beans: &'a [OfferedBean], typed: &str) -> Result<&'a OfferedBean, String> {
    let id = typed.trim().parse().ok().map(BeanId);
    let bean = beans.iter().find(|bean| Some(bean.id) == id);
    bean.ok_or_else(|| "Choose a bean".to_owned())
}

fn parse_change(line: &Line, number: usize, mistakes: &mut Mistakes) -> Option<StockChange> {
    let make: fn(Bags) -> StockChange = match UpdateKind::from_code(&line.kind) {
        Some(UpdateKind::Delivery) => StockChange::Delivery,
        Some(UpdateKind::Return) => StockChange::Return,
        Some(UpdateKind::OutOfStock) => return Some(StockChange::OutOfStock),
        Some(UpdateKind::Count) | None => {
            mistakes.add(format!("kind-{number}"), "Choose what is happening");
            return None;
        }
    };
    let bags = mistakes.check(format!("bags-{number}"), parse_bags(&line.bags));
    bags.map(make)
}

fn one_line(typed: &str) -> String {
    typed.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ")
}

impl<S: Send + Sync> FromRequest<S> for SlipForm {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        let Form(fields) = Form::from_request(request, state).await?;
        Ok(Self::read(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Stock;

    fn beans() -> Vec<OfferedBean> {
        let bean = |id, name: &str| OfferedBean {
            alert_at: None,
            id: BeanId(id),
            bean_type: name.to_owned(),
            product_name: "House".to_owned(),
            stock: Stock {
                quantity: 200,
                moved_at: None,
                counted_at: None,
                out_of_stock_since: None,
            },
        };
        vec![bean(1, "Arabica"), bean(2, "Robusta")]
    }

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_694_400, 0).unwrap()
    }

    fn form(fields: &[(&str, &str)]) -> SlipForm {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        SlipForm::read(fields.iter().map(owned).collect())
    }

    fn fields_of(mistakes: &Mistakes) -> Vec<&str> {
        mistakes
            .all()
            .iter()
            .map(|mistake| &*mistake.field)
            .collect()
    }

    #[test]
    fn lines_become_updates_in_their_order() {
        let form = form(&[
            ("bean-1", "2"),
            ("kind-1", "return"),
            ("bags-1", "1,000"),
            ("bean-2", ""),
            ("kind-2", "delivery"),
            ("bags-2", " "),
            ("bean-3", "1"),
            ("kind-3", "out_of_stock"),
            ("reference", " DN-4411 "),
            ("note", "left at\r\nthe back door"),
        ]);
        let beans = beans();

        let updates = form
            .parse(&beans, noon(), Tz::UTC)
            .unwrap()
            .updates(SupplierId(3));

        let told: Vec<_> = updates
            .iter()
            .map(|update| {
                (
                    update.bean_type.as_str(),
                    update.change.kind(),
                    update.change.bags(),
                )
            })
            .collect();
        let expected = [
            ("Robusta", UpdateKind::Return, 1_000),
            ("Arabica", UpdateKind::OutOfStock, 0),
        ];
        assert_eq!(told, expected);
        assert_eq!(updates[1].reference.as_deref(), Some("DN-4411"));
        assert_eq!(updates[1].note.as_deref(), Some("left at the back door"));
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_in_order() {
        let form = form(&[
            ("bean-1", "99"),
            ("kind-1", "count"),
            ("bean-2", "1"),
            ("kind-2", "delivery"),
            ("bags-2", "1.5"),
            ("occurred_at", "yesterday"),
            ("reference", &"x".repeat(65)),
            ("note", "\u{202e}"),
        ]);

        let mistakes = form.parse(&beans(), noon(), Tz::UTC).unwrap_err();

        let expected = [
            "bean-1",
            "kind-1",
            "bags-2",
            "occurred_at",
            "reference",
            "note",
        ];
        assert_eq!(fields_of(&mistakes), expected);
    }

    #[test]
    fn an_empty_form_asks_for_its_first_line() {
        let mistakes = form(&[]).parse(&beans(), noon(), Tz::UTC).unwrap_err();

        assert_eq!(fields_of(&mistakes), ["bean-1", "kind-1"]);
    }

    #[test]
    fn lines_are_added_and_removed_and_never_more_than_twenty() {
        let mut lines = form(&[("bean-1", "1"), ("bean-2", "2"), ("do", "remove-1")]);
        lines.rearrange();
        assert_eq!(lines.lines[0].bean, "2");

        let mut full = form(&[("bean-20", "1"), ("bean-21", "1"), ("do", "add")]);
        full.rearrange();
        assert_eq!(full.lines.len(), MAX_LINES);

        for word in [
            "remove-0",
            "remove-9",
            "remove-x",
            "remove-99999999999999999999",
        ] {
            let mut one = form(&[("bean-1", "1"), ("do", word)]);
            one.rearrange();
            assert_eq!(one.lines.len(), 1, "{word}");
        }
    }

    #[test]
    fn a_moment_is_read_in_the_readers_zone_and_is_neither_old_nor_to_come() {
        let berlin = chrono_tz::Europe::Berlin;
        let read = |typed| parse_moment(typed, noon(), berlin);

        let at = read("2026-11-26T10:30").unwrap().unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-26T09:30:00+00:00");
        assert_eq!(read("2026-11-26 10:30").unwrap(), Some(at));
        assert_eq!(read(" ").unwrap(), None);
        assert!(read("2027-11-26T10:30").unwrap_err().contains("future"));
        assert!(read("2026-09-26T10:30").unwrap_err().contains("30 days"));
        assert!(read("26.11.2026").unwrap_err().contains("like 2026"));
        let spring = DateTime::from_timestamp(1_774_800_000, 0).unwrap();
        let missing = parse_moment("2026-03-29T02:30", spring, berlin).unwrap_err();
        assert!(missing.contains("put forward"), "{missing}");
    }
}
