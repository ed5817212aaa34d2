//! What somebody looks for among the beans, as it stands in the address of the list.

use serde::Deserialize;

use crate::db::bean_lists::{BeanFilter, Order, Standing};
use crate::domain::SupplierId;
use crate::web::paths::{self, InPath as _};
use crate::web::ui::query;

/// The longest text that is looked for.
const MAX_WORDS: usize = 100;

/// The choices in an address; what cannot be read counts as not chosen.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct BeanSearch {
    pub(super) q: String,
    /// `out`, `low` or `out-at-supplier`.
    pub(super) show: String,
    /// The number of a supplier.
    pub(super) supplier: String,
    pub(super) sort: String,
    pub(super) page: String,
}

/// A choice of how the stock stands.
pub(super) struct StandingChoice {
    pub(super) code: &'static str,
    pub(super) label: &'static str,
    standing: Option<Standing>,
}

pub(super) const STANDINGS: [StandingChoice; 4] = [
    StandingChoice {
        code: "",
        label: "All",
        standing: None,
    },
    StandingChoice {
        code: "out",
        label: "Out of stock",
        standing: Some(Standing::Out),
    },
    StandingChoice {
        code: "low",
        label: "Low",
        standing: Some(Standing::Low),
    },
    StandingChoice {
        code: "out-at-supplier",
        label: "Out of stock at supplier",
        standing: Some(Standing::OutAtSupplier),
    },
];

/// A choice of the order.
pub(super) struct OrderChoice {
    pub(super) code: &'static str,
    pub(super) label: &'static str,
    order: Order,
}

pub(super) const ORDERS: [OrderChoice; 6] = [
    OrderChoice {
        code: "",
        label: "As they were added",
        order: Order::Number,
    },
    OrderChoice {
        code: "name",
        label: "By name",
        order: Order::Name,
    },
    OrderChoice {
        code: "supplier",
        label: "By supplier",
        order: Order::Supplier,
    },
    OrderChoice {
        code: "fewest",
        label: "Fewest bags first",
        order: Order::FewestBags,
    },
    OrderChoice {
        code: "most",
        label: "Most bags first",
        order: Order::MostBags,
    },
    OrderChoice {
        code: "moved",
        label: "Moved last first",
        order: Order::Moved,
    },
];

impl BeanSearch {
    pub(super) fn filter(&self) -> BeanFilter {
        let standing = STANDINGS.iter().find(|choice| choice.code == self.show);
        BeanFilter {
            supplier: SupplierId::from_segment(&self.supplier),
            standing: standing.and_then(|choice| choice.standing),
            words: self.q.trim().chars().take(MAX_WORDS).collect(),
        }
    }

    pub(super) fn order(&self) -> Order {
        let order = ORDERS.iter().find(|choice| choice.code == self.sort);
        order.map(|choice| choice.order).unwrap_or_default()
    }

    /// Whether anything is looked for besides a standing.
    pub(super) fn searches(&self) -> bool {
        [&self.q, &self.supplier, &self.sort]
            .iter()
            .any(|field| !field.trim().is_empty())
    }

    /// The address of the first page of those that stand so.
    pub(super) fn that_are(&self, show: &str) -> String {
        self.address(paths::BEANS, show)
    }

    /// The address of the same list, or of the same beans in a file.
    pub(super) fn at(&self, path: &str) -> String {
        self.address(path, &self.show)
    }

    fn address(&self, path: &str, show: &str) -> String {
        let choices = [
            ("show", show),
            ("q", &self.q),
            ("supplier", &self.supplier),
            ("sort", &self.sort),
        ];
        query::address(path, &choices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_looked_for() {
        let search = BeanSearch {
            q: "a & b".to_owned(),
            show: "low".to_owned(),
            page: "3".to_owned(),
            ..BeanSearch::default()
        };

        assert_eq!(search.that_are("out"), "/beans?show=out&q=a+%26+b");
        assert_eq!(search.at(paths::STOCK_CSV), "/stock.csv?show=low&q=a+%26+b");
        assert_eq!(BeanSearch::default().at(paths::BEANS), "/beans");
    }

    #[test]
    fn what_cannot_be_read_is_not_chosen() {
        let search = BeanSearch {
            show: "1=1".to_owned(),
            sort: "price; DROP".to_owned(),
            supplier: "x".to_owned(),
            ..BeanSearch::default()
        };

        let filter = search.filter();
        assert_eq!((filter.standing, filter.supplier), (None, None));
        assert_eq!(search.order(), Order::Number);
    }
}
