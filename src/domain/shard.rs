//! A shard of the stream of stock movements: a part of the range of hash keys.

use std::collections::HashMap;

use serde::Serialize;

/// A shard, as the stream lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shard {
    pub id: String,
    pub parent: Option<String>,
    /// The other one, if it came from two.
    pub adjacent_parent: Option<String>,
    /// The first and the last hash key that go there: numbers of 128 bits, in digits.
    pub first_hash: String,
    pub last_hash: String,
    /// It was split or merged, and takes no more records.
    pub is_closed: bool,
}

impl Shard {
    /// Its first hash key and its last one.
    pub fn hash_keys(&self) -> (u128, u128) {
        let key = |digits: &str| digits.parse().unwrap_or_default();
        (key(&self.first_hash), key(&self.last_hash))
    }

    /// The shards that it came from.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let parents = [&self.parent, &self.adjacent_parent];
        parents.into_iter().flatten().map(String::as_str)
    }
}

/// The open shards that have an open one to merge with, whose keys come next: (shard, next one).
pub fn neighbours<'a>(shards: impl IntoIterator<Item = &'a Shard>) -> HashMap<&'a str, &'a str> {
    let open = shards.into_iter().filter(|shard| !shard.is_closed);
    let mut open: Vec<&Shard> = open.collect();
    open.sort_by_key(|shard| shard.hash_keys());
    let pairs = open.array_windows();
    pairs
        .filter(|[one, next]| one.hash_keys().1.checked_add(1) == Some(next.hash_keys().0))
        .map(|[one, next]| (one.id.as_str(), next.id.as_str()))
        .collect()
}
