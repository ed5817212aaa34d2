//! The website, as staff and the lab's programs use it, on a real database.

mod access;
mod accounts;
mod activity;
mod alerts;
mod beans;
mod bulk;
mod dashboard;
mod dead_letters;
mod discard;
mod history;
mod hostile;
mod ingress;
mod lanes;
mod letters;
mod live;
mod overtaken;
mod pages;
mod requests;
mod shelf;
mod slips;
mod snapshots;
mod stock_list;
mod stocktakes;
mod supplier_page;
mod suppliers;
mod twice;
mod updates;
mod what_if;

/// A bean that nobody has yet.
const NEW_BEAN: [(&str, &str); 6] = [
    ("supplier_id", "2"),
    ("type", "Excelsa"),
    ("product_name", "Sunday Cup"),
    ("price", "19.50"),
    ("description", "Cherry and cocoa."),
    ("quantity", "1,200"),
];

/// A supplier that nobody has yet.
const NEW_SUPPLIER: [(&str, &str); 6] = [
    ("name", "Bean Bros"),
    ("address", "1 Mill Road"),
    ("city", "Bristol"),
    ("state", "Avon"),
    ("email", "hello@example.com"),
    ("phone", "+44 20 7946 0000"),
];

/// A form with another value in one of its fields.
fn changed<'a, const N: usize>(
    mut form: [(&'a str, &'a str); N],
    field: &str,
    value: &'a str,
) -> [(&'a str, &'a str); N] {
    for (name, old) in &mut form {
        if *name == field {
            *old = value;
        }
    }
    form
}
