//! Alerts: what somebody should know about a bean's stock, when it begins and when it is over.

use super::bean::BeanId;
use super::stock::BeanStock;

/// What an alert is about. The codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// There are as few bags as the bean's line says, or fewer.
    Low,
    /// There are none.
    Out,
    /// The supplier says that it has none.
    OutAtSupplier,
}

impl AlertKind {
    pub const ALL: [Self; 3] = [Self::Low, Self::Out, Self::OutAtSupplier];

    pub fn code(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Out => "out",
            Self::OutAtSupplier => "out_at_supplier",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    fn holds(self, bean: &BeanStock) -> bool {
        match self {
            Self::Low => bean
                .alert_at
                .is_some_and(|line| bean.stock.quantity <= line),
            Self::Out => bean.stock.quantity == 0,
            Self::OutAtSupplier => bean.stock.out_of_stock_since.is_some(),
        }
    }
}

/// An alert that begins or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    pub bean: BeanId,
    pub kind: AlertKind,
    /// Whether it begins.
    pub begins: bool,
    /// The bags there are now.
    pub quantity: i64,
    /// Where the bean's line is, in bags.
    pub alert_at: Option<i64>,
}

/// Tells which alerts a change begins and which it ends; whatever stays as it is, is not told again.
pub fn crossings(before: &BeanStock, after: &BeanStock) -> Vec<Crossing> {
    let crossed = |kind: &AlertKind| kind.holds(before) != kind.holds(after);
    let crossing = |kind: AlertKind| Crossing {
        bean: after.bean,
        kind,
        begins: kind.holds(after),
        quantity: after.stock.quantity,
        alert_at: after.alert_at,
    };
    let kinds = AlertKind::ALL.into_iter();
    kinds.filter(crossed).map(crossing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Stock;

    fn bean(quantity: i64) -> BeanStock {
        BeanStock {
            alert_at: Some(10),
            stock: Stock {
                quantity,
                ..Stock::default()
            },
            ..BeanStock::empty(BeanId(1))
        }
    }

    fn told(from: i64, to: i64) -> Vec<(AlertKind, bool)> {
        let crossings = crossings(&bean(from), &bean(to)).into_iter();
        crossings.map(|one| (one.kind, one.begins)).collect()
    }

    #[test]
    fn an_alert_begins_once_and_is_over_once() {
        assert_eq!(told(11, 10), [(AlertKind::Low, true)]);
        assert_eq!(told(10, 3), []);
        assert_eq!(told(3, 0), [(AlertKind::Out, true)]);
        assert_eq!(told(0, 5), [(AlertKind::Out, false)]);
        assert_eq!(
            told(0, 50),
            [(AlertKind::Low, false), (AlertKind::Out, false)]
        );
    }

    #[test]
    fn every_kind_is_found_again_by_its_code() {
        for kind in AlertKind::ALL {
            assert_eq!(AlertKind::from_code(kind.code()), Some(kind));
        }
    }
}
