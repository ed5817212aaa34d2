//! What becomes of every row of the lab's: all decisions in one place, made without touching anything.
//!
//! The rows may come in any order; the plan is always the same.

mod rows;
mod suppliers;

use std::collections::HashMap;

use self::rows::{Notes, Numbered, number};
use self::suppliers::Suppliers;
use super::clean;
use crate::db::schema::lab::{Dependent, LabRow, LabTable};
use crate::domain::{BeanDetails, BeanId, Price, ShortText, SupplierDetails, SupplierId, quote};

/// What will be in our tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// By id.
    pub(super) suppliers: Vec<(SupplierId, SupplierDetails)>,
    /// By id.
    pub(super) beans: Vec<PlannedBean>,
    /// Everything that is not simply what the lab had, as sentences.
    pub(super) decisions: Vec<String>,
    /// The tables whose next row does not get the number after the largest, and which it gets.
    pub(super) next_ids: Vec<(LabTable, i64)>,
}

/// A bean that fits our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedBean {
    pub(super) id: BeanId,
    pub(super) details: BeanDetails,
    pub(super) quantity: i64,
}

impl PlannedBean {
    /// What tells it from the other beans.
    fn key(&self) -> (SupplierId, String) {
        (self.details.supplier, self.details.bean_type.key())
    }
}

impl Plan {
    /// Decides about every row.
    pub(super) fn make(suppliers: Vec<LabRow>, beans: Vec<LabRow>) -> Self {
        let about_texts = count_escaped(&suppliers, &beans);
        let mut suppliers = Suppliers::take(suppliers, &beans);
        let mut notes = Notes::default();
        let mut planned: Vec<PlannedBean> = number(beans, &[])
            .into_iter()
            .map(|row| plan_bean(row, &mut suppliers, &mut notes))
            .collect();
        tell_apart(&mut planned, &mut notes);
        let mut decisions = suppliers.notes.sentences("supplier");
        decisions.extend(notes.sentences("bean"));
        decisions.extend(about_texts);
        Self {
            suppliers: suppliers
                .planned
                .into_iter()
                .map(|(id, details)| (SupplierId(id), details))
                .collect(),
            beans: planned,
            decisions,
            next_ids: Vec::new(),
        }
    }

    /// Says which columns of a table are left behind.
    pub(super) fn leave_columns(&mut self, table: LabTable, columns: &[String]) {
        let own = columns.iter().map(String::as_str);
        let own: Vec<&str> = own.filter(|own| !table.columns().contains(own)).collect();
        if !own.is_empty() {
            self.decisions.push(format!(
                "columns of {} that the lab's app does not know: {}; what they hold stays in {}",
                table.name(),
                own.join(", "),
                table.moved_name()
            ));
        }
    }

    /// Says what happens to what others made on top of a table.
    pub(super) fn leave_dependents(&mut self, table: LabTable, dependents: &[Dependent]) {
        let (name, moved) = (table.name(), table.moved_name());
        for dependent in dependents {
            let (kind, other) = (dependent.kind.as_str(), &dependent.name);
            self.decisions.push(match kind {
                "foreign key" => format!(
                    "foreign key {other} refers to {name} and goes on referring to {moved}: rows for new \
                     {name} are refused until somebody points it at {name}"
                ),
                "trigger" => format!("trigger {other} on {name} goes with the table to {moved}"),
                _ => format!(
                    "{kind} {other} names {name} and works on beanstock's table of that name from now on; \
                     no movement explains stock that it changes"
                ),
            });
        }
    }

    /// Has new rows numbered after all that the lab's app has ever numbered: scripts may still use the
    /// number of a row that is gone.
    pub(super) fn number_after(&mut self, table: LabTable, next: Option<i64>) {
        let last = match table {
            LabTable::Suppliers => self.suppliers.last().map(|(id, _)| id.0),
            LabTable::Beans => self.beans.last().map(|bean| bean.id.0),
        };
        let next = next.filter(|next| *next >= last.unwrap_or(0) + 2);
        let Some(next) = next else { return };
        if next > clean::MAX_ID {
            self.decisions.push(format!(
                "the next number of {} was {next}, beyond the largest that is taken: new ones are numbered \
                 after the last row",
                table.name()
            ));
            return;
        }
        self.decisions.push(format!(
            "new {} get numbers from {next} on: those before were given to rows that are gone",
            table.name()
        ));
        self.next_ids.push((table, next));
    }

    /// The decisions that are kept in the database. One about a row has 1,500 bytes at most, so that these
    /// fit into one statement, for which older servers have room of 4 MiB.
    pub(super) fn kept_decisions(&self) -> &[String] {
        const MAX: usize = 1_000;
        &self.decisions[..self.decisions.len().min(MAX)]
    }

    /// All the bags there are.
    pub(super) fn bags(&self) -> i64 {
        self.beans.iter().map(|bean| bean.quantity).sum()
    }
}

/// Counts the texts that were stored in the lab's way.
fn count_escaped(suppliers: &[LabRow], beans: &[LabRow]) -> Option<String> {
    let of_suppliers = suppliers
        .iter()
        .flat_map(|row| SUPPLIER_TEXTS.map(|column| row.get(column)));
    let of_beans = beans
        .iter()
        .flat_map(|row| BEAN_TEXTS.map(|column| row.get(column)));
    let texts = of_suppliers.chain(of_beans).flatten();
    let count = texts.filter(|text| clean::is_escaped(text)).count();
    (count > 0).then(|| {
        format!(
            "texts that were stored HTML-escaped: {count}; they are stored as typed now, and \
             /beans.json escapes them once"
        )
    })
}

const SUPPLIER_TEXTS: [&str; 6] = ["name", "address", "city", "state", "email", "phone"];

/// What `/beans.json` shows of a bean.
const BEAN_TEXTS: [&str; 3] = ["type", "product_name", "description"];

fn plan_bean(numbered: Numbered, suppliers: &mut Suppliers, notes: &mut Notes) -> PlannedBean {
    let Numbered { id, row, note } = numbered;
    if let Some(note) = note {
        notes.add(id, note);
    }
    let product_name = clean::text("product_name", row.get("product_name"), 255);
    let description = clean::text("description", row.get("description"), 1_000);
    PlannedBean {
        id: BeanId(id),
        details: BeanDetails {
            supplier: SupplierId(notes.accept(id, suppliers.find(row.get("supplier_id")))),
            bean_type: notes.accept(id, clean::bean_type(row.get("type"))),
            product_name: ShortText::stored(notes.accept(id, product_name)),
            price: Price::stored(notes.accept(id, clean::price(row.get("price")))),
            description: ShortText::stored(notes.accept(id, description)),
        },
        quantity: notes.accept(id, clean::quantity(row.get("quantity"))),
    }
}

/// Gives beans of one supplier types that differ. Nothing is merged: only somebody in the café
/// knows whether two rows are the same bags. Messages that name the type go to the first.
fn tell_apart(beans: &mut [PlannedBean], notes: &mut Notes) {
    let mut owners = HashMap::new();
    for bean in &*beans {
        owners.entry(bean.key()).or_insert(bean.id);
    }
    let mut next_numbers: HashMap<(SupplierId, String), usize> = HashMap::new();
    for bean in beans {
        let owner = owners[&bean.key()];
        if owner == bean.id {
            continue;
        }
        let typed = bean.details.bean_type.clone();
        let number = next_numbers.entry(bean.key()).or_insert(2);
        while owners.contains_key(&bean.key()) {
            bean.details.bean_type = clean::numbered_type(&typed, *number);
            *number += 1;
        }
        owners.insert(bean.key(), bean.id);
        let note = format!(
            "supplier {} has {} already (bean {owner}), so this one becomes {}",
            bean.details.supplier,
            quote(typed.as_str()),
            quote(bean.details.bean_type.as_str())
        );
        notes.add(bean.id.0, note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: LabTable, values: &[Option<&str>]) -> LabRow {
        let values = values.iter().map(|value| value.map(str::to_owned));
        LabRow::new(table, values.collect())
    }

    fn supplier(id: &str) -> LabRow {
        let empty = Some("");
        let values = [Some(id), Some("Ada"), empty, empty, empty, empty, empty];
        row(LabTable::Suppliers, &values)
    }

    fn bean(id: &str, supplier: Option<&str>, bean_type: &str) -> LabRow {
        let [name, price, about, quantity] = ["House", "18", "Sweet", "5"].map(Some);
        let values = [
            Some(id),
            supplier,
            Some(bean_type),
            name,
            price,
            about,
            quantity,
        ];
        row(LabTable::Beans, &values)
    }

    /// Bean, supplier and type of every bean.
    fn beans(plan: &Plan) -> Vec<(i64, i64, &str)> {
        let beans = plan.beans.iter();
        let shown = beans.map(|bean| {
            let details = &bean.details;
            (bean.id.0, details.supplier.0, details.bean_type.as_str())
        });
        shown.collect()
    }

    #[test]
    fn rows_that_fit_need_no_decision() {
        let plan = Plan::make(
            vec![supplier("1")],
            vec![
                bean("1", Some("1"), "Arabica"),
                bean("2", Some("1"), "Robusta"),
            ],
        );

        assert_eq!(plan.decisions, Vec::<String>::new());
        assert_eq!(beans(&plan), [(1, 1, "Arabica"), (2, 1, "Robusta")]);
        assert_eq!(plan.bags(), 10);
    }

    #[test]
    fn beans_of_one_type_are_told_apart_and_not_merged() {
        let plan = Plan::make(
            vec![supplier("1"), supplier("2")],
            vec![
                bean("9", Some("1"), "Arabica"),
                bean("3", Some("1"), " arabica"),
                bean("4", Some("1"), "Arabica (2)"),
                bean("5", Some("2"), "Arabica"),
                bean("7", Some("1"), "ARABICA"),
            ],
        );

        assert_eq!(
            beans(&plan),
            [
                (3, 1, "arabica"),
                (4, 1, "Arabica (2)"),
                (5, 2, "Arabica"),
                (7, 1, "ARABICA (3)"),
                (9, 1, "Arabica (4)"),
            ]
        );
        insta::assert_snapshot!(plan.decisions.join("\n"), @r"
        bean 3: type loses the white space around it
        bean 7: supplier 1 has “ARABICA” already (bean 3), so this one becomes “ARABICA (3)”
        bean 9: supplier 1 has “Arabica” already (bean 3), so this one becomes “Arabica (4)”
        ");
    }

    #[test]
    fn beans_whose_supplier_is_not_there_get_one_to_fill_in() {
        let plan = Plan::make(
            vec![supplier("1"), supplier("0")],
            vec![
                bean("1", Some("9"), "Arabica"),
                bean("2", Some("9"), "Robusta"),
                bean("3", None, "Arabica"),
                bean("4", Some("many"), "Robusta"),
                bean("5", Some("00"), "Arabica"),
            ],
        );

        assert_eq!(
            beans(&plan),
            [
                (1, 9, "Arabica"),
                (2, 9, "Robusta"),
                (3, 11, "Arabica"),
                (4, 11, "Robusta"),
                (5, 10, "Arabica"),
            ]
        );
        insta::assert_snapshot!(plan.decisions.join("\n"), @r"
        supplier 9: is added as “Unknown supplier 9”, for beans whose supplier is not there
        supplier 10: gets this id, because its id “0” cannot be kept
        supplier 11: is added as “Unknown supplier”, for beans whose supplier is not there
        bean 1: its supplier 9 is not there, so it belongs to “Unknown supplier 9”
        bean 2: its supplier 9 is not there, so it belongs to “Unknown supplier 9”
        bean 3: names no supplier, so it belongs to “Unknown supplier” (11)
        bean 4: names “many” as its supplier, so it belongs to “Unknown supplier” (11)
        ");
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let suppliers = vec![supplier("1"), supplier("1"), supplier("x")];
        let rows = vec![
            bean("2", Some("x"), "Arabica"),
            bean("2", Some("1"), "Robusta"),
            bean("y", Some("5"), "Excelsa"),
        ];
        let reversed = |rows: &[LabRow]| rows.iter().rev().cloned().collect();

        let there = Plan::make(suppliers.clone(), rows.clone());
        let back = Plan::make(suppliers, reversed(&rows));

        assert_eq!(there.decisions, back.decisions);
        assert_eq!(beans(&there), beans(&back));
    }
}
