//! What somebody looks for among the updates, as it stands in the address of a list.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::db::update_lists::{Filter, Place};
use crate::domain::{SupplierId, UpdateId, UpdateState};
use crate::web::paths::{self, InPath as _};
use crate::web::ui::days::{Days, storable};
use crate::web::ui::query;

/// The longest text that is looked for.
const MAX_WORDS: usize = 100;

/// The choices in an address; what cannot be read counts as not chosen.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(super) state: String,
    /// What is looked for in references and notes.
    pub(super) q: String,
    /// The first day.
    pub(super) from: String,
    /// The last day.
    pub(super) to: String,
    /// The number of a supplier; only the café chooses.
    pub(super) supplier: String,
    /// The last update of the page before.
    behind: String,
}

impl History {
    /// What the database is asked for. Whoever is bound to a supplier looks for nothing else.
    pub(super) fn filter(&self, bound_to: Option<SupplierId>, zone: Tz) -> Filter {
        let days = Days::new(&self.from, &self.to, zone);
        Filter {
            supplier: bound_to.or_else(|| SupplierId::from_segment(&self.supplier)),
            state: self.state(),
            ended: false,
            words: self.q.trim().chars().take(MAX_WORDS).collect(),
            from: days.from,
            before: days.before,
        }
    }

    pub(super) fn state(&self) -> Option<UpdateState> {
        UpdateState::from_code(&self.state)
    }

    /// Where the list goes on.
    pub(super) fn place(&self) -> Option<Place> {
        let (at, id) = self.behind.split_once('_')?;
        let at: i64 = at.parse().ok()?;
        let id = UpdateId::from_segment(id)?;
        let at = DateTime::<Utc>::from_timestamp_micros(at)?;
        let at = storable(at);
        Some(Place { at, id })
    }

    /// Whether anything is looked for besides a state.
    pub(super) fn searches(&self) -> bool {
        [&self.q, &self.from, &self.to, &self.supplier]
            .iter()
            .any(|field| !field.trim().is_empty())
    }

    /// The address of the first page in another state, or in all.
    pub(super) fn in_state(&self, state: Option<UpdateState>) -> String {
        self.address(paths::UPDATES, state, "")
    }

    /// The address of the page behind this place.
    pub(super) fn behind(&self, place: Place) -> String {
        let place = format!("{}_{}", place.at.timestamp_micros(), place.id);
        self.address(paths::UPDATES, self.state(), &place)
    }

    /// The address of the same list as a file.
    pub(super) fn as_file(&self) -> String {
        self.address(paths::UPDATES_CSV, self.state(), "")
    }

    fn address(&self, path: &str, state: Option<UpdateState>, behind: &str) -> String {
        let choices = [
            ("state", state.map_or("", UpdateState::code)),
            ("q", &self.q),
            ("from", &self.from),
            ("to", &self.to),
            ("supplier", &self.supplier),
            ("behind", behind),
        ];
        query::address(path, &choices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_reader() {
        let history = History {
            from: "2026-11-26".to_owned(),
            to: "2026-11-26".to_owned(),
            ..History::default()
        };

        let filter = history.filter(None, chrono_tz::Europe::Berlin);

        let told = [filter.from, filter.before].map(|at| at.unwrap().to_rfc3339());
        assert_eq!(
            told,
            ["2026-11-25T23:00:00+00:00", "2026-11-26T23:00:00+00:00"]
        );
    }

    #[test]
    fn whoever_is_bound_to_a_supplier_looks_for_no_other() {
        let history = History {
            supplier: "1".to_owned(),
            ..History::default()
        };

        let bound = history.filter(Some(SupplierId(3)), Tz::UTC);

        assert_eq!(bound.supplier, Some(SupplierId(3)));
        assert_eq!(history.filter(None, Tz::UTC).supplier, Some(SupplierId(1)));
    }

    #[test]
    fn an_address_keeps_what_was_looked_for() {
        let history = History {
            q: "DN 4411&x".to_owned(),
            ..History::default()
        };

        let applied = history.in_state(Some(UpdateState::Applied));

        assert_eq!(applied, "/updates?state=applied&q=DN+4411%26x");
        assert_eq!(History::default().in_state(None), "/updates");
    }
}
