//! The rows of a table: which id each will have, and what was decided about it.

use std::collections::{BTreeMap, BTreeSet};

use crate::adopt::clean::{self, Cleaned};
use crate::db::schema::lab::LabRow;
use crate::domain::quote;

/// What was decided about rows, by their ids.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<i64, Vec<String>>);

impl Notes {
    pub(super) fn add(&mut self, id: i64, note: String) {
        self.0.entry(id).or_default().push(note);
    }

    /// Takes a value and remembers what has to be said about it.
    pub(super) fn accept<T>(&mut self, id: i64, cleaned: Cleaned<T>) -> T {
        for note in cleaned.notes {
            self.add(id, note);
        }
        cleaned.value
    }

    pub(super) fn sentences(self, row: &str) -> Vec<String> {
        let by_row = self.0.into_iter().flat_map(|(id, notes)| {
            let sentence = move |note| format!("{row} {id}: {note}");
            notes.into_iter().map(sentence)
        });
        by_row.collect()
    }
}

/// A row with the id it will have.
pub(super) struct Numbered {
    pub(super) id: i64,
    pub(super) row: LabRow,
    /// Why that is not the id it had.
    pub(super) note: Option<String>,
}

/// Gives every row an id: the one it has or, if that cannot be, one after the largest of all rows
/// and of those that are reserved.
pub(super) fn number(mut rows: Vec<LabRow>, reserved: &[i64]) -> Vec<Numbered> {
    let usable = |row: &LabRow| clean::usable_id(row.get("id"));
    rows.sort_by(|a, b| (usable(a), a).cmp(&(usable(b), b)));
    let largest = rows.iter().filter_map(usable);
    let mut largest = largest.chain(reserved.iter().copied()).max().unwrap_or(0);
    let mut taken = BTreeSet::new();
    let give_id = |row: LabRow| {
        let had = usable(&row);
        if let Some(id) = had.filter(|id| taken.insert(*id)) {
            let note = None;
            return Numbered { id, row, note };
        }
        largest += 1;
        let why = match (had, row.get("id")) {
            (Some(id), _) => format!("another row has its id {id} too"),
            (None, Some(raw)) => format!("its id {} cannot be kept", quote(raw)),
            (None, None) => "it had none".to_owned(),
        };
        Numbered {
            id: largest,
            row,
            note: Some(format!("gets this id, because {why}")),
        }
    };
    let mut numbered: Vec<Numbered> = rows.into_iter().map(give_id).collect();
    numbered.sort_by_key(|one| one.id);
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::schema::lab::LabTable;

    #[test]
    fn ids_that_cannot_be_kept_come_after_all_others() {
        let ids = ["7", "abc", "2", "-1", "2"]
            .map(Some)
            .into_iter()
            .chain([None]);
        let rows = ids.map(|id| {
            let mut values = vec![None; LabTable::Suppliers.columns().len()];
            values[0] = id.map(str::to_owned);
            LabRow::new(LabTable::Suppliers, values)
        });

        let numbered = number(rows.collect(), &[12]);

        let ids: Vec<_> = numbered
            .iter()
            .map(|one| (one.id, one.row.get("id")))
            .collect();
        let expected = [
            (2, Some("2")),
            (7, Some("7")),
            (13, None),
            (14, Some("-1")),
            (15, Some("abc")),
            (16, Some("2")),
        ];
        assert_eq!(ids, expected);
        let notes: Vec<String> = numbered.into_iter().filter_map(|one| one.note).collect();
        assert_eq!(
            notes,
            [
                "gets this id, because it had none",
                "gets this id, because its id “-1” cannot be kept",
                "gets this id, because its id “abc” cannot be kept",
                "gets this id, because another row has its id 2 too",
            ]
        );
    }
}
