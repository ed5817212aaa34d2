//! What a slip would do, told before it is sent, by the rule that decides when it arrives.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::slip_form::TypedLine;
use crate::domain::{BeanId, Decision, InventoryUpdate, Reason, Stock, StockChange, decide};
use crate::web::ui::form::Mistakes;
use crate::web::ui::page::grouped;
use crate::web::ui::wording::bags;

/// What one line would do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// The line's place in the form, counted from one.
    pub(super) number: usize,
    pub(super) bean_type: String,
    pub(super) sentence: String,
    /// The café's bags before and after, for those who may know.
    pub(super) level: Option<String>,
}

/// Tells what each line would do if the slip arrived now, the lines above it included.
///
/// A line that the rule refuses is a mistake and does nothing. Whoever does not see the café's stock is not told that it would not suffice either: asking again and
/// again would tell how much there is.
pub(super) fn foresee(
    lines: &[TypedLine<'_>],
    updates: &[InventoryUpdate],
    sees_levels: bool,
    now: DateTime<Utc>,
) -> (Vec<Effect>, Mistakes) {
    let mut stocks: HashMap<BeanId, Stock> = HashMap::new();
    let (mut effects, mut mistakes) = (Vec::new(), Mistakes::default());
    for (line, update) in lines.iter().zip(updates) {
        let stock = stocks.entry(line.bean.id).or_insert(line.bean.stock);
        let before = stock.quantity;
        let mut level = None;
        let mut sentence = change(&line.change);
        match decide(stock, update, now) {
            Ok(Decision::Move { after, .. } | Decision::Flag { after }) => {
                if after.quantity != before {
                    level = Some(format!("{} → {}", grouped(before), bags(after.quantity)));
                }
                *stock = after;
            }
            Ok(Decision::Superseded(refusal)) => sentence = refusal.explanation,
            Err(refusal) if sees_levels || refusal.reason != Reason::BelowZero => {
                mistakes.add(format!("bags-{}", line.number), refusal.explanation);
                continue;
            }
            Err(_) => {}
        }
        effects.push(Effect {
            number: line.number,
            bean_type: line.bean.bean_type.clone(),
            sentence,
            level: level.filter(|_| sees_levels),
        });
    }
    (effects, mistakes)
}

/// A change in words.
pub(super) fn change(change: &StockChange) -> String {
    match change {
        StockChange::Delivery(number) => format!("{} more", bags(number.get())),
        StockChange::Return(number) => format!("{} fewer", bags(number.get())),
        StockChange::OutOfStock => {
            "The café is told that there is none to be had; its stock stays as it is".to_owned()
        }
        StockChange::Count { bags: number, .. } => format!("{} counted", bags(number.get())),
    }
}
