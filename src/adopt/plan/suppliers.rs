//! The suppliers to be, those that only beans know of included.

use std::collections::{BTreeMap, HashMap};

use super::rows::{Notes, Numbered, number};
use crate::adopt::clean::{self, Cleaned};
use crate::db::schema::lab::LabRow;
use crate::domain::{EmailAddress, PhoneNumber, ShortText, SupplierDetails, quote};

/// The name of a supplier that only beans know of.
const UNKNOWN: &str = "Unknown supplier";

/// The suppliers to be, and how beans find theirs.
#[derive(Debug, Default)]
pub(super) struct Suppliers {
    /// By id.
    pub(super) planned: BTreeMap<i64, SupplierDetails>,
    /// From what the lab's rows say to the id.
    by_key: HashMap<String, i64>,
    /// For beans that name no supplier, once there is one.
    unknown: Option<i64>,
    /// The largest id that exists or that a bean names.
    largest: i64,
    pub(super) notes: Notes,
}

impl Suppliers {
    /// Reads the lab's suppliers; the beans are asked only whom they name.
    pub(super) fn take(rows: Vec<LabRow>, beans: &[LabRow]) -> Self {
        let named = beans.iter().map(|bean| bean.get("supplier_id"));
        let named: Vec<i64> = named.filter_map(clean::usable_id).collect();
        let mut suppliers = Self::default();
        for row in number(rows, &named) {
            suppliers.add(row);
        }
        let ids = suppliers.planned.keys().copied();
        suppliers.largest = ids.chain(named).max().unwrap_or(0);
        suppliers
    }

    fn add(&mut self, numbered: Numbered) {
        let Numbered { id, row, note } = numbered;
        if let Some(note) = note {
            self.notes.add(id, note);
        }
        if let Some(key) = clean::id_key(row.get("id")) {
            // The first keeps the id, and the beans that name it.
            self.by_key.entry(key).or_insert(id);
        }
        let name = clean::name(row.get("name"), id);
        let name = self.notes.accept(id, name);
        let texts = [
            ("address", 255),
            ("city", 255),
            ("state", 255),
            ("email", 255),
            ("phone", 100),
        ]
        .map(|(column, max)| clean::text(column, row.get(column), max))
        .map(|text| self.notes.accept(id, text));
        self.planned.insert(id, details(name, texts));
    }

    /// Finds the supplier a bean names; one that does not exist is added, for staff to fill in.
    pub(super) fn find(&mut self, named: Option<&str>) -> Cleaned<i64> {
        let known = clean::id_key(named).and_then(|key| self.by_key.get(&key));
        if let Some(id) = known {
            return Cleaned::as_it_is(*id);
        }
        let Some(id) = clean::usable_id(named) else {
            let id = self.unknown();
            let why = match named {
                Some(named) => format!("names {} as its supplier", quote(named)),
                None => "names no supplier".to_owned(),
            };
            let note = format!("{why}, so it belongs to {} ({id})", quote(UNKNOWN));
            return Cleaned::noted(id, note);
        };
        let name = format!("{UNKNOWN} {id}");
        let note = format!(
            "its supplier {id} is not there, so it belongs to {}",
            quote(&name)
        );
        self.add_placeholder(id, name);
        Cleaned::noted(id, note)
    }

    fn unknown(&mut self) -> i64 {
        let id = self.unknown.unwrap_or(self.largest + 1);
        self.unknown = Some(id);
        self.add_placeholder(id, UNKNOWN.to_owned());
        id
    }

    fn add_placeholder(&mut self, id: i64, name: String) {
        if self.planned.contains_key(&id) {
            return;
        }
        let note = format!(
            "is added as {}, for beans whose supplier is not there",
            quote(&name)
        );
        self.notes.add(id, note);
        self.planned.insert(id, details(name, Default::default()));
    }
}

fn details(name: String, [address, city, state, email, phone]: [String; 5]) -> SupplierDetails {
    SupplierDetails {
        name: ShortText::stored(name),
        address: ShortText::stored(address),
        city: ShortText::stored(city),
        state: ShortText::stored(state),
        email: EmailAddress::stored(email),
        phone: PhoneNumber::stored(phone),
    }
}
