//! Which update a message is: the one it claims to be, unless another meaning has that id.

use std::collections::HashMap;

use sqlx::MySqlConnection;

use super::Incoming;
use crate::db::updates::Seen;
use crate::db::{self, DbResult};
use crate::domain::{Fingerprint, UpdateId};

/// Which update a message is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    /// Its id, or one of its own if the id it claims means another update.
    pub(crate) id: UpdateId,
    /// What it means.
    pub(crate) fingerprint: Fingerprint,
    /// Whether the id it claims means another update.
    pub(crate) is_conflict: bool,
    /// Whether it has had its one end.
    pub(crate) ended: bool,
    /// Whether it is in the outbox.
    pub(crate) in_outbox: bool,
}

impl Identity {
    /// Looks a message up among those seen before.
    pub(crate) fn of(message: &Incoming, seen: &HashMap<UpdateId, Seen>) -> Self {
        let fingerprint = message.fingerprint();
        let claimed = message.id();
        let is_conflict = seen
            .get(&claimed)
            .is_some_and(|seen| seen.fingerprint != fingerprint);
        let id = if is_conflict {
            conflict_id(claimed, &fingerprint)
        } else {
            claimed
        };
        Self {
            id,
            fingerprint,
            is_conflict,
            ended: seen.get(&id).is_some_and(|seen| seen.ended),
            in_outbox: seen.get(&id).is_some_and(|seen| seen.in_outbox),
        }
    }
}

/// Finds what was seen before of the updates that messages claim to be, and of those that they are
/// if another meaning has their id.
pub(crate) async fn find_seen(
    conn: &mut MySqlConnection,
    messages: &[Incoming],
) -> DbResult<HashMap<UpdateId, Seen>> {
    let claimed: Vec<UpdateId> = messages.iter().map(Incoming::id).collect();
    let mut seen = db::updates::find_seen(conn, &claimed).await?;
    let conflicts: Vec<UpdateId> = messages
        .iter()
        .map(|message| Identity::of(message, &seen))
        .filter(|identity| identity.is_conflict)
        .map(|identity| identity.id)
        .collect();
    seen.extend(db::updates::find_seen(conn, &conflicts).await?);
    Ok(seen)
}

/// The id of a message that reuses another update's id.
fn conflict_id(id: UpdateId, fingerprint: &Fingerprint) -> UpdateId {
    let meaning = UpdateId::derive("fingerprint", &format!("{fingerprint:?}"));
    UpdateId::derive("conflict", &format!("{id}:{meaning}"))
}
