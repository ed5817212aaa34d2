//! What would come of sending many dead letters again, in numbers.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::db;
use crate::db::Connection;
use crate::domain::Reason;
use crate::inventory::{Prospect, Rehearsal};
use crate::web::http::error::WebError;
use crate::web::state::AppState;

/// Letters are as large as their senders make them: so many are held at a time.
const READ_AT_ONCE: usize = 500;

/// What would come of the letters, in numbers.
#[derive(Debug, Default)]
pub(super) struct Prospects {
    pub(super) apply: i64,
    pub(super) overtaken: i64,
    pub(super) fail: i64,
    /// Why those would fail, the most frequent first, each with a sentence of one of them.
    pub(super) reasons: Vec<(Reason, i64, String)>,
}

impl Prospects {
    fn of(prospects: Vec<Prospect>) -> Self {
        let mut rehearsal = Self::default();
        let mut reasons: BTreeMap<&'static str, (Reason, i64, String)> = BTreeMap::new();
        for prospect in prospects {
            match prospect {
                Prospect::Applies { .. } => rehearsal.apply += 1,
                Prospect::Overtaken(_) => rehearsal.overtaken += 1,
                Prospect::Fails(refusal) => {
                    rehearsal.fail += 1;
                    let reason = refusal.reason;
                    let entry = reasons.entry(reason.code());
                    entry.or_insert((reason, 0, refusal.explanation)).1 += 1;
                }
            }
        }
        rehearsal.reasons = reasons.into_values().collect();
        rehearsal
            .reasons
            .sort_by_key(|(_, number, _)| std::cmp::Reverse(*number));
        rehearsal
    }
}

/// Plays the letters through, oldest first, without changing anything; they come newest first.
pub(super) async fn rehearse_all(
    conn: &mut Connection,
    state: &AppState,
    letters: &[Uuid],
) -> Result<Prospects, WebError> {
    let oldest_first: Vec<Uuid> = letters.iter().rev().copied().collect();
    let mut rehearsal = Rehearsal::new(state.clock.now());
    let mut prospects = Vec::with_capacity(letters.len());
    for portion in oldest_first.chunks(READ_AT_ONCE) {
        let letters = db::dead_letters::list_open_letters(conn, portion).await?;
        prospects.extend(rehearsal.play(conn, &letters).await?);
    }
    Ok(Prospects::of(prospects))
}
