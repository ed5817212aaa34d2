//! The shards of a stream over the range of its keys, as a drawing: each generation is a row, and a shard that was split
//! or merged stands above those that it became.

use std::collections::HashMap;

use crate::db::stream_shards::ShardLine;

/// The drawing's width; its height is a row's for each generation.
const WIDTH: u16 = 400;
const ROW: u16 = 46;
const BAR: u16 = 26;

/// A shard's bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardBar {
    pub(crate) class: &'static str,
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
    /// The shard's number, if there is room for it.
    pub(crate) label: Option<String>,
    pub(crate) label_x: u16,
    pub(crate) label_y: u16,
}

/// The drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardMap {
    pub(crate) bars: Vec<ShardBar>,
    /// From each shard to those that it became, as one path.
    pub(crate) lineage: String,
    pub(crate) height: u16,
    pub(crate) bar: u16,
}

impl ShardMap {
    /// Draws shards in the order in which they came to be; nothing for none.
    pub(crate) fn new(
        shards: &[ShardLine],
        class: impl Fn(&ShardLine) -> &'static str,
    ) -> Option<Self> {
        let generations = generations(shards);
        let rows = generations.values().max()? + 1;
        let bar = |shard: &ShardLine| {
            let generation = generations
                .get(shard.shard.id.as_str())
                .copied()
                .unwrap_or_default();
            let (first, last) = shard.shard.hash_keys();
            let (x, end) = (place(first), place(last));
            let y = generation * ROW;
            let width = end.saturating_sub(x).saturating_sub(2).max(2);
            ShardBar {
                class: class(shard),
                x,
                y,
                width,
                label: (width >= 18).then(|| number(&shard.shard.id)),
                label_x: x + width / 2,
                label_y: y + BAR / 2 + 5,
            }
        };
        let bars: Vec<ShardBar> = shards.iter().map(bar).collect();
        let drawn: HashMap<&str, &ShardBar> = shards
            .iter()
            .map(|shard| shard.shard.id.as_str())
            .zip(&bars)
            .collect();
        let lines = shards.iter().zip(&bars).flat_map(|(shard, bar)| {
            let from = shard.shard.parents().filter_map(|parent| drawn.get(parent));
            from.map(|from| {
                let (x, y) = (from.label_x, from.y + BAR);
                format!("M{x} {y}L{} {}", bar.label_x, bar.y)
            })
        });
        let lines: Vec<String> = lines.collect();
        let lineage = lines.concat();
        Some(Self {
            bars,
            lineage,
            height: rows * ROW - (ROW - BAR),
            bar: BAR,
        })
    }
}

/// How many shards each came from, one after the other; of those that are known.
fn generations(shards: &[ShardLine]) -> HashMap<&str, u16> {
    let mut generations: HashMap<&str, u16> = HashMap::new();
    // Shards are numbered as they come to be, so parents come first.
    for shard in shards.iter().map(|line| &line.shard) {
        let latest = shard
            .parents()
            .filter_map(|parent| generations.get(parent))
            .max();
        generations.insert(&shard.id, latest.map_or(0, |latest| latest + 1));
    }
    generations
}

/// Where a hash key is in the drawing.
fn place(hash_key: u128) -> u16 {
    let share = hash_key / (u128::MAX / u128::from(WIDTH));
    u16::try_from(share).unwrap_or(WIDTH).min(WIDTH)
}

/// A shard's number, which its id ends with.
pub(crate) fn number(shard: &str) -> String {
    let digits = shard.rsplit('-').next().unwrap_or(shard);
    digits
        .parse::<u64>()
        .map_or_else(|_| shard.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Shard;

    fn shard(number: u8, parents: [Option<u8>; 2], (first, last): (u128, u128)) -> ShardLine {
        let id = |number| format!("shardId-{number:012}");
        let [parent, adjacent_parent] = parents.map(|parent| parent.map(id));
        ShardLine {
            stream: String::new(),
            shard: Shard {
                id: id(number),
                parent,
                adjacent_parent,
                first_hash: first.to_string(),
                last_hash: last.to_string(),
                is_closed: false,
            },
            owner: None,
            checkpoint: None,
            ended_at: None,
            behind_ms: None,
            unread_ms: None,
            movements: 0,
            trimmed_at: None,
            waits: false,
        }
    }

    #[test]
    fn shards_stand_below_those_that_they_came_from() {
        let half = u128::MAX / 2;
        let shards = [
            shard(0, [None, None], (0, u128::MAX)),
            shard(1, [Some(0), None], (0, half)),
            shard(2, [Some(0), None], (half + 1, u128::MAX)),
            shard(3, [Some(1), Some(2)], (0, u128::MAX)),
        ];

        let map = ShardMap::new(&shards, |_| "").unwrap();

        let places: Vec<_> = map
            .bars
            .iter()
            .map(|bar| (bar.x, bar.y, bar.width))
            .collect();
        assert_eq!(
            places,
            [(0, 0, 398), (0, 46, 198), (200, 46, 198), (0, 92, 398)]
        );
        assert_eq!(
            map.lineage,
            "M199 26L99 46M199 26L299 46M99 72L199 92M299 72L199 92"
        );
        assert_eq!(map.height, 118);
        assert_eq!(ShardMap::new(&[], |_| ""), None);
    }
}
