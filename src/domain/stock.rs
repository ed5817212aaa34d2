//! Stock, and the ledger that explains it: every change of a bean's quantity is a movement, made here and nowhere else.

use chrono::{DateTime, Utc};

use super::account::AccountId;
use super::bean::{BeanId, MAX_STOCK};
use super::text::ShortText;
use super::update_id::UpdateId;

/// A bean's stock on hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stock {
    /// Bags on the shelf.
    pub quantity: i64,
    /// When the stock last changed.
    pub moved_at: Option<DateTime<Utc>>,
    /// When the bags were last counted.
    pub counted_at: Option<DateTime<Utc>>,
    /// Since when the supplier has none.
    pub out_of_stock_since: Option<DateTime<Utc>>,
}

/// Why bags cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Immovable {
    /// There are fewer than are to be taken away.
    BelowZero,
    /// There would be more than [`MAX_STOCK`].
    AboveMost,
}

impl Stock {
    /// Adds bags or takes them away.
    ///
    /// # Errors
    /// [`Immovable`] if there would be fewer than none or more than there can be.
    pub fn moved(&self, change_by: i64, now: DateTime<Utc>) -> Result<Self, Immovable> {
        let quantity = self.quantity.saturating_add(change_by);
        if quantity < 0 {
            return Err(Immovable::BelowZero);
        }
        if quantity > MAX_STOCK {
            return Err(Immovable::AboveMost);
        }
        Ok(Self {
            quantity,
            moved_at: self.moved_at.max(Some(now)),
            ..*self
        })
    }
}

/// Why a bean's quantity changed. The codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MovementKind {
    /// What was there when the bean was added.
    Opening,
    Delivery,
    Return,
    /// The café used bags up.
    Use,
    /// Bags came in that no update told of.
    Received,
    Damaged,
    /// Bags went back to the supplier that no update told of.
    SentBack,
    Count,
    /// Staff corrected the number, with a reason.
    Correction,
    /// Staff had another reason.
    Other,
    /// Takes back an earlier movement.
    Undo,
    /// The bean was removed from the list with bags still on it.
    Removal,
}

impl MovementKind {
    pub const ALL: [Self; 12] = [
        Self::Opening,
        Self::Delivery,
        Self::Return,
        Self::Use,
        Self::Received,
        Self::Damaged,
        Self::SentBack,
        Self::Count,
        Self::Correction,
        Self::Other,
        Self::Undo,
        Self::Removal,
    ];

    /// Finds the kind a code stands for.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Delivery => "delivery",
            Self::Return => "return",
            Self::Use => "use",
            Self::Received => "received",
            Self::Damaged => "damaged",
            Self::SentBack => "sent_back",
            Self::Count => "count",
            Self::Correction => "correction",
            Self::Other => "other",
            Self::Undo => "undo",
            Self::Removal => "removal",
        }
    }
}

/// What a movement comes from. Where nothing is said, what was done to the bean as a whole says it all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    pub update: Option<UpdateId>,
    /// Who booked it by hand.
    pub by: Option<AccountId>,
    /// Why, in their words.
    pub why: Option<ShortText<500>>,
    /// The sequence of the movement that it takes back.
    pub undoes: Option<i64>,
}

impl Cause {
    /// A person, and why if they say so.
    pub fn person(by: AccountId, why: Option<ShortText<500>>) -> Self {
        Self {
            by: Some(by),
            why,
            ..Self::default()
        }
    }
}

impl From<UpdateId> for Cause {
    fn from(update: UpdateId) -> Self {
        Self {
            update: Some(update),
            ..Self::default()
        }
    }
}

/// A change of one bean's quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    pub bean: BeanId,
    /// Its place in the bean's ledger: 1, 2, 3 …
    pub sequence: i64,
    /// What kind of change it is.
    pub kind: MovementKind,
    /// By how many bags.
    pub change_by: i64,
    /// The bags there were afterwards.
    pub quantity_after: i64,
    /// When the bags moved or were counted, as far as is known.
    pub occurred_at: DateTime<Utc>,
    /// What it comes from.
    pub cause: Cause,
}

/// A bean's stock together with its place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeanStock {
    pub bean: BeanId,
    pub stock: Stock,
    /// The sequence of its newest movement; 0 if it has none.
    pub last_movement: i64,
    /// Low at so many bags or fewer.
    pub alert_at: Option<i64>,
}

impl BeanStock {
    /// A bean without bags and movements.
    pub fn empty(bean: BeanId) -> Self {
        Self {
            bean,
            stock: Stock::default(),
            last_movement: 0,
            alert_at: None,
        }
    }

    /// Replaces the stock and gives the movement that explains the difference.
    pub fn book(
        &mut self,
        kind: MovementKind,
        after: Stock,
        occurred_at: DateTime<Utc>,
        cause: Cause,
    ) -> Movement {
        let change_by = after.quantity - self.stock.quantity;
        self.stock = after;
        self.last_movement += 1;
        Movement {
            bean: self.bean,
            sequence: self.last_movement,
            kind,
            change_by,
            quantity_after: after.quantity,
            occurred_at,
            cause,
        }
    }

    /// Sets the quantity at a moment and gives the movement that explains the difference.
    pub fn set_quantity(
        &mut self,
        kind: MovementKind,
        quantity: i64,
        at: DateTime<Utc>,
        cause: Cause,
    ) -> Movement {
        let after = Stock {
            quantity,
            moved_at: self.stock.moved_at.max(Some(at)),
            ..self.stock
        };
        self.book(kind, after, at, cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_movements_of_a_bean_add_up_to_its_stock() {
        let noon = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut bean = BeanStock::empty(BeanId(1));

        let movements = [(MovementKind::Opening, 40), (MovementKind::Correction, 12)]
            .map(|(kind, quantity)| bean.set_quantity(kind, quantity, noon, Cause::default()));

        let changes: Vec<i64> = movements
            .iter()
            .map(|movement| movement.change_by)
            .collect();
        assert_eq!(changes, [40, -28]);
        assert_eq!((bean.stock.quantity, bean.last_movement), (12, 2));
        assert_eq!(movements[1].quantity_after, 12);
    }

    #[test]
    fn every_kind_is_found_again_by_its_code() {
        for kind in MovementKind::ALL {
            assert_eq!(MovementKind::from_code(kind.code()), Some(kind));
        }
    }
}
