//! What movements of a bean are usually like, to tell which are not.

use serde::{Deserialize, Serialize};

use super::stock::MovementKind;

/// The sizes of a bean's latest movements, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualSizes {
    #[serde(default, rename = "use")]
    uses: Vec<i64>,
    #[serde(default)]
    delivery: Vec<i64>,
    #[serde(default)]
    count: Vec<i64>,
}

/// How many sizes are kept of each kind.
const KEPT: usize = 24;
/// Among fewer, nothing is unusual.
const ENOUGH_SIZES: usize = 10;
/// So many median absolute deviations from the median are unusual; one deviation is a bag at least.
const UNUSUAL: i64 = 4;

impl UsualSizes {
    /// Adds a movement; gives the median of those before it if it is far from that.
    pub fn note(&mut self, kind: MovementKind, change_by: i64) -> Option<i64> {
        let sizes = match kind {
            MovementKind::Use => &mut self.uses,
            MovementKind::Delivery => &mut self.delivery,
            MovementKind::Count => &mut self.count,
            _ => return None,
        };
        let usual = (sizes.len() >= ENOUGH_SIZES).then(|| median(sizes.iter().copied()));
        let unusual = usual.filter(|usual| {
            let deviation = median(sizes.iter().map(|size| (size - usual).abs())).max(1);
            (change_by - usual).abs() > UNUSUAL * deviation
        });
        if sizes.len() == KEPT {
            sizes.remove(0);
        }
        sizes.push(change_by);
        unusual
    }
}

fn median(numbers: impl Iterator<Item = i64>) -> i64 {
    let mut numbers: Vec<i64> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
